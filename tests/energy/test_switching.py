"""What switches, by hand for tiny kernels, and what it says of constant inputs and of sparsity."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fpgaprune import board
from fpgaprune.energy import folded as lanes_of
from fpgaprune.energy import of_words
from fpgaprune.energy.folded import lane_values
from fpgaprune.energy.measure import inside_loops
from fpgaprune.energy.switching import switching
from fpgaprune.fabric import CLOCK_SHARE, FABRICS
from fpgaprune.fixed import Fixed
from fpgaprune.ir import Graph, Input, MatVec, Tensor
from fpgaprune.lower import MatVecKernel, lower, run
from fpgaprune.lower.operations import operations
from fpgaprune.lower.partial import partial_sums
from fpgaprune.resources import estimate
from fpgaprune.resources.costs import costs
from fpgaprune.schedule import Access, AdderGraph, Adders, Folded, Interface, Multiply, multiply, schedule
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sparse import SparseMatrix
from tests.graphs import random_inputs, random_network_graph
from tests.nets import PYNQ, folded, mixed, mlp, sparse_weights

U4 = Fixed(False, 4, 0)
U8_WHOLE = Fixed(False, 8, 0)


def lowered_of(dense, plan, *, fmt=U4, bias=None):
    rows, columns = np.shape(dense)
    matrix = MatVec(
        Tensor("y", (rows,), Fixed(True, 30, 0)),
        "x",
        SparseMatrix.from_dense(np.array(dense)),
        Fixed(True, 8, 0),
        np.zeros(rows, int) if bias is None else np.array(bias),
    )
    graph = Graph((Input(Tensor("x", (columns,), fmt)), matrix), ("y",))
    return lower(schedule(graph, PYNQ, planner=lambda _op, _source: plan))


def matrix_of(lowered):
    (kernel,) = (each for each in lowered.kernels if isinstance(each, MatVecKernel))
    return kernel


def measured(lowered, vectors):
    """Return what switches in the one matrix for an inference."""
    kernel = matrix_of(lowered)
    (cost,) = (each for each in estimate(lowered).layers if each.tensor == kernel.name)
    return switching(kernel, cost, run(lowered, np.array(vectors)), {})


def lanes_switching(kernel, vectors):
    """Return what switches in lanes, which multiply where the estimate has them do so."""
    (cost,) = costs(kernel, FABRICS[PYNQ.family], PYNQ.clock_ns * CLOCK_SHARE)
    return lanes_of.folded(kernel, vectors, soft=cost.dsp == 0)


def energy_of(lowered, vectors):
    return of_words(lowered, run(lowered, *vectors), inputs="these")


SUM = Adders(AdderGraph(2, [0], [1], [0], [0], [1], [2], [0], [1]))
"""x + y"""

VECTORS = [[1, 2], [3, 0], [15, 15], [15, 15], [0, 1]]
"""The sums 3, 3, 30, 30, 1 of 5 bits: toggles 0, 4 (00011 to 11110), 0, 5."""


def test_a_tiny_adder_graph_by_hand():
    found = measured(lowered_of([[1, 1]], SUM), VECTORS)
    assert (found.toggled, found.possible, found.logic) == (9 / 4, 5, 9 / 4)
    assert found.registers == 9 / 4  # no cut: the result's register alone
    assert (found.hard, found.soft, found.table_bits, found.bram_bits) == (0, 0, 0, 0)
    assert found.activity == 9 / 20


def test_products_of_many_digits_are_multipliers_and_others_adders():
    """x * 3 is an adder (two digits), x * 11 a multiplier (three); one value of 6, one of 8 bits."""
    found = measured(lowered_of([[3]], Multiply()), [[0], [1], [3]])
    assert (found.logic, found.hard) == ((2 + 2) / 2, 0)  # 0, 3, 9: 000011, 001010
    found = measured(lowered_of([[11]], Multiply()), [[0], [1], [3]])
    assert (found.logic, found.possible) == (0, 8)
    assert found.toggled == (3 + 3) / 2  # 0, 11, 33: 001011, 100001
    assert found.hard == (1 + 1) / 2 * 4 / 2  # a bit of x toggles each time, 11 has 4 bits and stands still


ROW = [[2, 3, 0], [0, 0, 5]]
LANE = Folded(1)
"""One lane that multiplies x0 by 2 and x1 by 3, keeps the sum, then x2 by 5: three slots a vector."""


def test_a_tiny_folded_matrix_by_hand():
    lowered = lowered_of(ROW, LANE)
    kernel = matrix_of(lowered)
    vectors = np.array([[1, 4], [2, 5], [3, 6]])
    (held,) = lane_values(kernel, vectors)
    operand, weight, product, running = held.tolist()
    assert operand == [1, 2, 3, 4, 5, 6]
    assert weight == [2, 3, 5, 2, 3, 5]
    assert product == [2, 6, 15, 8, 15, 30]
    assert running == [2, 8, 15, 8, 23, 30]
    found, slots = lanes_switching(kernel, vectors), 3 / 5  # three slots a vector, five steps between six slots
    operands, weights, products, sums = 2 + 1 + 3 + 1 + 2, 1 + 2 + 3 + 1 + 2, 1 + 2 + 3 + 3 + 2, 2 + 3 + 3 + 5 + 2
    parts = 5 + 2  # 8 and 23, 15 and 30: each row is one part, so that nothing is added up
    beat = 2 + 3 + 2
    assert found.toggled == pytest.approx((products + sums) * slots + parts)
    assert found.possible == 3 * (7 + 7) + 7 + 7  # all but operands reach 75
    assert found.logic == pytest.approx((operands + sums) * slots)
    assert found.registers == pytest.approx((operands + products + sums) * slots + beat + parts)
    assert found.soft == pytest.approx((4 * operands + 5 * weights) / 2 * slots)  # weights of 4 signed bits
    assert found.hard == 0
    assert found.table_bits == 3 * (3 + 1)  # weight and start of each slot


def test_a_slice_holds_the_product_and_multiplies():
    kernel = matrix_of(lowered_of(ROW, LANE, fmt=U8_WHOLE))
    vectors = np.array([[1, 4], [2, 5], [3, 6]])
    fabric = lanes_switching(kernel, vectors)
    wide = [[column * 9 for column in row] for row in ROW]
    kernel = matrix_of(lowered_of(wide, LANE, fmt=U8_WHOLE))
    slice_ = lanes_switching(kernel, vectors)
    assert (fabric.soft > 0, fabric.hard) == (True, 0)
    assert (slice_.soft, slice_.hard > 0) == (0, True)


def test_lanes_that_share_a_row_add_up_its_parts_and_bias():
    """Two lanes of one term each: 2 x0 and 3 x1 are parts, whose sum and the bias take two adders."""
    kernel = matrix_of(lowered_of([[2, 3]], Folded(2), bias=[1]))
    found = lanes_switching(kernel, np.array([[1, 4], [2, 5]]))
    sums = (9 ^ 24).bit_count()
    operands, running = 2 + 3, (2 ^ 8).bit_count() + (6 ^ 15).bit_count()
    assert found.logic == operands + running + 2 * sums


def test_lanes_have_one_word_for_their_sums_as_in_the_cpp():
    """-x0 and -100 x1 in a lane each: sums of 5 and of 12 bits, and 12 in the word of both, where the sign repeats."""
    kernel = matrix_of(lowered_of([[-1, 0], [0, -100]], Folded(2)))
    assert partial_sums(kernel).sum_word.width == 12
    found = lanes_switching(kernel, np.array([[0, 1, 0], [0, 0, 0]]))  # one slot a vector: 0, -1, 0
    row = 5  # of its own word
    assert found.toggled == 12 + 12 + row  # product and running sum
    assert found.possible == 2 * (12 + 12) + 5 + 12
    assert found.registers == 1 + 12 + 1 + 12  # operand and running sum; the beat and the part


def test_signs_beyond_64_bits_toggle_as_well():
    weights = [SparseMatrix.from_dense(np.array([[-1, 0], [0, -100]]))]
    graph = mlp((2, 2), weights=weights, activation=Fixed(True, 70, 60))
    kernel = matrix_of(lower(schedule(graph, PYNQ, planner=lambda _op, _source: Folded(2))))
    width = partial_sums(kernel).sum_word.width
    assert width > 64
    vectors = np.array([[0, 1, 0], [0, 0, 0]])
    assert lanes_switching(kernel, vectors) == lanes_switching(kernel, vectors.astype(object))
    assert lanes_switching(kernel, vectors).toggled > 2 * width


def test_memories_read_what_their_tables_say():
    kernel = matrix_of(lowered_of(ROW, Folded(2, Access.MEMORIES, 2)))
    lanes = kernel.program
    found = lanes_switching(kernel, np.array([[1, 4], [2, 5], [3, 6]]))
    word = 3 + 1 + 1 + (lanes.banks.depth - 1).bit_length() + (lanes.banks.rounds - 1).bit_length()
    copies = 2 * (lanes.banks.depth + lanes.slots) * 4
    width = 7  # of the sums
    partial = (len(lanes.part_row) + 2 * lanes.banks.rounds) * width
    assert found.table_bits == 2 * lanes.slots * word + copies + partial


@pytest.mark.parametrize("access", [Access.REGISTERS, Access.MEMORIES])
@pytest.mark.parametrize("seed", range(4))
def test_lanes_make_the_rows_of_their_matrix(access, seed, monkeypatch):
    """The running sum at the end of each part adds up to the rows; chunks of one vector change nothing."""
    rng = np.random.default_rng(seed)
    weights = sparse_weights(rng, 7, 9, 0.5)
    banks = 1 if access is Access.REGISTERS else 3
    kernel = matrix_of(lowered_of(weights.dense(), Folded(6, access, banks), fmt=U8_WHOLE))
    lanes, vectors = kernel.program, rng.integers(0, 256, (kernel.source.size, 5))
    whole = np.concatenate(list(lane_values(kernel, vectors)), axis=1)
    running = whole[3 * lanes.lanes :].reshape(lanes.lanes, 5, lanes.slots)
    rows = np.zeros((kernel.result.size, 5), dtype=np.int64)
    np.add.at(rows, lanes.part_row, running[lanes.part_lane, :, lanes.part_end])
    assert np.array_equal(rows, kernel.weights.dense() @ vectors)
    found = lanes_switching(kernel, vectors)
    monkeypatch.setattr("fpgaprune.energy.toggles._AT_ONCE", 1)
    assert lanes_switching(kernel, vectors) == found
    assert lanes_switching(kernel, vectors.astype(object)) == found


PLANNERS = {
    "multiply": multiply,
    "adders": adders_planner,
    "registers": folded(4),
    "memories": folded(4, Access.MEMORIES, 2),
}


@pytest.mark.parametrize("planner", ["multiply", "adders"])
def test_constant_inputs_leave_the_clock_alone(planner):
    graph = mlp((6, 5, 3), 0.3)
    lowered = lower(schedule(graph, PYNQ, planner=PLANNERS[planner]))
    still = energy_of(lowered, (np.full((4, 6), 77),))
    clock = still.part_pj("clock_pj")
    assert still.dynamic_pj == clock > 0
    assert still.activity == 0
    assert clock == pytest.approx(estimate(lowered).total("ff") * clock_of_7_series())
    moving = energy_of(lowered, random_inputs(graph, 9))
    assert moving.part_pj("clock_pj") == clock
    assert moving.dynamic_pj > clock


def clock_of_7_series():
    return (0.03 / 8 + 0.1 / 32) / 2 / 0.5 * (28 / 45 * (1 / 0.9) ** 2) * 14 * 0.25


def test_lanes_switch_from_slot_to_slot_whatever_the_inputs():
    graph = mlp((6, 5, 3), 0.3)
    still = energy_of(lower(schedule(graph, PYNQ, planner=folded(4))), (np.full((4, 6), 77),))
    assert still.part_pj("multipliers_pj") > 0
    assert still.activity > 0


@pytest.mark.parametrize("planner", PLANNERS)
def test_energy_falls_with_each_level_of_sparsity(planner):
    """Masks of one family: each keeps a part of what the one before it keeps."""
    rng = np.random.default_rng(3)
    sizes = (16, 12, 5)
    dense = [rng.integers(1, 128, shape) * rng.choice([-1, 1], shape) for shape in ((12, 16), (5, 12))]
    ranks = [rng.random(matrix.shape) for matrix in dense]
    x = rng.integers(0, 256, (40, 16))
    found = []
    for sparsity in (0.0, 0.5, 0.8, 0.9):
        kept = [SparseMatrix.from_dense(matrix * (rank >= sparsity)) for matrix, rank in zip(dense, ranks, strict=True)]
        graph = mlp(sizes, weights=kept, biases=[[0] * 12, [0] * 5])
        found.append(energy_of(lower(schedule(graph, PYNQ, planner=PLANNERS[planner])), (x,)))
    for denser, sparser in pairwise(found):
        assert sparser.dynamic_pj < 0.85 * denser.dynamic_pj
        assert sparser.part_pj("logic_pj") < denser.part_pj("logic_pj")


def test_totals_are_those_of_the_layers_and_the_interval_a_factor_of_three():
    graph = mlp((6, 5, 3), 0.3)
    found = energy_of(lower(schedule(graph, board.load("zcu104"), planner=folded(4))), random_inputs(graph, 9))
    parts = ("logic", "registers", "clock", "multipliers", "memories")
    assert found.dynamic_pj == pytest.approx(sum(found.part_pj(f"{part}_pj") for part in parts))
    assert found.dynamic_pj == pytest.approx(sum(layer.dynamic_pj for layer in found.layers))
    assert found.bounds_pj == (found.dynamic_pj / 3, found.dynamic_pj * 3)
    assert found.samples == 9
    assert found.kind.value == "estimate"
    assert 0 < found.activity < 1


def test_one_kernel_of_every_clock_cycle_counts_its_positions():
    """The same matrix at each of four positions: four times what switches, of registers as they are clocked."""
    matrix = SparseMatrix.from_dense(np.array([[3, 5], [7, 1]]))
    found = {}
    for name, shape in (("vector", (2,)), ("positions", (4, 2))):
        op = MatVec(Tensor("y", shape, Fixed(True, 30, 0)), "x", matrix, Fixed(True, 8, 0), np.zeros(2, int))
        graph = Graph((Input(Tensor("x", shape, U4)), op), ("y",))
        lowered = lower(schedule(graph, PYNQ, interface=Interface.STREAM, planner=multiply))
        x = np.random.default_rng(0).integers(0, 16, (50, 4, 2) if name == "positions" else (200, 2))
        (cost,) = (each for each in estimate(lowered).layers if each.tensor == "y")
        (kernel,) = lowered.kernels
        found[name] = switching(kernel, cost, run(lowered, x), {})
    assert found["positions"].logic == pytest.approx(4 * found["vector"].logic)
    assert found["positions"].toggled == pytest.approx(4 * found["vector"].toggled)


@pytest.mark.parametrize("interface", list(Interface))
@pytest.mark.parametrize("seed", range(12))
def test_any_network_has_an_energy_of_parts_that_are_not_negative(seed, interface):
    graph = random_network_graph(seed)
    lowered = lower(schedule(graph, PYNQ, interface=interface, planner=mixed(seed)))
    words = run(lowered, *random_inputs(graph, 3, seed))
    found = of_words(lowered, words | inside_loops(lowered, words), inputs="these")
    assert all(layer.dynamic_pj >= 0 and 0 <= layer.activity <= 1 for layer in found.layers)
    assert len(found.layers) == len(estimate(lowered).layers)


def test_values_come_in_chunks_that_put_together_are_all(monkeypatch):
    kernel = matrix_of(lowered_of([[3, 5], [7, 1]], Multiply()))
    made, vectors = operations(kernel), np.random.default_rng(0).integers(0, 16, (2, 7))
    (whole,) = made.values(vectors)
    monkeypatch.setattr("fpgaprune.lower.operations._CHUNK", 2 * len(made.low))
    chunks = list(made.values(vectors))
    assert [chunk.shape[1] for chunk in chunks] == [2, 2, 2, 1]
    assert np.array_equal(np.concatenate(chunks, axis=1), whole)
    assert np.array_equal(whole[made.row] << made.row_shift[:, np.newaxis], made.compute(vectors))

"""The estimate: counts that can be worked out by hand, and what must fall when weights go."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from alkaid.cmvm import cmvm_solve
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune import board
from fpgaprune.digits import signed_digits, trailing_zeros
from fpgaprune.fabric import FABRICS
from fpgaprune.fixed import Fixed, Overflow, Rounding, smallest_word
from fpgaprune.lower import lower, pipeline
from fpgaprune.lower.operations import operations, widths
from fpgaprune.resources import AMOUNTS, Kind, estimate, to_data
from fpgaprune.schedule import multiply, schedule
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sparse import SparseMatrix
from tests.nets import PYNQ, mlp, sparse_weights

U8 = Fixed(False, 8, 8, Rounding.RND, Overflow.SAT)


def one_matrix(weights, bias=None, planner=multiply):
    weights = np.array(weights)
    rows, columns = weights.shape
    bias = [0] * rows if bias is None else bias
    graph = mlp((columns, rows), weights=[SparseMatrix.from_dense(weights)], biases=[bias])
    return lower(schedule(graph, PYNQ, planner=planner))


def made_of(weights, bias=None, planner=multiply):
    (kernel,) = one_matrix(weights, bias, planner=planner).kernels
    return operations(kernel)


@given(st.integers(-(2**60), 2**60))
def test_signed_digits_are_those_of_the_non_adjacent_form(number):
    rest, count = abs(number), 0
    while rest:
        if rest % 2:
            rest -= 2 - rest % 4
            count += 1
        rest //= 2
    assert signed_digits(np.array([number]))[0] == count


@given(st.integers(-(2**62), 2**62).filter(bool))
def test_trailing_zeros_are_those_of_the_binary_form(number):
    assert trailing_zeros(np.array([number]))[0] == len(bin(number)) - len(bin(number).rstrip("0"))


@given(st.lists(st.tuples(st.integers(-(2**70), 2**70), st.integers(0, 2**70)), min_size=1, max_size=5))
def test_widths_are_those_of_the_smallest_word(pairs):
    low = np.array([pair[0] for pair in pairs], dtype=object)
    high = low + np.array([pair[1] for pair in pairs], dtype=object)
    assert widths(low, high).tolist() == [smallest_word(a, b)[1] for a, b in zip(low, high, strict=True)]


def test_powers_of_two_are_wires_two_digits_are_an_adder_more_are_a_multiplier():
    made = made_of([[1, 3], [8, 0], [0, 11]])
    assert pipeline.multipliers(made) == 1
    assert pipeline.adder_bits(made) == 9 + 10  # 3 times 8 bits, and its sum with 8 bits: 255 * 4 needs ten


@pytest.mark.parametrize(
    ("weights", "multipliers"), [([[11, 1], [11, 2]], 1), ([[11, 1], [-11, 2]], 2), ([[11, 11], [1, 0]], 2)]
)
def test_equal_products_are_computed_once_but_not_of_other_inputs_or_signs(weights, multipliers):
    assert pipeline.multipliers(made_of(weights)) == multipliers


def test_an_adder_spans_the_exact_width_above_the_bits_that_only_one_operand_has():
    # 255 + 255 needs 9 bits; 255 + 2 * 255 needs 10, of which the lowest belongs to one operand alone
    assert pipeline.adder_bits(made_of([[1, 1]])) == 9
    assert pipeline.adder_bits(made_of([[1, 2]])) == 9


def test_a_negative_row_is_subtracted_from_zero_over_its_whole_width():
    assert pipeline.adder_bits(made_of([[-4]])) == 9
    assert pipeline.adder_bits(made_of([[-1, 1]])) == 9


def test_shared_additions_are_counted_once():
    made = made_of([[5, 0], [10, 1], [-5, 1]], planner=adders_planner)
    assert pipeline.multipliers(made) == 0
    assert pipeline.adder_bits(made) == (11 - 2) + (12 - 1) + 12  # 5 x; 10 x + y; y - 5 x


@pytest.mark.parametrize(("sparsity", "shape"), [(0, (32, 16)), (0.5, (32, 32)), (0.9, (32, 64)), (0.95, (16, 32))])
def test_adders_span_no_more_bits_than_those_of_the_solver_alone(sparsity, shape):
    weights = sparse_weights(np.random.default_rng(0), *shape, sparsity)
    programs = cmvm_solve(weights.dense().T.astype(np.float32), qintervals=[(0.0, 255.0, 1.0)] * shape[1])
    made = made_of(weights.dense(), planner=adders_planner)
    assert pipeline.adder_bits(made) <= sum(op.cost for program in programs for op in program.ops)


def cuts(weights, budget, *, finished=False):
    return pipeline.stages(made_of(weights), FABRICS[PYNQ.family], budget, ending=finished)  # 2.1 and 4.2 ns


def test_the_pipeline_is_cut_before_the_operation_that_would_pass_the_budget():
    assert cuts([[1] * 8], 2.1) == (1, 2)
    assert cuts([[1] * 8], 4.2) == (2,)
    assert cuts([[1] * 8], 4.2, finished=True) == (2,)
    assert cuts([[1] * 8], 2.1, finished=True) == (1, 2, 3)
    assert cuts([[11, 13] * 4], 6.4) == (2,)
    assert cuts([[11, 13] * 4], 1.0) == (1, 2, 3)  # an operation that is slower than the clock has a stage of its own
    assert cuts([[1]], 1.0, finished=True) == ()


def test_a_cut_stores_what_is_read_later_once_and_no_constant():
    made = made_of([[1, 1, 1, 0], [1, 1, 0, 0]], [7, 0])
    # after one level: x0 + x1, which the first row adds on and the second row is, and x2 + 7
    outside = np.zeros(len(made.low), dtype=bool)
    assert pipeline.live_bits(made, (1,), outside) == 2 * 9 + 9
    assert pipeline.live_bits(made, (1, 2), outside) == 2 * 9 + 9 + 10 + 9


def test_dsp_slices_grow_with_operands_that_a_slice_cannot_take():
    wide = Fixed(False, 30, 8, Rounding.RND, Overflow.SAT)
    graph = mlp((1, 1), weights=[SparseMatrix.from_dense(np.array([[11]]))], biases=[[0]], activation=wide)
    assert estimate(lower(schedule(graph, PYNQ))).total("dsp") == 2
    assert estimate(one_matrix([[11]])).total("dsp") == 1


def test_every_resource_falls_with_the_non_zeros():
    found = [
        estimate(lower(schedule(mlp((64, 32, 10), sparsity, seed=3), PYNQ))) for sparsity in (0, 0.5, 0.8, 0.9, 0.95)
    ]
    for amount in ("lut", "ff", "dsp", "nonzeros"):
        totals = [resources.total(amount) for resources in found]
        assert totals == sorted(totals, reverse=True), amount
        assert totals[-1] < totals[0] * 0.15


def test_a_faster_clock_costs_more_stages_and_registers():
    graph = mlp((64, 32, 10), 0.5)
    slow, fast = (estimate(lower(schedule(graph, PYNQ, clock_ns=clock))) for clock in (20, 4))
    assert fast.latency_cycles > slow.latency_cycles
    assert fast.total("ff") > slow.total("ff")
    assert fast.total("lut") == slow.total("lut")


def test_a_family_with_faster_adders_needs_fewer_stages():
    graph = mlp((64, 32, 10), 0.5)
    old, new = (estimate(lower(schedule(graph, target, clock_ns=5))) for target in (PYNQ, board.load("zcu102")))
    assert new.latency_cycles < old.latency_cycles


def test_utilisation_and_fit_are_those_of_the_board():
    resources = estimate(lower(schedule(mlp((64, 32, 10), 0.9), PYNQ)))
    assert resources.kind is Kind.ESTIMATE
    assert resources.utilisation(PYNQ)["lut"] == resources.total("lut") / 53_200
    assert resources.fits(PYNQ)
    assert not estimate(lower(schedule(mlp((784, 128, 10), 0), PYNQ))).fits(PYNQ)


def test_a_resource_that_the_board_lacks_never_fits():
    from dataclasses import replace

    resources = estimate(lower(schedule(mlp((8, 4), 0.5), PYNQ)))
    needy = replace(resources, layers=(replace(resources.layers[0], uram=1),))
    assert needy.utilisation(PYNQ)["uram"] == math.inf
    assert not needy.fits(PYNQ)
    assert json.loads(json.dumps(to_data(needy, PYNQ), allow_nan=False))["utilisation"]["uram"] is None


def test_json_carries_kind_units_totals_and_layers():
    data = to_data(estimate(lower(schedule(mlp((8, 4, 2), 0.5), PYNQ))), PYNQ)
    assert data["kind"] == "estimate"
    assert data["latency_ns"] == data["latency_cycles"] * data["clock_ns"]
    assert [layer["layer"] for layer in data["layers"]] == ["fc1", "fc2"]
    for amount in AMOUNTS:
        assert data["total"][amount] == sum(layer[amount] for layer in data["layers"])


@pytest.mark.parametrize("mode", list(Rounding))
def test_rounding_that_depends_on_the_value_costs_more_than_a_constant_half_step(mode):
    costs = {}
    for rounding in (mode, Rounding.RND):
        activation = Fixed(False, 6, 6, rounding, Overflow.SAT)
        costs[rounding] = estimate(lower(schedule(mlp((16, 8, 2), 0.5, activation=activation), PYNQ))).total("lut")
    free = mode in (Rounding.TRN, Rounding.RND, Rounding.RND_MIN_INF)
    assert costs[mode] > costs[Rounding.RND] or free


def test_a_slice_adds_to_its_product_and_keeps_the_first_register():
    made = made_of([[11, 13, 1]])  # two multipliers; their sum and that of the wire
    within = pipeline.sliced(made)
    assert int(within.sum()) == 3  # both products and one of the two sums reads them
    outside = pipeline.adder_tables(made, within)
    assert 0 < outside < pipeline.adder_tables(made, ~within & False)
    shared = made_of([[11, 1], [11, 0]])  # the product is a row, too, so it leaves its slice before the sum
    assert int(pipeline.sliced(shared).sum()) == 1
    assert pipeline.live_bits(made, (1,), within) < pipeline.live_bits(made, (1,), within & False)

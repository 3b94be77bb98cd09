"""The cost of folded matrices, by hand for small ones, and what it says of the two ways to feed lanes."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from fpgaprune import board
from fpgaprune.board import Family
from fpgaprune.fabric import CLOCK_SHARE, FABRICS, Memory
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.ir import Graph, Input, MatVec, Requantise, Tensor
from fpgaprune.lower import lower
from fpgaprune.resources.folding import folded
from fpgaprune.schedule import Access, Folded, schedule
from fpgaprune.sparse import SparseMatrix

PYNQ = board.load("pynq-z2")
FABRIC = FABRICS[PYNQ.family]


def kernel(dense, plan, *, width=8, bias=None, finished=False):
    rows, columns = dense.shape
    matrix = MatVec(
        Tensor("y", (rows,), Fixed(True, 40, width)),
        "x",
        SparseMatrix.from_dense(dense),
        Fixed(True, 8, 0),
        np.zeros(rows, int) if bias is None else np.array(bias),
    )
    ops = [Input(Tensor("x", (columns,), Fixed(True, width, width))), matrix]
    if finished:
        narrow = Fixed(False, 8, width, Rounding.TRN, Overflow.SAT)
        ops.append(Requantise(Tensor("z", (rows,), narrow), "y", 0))
    graph = Graph(tuple(ops), (ops[-1].output.name,))
    (found,) = lower(schedule(graph, PYNQ, planner=lambda _op, _source: plan)).kernels
    return found


def cost(*given, clock_ns=10.0, **named):
    return folded(kernel(*given, **named), FABRIC, clock_ns * CLOCK_SHARE).layer


def pruned(rows, columns, sparsity, seed=0):
    rng = np.random.default_rng(seed)
    dense = rng.integers(-127, 128, (rows, columns))
    dense[rng.random((rows, columns)) < sparsity] = 0
    return dense


SMALL = np.array([[100, 100, 0, 0], [0, 0, 101, 90], [102, 0, 0, 3]])


def test_lanes_in_registers_by_hand():
    """Three lanes of two terms, each a whole row: three parts, nothing to merge."""
    found = cost(SMALL, Folded(3))
    assert (found.nonzeros, found.multipliers, found.dsp, found.bram_18k) == (6, 3, 3, 0)
    rows = 16 + 16 + 15  # up to 200, 191 and 105 times -128
    assert found.adder_bits == rows
    choice, ends, counters = 3 * 1 * 8, 1, 24
    tables = 3  # of two slots there are but three bits that are not always zero
    assert found.lut == found.adder_bits + choice + tables + ends + counters
    beat, sums, parts, starts = 4 * 8, rows, rows, 1  # operands, weights and products are in slices
    assert found.ff == beat + sums + starts + parts + rows + 24
    assert found.latency_cycles == 2 + 3 + 1  # two slots; choose, multiply, add; the row


def test_parts_of_a_row_and_a_bias_are_added_up():
    whole, split = cost(SMALL, Folded(3)), cost(SMALL, Folded(6))
    assert split.adder_bits == 5 * 15 + 10 + 16 + 16 + 15  # a product a lane, and one addition a row
    biased = cost(SMALL, Folded(3), bias=[7, 0, 9])
    assert biased.adder_bits - whole.adder_bits == 16 + 15


def test_a_fabric_multiplier_is_two_tables_for_each_pair_of_bits():
    dsp, tables = cost(SMALL, Folded(3)), cost(SMALL, Folded(3, fabric=True))
    assert (tables.dsp, tables.multipliers) == (0, 3)
    assert tables.lut - dsp.lut == 2 * 3 * 8 * 7  # elements of eight bits, weights of seven
    narrow = cost(SMALL, Folded(3), width=3)
    assert narrow.dsp == 0


def test_a_lane_that_reads_one_element_needs_no_multiplexer():
    same = np.array([[5], [6], [7], [11]])
    several = np.diag([5, 6, 7, 11])
    assert cost(several, Folded(1)).lut - cost(same, Folded(1)).lut == 1 * 8  # four candidates are a table a bit


def test_lanes_that_do_the_same_share_multiplexers_and_tables():
    same, apart = (
        cost(np.array(dense), Folded(2)) for dense in ([[11, 13], [19, 21]], [[11, 13, 0, 0], [0, 0, 19, 21]])
    )
    assert same.dsp == apart.dsp
    assert apart.lut - same.lut == 1 * 8  # one more multiplexer
    assert apart.ff - same.ff == 2 * 8  # and two more elements


def test_later_families_keep_products_and_operands_in_registers():
    made = kernel(SMALL, Folded(3))
    series, ultrascale = (folded(made, FABRICS[family], 7.3).layer for family in (Family.XC7, Family.XCUP))
    products, operands = 5 * 15 + 10, 3 * 8
    assert ultrascale.ff - series.ff >= products // 2 + operands


def test_lanes_with_memories_by_hand():
    dense = np.array([[100, 100, 0, 0], [0, 0, 101, 90], [102, 0, 0, 3], [0, 50, 60, 0]])
    plan = Folded(4, Access.MEMORIES, 2)
    found, made = cost(dense, plan), kernel(dense, plan).program
    assert (made.slots, made.banks.depth, made.banks.rounds) == (2, 2, 2)
    rows = 16
    assert found.adder_bits == 16 + 3 * 15 + 2 * 1 * rows  # one lane adds two terms; each group adds two banks
    copies, partial = (4 * FABRIC.two_port(4, width).lut for width in (8, 16))
    assert found.dsp == 4
    assert found.lut >= found.adder_bits + copies + partial
    biased = cost(dense, plan, bias=[1, 2, 3, 4])
    assert biased.adder_bits - found.adder_bits == 2 * rows


def test_each_group_has_one_finish_with_memories_and_each_row_has_one_with_registers():
    dense = pruned(32, 64, 0.8)

    def finish(plan):
        return cost(dense, plan, finished=True).lut - cost(dense, plan).lut

    assert 6 * finish(Folded(8, Access.MEMORIES, 4)) < finish(Folded(8))


@pytest.mark.parametrize(("words", "width", "lut"), [(32, 6, 4), (32, 7, 8), (33, 6, 8), (64, 3, 4), (65, 3, 11)])
def test_a_memory_of_two_ports_takes_four_tables_for_six_bits_of_32_words_or_three_of_64(words, width, lut):
    assert FABRIC.two_port(words, width) == Memory(lut, 0)


@pytest.mark.parametrize(("words", "width", "lut"), [(32, 14, 8), (32, 15, 16), (64, 7, 8), (64, 8, 16)])
def test_on_ultrascale_it_takes_eight_tables_for_fourteen_bits_of_32_words_or_seven_of_64(words, width, lut):
    assert FABRICS[Family.XCUP].two_port(words, width) == Memory(lut, 0)


def test_a_large_memory_of_two_ports_is_block_ram():
    assert FABRIC.two_port(512, 8) == Memory(0, 1)


@pytest.mark.parametrize("plan", [Folded(24), Folded(24, Access.MEMORIES, 6)])
def test_pruning_pays(plan):
    found = [cost(pruned(32, 96, sparsity), plan, finished=True) for sparsity in (0.0, 0.5, 0.8, 0.9, 0.95)]
    assert [each.nonzeros for each in found] == sorted((each.nonzeros for each in found), reverse=True)
    for more, less in pairwise(found):
        assert less.latency_cycles < more.latency_cycles
        assert less.lut + 40 * less.bram_18k < more.lut + 40 * more.bram_18k
        assert less.ff <= more.ff + 16  # a result can be a few bits wider for a product less in its sum


@pytest.mark.parametrize("plan", [Folded(16), Folded(16, Access.MEMORIES, 4)])
def test_fewer_lanes_are_smaller_and_slower(plan):
    dense = pruned(64, 128, 0.8)
    half = Folded(plan.lanes // 2, plan.access, plan.banks)
    less, more = cost(dense, half, finished=True), cost(dense, plan, finished=True)
    assert less.lut < more.lut
    assert (less.dsp, more.dsp) == (8, 16)
    assert less.latency_cycles > more.latency_cycles


def test_memories_spare_the_multiplexers_of_many_elements():
    dense = pruned(128, 784, 0.9)
    registers, memories = cost(dense, Folded(100)), cost(dense, Folded(100, Access.MEMORIES, 25))
    assert memories.lut < 0.6 * registers.lut


def test_registers_are_smaller_where_lanes_have_few_slots():
    dense = pruned(8, 12, 0.5)
    assert cost(dense, Folded(12)).lut < cost(dense, Folded(12, Access.MEMORIES, 3)).lut


def test_a_faster_clock_takes_more_cycles():
    dense = pruned(16, 64, 0.5)
    for plan in (Folded(40), Folded(8, Access.MEMORIES, 8)):
        assert cost(dense, plan, clock_ns=3.0).latency_cycles > cost(dense, plan).latency_cycles


@pytest.mark.parametrize("plan", [Folded(200), Folded(256, Access.MEMORIES, 16)])
def test_the_cost_of_a_hundred_thousand_weights_takes_milliseconds(plan):
    large = kernel(pruned(1024, 1024, 0.9), plan, finished=True)
    assert large.program.lanes == plan.lanes
    start = time.process_time()
    found = folded(large, FABRIC, 7.3).layer
    assert time.process_time() - start < 1  # about 0.05; a machine may be busy
    assert found.nonzeros == large.weights.nonzeros > 100_000

"""The cost of kernels other than matrices, by hand for small ones."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from fpgaprune.fabric import FABRICS, memory
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.ir import (
    ArgMax,
    Concat,
    Gather,
    Graph,
    Input,
    MatMul,
    MatVec,
    Maximum,
    Multiply,
    Requantise,
    Reshape,
    Scan,
    Table,
    Tensor,
    Window,
)
from fpgaprune.lower import lower
from fpgaprune.resources import calibration, estimate
from fpgaprune.resources.costs import fifo_memory
from fpgaprune.schedule import Interface, schedule
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows
from tests.nets import PYNQ

S6 = Fixed(True, 6, 3)
S6_SAT = Fixed(True, 6, 3, Rounding.RND_CONV, Overflow.SAT)


@pytest.fixture(autouse=True)
def _physics_alone(monkeypatch):
    """What is counted by hand is not calibrated."""
    plain = calibration.Coefficients(1.0, 1.0, 0.0, 1.0, 1.0, (1.0, 1.0), (1.0, 1.0))
    monkeypatch.setattr(calibration, "coefficients", lambda: defaultdict(lambda: plain))


def costs(ops, outputs, interface=Interface.STREAM):
    lowered = lower(schedule(Graph(tuple(ops), outputs), PYNQ, interface=interface))
    resources = estimate(lowered)
    return resources, {layer.tensor: layer for layer in resources.layers}


def x(*shape, fmt=S6, name="x"):
    return Input(Tensor(name, shape, fmt))


@pytest.mark.parametrize(
    ("words", "width", "lut", "bram"),
    [(64, 6, 6, 0), (65, 6, 12, 0), (1024, 4, 0, 1), (1024, 19, 0, 2), (512, 36, 0, 1), (1025, 18, 0, 2)],
)
def test_a_memory_is_look_up_tables_until_it_is_block_ram(words, width, lut, bram):
    assert (memory(words, width).lut, memory(words, width).bram_18k) == (lut, bram)


def test_a_fifo_is_shift_registers_of_32_bits_a_table():
    port = lower(schedule(Graph((x(4, 3),), ("x",)), PYNQ, interface=Interface.STREAM)).inputs[0]
    assert fifo_memory(32, port).lut == 18 + 10
    assert fifo_memory(33, port).lut == 36 + 10
    assert fifo_memory(1024, port).bram_18k == 1


def test_a_product_of_wide_words_is_a_dsp_slice_and_one_of_narrow_words_is_not():
    def multiplied(width):
        fmt = Fixed(True, width, 0)
        ops = [x(4, fmt=fmt), x(4, fmt=fmt, name="w"), Multiply(Tensor("y", (4,), Fixed(True, 2 * width, 0)), "x", "w")]
        return costs(ops, ("y",), Interface.PARALLEL)[1]["y"]

    assert (multiplied(8).dsp, multiplied(8).lut) == (4, 0)
    assert (multiplied(4).dsp, multiplied(4).lut) == (0, 4 * 4 * 4)
    assert multiplied(20).dsp == 8  # both factors wider than one side of a slice


def test_each_element_of_a_table_has_a_memory_and_two_share_a_block_ram():
    narrow, wide = Fixed(False, 6, 0), Fixed(False, 10, 0)
    small = [x(3, fmt=narrow), Table(Tensor("y", (3,), Fixed(False, 5, 0)), "x", np.arange(64) % 32, 0)]
    large = [x(3, fmt=wide), Table(Tensor("y", (3,), Fixed(False, 5, 0)), "x", np.arange(1024) % 32, 0)]
    assert costs(small, ("y",), Interface.PARALLEL)[1]["y"].lut == 3 * 5
    cost = costs(large, ("y",), Interface.PARALLEL)[1]["y"]
    assert (cost.lut, cost.bram_18k, cost.latency_cycles) == (0, 2, 2)


def test_comparisons_are_counted_one_less_than_terms():
    largest = [x(8), Maximum(Tensor("y", (2,), S6), "x")]
    assert costs(largest, ("y",), Interface.PARALLEL)[1]["y"].lut == 3 * 2 * (3 + 6)
    place = [x(8), ArgMax(Tensor("y", (1,), Fixed(False, 3, 0)), "x")]
    assert costs(place, ("y",), Interface.PARALLEL)[1]["y"].lut == 7 * (3 + 6 + 3)


def test_a_window_holds_lines_and_the_registers_of_its_taps():
    ops = [x(8, 10, 2), Window(Tensor("y", (6, 8, 18), S6), "x", Windows.plain((3, 3)))]
    cost = costs(ops, ("y",))[1]["y"]
    counters = 3 + 4 + 4 + 2  # rows, columns, places of a line, two flags
    assert cost.ff == 3 * 3 * 2 * 6 + counters  # nine taps of two words of six bits
    lines = 2 * 12  # two lines of ten places are one table a bit
    assert cost.lut == 24 + lines


def test_a_buffer_from_which_all_leaves_at_once_is_registers():
    ops = [x(4, 3), Reshape(Tensor("y", (12,), S6), "x")]
    assert costs(ops, ("y",))[1]["y"].ff == 12 * 6 + 2 + 2  # and a counter of four beats, two flags
    turned = np.arange(12).reshape(4, 3)[::-1].reshape(-1)
    order = [x(4, 3), Gather(Tensor("y", (4, 3), S6), "x", turned, np.zeros(12, int))]
    assert costs(order, ("y",))[1]["y"].lut > 0


def test_products_of_two_matrices_are_side_by_side_only_in_a_parallel_design():
    ops = [x(4, 3), x(5, 3, name="w"), MatMul(Tensor("y", (4, 5), Fixed(True, 14, 6)), "x", "w")]
    assert costs(ops, ("y",))[0].total("multipliers") == 5 * 3
    assert costs(ops, ("y",), Interface.PARALLEL)[0].total("multipliers") == 4 * 5 * 3


def test_a_loop_is_built_once_and_waits_for_its_body():
    step, state = Tensor("step", (3,), S6), Tensor("h", (3,), S6_SAT)
    joined = Tensor("joined", (6,), S6)
    sums = Tensor("sums", (3,), Fixed(True, 20, 6))
    weights = SparseMatrix.from_dense(np.arange(1, 19).reshape(3, 6))
    body = (
        Input(step),
        Input(state),
        Concat(joined, ("step", "h")),
        MatVec(sums, "joined", weights, Fixed(True, 6, 3), np.zeros(3, int)),
        Requantise(Tensor("next", (3,), S6_SAT), "sums"),
    )
    scan = Scan(Tensor("y", (7, 3), S6_SAT), "x", Graph(body, ("next",)), (np.zeros(3, int),))
    stream, layers = costs([x(7, 3), scan], ("y",))
    assert layers["next"].nonzeros == 18
    assert stream.interval_cycles == 7 * (layers["next"].latency_cycles + 1)
    parallel, _ = costs([x(7, 3), scan], ("y",), Interface.PARALLEL)
    assert parallel.interval_cycles == 1
    assert parallel.total("nonzeros") > 6 * 18 - 18  # one copy a step; the first knows its state
    assert stream.total("lut") < parallel.total("lut")


def test_the_latency_of_a_stream_covers_its_beats():
    resources, _ = costs([x(50, 2), Requantise(Tensor("y", (50, 2), Fixed(True, 3, 1)), "x")], ("y",))
    assert resources.interval_cycles == 50
    assert 50 <= resources.latency_cycles <= 55


def test_slices_cut_both_operands():
    for fabric in FABRICS.values():
        assert fabric.slices(8, 8) == 1
        assert fabric.slices(18, fabric.dsp_wide) == 1
        assert fabric.slices(19, fabric.dsp_wide) == 2
        assert fabric.slices(19, fabric.dsp_wide + 1) == 4

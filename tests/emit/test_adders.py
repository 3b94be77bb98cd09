"""The C++ of shared additions: the text of a tiny network, and loops and arrays that the vendor tool takes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fpgaprune.emit.adders import adder_view
from fpgaprune.emit.views import Declaration
from fpgaprune.fixed import Fixed
from fpgaprune.lower import lower
from fpgaprune.schedule import AdderGraph, Adders, schedule
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sparse import SparseMatrix
from tests.emit.test_emit import GOLDEN, tiny
from tests.nets import PYNQ, U8, mlp, project, sparse_weights


@pytest.mark.parametrize("name", ["act1", "fc2"])
def test_the_text_of_a_tiny_network_is_the_golden_one(name, update_golden):
    text = project(tiny(), planner=adders_planner).files[f"src/kernels/{name}.cpp"]
    golden = GOLDEN / "tiny_adders" / f"kernels_{name}.cpp"
    if update_golden:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def view_of(graph, planner=adders_planner):
    kernel = lower(schedule(graph, PYNQ, planner=planner)).kernels[0]
    return adder_view(kernel, "net", "terms", Declaration("comment", "void f()"), None, inline=False), kernel


def one_matrix(weights, biases=None, activation=U8):
    rows, columns = weights.shape
    biases = [[0] * rows if biases is None else biases]
    return mlp((columns, rows), weights=[weights], biases=biases, activation=activation)


def target(loop):
    """Return the array that a loop fills, and what is added to i for the place in it."""
    array, sign, offset = re.match(r"(value\w*)\[i(?: ([+-]) (\d+))?\] = ", loop.statement).groups()
    return array, int(f"{sign or ''}{offset or 0}")


def check_order(view):
    """Check that loops fill each value once and read none before it is filled."""
    tables = {table.name: [int(number) for number in table.numbers.split(",")] for table in view.tables}
    for group in view.groups:
        filled = set()
        for loop in group.loops:
            array, offset = target(loop)
            operands = re.findall(r"(value\w*)\[(left|right)\[i\]\]", loop.statement)
            for i in range(loop.start, loop.stop):
                assert {(name, tables[side][i]) for name, side in operands} <= filled
                assert (array, i + offset) not in filled
                filled.add((array, i + offset))
        assert filled == {(array.name, place) for array in group.arrays for place in range(array.size)}


def test_loops_fill_each_value_once_and_read_none_before_it_is_filled():
    view, _ = view_of(one_matrix(sparse_weights(np.random.default_rng(0), 12, 20, 0.4)))
    assert len(view.groups[0].loops) > 5
    check_order(view)


def test_the_word_of_each_loop_is_exactly_that_of_its_results():
    view = view_of(one_matrix(SparseMatrix.from_dense(np.array([[1, 1, 0], [1, -1, 0], [0, 3, 4]]))))[0]
    words = [word for loop in view.groups[0].loops for word in re.findall(r"add_shifted<(\S+)>", loop.statement)]
    assert sorted(words) == ["ap_int<9>", "ap_uint<11>", "ap_uint<9>"]
    assert view.groups[0].arrays[0].word == "ap_int<12>"


def test_arrays_and_loops_stay_within_what_the_vendor_tool_unrolls():
    view = view_of(one_matrix(sparse_weights(np.random.default_rng(0), 40, 300, 0.6)))[0]
    assert [len(group.arrays) for group in view.groups] == [1] * len(view.groups)
    assert len(view.groups) > 1
    assert max(group.arrays[0].size for group in view.groups) <= 4096
    assert sum(len(group.rows) for group in view.groups) == 40
    check_order(view)


def test_a_row_of_more_values_than_an_array_takes_several():
    view = view_of(one_matrix(sparse_weights(np.random.default_rng(0), 1, 2100, 0)))[0]
    sizes = [array.size for group in view.groups for array in group.arrays]
    assert sizes[0] == 4096
    assert len(sizes) == 2
    check_order(view)


def test_a_sum_narrower_than_the_shift_of_an_operand_is_made_in_a_wider_word():
    # (x << 4) + y, then minus 16 x: y, of two bits
    graph = AdderGraph(2, [0, 2], [1, 0], [4, 0], [0, 4], [1, -1], [3, 2], [0, 0], [1, 1])
    u2 = Fixed(False, 2, 0)
    matrix = one_matrix(SparseMatrix.from_dense(np.array([[0, 1], [16, 1]])), activation=u2)
    statements = [loop.statement for loop in view_of(matrix, lambda *_: Adders(graph))[0].groups[0].loops]
    assert [word for text in statements for word in re.findall(r"add_shifted<(\S+)>", text)] == [
        "ap_uint<6>",
        "ap_uint<5>",
    ]


def test_rows_end_with_their_bias_and_their_sign():
    weights = SparseMatrix.from_dense(np.array([[4, 0], [0, -2], [0, 0], [0, -2]]))
    view = view_of(one_matrix(weights, [0, 0, -9, 1 << 70]))[0]
    assert view.groups[0].arrays[0].word == "ap_uint<8>"
    assert view.groups[0].rows == (
        "y[0] = shift_left<ap_uint<10>, 2>(value[0])",
        "y[1] = add_shifted<ap_int<10>>(0, 0, value[1], 1, true)",
        "y[2] = ap_int<5>(-9)",
        'y[3] = add_shifted<ap_uint<71>>(ap_uint<71>("1180591620717411303424", 10), 0, value[1], 1, true)',
    )

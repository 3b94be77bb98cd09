"""What each pass does to images, sequences and loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import verify
from fpgaprune.ir import (
    Add,
    ArgMax,
    Concat,
    Constant,
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
from fpgaprune.passes import PIPELINE, optimise
from fpgaprune.passes.absorb_wires import absorb_wires
from fpgaprune.passes.drop_dead import drop_dead
from fpgaprune.passes.drop_identities import drop_identities
from fpgaprune.passes.fold_affine import fold_affine
from fpgaprune.passes.merge_rows import merge_rows
from fpgaprune.passes.narrow import narrow, narrow_body
from fpgaprune.passes.pipeline import optimise_bodies
from fpgaprune.passes.propagate_constants import propagate_constants
from fpgaprune.passes.rewrite import channel_wires, reading
from fpgaprune.passes.trim_tables import trim_tables
from fpgaprune.passes.trim_windows import trim_windows
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows
from tests.graphs import random_inputs

U4 = Fixed(False, 4, 0)
U4_SAT = Fixed(False, 4, 0, Rounding.RND, Overflow.SAT)
S8 = Fixed(True, 8, 0)
WIDE = Fixed(True, 40, 0)


def same(left, right):
    verify(right)
    inputs = random_inputs(left, 30)
    return all(np.array_equal(a, b) for a, b in zip(evaluate(left, *inputs), evaluate(right, *inputs), strict=True))


class Net:
    """Writes graphs: each method appends an op that reads the last tensor, or the one named by ``of``."""

    def __init__(self, *shape, fmt=U4, name="x"):
        self.ops = [Input(Tensor(name, shape, fmt))]

    def tensor(self, of):
        return self.ops[-1].output if of is None else next(op.output for op in self.ops if op.output.name == of)

    def add(self, op):
        self.ops.append(op)
        return self

    def dense(self, name, weights, bias=None, of=None):
        source, weights = self.tensor(of), np.array(weights)
        bias = np.zeros(len(weights), int) if bias is None else np.array(bias)
        out = Tensor(name, (*source.positions, len(weights)), replace(WIDE, fraction=source.format.fraction))
        return self.add(MatVec(out, source.name, SparseMatrix.from_dense(weights), S8, bias))

    def relu(self, name, of=None, fmt=U4_SAT):
        source = self.tensor(of)
        return self.add(Requantise(Tensor(name, source.shape, fmt), source.name, 0))

    def window(self, name, kernel, *, pad=0, kept=None, fill=0, of=None):
        source = self.tensor(of)
        ones, pads = (1,) * len(kernel), (pad,) * len(kernel)
        windows = Windows(kernel, ones, ones, pads, pads)
        count = windows.taps * source.channels if kept is None else len(kept)
        out = Tensor(name, (*windows.positions(source.positions), count), source.format)
        return self.add(Window(out, source.name, windows, fill, None if kept is None else np.array(kept)))

    def gather(self, name, shape, index, shift=None, of=None, fmt=None):
        source = self.tensor(of)
        shift = np.zeros(len(index), int) if shift is None else np.array(shift)
        return self.add(Gather(Tensor(name, shape, fmt or source.format), source.name, np.array(index), shift))

    def reshape(self, name, *shape, of=None):
        source = self.tensor(of)
        return self.add(Reshape(Tensor(name, shape, source.format), source.name))

    def maximum(self, name, channels, of=None):
        source = self.tensor(of)
        return self.add(Maximum(Tensor(name, (*source.positions, channels), source.format), source.name))

    def sum(self, name, left, right, *, subtract=False, fmt=None):
        fmt = fmt or replace(WIDE, fraction=self.tensor(left).format.fraction)
        return self.add(Add(Tensor(name, self.tensor(left).shape, fmt), left, right, subtract))

    def constant(self, name, values, fmt=U4):
        return self.add(Constant(Tensor(name, np.shape(values), fmt), np.array(values)))

    def graph(self, *outputs):
        return Graph(tuple(self.ops), outputs or (self.ops[-1].output.name,))


def find(graph, name):
    return graph.producers[name]


def names(graph):
    return [op.output.name for op in graph.ops]


# --- drop_dead ---


def test_a_dead_channel_of_an_image_is_dropped_at_all_positions_with_its_taps():
    net = Net(4, 4, 2).dense("a", [[1, 2], [3, 4], [5, 6]], [1, 2, 3]).window("w", (2, 2))
    graph = net.dense("y", [[1, 0, 2] * 4]).graph()
    dropped = drop_dead(graph)
    assert find(dropped, "a").output.shape == (4, 4, 2)
    assert find(dropped, "a").weights.dense().tolist() == [[1, 2], [5, 6]]
    assert find(dropped, "a").bias.tolist() == [1, 3]
    assert find(dropped, "w").kept is None, "all that is left of the window is kept"
    assert find(dropped, "w").output.shape == (3, 3, 8)
    assert find(dropped, "y").weights.dense().tolist() == [[1, 2] * 4]
    assert same(graph, dropped)


def test_a_column_without_weights_frees_its_tap_but_not_the_input():
    graph = Net(5, 1).window("w", (3,), pad=1).dense("y", [[1, 0, 2], [3, 0, 0]]).graph()
    dropped = drop_dead(graph)
    assert find(dropped, "w").kept.tolist() == [0, 2]
    assert find(dropped, "y").weights.dense().tolist() == [[1, 2], [3, 0]]
    assert find(dropped, "x").output.shape == (5, 1)
    assert same(graph, dropped)


def test_taps_that_are_already_few_become_fewer():
    net = Net(5, 3).dense("a", np.eye(3, dtype=int)).window("w", (2,), kept=[0, 2, 3, 5])
    graph = net.dense("y", [[1, 1, 0, 1]]).graph()
    dropped = drop_dead(graph)
    assert find(dropped, "a").output.shape == (5, 2)
    assert find(dropped, "w").kept.tolist() == [0, 1, 3]
    assert same(graph, dropped)


def test_a_dead_channel_goes_through_a_flattened_image():
    net = Net(2, 2, 2).dense("a", np.eye(2, dtype=int)).reshape("f", 8)
    graph = net.dense("y", [[1, 0, 2, 0, 3, 0, 4, 0], [0, 0, 0, 0, 1, 0, 0, 0]]).graph()
    dropped = drop_dead(graph)
    assert find(dropped, "a").output.shape == (2, 2, 1)
    assert find(dropped, "f").output.shape == (4,)
    assert find(dropped, "y").weights.dense().tolist() == [[1, 2, 3, 4], [0, 0, 1, 0]]
    assert same(graph, dropped)


def test_an_element_of_a_flattened_image_alone_keeps_its_channel():
    net = Net(2, 2, 2).dense("a", np.eye(2, dtype=int)).reshape("f", 8)
    graph = net.dense("y", [[1, 0, 2, 0, 3, 0, 4, 5]]).graph()
    assert find(drop_dead(graph), "a").output.shape == (2, 2, 2)


def test_a_reshape_that_splits_channels_drops_them_in_every_part():
    net = Net(3, 4).dense("a", np.eye(4, dtype=int)).reshape("heads", 3, 2, 2)
    graph = net.dense("y", [[0, 1]]).graph()
    dropped = drop_dead(graph)
    assert find(dropped, "a").output.shape == (3, 2)
    assert find(dropped, "heads").output.shape == (3, 2, 1)
    assert same(graph, dropped)


def test_a_reshape_that_mixes_channels_keeps_them_all():
    graph = Net(2, 6).dense("a", np.eye(6, dtype=int)).reshape("m", 3, 4).dense("y", [[0, 1, 0, 0]]).graph()
    dropped = drop_dead(graph)
    assert find(dropped, "m").output.shape == (3, 4)
    assert same(graph, dropped)


def test_the_channels_that_a_maximum_compares_live_together():
    net = Net(3, 3).dense("a", np.eye(3, dtype=int)).window("w", (2,)).maximum("pool", 3)
    graph = net.dense("y", [[1, 0, 2]]).graph()
    dropped = drop_dead(graph)
    assert find(dropped, "a").output.shape == (3, 2)
    assert find(dropped, "pool").output.shape == (2, 2)
    assert same(graph, dropped)


def test_parts_of_a_join_shrink_and_an_empty_one_goes():
    net = Net(3, 2).dense("a", np.eye(2, dtype=int)).dense("b", [[1, 1], [2, 1]], of="x").dense("c", [[5, 5]], of="x")
    net.add(Concat(Tensor("join", (3, 5), WIDE), ("c", "a", "b")))
    graph = net.dense("y", [[0, 1, 1, 0, 1]]).graph()
    dropped = drop_dead(graph)
    assert "c" not in names(dropped)
    assert find(dropped, "join").sources == ("a", "b")
    assert find(dropped, "join").output.shape == (3, 3)
    assert find(dropped, "b").weights.dense().tolist() == [[2, 1]]
    assert same(graph, dropped)


def test_where_the_finest_part_of_a_join_goes_another_takes_its_step():
    net = Net(3, 1, fmt=S8).relu("fine", fmt=Fixed(False, 9, 3))
    net.add(Concat(Tensor("join", (3, 2), Fixed(True, 20, 3)), ("fine", "x")))
    graph = net.dense("y", [[0, 3]]).graph()
    dropped = drop_dead(graph)
    assert names(dropped) == ["x", "x_aligned", "join", "y"]
    assert find(dropped, "join").sources == ("x_aligned",)
    assert same(graph, dropped)
    best = optimise(graph, debug=True)
    assert names(best) == ["x", "x_aligned", "y"]
    assert same(graph, best)


def test_a_part_that_is_joined_twice_may_shrink_differently():
    net = Net(2, fmt=S8).relu("a")
    net.add(Concat(Tensor("join", (4,), U4), ("a", "a")))
    graph = net.dense("y", [[1, 0, 0, 1]]).graph()
    dropped = drop_dead(graph)
    assert same(graph, dropped)
    assert weights_left(optimise(graph)) == 2


def weights_left(graph):
    return sum(op.weights.nonzeros for op in graph.ops if isinstance(op, MatVec))


def test_wires_over_positions_mark_the_channels_that_they_read():
    net = Net(2, 3).dense("a", np.eye(3, dtype=int)).gather("t", (2, 2), [2, 5, 0, 3])
    graph = net.dense("y", [[1, 1]]).graph()
    dropped = drop_dead(graph)
    assert find(dropped, "a").output.shape == (2, 2)
    assert find(dropped, "t").index.tolist() == [1, 3, 0, 2]
    assert same(graph, dropped)


def test_a_sum_over_positions_that_needs_fewer_channels_is_wired_down_at_each():
    net = Net(2, 2).dense("a", [[1, 1], [1, 2]]).dense("all", [[1, 1]]).sum("s", "a", "a")
    graph = net.dense("one", [[0, 1]]).graph("all", "one")
    dropped = drop_dead(graph)
    assert find(dropped, "s").output.shape == (2, 1)
    assert find(dropped, "a_live").index.tolist() == [1, 3]
    assert same(graph, dropped)


def test_factors_of_a_product_of_matrices_and_what_is_compared_stay_whole():
    net = Net(3, 2).dense("q", np.eye(2, dtype=int)).dense("k", [[1, 1], [0, 0]], of="x")
    net.add(MatMul(Tensor("qk", (3, 3), WIDE), "q", "k"))
    net.add(ArgMax(Tensor("best", (3, 1), Fixed(False, 2, 0)), "q"))
    graph = net.dense("y", [[1, 0, 0]], of="qk").graph("y", "best")
    dropped = drop_dead(graph)
    assert find(dropped, "qk").output.shape == (3, 3)
    assert find(dropped, "q").output.shape == (3, 2)
    assert same(graph, dropped)


def test_constants_over_positions_lose_their_dead_channels():
    net = Net(2, 2).dense("a", np.eye(2, dtype=int)).constant("c", [[1, 2], [3, 4]]).sum("s", "a", "c")
    graph = net.dense("y", [[0, 1]]).graph()
    dropped = drop_dead(graph)
    assert find(dropped, "c").values.tolist() == [[2], [4]]
    assert same(graph, dropped)


# --- loops ---


def recurrent(recurrence, *, outer=((1, 1, 1),), step_weights=None):
    """A recurrent layer over sequences of two channels with as many hidden units as ``recurrence`` has rows."""
    units = len(recurrence)
    step_weights = np.ones((units, 2), int) if step_weights is None else np.array(step_weights)
    hidden = Fixed(False, 4, 0, Rounding.RND, Overflow.SAT)
    body = Graph(
        (
            Input(Tensor("step", (2,), U4)),
            Input(Tensor("h", (units,), hidden)),
            Concat(Tensor("sh", (2 + units,), U4), ("step", "h")),
            MatVec(
                Tensor("sums", (units,), WIDE),
                "sh",
                SparseMatrix.from_dense(np.hstack([step_weights, recurrence])),
                S8,
                np.arange(units),
            ),
            Requantise(Tensor("new", (units,), hidden), "sums", 0),
        ),
        ("new",),
    )
    net = Net(4, 3).dense("a", [[1, 0, 1], [0, 1, 1]]).relu("xs", fmt=U4)
    net.add(Scan(Tensor("rnn", (4, units), hidden), "xs", body, (np.arange(units) % 3,)))
    return net.dense("y", outer).graph()


def test_a_hidden_unit_that_nothing_reads_leaves_the_loop():
    graph = recurrent([[1, 0, 0], [0, 1, 1], [0, 0, -1]], outer=[[0, 1, 0]])
    dropped = drop_dead(graph)
    rnn = find(dropped, "rnn")
    assert rnn.output.shape == (4, 2)
    assert rnn.initial[0].tolist() == [1, 2]
    assert rnn.body.tensors["h"].shape == (2,)
    assert find(rnn.body, "sums").bias.tolist() == [1, 2]
    assert same(graph, dropped)


def test_a_hidden_unit_that_the_loop_itself_reads_stays():
    graph = recurrent([[1, 0, 1], [1, 1, 0], [0, 1, 0]], outer=[[1, 0, 0]])
    assert find(drop_dead(graph), "rnn").output.shape == (4, 3)


def test_a_channel_of_the_sequence_that_the_loop_does_not_read_is_dropped():
    graph = recurrent(np.eye(3, dtype=int), step_weights=[[0, 1], [0, 2], [0, 3]])
    dropped = drop_dead(graph)
    assert find(dropped, "a").weights.dense().tolist() == [[0, 1, 1]]
    assert find(dropped, "rnn").body.tensors["step"].shape == (1,)
    assert same(graph, dropped)


def test_a_loop_that_does_not_read_its_sequence_still_has_its_steps():
    graph = recurrent(np.eye(3, dtype=int), step_weights=np.zeros((3, 2), int))
    dropped = drop_dead(graph)
    assert find(dropped, "rnn").body.tensors["step"].shape == (1,)
    assert same(graph, dropped)


def test_a_state_that_nothing_depends_on_leaves_the_loop():
    state = Fixed(True, 6, 0)
    body = Graph(
        (
            Input(Tensor("step", (1,), U4)),
            Input(Tensor("unused", (1,), state)),
            Input(Tensor("h", (1,), state)),
            Add(Tensor("s", (1,), Fixed(True, 7, 0)), "step", "h"),
            Requantise(Tensor("h_new", (1,), state), "s"),
            Requantise(Tensor("unused_new", (1,), state), "step"),
        ),
        ("unused_new", "h_new"),
    )
    x = Input(Tensor("x", (3, 1), U4))
    scan = Scan(Tensor("y", (3, 1), state), "x", body, (np.array([1]), np.array([2])), result=1, reverse=True)
    graph = Graph((x, scan), ("y",))
    left = find(drop_dead(graph), "y")
    assert names(left.body) == ["step", "h", "s", "h_new"]
    assert (left.result, left.reverse, [values.tolist() for values in left.initial]) == (0, True, [[2]])
    assert same(graph, drop_dead(graph))


def test_the_passes_work_inside_a_loop_and_leave_its_interface():
    graph = recurrent([[0, 0, 0]] * 3, step_weights=[[1, 2], [2, 4], [1, 2]])
    _, _, _, scan, _ = graph.ops
    same_bias = replace(find(scan.body, "sums"), bias=np.zeros(3, int))
    body = Graph(tuple(same_bias if op.output.name == "sums" else op for op in scan.body.ops), scan.body.outputs)
    graph = Graph(tuple(replace(scan, body=body) if op is scan else op for op in graph.ops), graph.outputs)
    once = optimise_bodies(graph)
    inner = find(once, "rnn").body
    assert weights_left(inner) == 2, "one row makes all three units"
    assert [op.output for op in inner.inputs] == [op.output for op in body.inputs]
    assert inner.tensors["new"] == body.tensors["new"]
    assert same(graph, once)
    assert same(graph, optimise(graph, debug=True))


def test_names_made_inside_a_loop_differ_from_those_outside():
    graph = recurrent([[0, 0], [0, 0]], step_weights=[[1, 2], [1, 2]], outer=[[1, 1]])
    scan = find(graph, "rnn")
    equal = replace(find(scan.body, "sums"), bias=np.zeros(2, int))
    body = Graph(tuple(equal if op.output.name == "sums" else op for op in scan.body.ops), scan.body.outputs)
    taken = Requantise(Tensor("sums_rows", (4, 1), WIDE), "y")
    ops = [replace(scan, body=body) if op is scan else op for op in graph.ops]
    graph = Graph((*ops, taken), ("sums_rows",))
    changed = optimise_bodies(graph)
    inside = set(find(changed, "rnn").body.tensors)
    assert not inside & set(changed.tensors)
    assert same(graph, changed)


# --- windows and tables ---


def test_a_window_shrinks_to_the_taps_that_are_read():
    graph = Net(5, 6, 1).window("w", (3, 3), pad=1, kept=[1, 4], fill=5).dense("y", [[1, 2]]).graph()
    trimmed = trim_windows(graph)
    assert find(trimmed, "w").windows == Windows((2, 1), (1, 1), (1, 1), (1, 0), (0, 0))
    assert find(trimmed, "w").kept is None
    assert same(graph, trimmed)


def test_a_window_with_steps_shrinks_to_the_taps_that_are_read():
    windows = Windows((3, 2), (2, 1), (2, 3), (3, 1), (0, 2))
    net = Net(6, 5, 2)
    net.add(Window(Tensor("w", (*windows.positions((6, 5)), 3), U4), "x", windows, 0, np.array([4, 7, 10])))
    graph = net.graph()
    trimmed = trim_windows(graph)
    assert find(trimmed, "w").windows == Windows((2, 2), (2, 1), (2, 3), (1, 1), (0, 2))
    assert find(trimmed, "w").kept.tolist() == [0, 3, 6]
    assert same(graph, trimmed)


def test_a_window_whose_corners_are_read_keeps_its_size():
    graph = Net(5, 6, 1).window("w", (3, 3), kept=[0, 8]).graph()
    assert trim_windows(graph) is graph


def table_net(count, low):
    net = Net(2, 2, fmt=S8).relu("a", fmt=Fixed(False, 3, 0, overflow=Overflow.SAT))
    out = Tensor("t", (2, 2), Fixed(True, 12, 0))
    return net.add(Table(out, "a", np.arange(count) * 7 - 30, low)).dense("y", [[1, -1]]).graph()


def test_a_table_is_cut_to_what_can_be_looked_up():
    graph = table_net(30, -4)
    trimmed = trim_tables(graph)
    assert find(trimmed, "t").low == 0
    assert find(trimmed, "t").values.tolist() == (np.arange(4, 12) * 7 - 30).tolist()
    assert same(graph, trimmed)
    assert trim_tables(trimmed) is trimmed


def test_a_table_narrows_to_its_entries_and_follows_its_input():
    best = optimise(table_net(30, -4), debug=True)
    assert find(best, "t").output.format == Fixed(True, 7, 0), "-2…47"
    assert same(table_net(30, -4), best)


# --- constants ---


def test_a_channel_that_is_one_constant_at_all_positions_moves_into_the_bias():
    net = Net(3, 2).dense("a", [[0, 0], [1, 1]], [9, 0]).relu("r")
    graph = net.dense("y", [[3, 1]], [1]).graph()
    moved = propagate_constants(graph)
    assert find(moved, "y").bias.tolist() == [28]
    assert find(moved, "y").weights.dense().tolist() == [[0, 1]]
    assert same(graph, moved)


def test_a_channel_that_differs_between_positions_does_not():
    net = Net(2, 1).constant("c", [[1], [2]])
    net.add(Concat(Tensor("join", (2, 2), U4), ("x", "c")))
    graph = net.dense("y", [[1, 5]]).graph()
    assert propagate_constants(graph) is graph


def test_the_padding_makes_a_constant_channel_vary():
    net = Net(3, 1).dense("a", [[0]], [7]).window("w", (3,), pad=1)
    graph = net.dense("y", [[1, 2, 3]]).graph()
    moved = propagate_constants(graph)
    assert find(moved, "y").weights.dense().tolist() == [[1, 0, 3]], "the tap in the middle is always inside"
    assert find(moved, "y").bias.tolist() == [14]
    assert same(graph, moved)


def test_a_loop_with_one_possible_result_is_a_constant():
    graph = recurrent([[0]], step_weights=[[0, 0]], outer=[[1]])
    assert isinstance(find(optimise(graph, debug=True), "y"), Constant)
    assert same(graph, optimise(graph))


# --- wires ---


def test_wires_that_do_the_same_at_every_position_go_into_the_matrix():
    net = Net(2, 3).gather("w", (2, 2), [2, 0, 5, 3], [0, 1, 0, 1], fmt=Fixed(False, 6, 0))
    graph = net.dense("y", [[1, 2], [3, 4]]).graph()
    absorbed = drop_dead(absorb_wires(graph))
    assert names(absorbed) == ["x", "y"]
    assert find(absorbed, "y").weights.dense().tolist() == [[4, 0, 1], [8, 0, 3]]
    assert same(graph, absorbed)


@pytest.mark.parametrize(
    ("index", "shift"), [([2, 0, 5, 4], [0] * 4), ([0, 1, 3, 4], [0, 1, 0, 0]), ([3, 4, 0, 1], [0] * 4)]
)
def test_wires_that_differ_between_positions_stay(index, shift):
    graph = Net(2, 3).gather("w", (2, 2), index, shift, fmt=Fixed(False, 6, 0)).dense("y", [[1, 2]]).graph()
    assert absorb_wires(graph) is graph


def test_a_vector_of_permuted_positions_is_read_as_it_lies():
    net = Net(2, 2, 2).gather("chw", (2, 2, 2), [0, 2, 4, 6, 1, 3, 5, 7]).reshape("f", 8)
    graph = net.dense("y", [[1, 2, 3, 4, 5, 6, 7, 8]]).graph()
    absorbed = drop_dead(absorb_wires(graph))
    assert names(absorbed) == ["x", "x_flat", "y"]
    assert find(absorbed, "y").weights.dense().tolist() == [[1, 5, 2, 6, 3, 7, 4, 8]]
    assert same(graph, absorbed)


def test_wires_behind_wires_and_reshapes_are_wires():
    net = Net(2, 3).gather("t", (3, 2), [0, 3, 1, 4, 2, 5]).reshape("r", 6)
    net.gather("u", (2, 2), [5, 0, 1, 2], [1, 0, 0, 2], fmt=Fixed(False, 6, 0))
    graph = net.graph()
    joined = drop_dead(absorb_wires(graph))
    assert names(joined) == ["x", "u"]
    assert (find(joined, "u").index.tolist(), find(joined, "u").shift.tolist()) == ([5, 0, 3, 1], [1, 0, 0, 2])
    assert same(graph, joined)


@pytest.mark.parametrize("kind", ["requantise", "table"])
def test_what_is_spread_over_positions_is_computed_once(kind):
    net = Net(1, 3, fmt=S8).gather("spread", (2, 2, 3), [0, 1, 2] * 4)
    if kind == "requantise":
        net.relu("f")
    else:
        net.add(Table(Tensor("f", (2, 2, 3), U4), "spread", np.arange(256) % 13, -128))
    graph = net.graph()
    once = drop_dead(absorb_wires(graph))
    assert names(once) == ["x", "f_distinct", "f"]
    assert find(once, "f_distinct").output.shape == (1, 3)
    assert same(graph, once)


def test_wires_out_of_a_scalar_are_read_as_a_vector():
    graph = Net(fmt=S8).gather("w", (1,), [0]).dense("y", [[3]]).graph()
    assert same(graph, absorb_wires(graph))
    assert same(graph, optimise(graph, debug=True))


def test_channel_wires_are_told_from_others():
    source = Tensor("x", (2, 3), U4)

    def wires(shape, index, shift=None):
        shift = np.zeros(len(index), int) if shift is None else np.array(shift)
        return Gather(Tensor("w", shape, U4), "x", np.array(index), shift)

    index, shift = channel_wires(wires((2, 2), [2, 0, 5, 3], [1, 0, 1, 0]), source)
    assert (index.tolist(), shift.tolist()) == ([2, 0], [1, 0])
    assert channel_wires(wires((2, 2), [2, 0, 5, 3], [1, 0, 0, 0]), source) is None
    assert channel_wires(wires((2, 1), [3, 0]), source) is None, "the positions change places"
    assert channel_wires(wires((4,), [2, 0, 5, 3]), source) is None, "other positions"


# --- the others ---


def test_a_scale_behind_a_convolution_folds_into_it():
    net = Net(4, 2).window("w", (2,)).dense("conv", [[1, 2, 0, 1], [0, 3, 1, 0]], [1, 2])
    graph = net.dense("scale", [[2, 0], [0, -4]], [5, 6]).graph()
    folded = fold_affine(graph)
    assert names(folded) == ["x", "w", "scale"]
    assert find(folded, "scale").weights.dense().tolist() == [[2, 4, 0, 2], [0, -12, -4, 0]]
    assert find(folded, "scale").bias.tolist() == [7, -2]
    assert same(graph, folded)


def test_equal_rows_are_merged_in_vectors_only():
    image = Net(2, 2).dense("y", [[1, 2], [1, 2]]).graph()
    assert merge_rows(image) is image
    assert find(merge_rows(Net(2).dense("y", [[1, 2], [1, 2]]).graph()), "y_rows").output.shape == (1,)


def identities():
    """Graphs named by the identity in their middle."""
    net = Net(2, 2).window("same", (1,))
    yield "window", net.dense("y", [[1, 2]])
    net = Net(2, 2)
    net.add(Concat(Tensor("same", (2, 2), Fixed(False, 7, 0)), ("x",)))
    yield "join", net.dense("y", [[1, 2]])
    yield "wires", Net(2, 2).gather("same", (2, 2), range(4)).dense("y", [[1, 2]])
    yield "maximum", Net(2, 2).maximum("same", 2).dense("y", [[1, 2]])
    yield "reshape", Net(2, 2).reshape("same", 2, 2).dense("y", [[1, 2]])
    yield "requantise", Net(2, 2).relu("same", fmt=Fixed(True, 9, 0)).dense("y", [[1, 2]])
    for left, right, subtract in (("x", "c", False), ("c", "x", False), ("x", "c", True)):
        net = Net(2, 2).constant("c", np.zeros((2, 2), int), Fixed(True, 4, -3))
        net.sum("same", left, right, subtract=subtract, fmt=WIDE)
        yield f"{left} and {right}", net.dense("y", [[1, 2]])


@pytest.mark.parametrize(("kind", "net"), list(identities()))
def test_an_op_that_changes_nothing_is_dropped(kind, net):
    graph = net.graph()
    dropped = drop_identities(graph)
    assert "same" not in names(dropped), kind
    assert find(dropped, "y").input == "x"
    assert same(graph, dropped)
    as_output = net.graph("same", "y")
    assert "same" in names(drop_identities(as_output))
    assert same(as_output, drop_identities(as_output))


@pytest.mark.parametrize(
    "net",
    [
        Net(3, 2).window("y", (1,), kept=[1]),
        Net(3, 2).window("y", (1,), pad=1),
        Net(3, 2).window("y", (2,)),
        Net(3, 2).maximum("y", 1),
        Net(3, 2).gather("y", (3, 2), [1, 0, 2, 3, 4, 5]),
        Net(3, 2).gather("y", (3, 2), range(6), [1] * 6, fmt=Fixed(False, 5, 0)),
        Net(1, 2).constant("c", [[0, 0]]).sum("y", "c", "x", subtract=True),
        Net(1, 2).constant("c", [[0, 1]]).sum("y", "c", "x"),
        Net(1, 2).constant("c", [[0, 0]], Fixed(True, 4, 3)).sum("y", "x", "c", fmt=Fixed(True, 40, 3)),
    ],
)
def test_an_op_that_changes_something_stays(net):
    graph = net.dense("z", np.ones((1, net.ops[-1].output.channels), int)).graph()
    assert drop_identities(graph) is graph


def test_wires_that_only_change_the_shape_are_a_reshape_and_two_reshapes_are_one():
    graph = Net(2, 2).gather("w", (4,), range(4)).reshape("r", 4, 1).dense("y", [[3]]).graph()
    dropped = drop_dead(drop_identities(graph))
    assert [type(op) for op in dropped.ops] == [Input, Reshape, MatVec]
    assert same(graph, dropped)


def test_what_a_loop_reads_keeps_its_format():
    graph = recurrent(np.eye(3, dtype=int))
    wide = Fixed(False, 30, 0)
    net = Net(4, 2).dense("a", [[1, 0], [0, 1]]).relu("xs", fmt=wide)
    scan = find(graph, "rnn")
    step, *rest = scan.body.ops
    body = Graph((replace(step, output=replace(step.output, format=wide)), *(rebound(op) for op in rest)), ("new",))
    graph = net.add(replace(scan, body=body)).dense("y", [[1, 1, 1]]).graph()
    assert find(narrow(graph), "xs").output.format == wide
    assert find(drop_identities(graph), "xs").output.format == wide
    assert same(graph, optimise(graph, debug=True))


def rebound(op):
    return replace(op, output=replace(op.output, format=Fixed(False, 30, 0))) if isinstance(op, Concat) else op


def test_states_keep_their_format_inside_a_loop():
    body = find(recurrent(np.zeros((3, 3), int), step_weights=np.zeros((3, 2), int)), "rnn").body
    assert narrow(body).tensors["new"].format.width == 4, "a requantised output keeps its format"
    table = Table(body.tensors["new"], "sums", np.array([1, 2]), 0)
    ops = (*body.ops[:-1], Reshape(Tensor("view", (3,), body.tensors["new"].format), "table"))
    table = replace(table, output=replace(table.output, name="table"))
    reshaped = Graph((*ops[:-1], table, ops[-1]), ("view",))
    assert narrow_body(reshaped).tensors["view"] == reshaped.tensors["view"]
    product = Multiply(Tensor("p", (3,), WIDE), "h", "h")
    exact = Graph((*body.ops, product), ("new", "p"))
    assert narrow(exact).tensors["p"].format.width == 8
    assert narrow_body(exact).tensors["p"].format == WIDE


def test_reading_renames_every_source_of_every_op():
    x, y = Tensor("x", (2, 2), U4), Tensor("y", (2, 2), U4)
    renamed = {"x": "a", "y": "b"}
    for op in (Multiply(x, "x", "y"), MatMul(x, "x", "y"), Add(x, "x", "y"), Concat(y, ("x", "y"))):
        assert reading(op, renamed).inputs == ("a", "b")
    window = Window(x, "x", Windows.plain((1,)))
    table = Table(x, "x", np.array([0]), 0)
    scan = find(recurrent(np.eye(3, dtype=int)), "rnn")
    for op in (window, table, Maximum(x, "x"), ArgMax(x, "x"), replace(scan, input="x")):
        assert reading(op, renamed).inputs == ("a",)
        assert reading(op, {"z": "a"}) is op


def test_passes_with_nothing_to_do_return_the_graph_itself():
    graph = optimise(recurrent([[1, 0, 2], [1, 1, 0], [0, 1, 1]]))
    assert all(step(graph) is graph for step in PIPELINE)
    net = Net(5, 5, 2).window("w", (3, 3), pad=1).dense("y", [range(1, 19), range(18, 0, -1)])
    graph = optimise(net.graph())
    assert names(graph) == ["x", "w", "y"]
    assert all(step(graph) is graph for step in PIPELINE)

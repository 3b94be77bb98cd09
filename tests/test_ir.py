"""A graph that breaks a rule of structure cannot be built; the message names the op at fault."""

from __future__ import annotations

import typing
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from fpgaprune import ir
from fpgaprune.errors import GraphError
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import analyse
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
from fpgaprune.serialise import graph_from_text, graph_to_text
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows
from tests.graphs import random_inputs, random_network_graph

BYTE = Fixed(True, 8, 4)
WIDE = Fixed(True, 40, 4)
WEIGHTS = SparseMatrix.from_dense(np.array([[1, 0, -2], [0, 3, 0]]))
NO_WEIGHTS = SparseMatrix.from_dense(np.zeros((2, 3), int))


def tensor(name, *shape, fmt=BYTE):
    return Tensor(name, shape, fmt)


X = Input(tensor("x", 3))
FINE = Requantise(tensor("fine", 3, fmt=Fixed(True, 8, 6)), "x")
IMAGE = Input(tensor("image", 2, 2))


def matvec(name="fc", shape=(2,), *, source="x", bits=4, fraction=6, bias=(0, 0)):
    fmt = Fixed(True, bits, 2)
    return MatVec(tensor(name, *shape, fmt=Fixed(True, 40, fraction)), source, WEIGHTS, fmt, np.array(bias))


def gather(shape=(2,), *, source="x", index=(0, 2), shift=(0, 1), fraction=4):
    return Gather(tensor("wires", *shape, fmt=Fixed(True, 40, fraction)), source, np.array(index), np.array(shift))


SEQUENCE = Input(tensor("sequence", 5, 3))


def window(shape, *, source="sequence", kernel=3, fraction=4, fill=0, kept=None):
    windows = Windows.plain((kernel,))
    return Window(tensor("window", *shape, fmt=Fixed(True, 8, fraction)), source, windows, fill, kept)


def body(*, step=(3,), state=(2,), new=(2,), fmt=BYTE, new_fmt=BYTE):
    """A loop that forgets: one state is made from the step, another is handed on."""
    first, second, third = Input(tensor("step", *step, fmt=fmt)), Input(tensor("h", *state)), Input(tensor("c", 1))
    wires = Gather(tensor("wired", *new, fmt=BYTE), "step", np.zeros(2, int), np.zeros(2, int))
    return graph(
        first, second, third, wires, Requantise(tensor("new", *new, fmt=new_fmt), "wired"), outputs=("new", "c")
    )


def scan(shape=(5, 2), *, source="sequence", inner=None, initial=((0, 1), (2,)), fmt=BYTE, **options):
    return Scan(tensor("scan", *shape, fmt=fmt), source, inner or body(), tuple(map(np.array, initial)), **options)


def graph(*ops, outputs=None):
    return Graph(ops, outputs or (ops[-1].output.name,))


# --- what is held ---


def chain():
    """Two readers of x, and a chain behind one of them."""
    act = Requantise(tensor("act", 3), "x", low=0)
    fc = matvec(source="act")
    both = Add(tensor("both", 3, fmt=WIDE), "x", "act")
    return graph(X, act, fc, both, outputs=("fc", "both"))


def test_tensors_and_producers_are_found_by_name():
    net = chain()
    assert list(net.tensors) == ["x", "act", "fc", "both"]
    assert net.tensors["fc"].shape == (2,)
    assert net.producers["act"] is net.ops[1]
    assert net.inputs == (X,)


def test_consumers_are_the_ops_that_read_a_tensor():
    net = chain()
    assert [op.output.name for op in net.consumers["x"]] == ["act", "both"]
    assert [op.output.name for op in net.consumers["act"]] == ["fc", "both"]
    assert net.consumers["fc"] == ()


def test_an_op_that_reads_a_tensor_twice_is_one_consumer():
    twice = Add(tensor("twice", 3, fmt=WIDE), "x", "x")
    assert graph(X, twice).consumers["x"] == (twice,)


def test_the_only_consumer_reads_alone_what_is_no_output():
    act, view = Requantise(tensor("act", 3), "x"), Reshape(tensor("view", 3, 1), "act")
    assert graph(X, act, view).only_consumer("x") is act
    assert graph(X, act, view).only_consumer("act") is view
    assert graph(X, act, view).only_consumer("view") is None, "no op reads it"
    assert graph(X, act, view, outputs=("view", "act")).only_consumer("act") is None, "an output is read from outside"
    assert chain().only_consumer("x") is None, "two ops read it"


def test_the_size_of_a_tensor_is_the_number_of_its_elements():
    assert tensor("a", 2, 3, 4).size == 24
    assert tensor("scalar").size == 1
    assert tensor("none", 3, 0).size == 0


def test_the_channels_of_a_tensor_are_its_last_axis_and_its_positions_the_others():
    assert (tensor("image", 2, 3, 4).positions, tensor("image", 2, 3, 4).channels) == ((2, 3), 4)
    assert (tensor("vector", 5).positions, tensor("vector", 5).channels) == ((), 5)
    assert (tensor("scalar").positions, tensor("scalar").channels) == ((), 1)


def test_what_each_op_reads():
    assert X.inputs == ()
    assert Constant(tensor("c", 1), np.array([1])).inputs == ()
    assert matvec().inputs == ("x",)
    assert Requantise(tensor("r", 3), "x").inputs == ("x",)
    assert Add(tensor("s", 3), "x", "y").inputs == ("x", "y")
    assert Reshape(tensor("v", 3), "x").inputs == ("x",)
    assert gather().inputs == ("x",)
    assert window((3, 9)).inputs == scan().inputs == ("sequence",)
    assert Multiply(tensor("m", 3), "x", "y").inputs == MatMul(tensor("m", 3), "x", "y").inputs == ("x", "y")
    assert Table(tensor("t", 3), "x", np.array([1]), 0).inputs == ("x",)
    assert Maximum(tensor("m", 1), "x").inputs == ArgMax(tensor("a", 1), "x").inputs == ("x",)
    assert Concat(tensor("c", 6), ("x", "y", "x")).inputs == ("x", "y", "x")


def test_a_matrix_is_known_by_its_layer_and_by_its_tensor_where_none_is_named():
    fmt = Fixed(True, 4, 2)
    assert matvec("fc").layer == "fc"
    assert MatVec(tensor("fc", 2), "x", WEIGHTS, fmt, np.array([0, 0]), "head.0").layer == "head.0"


def test_the_list_of_ops_is_the_type_of_an_op():
    assert typing.get_args(ir.Op) == ir.OPS
    assert all(fields(op)[0].name == "output" for op in ir.OPS)


def kinds(net):
    """The types of all ops, those inside loops among them."""
    return {type(op) for op in net.ops}.union(*(kinds(op.body) for op in net.ops if isinstance(op, Scan)))


def test_every_op_is_drawn_evaluated_analysed_and_written():
    drawn = set()
    for seed in range(60):
        net = random_network_graph(seed)
        drawn |= kinds(net)
        evaluate(net, *random_inputs(net, 2))
        assert analyse(net).keys() == net.tensors.keys()
        assert kinds(graph_from_text(graph_to_text(net))) == kinds(net)
    assert drawn == set(ir.OPS)


@pytest.mark.parametrize(
    ("op", "field"),
    [
        (Constant(tensor("c", 1), np.array([1])), "values"),
        (matvec(), "bias"),
        (gather(), "index"),
        (gather(), "shift"),
        (Table(tensor("t", 3), "x", np.array([1]), 0), "values"),
        (window((3, 1), kept=np.array([2])), "kept"),
    ],
)
def test_an_op_cannot_be_changed(op, field):
    with pytest.raises(ValueError, match="read-only"):
        getattr(op, field)[0] = 5
    with pytest.raises(FrozenInstanceError):
        op.output = X.output


def test_an_op_does_not_see_later_changes_of_its_arrays():
    values = np.array([1])
    constant = Constant(tensor("c", 1), values)
    values[0] = 9
    assert constant.values.tolist() == [1]


@pytest.mark.parametrize(
    "ops",
    [
        (X, matvec()),
        (X, matvec(bits=3)),
        (X, MatVec(tensor("fc", 2, fmt=WIDE), "x", NO_WEIGHTS, Fixed(False, 1, 0), np.array([5, 6]))),
        (Input(tensor("one", 1)),),
        (X, FINE, Add(tensor("s", 3, fmt=Fixed(True, 40, 6)), "x", "fine")),
        (X, FINE, Add(tensor("s", 3, fmt=Fixed(True, 40, 6)), "fine", "x")),
        (X, gather()),
        (X, gather((0,), index=np.zeros(0, int), shift=np.zeros(0, int))),
        (X, Requantise(tensor("r", 3, fmt=Fixed(False, 1, -9)), "x", low=2, high=2)),
        (X, Add(tensor("s", 3, fmt=WIDE), "x", "x")),
        (IMAGE, Reshape(tensor("v", 4), "image")),
        (IMAGE, Constant(tensor("c"), np.array(3)), Constant(tensor("none", 0), np.zeros(0, int))),
        (X, Constant(tensor("c", 1), np.array([1 << 70], object))),
        (SEQUENCE, matvec(shape=(5, 2), source="sequence")),
        (IMAGE, gather((3, 1), source="image", index=(3, 0, 3), shift=(0, 1, 2))),
        (X, FINE, Multiply(tensor("m", 3, fmt=Fixed(True, 16, 10)), "x", "fine")),
        (SEQUENCE, MatMul(tensor("m", 5, 5, fmt=Fixed(True, 20, 8)), "sequence", "sequence")),
        (X, Table(tensor("t", 3, fmt=Fixed(False, 2, 7)), "x", np.array([0, 3]), -1)),
        (SEQUENCE, window((3, 9))),
        (SEQUENCE, window((3, 2), kept=np.array([0, 8]), fill=-5)),
        (SEQUENCE, window((3, 0), kept=np.zeros(0, int))),
        (SEQUENCE, Maximum(tensor("m", 5, 1), "sequence"), Maximum(tensor("same", 5, 3), "sequence")),
        (IMAGE, ArgMax(tensor("a", 2, 1, fmt=Fixed(False, 1, 0)), "image")),
        (X, FINE, Concat(tensor("c", 6, fmt=Fixed(True, 10, 6)), ("x", "fine"))),
        (SEQUENCE, scan()),
        (SEQUENCE, scan((5, 1), result=1, reverse=True)),
    ],
)
def test_what_keeps_the_rules_is_taken(ops):
    assert graph(*ops).ops == ops


# --- names ---


def test_an_op_must_not_read_what_comes_later():
    late = Requantise(tensor("act", 3), "x")
    with pytest.raises(GraphError, match="act: reads tensor 'x', which no earlier op makes"):
        graph(late, X)


@pytest.mark.parametrize("source", ["y", "act", ""])
def test_an_op_must_not_read_what_nothing_or_itself_makes(source):
    with pytest.raises(GraphError, match=f"act: reads tensor '{source}', which no earlier op makes"):
        graph(X, Requantise(tensor("act", 3), source))


def test_both_summands_must_exist():
    with pytest.raises(GraphError, match="s: reads tensor 'y'"):
        graph(X, Add(tensor("s", 3), "x", "y"))


def test_two_ops_must_not_make_one_tensor():
    with pytest.raises(GraphError, match="x: two ops make a tensor of this name"):
        graph(X, Requantise(tensor("x", 3), "x"))


@pytest.mark.parametrize(
    ("ops", "outputs", "message"),
    [
        ((X,), ("y",), "the graph's output 'y' is made by no op"),
        ((X,), ("x", "x"), "lists the output 'x' 2 times"),
        ((X,), (), "at least one input and one output"),
        ((), ("x",), "at least one input and one output"),
        ((Constant(tensor("c", 1), np.array([1])),), ("c",), "at least one input and one output"),
    ],
)
def test_the_ends_of_a_graph_are_checked(ops, outputs, message):
    with pytest.raises(GraphError, match=message):
        Graph(ops, outputs)


# --- ops ---

FLOATS = np.array([0.0, 1.0])


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (Input(tensor("y", 3, 0)), r"y: an input must have elements, not shape \(3, 0\)"),
        (Constant(tensor("c", 2), np.array([1])), r"c: values have shape \(1,\), the tensor \(2,\)"),
        (Constant(tensor("c", 2), FLOATS), "c: values must be integers, not float64"),
        (matvec(source="image"), r"fc: the weights have 3 columns, the input shape \(2, 2\)"),
        (matvec(source="pair"), r"fc: the weights have 3 columns, the input shape \(2,\)"),
        (matvec(source="scalar"), r"fc: the weights have 3 columns, the input shape \(\)"),
        (matvec(shape=(3,)), r"fc: the result must have shape \(2,\), not \(3,\)"),
        (matvec(shape=(2, 1)), r"fc: the result must have shape \(2,\), not \(2, 1\)"),
        (matvec(bias=(0, 0, 0)), r"fc: the bias has shape \(3,\), the weights 2 rows"),
        (matvec(bias=((0, 0),)), r"fc: the bias has shape \(1, 2\), the weights 2 rows"),
        (matvec(bias=FLOATS), "fc: bias must be integers, not float64"),
        (matvec(fraction=4), "fc: the exact result has 6 fraction bits, the format 4"),
        (matvec(bits=2), r"fc: weights -2…3 do not fit ap_fixed<2,0,AP_TRN,AP_WRAP>; widen the weight format"),
        (Requantise(tensor("r", 2), "x"), r"r: the result must have shape \(3,\), not \(2,\)"),
        (Requantise(tensor("r", 3), "x", low=1, high=0), "r: the clip 1…0 is empty"),
        (Add(tensor("s", 3), "x", "pair"), r"s: the result must have shape \(2,\), not \(3,\)"),
        (Add(tensor("s", 2), "x", "pair"), r"s: the result must have shape \(3,\), not \(2,\)"),
        (Add(tensor("s", 3, fmt=Fixed(True, 8, 5)), "x", "x"), "s: the exact result has 4 fraction bits, the format 5"),
        (Add(tensor("s", 2), "pair", "pair"), "s: the exact result has 6 fraction bits, the format 4"),
        (Reshape(tensor("v", 2), "x"), r"v: cannot reshape \(3,\) to \(2,\)"),
        (Reshape(tensor("v", 3, fmt=WIDE), "x"), "v: a reshape must keep the format"),
        (gather(shape=(3,)), "wires: index and shift must be vectors of 3 entries"),
        (gather(shape=(2, 2)), "wires: index and shift must be vectors of 4 entries"),
        (gather(shift=(0,)), "wires: index and shift must be vectors of 2 entries"),
        (gather(index=((0, 1), (1, 2)), shift=(0, 0)), "wires: index and shift must be vectors of 2 entries"),
        (gather(index=0, shift=0), "wires: index and shift must be vectors of 2 entries"),
        (gather(source="image", index=(0, 4)), "wires: an index lies outside 0…3"),
        (gather(index=(0, 3)), "wires: an index lies outside 0…2"),
        (gather(index=(-1, 0)), "wires: an index lies outside 0…2"),
        (gather(index=FLOATS), "wires: index must be integers, not float64"),
        (gather(shift=(0, -1)), "wires: a shift is negative"),
        (gather(shift=FLOATS), "wires: shift must be integers, not float64"),
        (gather(fraction=5), "wires: the exact result has 4 fraction bits, the format 5"),
        (Multiply(tensor("m", 3, fmt=Fixed(True, 9, 8)), "x", "pair"), r"m: the result must have shape \(2,\), not"),
        (Multiply(tensor("m", 3), "x", "x"), "m: the exact result has 8 fraction bits, the format 4"),
        (MatMul(tensor("m", 5, 2), "sequence", "image"), r"m: cannot multiply \(5, 3\) by \(2, 2\)"),
        (MatMul(tensor("m", 3, 3), "x", "x"), r"m: cannot multiply \(3,\) by \(3,\)"),
        (MatMul(tensor("m", 2, 3), "image", "image"), r"m: the result must have shape \(2, 2\), not"),
        (MatMul(tensor("m", 2, 2), "image", "image"), "m: the exact result has 8 fraction bits, the format 4"),
        (Table(tensor("t", 2), "x", np.array([0]), 0), r"t: the result must have shape \(3,\), not"),
        (Table(tensor("t", 3), "x", np.zeros(0, int), 0), r"t: a table is a vector, not of shape \(0,\)"),
        (Table(tensor("t", 3), "x", np.zeros((2, 2), int), 0), r"t: a table is a vector, not of shape \(2, 2\)"),
        (Table(tensor("t", 3), "x", FLOATS, 0), "t: values must be integers, not float64"),
        (Table(tensor("t", 3), "x", np.array([0, 128]), 0), "t: the table's values 0…128 do not fit ap_fixed<8,4"),
        (window((3, 8)), r"window: the result must have shape \(3, 9\), not \(3, 8\)"),
        (window((3, 2), kept=np.array([1, 1])), "window: what is kept must increase within 0…8"),
        (window((3, 2), kept=np.array([1, 9])), "window: what is kept must increase within 0…8"),
        (window((3, 2), kept=np.array([-1, 3])), "window: what is kept must increase within 0…8"),
        (window((3, 2), kept=FLOATS), "window: kept must be integers, not float64"),
        (window((3, 9), fraction=3), "window: the exact result has 4 fraction bits, the format 3"),
        (window((3, 9), source="x"), r"a window over 1 axes cannot slide over positions \(\)"),
        (window((1, 9), kernel=6), r"no window of \(6,\) with dilation \(1,\) fits into positions \(5,\)"),
        (Maximum(tensor("m", 2), "x"), "m: 3 channels cannot be compared in 2 groups of one size"),
        (Maximum(tensor("m", 1, 1), "x"), r"m: the result must have shape \(1,\), not \(1, 1\)"),
        (Maximum(tensor("m", 3, fmt=Fixed(True, 8, 5)), "x"), "m: the exact result has 4 fraction bits"),
        (ArgMax(tensor("a", 3), "x"), r"a: the result must have shape \(1,\), not \(3,\)"),
        (ArgMax(tensor("a", 1), "x"), "a: the exact result has 0 fraction bits, the format 4"),
        (Concat(tensor("c", 0), ()), "c: there is nothing to join"),
        (Concat(tensor("c", 5), ("x", "image")), "c: only tensors with the same positions can be joined"),
        (Concat(tensor("c", 1), ("scalar",)), "c: only tensors with the same positions can be joined"),
        (Concat(tensor("c", 4), ("x", "two")), r"c: the result must have shape \(5,\), not \(4,\)"),
        (Concat(tensor("c", 5), ("x", "pair")), "c: the exact result has 6 fraction bits, the format 4"),
        (scan(source="scalar"), "scan: a sequence needs a first axis"),
        (scan(source="image"), r"scan: the body reads \(3,\), a step has \(2,\)"),
        (scan(inner=body(fmt=WIDE)), "scan: the body reads ap_fixed<40,36,.*, the sequence has ap_fixed<8,4"),
        (scan(initial=((0, 1),)), "scan: the body must return each of its states"),
        (scan(initial=((0, 1, 2), (2,))), "scan: the state h comes back as another shape or format"),
        (scan(inner=body(state=(1,))), "scan: the state h comes back as another shape or format"),
        (scan(inner=body(new_fmt=Fixed(True, 9, 4))), "scan: the state h comes back as another shape or format"),
        (scan(initial=((0.0, 1.0), (2,))), "scan: initial must be integers, not float64"),
        (scan(initial=((0, 1), (200,))), "scan: the initial state c does not fit ap_fixed<8,4"),
        (scan(result=2), "scan: there is no state 2"),
        (scan((4, 2)), r"scan: the result must have shape \(5, 2\), not \(4, 2\)"),
        (scan(fmt=WIDE), "scan: the output must have the format of its state"),
    ],
)
def test_an_op_that_breaks_its_rule_is_named(op, message):
    pair = Requantise(tensor("pair", 2, fmt=Fixed(True, 8, 6)), "two")
    with pytest.raises(GraphError, match=message):
        graph(X, IMAGE, SEQUENCE, Input(tensor("two", 2)), Input(tensor("scalar")), pair, op)


def test_a_weight_format_that_saturates_symmetrically_does_not_hold_its_lowest_word():
    weights = SparseMatrix.from_dense(np.array([[-8, 7, 1]]))
    for overflow, fits in ((Overflow.SAT, True), (Overflow.SAT_SYM, False)):
        fmt = Fixed(True, 4, 0, Rounding.TRN, overflow)
        op = MatVec(tensor("fc", 1, fmt=WIDE), "x", weights, fmt, np.array([0]))
        if fits:
            graph(X, op)
        else:
            with pytest.raises(GraphError, match="fc: weights -8…7 do not fit"):
                graph(X, op)

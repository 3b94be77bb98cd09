"""A graph that breaks a rule of structure cannot be built; the message names the op at fault."""

from __future__ import annotations

import typing
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from fpgaprune import ir
from fpgaprune.errors import GraphError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.ir import Add, Constant, Gather, Graph, Input, MatVec, Requantise, Reshape, Tensor
from fpgaprune.sparse import SparseMatrix

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


def test_what_each_op_reads():
    assert X.inputs == ()
    assert Constant(tensor("c", 1), np.array([1])).inputs == ()
    assert matvec().inputs == ("x",)
    assert Requantise(tensor("r", 3), "x").inputs == ("x",)
    assert Add(tensor("s", 3), "x", "y").inputs == ("x", "y")
    assert Reshape(tensor("v", 3), "x").inputs == ("x",)
    assert gather().inputs == ("x",)


def test_a_matrix_is_known_by_its_layer_and_by_its_tensor_where_none_is_named():
    fmt = Fixed(True, 4, 2)
    assert matvec("fc").layer == "fc"
    assert MatVec(tensor("fc", 2), "x", WEIGHTS, fmt, np.array([0, 0]), "head.0").layer == "head.0"


def test_the_list_of_ops_is_the_type_of_an_op():
    assert typing.get_args(ir.Op) == ir.OPS
    assert all(fields(op)[0].name == "output" for op in ir.OPS)


@pytest.mark.parametrize(
    ("op", "field"),
    [(Constant(tensor("c", 1), np.array([1])), "values"), (matvec(), "bias"), (gather(), "index"), (gather(), "shift")],
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
        (gather(source="image"), r"wires: wires come from a vector, not shape \(2, 2\)"),
        (gather(shape=(3,)), r"wires: the result must have shape \(2,\), not \(3,\)"),
        (gather(shift=(0,)), "wires: index and shift must be vectors of one length"),
        (gather(index=((0, 1), (1, 2)), shift=(0, 0)), "wires: index and shift must be vectors of one length"),
        (gather(index=0, shift=0), "wires: index and shift must be vectors of one length"),
        (gather(index=(0, 3)), "wires: an index lies outside 0…2"),
        (gather(index=(-1, 0)), "wires: an index lies outside 0…2"),
        (gather(index=FLOATS), "wires: index must be integers, not float64"),
        (gather(shift=(0, -1)), "wires: a shift is negative"),
        (gather(shift=FLOATS), "wires: shift must be integers, not float64"),
        (gather(fraction=5), "wires: the exact result has 4 fraction bits, the format 5"),
    ],
)
def test_an_op_that_breaks_its_rule_is_named(op, message):
    pair = Requantise(tensor("pair", 2, fmt=Fixed(True, 8, 6)), "two")
    with pytest.raises(GraphError, match=message):
        graph(X, IMAGE, Input(tensor("two", 2)), pair, op)


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

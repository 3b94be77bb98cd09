"""Interval analysis holds for every input, is exact for a layer of its own, and tells which format is too narrow."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.errors import GraphError
from fpgaprune.evaluate import trace
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import analyse, full, verify
from fpgaprune.ir import Add, Constant, Gather, Graph, Input, MatVec, Requantise, Reshape, Tensor
from fpgaprune.sparse import SparseMatrix
from tests.graphs import random_graph, random_inputs

MODES = list(itertools.product(Rounding, Overflow))
HUGE = 400


def narrow_formats(most=3):
    return st.builds(
        Fixed, st.booleans(), st.integers(1, most), st.integers(-1, 3), st.just(Rounding.TRN), st.sampled_from(Overflow)
    )


def everything(graph):
    """Every combination of the values of every element of every input."""
    tensors = [op.output for op in graph.inputs]
    spans = [range(tensor.format.low, tensor.format.high + 1) for tensor in tensors for _ in range(tensor.size)]
    rows = np.array(list(itertools.product(*spans)))
    columns = np.split(rows, np.cumsum([tensor.size for tensor in tensors])[:-1], axis=1)
    return [part.reshape(len(rows), *tensor.shape) for part, tensor in zip(columns, tensors, strict=True)]


def assert_exact(graph, name):
    """The interval of each element is from the smallest to the largest value that it ever takes."""
    found = analyse(graph)[name]
    values = trace(graph, *everything(graph))[name]
    assert found.low.shape == found.high.shape == graph.tensors[name].shape
    assert found.low.tolist() == values.min(axis=0).tolist()
    assert found.high.tolist() == values.max(axis=0).tolist()


def layer(op, *inputs):
    return Graph((*inputs, op), (op.output.name,))


def matvec(dense, bias, *, fraction=0, fmt=None, weight_bits=HUGE):
    weights = SparseMatrix.from_dense(np.array(dense))
    output = Tensor("y", (weights.shape[0],), fmt or Fixed(True, HUGE, fraction))
    return MatVec(output, "x", weights, Fixed(True, weight_bits, 0), np.array(bias))


# --- exact for one layer ---


@given(narrow_formats(), st.data())
def test_a_matrix_is_exact(fmt, data):
    rows, columns = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    dense = data.draw(
        st.lists(st.lists(st.integers(-5, 5), min_size=columns, max_size=columns), min_size=rows, max_size=rows)
    )
    bias = data.draw(st.lists(st.integers(-9, 9), min_size=rows, max_size=rows))
    x = Input(Tensor("x", (columns,), fmt))
    assert_exact(layer(matvec(dense, bias, fraction=fmt.fraction), x), "y")


@given(narrow_formats(), narrow_formats())
def test_a_sum_of_two_inputs_is_exact(left, right):
    y = Add(Tensor("y", (2,), Fixed(True, HUGE, max(left.fraction, right.fraction))), "a", "b")
    assert_exact(layer(y, Input(Tensor("a", (2,), left)), Input(Tensor("b", (2,), right))), "y")


@given(narrow_formats(), st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=5))
def test_wires_are_exact(fmt, wires):
    index, shift = np.array(wires).T
    y = Gather(Tensor("y", (len(wires),), Fixed(True, HUGE, fmt.fraction)), "x", index, shift)
    assert_exact(layer(y, Input(Tensor("x", (3,), fmt))), "y")


def test_a_reshape_is_exact():
    fmt = Fixed(True, 2, 0)
    assert_exact(layer(Reshape(Tensor("y", (2, 1), fmt), "x"), Input(Tensor("x", (2,), fmt))), "y")


def test_a_constant_is_itself():
    values = np.array([[3, -1], [1 << 70, 0]], object)
    found = analyse(
        Graph(
            (Input(Tensor("x", (1,), Fixed(True, 2, 0))), Constant(Tensor("c", (2, 2), Fixed(True, 80, 0)), values)),
            ("c",),
        )
    )["c"]
    assert found.low.tolist() == found.high.tolist() == values.tolist()
    assert found.bounds == (-1, 1 << 70)


@pytest.mark.parametrize(("rounding", "overflow"), MODES)
def test_a_requantisation_is_exact_and_takes_its_whole_format_where_it_wraps_or_falls_to_zero(rounding, overflow):
    for signed, fraction, width, clip in itertools.product(
        [True, False], range(-2, 5), range(1, 5), [(None, None), (0, None), (-3, 5)]
    ):
        x = Input(Tensor("x", (1,), Fixed(signed, 4, 1)))
        to = Fixed(not signed, width, fraction, rounding, overflow)
        net = layer(Requantise(Tensor("y", (1,), to), "x", *clip), x)
        unlimited = layer(Requantise(Tensor("y", (1,), Fixed(True, HUGE, fraction, rounding)), "x", *clip), x)
        if overflow in (Overflow.SAT, Overflow.SAT_SYM) or to.holds(*analyse(unlimited)["y"].bounds):
            assert_exact(net, "y")
        else:
            assert analyse(net)["y"].bounds == (to.low, to.high)


def test_ranges_may_differ_between_elements():
    fmt = Fixed(True, 4, 0)
    x, y = Input(Tensor("x", (2,), fmt)), matvec([[1, 0], [0, -3]], [5, 0])
    narrow = Requantise(Tensor("z", (2,), Fixed(True, 5, 0)), "y")
    found = analyse(Graph((x, y, narrow), ("z",)))
    assert (found["y"].low.tolist(), found["y"].high.tolist()) == ([-3, -21], [12, 24])
    assert (found["z"].low.tolist(), found["z"].high.tolist()) == ([-3, -16], [12, 15]), "only the second overflows"


# --- exact beyond 64 bits ---


@pytest.mark.parametrize("bits", [1, 8, 31, 32, 61, 62, 63, 64, 65, 100])
@pytest.mark.parametrize("weight", [1, -1, 3, -(1 << 31), (1 << 62) - 1, -(1 << 62), -(1 << 63)])
@pytest.mark.parametrize("signed", [True, False])
def test_a_matrix_is_exact_at_every_width(bits, weight, signed):
    fmt = Fixed(signed, bits, 0)
    ends = sorted((weight * fmt.low, weight * fmt.high))
    net = layer(matvec([[weight, weight, 0], [0, 0, 0]], [1 << 40, -7]), Input(Tensor("x", (3,), fmt)))
    found = analyse(net)["y"]
    assert (found.low.tolist(), found.high.tolist()) == ([2 * ends[0] + (1 << 40), -7], [2 * ends[1] + (1 << 40), -7])


@pytest.mark.parametrize("overflow", Overflow)
@pytest.mark.parametrize(("narrow", "wide"), [(4, 80), (64, 80), (70, 80), (64, 65), (63, 64)])
def test_a_wider_format_keeps_the_range(overflow, narrow, wide):
    x = Input(Tensor("x", (2,), Fixed(True, narrow, 0)))
    found = analyse(layer(Requantise(Tensor("y", (2,), Fixed(True, wide, 0, overflow=overflow)), "x"), x))["y"]
    assert found.bounds == (-(1 << narrow - 1), (1 << narrow - 1) - 1)


@pytest.mark.parametrize("overflow", [Overflow.SAT, Overflow.SAT_SYM])
@pytest.mark.parametrize(("wide", "narrow"), [(80, 4), (80, 64), (80, 70), (65, 64), (64, 63)])
def test_a_narrower_format_takes_its_whole_range(overflow, narrow, wide):
    to = Fixed(True, narrow, 0, overflow=overflow)
    found = analyse(layer(Requantise(Tensor("y", (2,), to), "x"), Input(Tensor("x", (2,), Fixed(True, wide, 0)))))["y"]
    assert found.bounds == (to.low, to.high)


def test_a_clip_may_lie_beyond_the_input():
    x = Input(Tensor("x", (1,), Fixed(True, 4, 0)))
    y = Requantise(Tensor("y", (1,), Fixed(True, 4, 0)), "x", low=-(1 << 80), high=1 << 80)
    assert analyse(layer(y, x))["y"].bounds == (-8, 7)


def test_the_full_range_of_a_format():
    found = full((2, 1), Fixed(True, 70, 3))
    assert found.low.tolist() == [[-(1 << 69)]] * 2
    assert found.high.tolist() == [[(1 << 69) - 1]] * 2
    assert full((0,), Fixed(True, 4, 0)).bounds == (0, 0)


# --- sound for a graph ---


@given(st.integers(0, 1 << 30))
def test_no_value_ever_leaves_its_interval(seed):
    net = random_graph(seed)
    found = analyse(net)
    for name, values in trace(net, *random_inputs(net, 40, seed)).items():
        assert (values >= found[name].low).all(), name
        assert (values <= found[name].high).all(), name


def test_elements_that_depend_on_one_another_get_an_outer_bound():
    x = Input(Tensor("x", (1,), Fixed(True, 4, 0)))
    minus = matvec([[-1]], [0])
    zero = Add(Tensor("zero", (1,), Fixed(True, HUGE, 0)), "x", "y")
    assert analyse(Graph((x, minus, zero), ("zero",)))["zero"].bounds == (-15, 15)


# --- verify ---


@pytest.mark.parametrize(
    ("fmt", "dense", "needed"),
    [
        (
            Fixed(True, 4, 0),
            [[3, -2]],
            "values -38…37 need 7 bits signed, the format ap_fixed<6,6,AP_TRN,AP_WRAP> has 6",
        ),
        (Fixed(False, 4, 0), [[3, 1]], "values 0…60 need 6 bits, the format ap_ufixed<5,5,AP_TRN,AP_WRAP> has 5"),
    ],
)
def test_an_accumulator_that_is_one_bit_short_is_named_with_the_width_that_it_needs(fmt, dense, needed):
    x = Input(Tensor("x", (2,), fmt))
    wide = matvec(dense, [0], fmt=Fixed(fmt.signed, 6 + fmt.signed, 0))
    verify(layer(wide, x))
    short = matvec(dense, [0], fmt=Fixed(fmt.signed, 5 + fmt.signed, 0))
    with pytest.raises(GraphError, match=f"^y: {needed}; widen it or leave it to 'auto'$"):
        verify(layer(short, x))


@pytest.mark.parametrize(
    ("fmt", "values", "message"),
    [
        (Fixed(False, 4, 0), [-1, 3], "c: values -1…3 need 3 bits signed"),
        (Fixed(True, 4, 0), [8], "c: values 8…8 need 4 bits, the format ap_fixed"),
        (Fixed(True, 4, 0, overflow=Overflow.SAT_SYM), [-8], "c: values -8…-8 need 5 bits signed"),
        (Fixed(True, 64, 0), [1 << 63], "c: values .* need 64 bits, the format ap_fixed"),
    ],
)
def test_a_constant_that_does_not_fit_is_named(fmt, values, message):
    constant = Constant(Tensor("c", (len(values),), fmt), np.array(values, object))
    with pytest.raises(GraphError, match=message):
        verify(layer(constant, Input(Tensor("x", (1,), Fixed(True, 4, 0)))))


def test_verify_looks_past_the_first_op():
    x = Input(Tensor("x", (1,), Fixed(True, 4, 0)))
    good = Add(Tensor("good", (1,), Fixed(True, 5, 0)), "x", "x")
    bad = Gather(Tensor("bad", (1,), Fixed(True, 6, 0)), "good", np.array([0]), np.array([2]))
    verify(Graph((x, good), ("good",)))
    with pytest.raises(GraphError, match=r"^bad: values -64…56 need 7 bits signed"):
        verify(Graph((x, good, bad), ("good",)))


@given(st.integers(0, 1 << 30))
def test_formats_from_the_analysis_pass_it(seed):
    verify(random_graph(seed))

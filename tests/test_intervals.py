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
from fpgaprune.intervals import Interval, analyse, analyse_body, full, over_positions, verify
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
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows
from tests.graphs import random_graph, random_inputs, random_network_graph

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


def test_a_difference_of_two_inputs_is_exact():
    y = Add(Tensor("y", (2,), Fixed(True, HUGE, 1)), "a", "b", subtract=True)
    a, b = Input(Tensor("a", (2,), Fixed(False, 3, 1))), Input(Tensor("b", (2,), Fixed(True, 2, 0)))
    assert_exact(layer(y, a, b), "y")


@given(narrow_formats(), narrow_formats())
def test_a_product_of_two_inputs_is_exact(left, right):
    y = Multiply(Tensor("y", (2,), Fixed(True, HUGE, left.fraction + right.fraction)), "a", "b")
    assert_exact(layer(y, Input(Tensor("a", (2,), left)), Input(Tensor("b", (2,), right))), "y")


@given(st.integers(-8, 7), st.integers(-8, 7))
def test_a_square_is_exact_but_for_a_zero_in_between(one, other):
    low, high = sorted((one, other))
    fmt = Fixed(True, 4, 0)
    clipped = Requantise(Tensor("c", (1,), fmt), "x", low, high)
    y = Multiply(Tensor("y", (1,), Fixed(True, HUGE, 0)), "c", "c")
    found = analyse(Graph((Input(Tensor("x", (1,), fmt)), clipped, y), ("y",)))["y"]
    squares = [value * value for value in range(low, high + 1)]
    assert found.bounds == (min(squares), max(squares))


@given(narrow_formats(2), narrow_formats(2))
def test_a_product_of_matrices_is_exact_for_independent_elements(left, right):
    y = MatMul(Tensor("y", (1, 1), Fixed(True, HUGE, left.fraction + right.fraction)), "a", "b")
    assert_exact(layer(y, Input(Tensor("a", (1, 2), left)), Input(Tensor("b", (1, 2), right))), "y")


@given(narrow_formats(), st.integers(1, 3), st.data())
def test_the_largest_channel_is_exact(fmt, groups, data):
    count = groups * data.draw(st.integers(1, 3))
    y = Maximum(Tensor("y", (groups,), Fixed(True, HUGE, fmt.fraction)), "x")
    narrow = Requantise(Tensor("narrow", (count,), fmt), "x")
    x = Input(Tensor("x", (count,), Fixed(fmt.signed, 1, fmt.fraction)))
    assert_exact(Graph((x, narrow, y), ("y",)), "y")


@given(narrow_formats(4), st.integers(-3, 3), st.lists(st.integers(-8, 7), min_size=25, max_size=25))
def test_a_table_is_exact_for_each_element(fmt, weight, values):
    scaled = matvec([[1, 0], [0, weight]], [0, 2], fraction=fmt.fraction)
    low, high = analyse(layer(scaled, Input(Tensor("x", (2,), fmt))))["y"].bounds
    y = Table(Tensor("t", (2,), Fixed(True, 4, 0)), "y", np.resize(values, high - low + 3), low - 1)
    net = Graph((Input(Tensor("x", (2,), fmt)), scaled, y), ("t",))
    verify(net)
    found, traced = analyse(net)["t"], trace(net, *everything(net))
    for element in range(2):
        reached = range(*(traced["y"][:, element].min(), traced["y"][:, element].max() + 1))
        entries = [y.values[value - y.low] for value in reached]
        assert (found.low[element], found.high[element]) == (min(entries), max(entries))


def test_joined_tensors_keep_their_intervals():
    a, b = Input(Tensor("a", (2, 1), Fixed(True, 2, 1))), Input(Tensor("b", (2, 1), Fixed(False, 1, 0)))
    y = Concat(Tensor("y", (2, 3), Fixed(True, HUGE, 1)), ("b", "a", "b"))
    assert_exact(layer(y, a, b), "y")


@pytest.mark.parametrize("fill", [-3, 0, 9])
def test_a_window_sees_its_channels_and_the_padding_only_where_a_tap_meets_it(fill):
    x = Input(Tensor("x", (4, 3, 1), Fixed(True, 2, 0)))
    windows = Windows((3, 2), (1, 1), (1, 1), (1, 0), (0, 0))
    y = Window(Tensor("y", (3, 2, 6), Fixed(True, HUGE, 0)), "x", windows, fill)
    found = analyse(layer(y, x))["y"]
    padded = [min(-2, fill), max(1, fill)]
    for window in np.ndindex(3, 2):
        low, high = found.low[window].tolist(), found.high[window].tolist()
        assert list(zip(low, high, strict=True)) == [tuple(padded)] * 2 + [(-2, 1)] * 4


def test_a_tap_that_never_leaves_the_padding_is_the_padding():
    x = Input(Tensor("x", (2, 1), Fixed(True, 2, 0)))
    y = Window(Tensor("y", (1, 3), Fixed(True, HUGE, 0)), "x", Windows((3,), (1,), (2,), (2,), (1,)), 7)
    found = analyse(layer(y, x))["y"]
    assert (found.low.tolist(), found.high.tolist()) == ([[7, -2, 7]], [[7, 1, 7]])


def test_channels_of_a_window_keep_their_intervals_and_what_is_not_kept_has_none():
    x = Input(Tensor("x", (3, 2), Fixed(True, 2, 0)))
    bias = MatVec(
        Tensor("y", (3, 2), Fixed(True, HUGE, 0)),
        "x",
        SparseMatrix.from_dense(np.eye(2, dtype=int)),
        Fixed(True, 4, 0),
        np.array([0, 10]),
    )
    window = Window(Tensor("w", (2, 3), Fixed(True, HUGE, 0)), "y", Windows.plain((2,)), 0, np.array([0, 1, 3]))
    found = analyse(Graph((x, bias, window), ("w",)))["w"]
    assert found.low.tolist() == [[-2, 8, 8]] * 2
    assert found.high.tolist() == [[1, 11, 11]] * 2


def test_a_channel_that_always_lies_below_another_is_not_the_largest():
    x = Input(Tensor("x", (4,), Fixed(True, 2, 0)))
    shifted = matvec(np.eye(4, dtype=int), [-9, 0, 3, -9], fraction=0)
    y = ArgMax(Tensor("a", (1,), Fixed(False, 2, 0)), "y")
    net = Graph((x, shifted, y), ("a",))
    assert analyse(net)["a"].bounds == (1, 2)
    assert set(trace(net, *everything(net))["a"].ravel().tolist()) == {1, 2}


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


# --- positions ---


def offset_by_position():
    """A sequence of two channels, the second of which has another range at each of three positions."""
    x = Input(Tensor("x", (3, 2), Fixed(True, 3, 0)))
    offset = Constant(Tensor("offset", (3, 2), Fixed(True, 8, 0)), np.array([[0, 10], [0, 20], [0, -30]]))
    return x, offset, Add(Tensor("sum", (3, 2), Fixed(True, 9, 0)), "x", "offset")


def test_an_op_on_elements_keeps_the_interval_of_each_position():
    found = analyse(Graph(offset_by_position(), ("sum",)))["sum"]
    assert found.low.tolist() == [[-4, 6], [-4, 16], [-4, -34]]
    assert over_positions(found).low.tolist() == [-4, -34]
    assert over_positions(found).high.tolist() == [3, 23]


def test_a_matrix_is_the_same_hardware_at_every_position():
    ops = offset_by_position()
    weights = SparseMatrix.from_dense(np.array([[1, 0], [0, -2], [1, 1]]))
    y = MatVec(Tensor("y", (3, 3), Fixed(True, HUGE, 0)), "sum", weights, Fixed(True, 4, 0), np.array([0, 0, 100]))
    found = analyse(Graph((*ops, y), ("y",)))["y"]
    assert found.low.tolist() == [[-4, -46, 62]] * 3
    assert found.high.tolist() == [[3, 68, 126]] * 3


def test_images_cost_no_more_than_their_channels():
    shape, windows = (512, 512, 3), Windows((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    fmt = Fixed(False, 8, 0)
    weights = SparseMatrix.from_dense(np.arange(54).reshape(2, 27))
    ops = (
        Input(Tensor("x", shape, fmt)),
        Window(Tensor("w", (512, 512, 27), fmt), "x", windows),
        MatVec(Tensor("y", (512, 512, 2), Fixed(False, 30, 0)), "w", weights, fmt, np.zeros(2, int)),
        Requantise(Tensor("z", (512, 512, 2), fmt), "y"),
        Add(Tensor("s", (512, 512, 2), Fixed(False, 9, 0)), "z", "z"),
        Maximum(Tensor("m", (512, 512, 1), Fixed(False, 9, 0)), "s"),
        Concat(Tensor("c", (512, 512, 3), Fixed(False, 9, 0)), ("m", "s")),
        Reshape(Tensor("r", (512 * 512, 3), Fixed(False, 9, 0)), "c"),
    )
    for name, interval in analyse(Graph(ops, ("c",))).items():
        positions = interval.low.strides[:-1]
        assert set(positions) == {0}, f"{name} repeats one position"


def test_a_vector_is_one_position_and_a_scalar_one_channel():
    scalar = Interval(np.array(-3), np.array(4))
    assert (over_positions(scalar).low.tolist(), over_positions(scalar).high.tolist()) == ([-3], [4])
    assert over_positions(full((0, 3), Fixed(True, 4, 0))).low.shape == (3,)


# --- loops ---


def loop(initial, *, reverse=False, clip=(None, None)):
    """A loop whose state is the sum of itself and the step, saturated; another state is the step before."""
    state, fmt = Fixed(True, 5, 0, overflow=Overflow.SAT), Fixed(True, 3, 0)
    body = Graph(
        (
            Input(Tensor("step", (2,), fmt)),
            Input(Tensor("h", (2,), state)),
            Input(Tensor("last", (2,), fmt)),
            Add(Tensor("sum", (2,), Fixed(True, 6, 0)), "step", "h"),
            Requantise(Tensor("new", (2,), state), "sum", *clip),
        ),
        ("new", "step"),
    )
    x = Input(Tensor("x", (3, 2), fmt))
    narrow = Requantise(Tensor("narrow", (3, 2), fmt), "x", low=-1)
    states = (np.array(initial), np.array([0, 0]))
    return Graph((x, narrow, Scan(Tensor("y", (3, 2), state), "narrow", body, states, reverse=reverse)), ("y",))


def test_a_loop_has_the_interval_of_what_becomes_its_state_at_every_step():
    net = loop([0, 0], clip=(-5, 9))
    verify(net)
    found = analyse(net)
    assert list(found) == ["x", "narrow", "y"]
    assert found["y"].low.tolist() == [[-5, -5]] * 3
    assert found["y"].high.tolist() == [[9, 9]] * 3
    inner = analyse_body(net.ops[-1], found["narrow"])
    assert inner["step"].bounds == (-1, 3), "what any step can be"
    assert (inner["h"].bounds, inner["last"].bounds) == ((-16, 15), (-4, 3)), "a state takes its whole format"
    assert inner["sum"].bounds == (-17, 18)
    assert inner["sum"].low.shape == (2,)


def test_the_initial_state_lies_in_the_interval_of_the_state_that_is_read():
    net = loop([15, -16], clip=(0, 1))
    found = analyse(net)
    assert found["y"].bounds == (0, 1)
    assert analyse_body(net.ops[-1], found["narrow"])["h"].bounds == (-16, 15)


def test_an_accumulator_inside_a_loop_is_checked():
    net = loop([0, 0])
    x, narrow, scan = net.ops
    short = [
        Add(Tensor("sum", (2,), Fixed(True, 5, 0)), op.left, op.right) if op.output.name == "sum" else op
        for op in scan.body.ops
    ]
    body = Graph(tuple(short), scan.body.outputs)
    with pytest.raises(GraphError, match=r"^sum: values -17…18 need 6 bits signed"):
        verify(Graph((x, narrow, Scan(scan.output, "narrow", body, scan.initial)), ("y",)))


# --- exact beyond 64 bits ---


@pytest.mark.parametrize("bits", [8, 31, 32, 62, 63, 64, 65, 100])
def test_products_are_exact_at_every_width(bits):
    fmt = Fixed(True, bits, 0)
    low, high = fmt.low, fmt.high
    inputs = Input(Tensor("a", (1, 3), fmt)), Input(Tensor("b", (1, 3), fmt))
    product = layer(Multiply(Tensor("y", (1, 3), Fixed(True, HUGE, 0)), "a", "b"), *inputs)
    assert analyse(product)["y"].bounds == (low * high, low * low)
    inner = layer(MatMul(Tensor("y", (1, 1), Fixed(True, HUGE, 0)), "a", "b"), *inputs)
    assert analyse(inner)["y"].bounds == (3 * low * high, 3 * low * low)
    difference = layer(Add(Tensor("y", (1, 3), Fixed(True, HUGE, 0)), "a", "b", subtract=True), *inputs)
    assert analyse(difference)["y"].bounds == (low - high, high - low)


@pytest.mark.parametrize("bits", [8, 64, 80])
def test_padding_of_any_width_counts(bits):
    fmt = Fixed(True, bits, 0)
    y = Window(Tensor("y", (2, 1), Fixed(True, HUGE, 0)), "x", Windows((1,), (1,), (1,), (1,), (0,)), 3 * fmt.high)
    assert analyse(layer(y, Input(Tensor("x", (1, 1), fmt))))["y"].bounds == (fmt.low, 3 * fmt.high)


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


def assert_inside(net, intervals, values):
    """Every traced value of every tensor, those inside loops among them, lies in its interval."""
    for op in net.ops:
        name, shape = op.output.name, op.output.shape
        found, every = intervals[name], values[name].reshape(-1, *shape)
        assert found.low.shape == found.high.shape == shape
        assert (every >= found.low).all(), name
        assert (every <= found.high).all(), name
        if isinstance(op, Scan):
            assert_inside(op.body, analyse_body(op, intervals[op.input]), values)


@given(st.integers(0, 1 << 30))
def test_no_value_of_a_network_ever_leaves_its_interval(seed):
    net = random_network_graph(seed)
    assert_inside(net, analyse(net), trace(net, *random_inputs(net, 20, seed)))


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
    verify(random_network_graph(seed))


@pytest.mark.parametrize(
    ("low", "count", "message"),
    [
        (-8, 16, None),
        (-9, 18, None),
        (-7, 15, "y: the table reaches -7…7, but x takes -8…7; extend the table or clip what it reads"),
        (-8, 15, "y: the table reaches -8…6, but x takes -8…7"),
    ],
)
def test_a_table_must_reach_every_value_that_it_can_read(low, count, message):
    table = Table(Tensor("y", (2,), Fixed(True, 8, 0)), "x", np.arange(count), low)
    net = layer(table, Input(Tensor("x", (2,), Fixed(True, 4, 0))))
    if message is None:
        verify(net)
    else:
        with pytest.raises(GraphError, match=message):
            verify(net)


def test_padding_that_does_not_fit_is_named_where_a_window_meets_it():
    x = Input(Tensor("x", (3, 1), Fixed(True, 4, 0)))
    fmt = Fixed(True, 4, 0)
    verify(layer(Window(Tensor("y", (2, 2), fmt), "x", Windows.plain((2,)), 99), x))
    with pytest.raises(GraphError, match="y: values -8…99 need 8 bits signed"):
        verify(layer(Window(Tensor("y", (3, 2), fmt), "x", Windows((2,), (1,), (1,), (1,), (0,)), 99), x))

"""The definition of what a design computes, held against a slow one in exact fractions."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune import evaluate as module
from fpgaprune.capture.records import conv_matrix
from fpgaprune.errors import GraphError, InputError
from fpgaprune.evaluate import evaluate, trace
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
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows
from tests.graphs import random_inputs, random_network_graph

HUGE = 600
BYTE = Fixed(True, 8, 4)


# --- a definition by the value of each element, with nothing but Python's fractions ---


def step(fmt):
    return Fraction(2) ** -fmt.fraction


def reals(mantissas, fmt):
    return each(lambda value: int(value) * step(fmt), np.asarray(mantissas, dtype=object))


def each(function, *arrays):
    """The function of each element, as an object array of the same shape."""
    result = np.empty(arrays[0].shape, dtype=object)
    result.ravel()[:] = [function(*values) for values in zip(*(array.ravel() for array in arrays), strict=True)]
    return result


def dot(left, right):
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def filled(shape, function):
    """An object array with the function of each place."""
    result = np.empty(shape, dtype=object)
    for place in np.ndindex(shape):
        result[place] = function(*place)
    return result


def slow_window(op, source, fmt):
    def tap(window, inside):
        place = [
            at * op.windows.stride[axis] - op.windows.before[axis] + inside[axis] * op.windows.dilation[axis]
            for axis, at in enumerate(window)
        ]
        if all(0 <= at < size for at, size in zip(place, source.shape, strict=False)):
            return source[tuple(place)].tolist()
        return [op.fill * step(fmt)] * source.shape[-1]

    result = np.empty(op.output.shape, dtype=object)
    for window in np.ndindex(op.output.positions):
        elements = [value for inside in np.ndindex(op.windows.kernel) for value in tap(window, inside)]
        result[window] = elements if op.kept is None else [elements[place] for place in op.kept]
    return result


def slow_scan(op, sequence, mantissa):
    """The values of all tensors of the body by name, stacked over the steps."""
    first, *states = (state.output for state in op.body.inputs)
    kept = [reals(values, state.format) for values, state in zip(op.initial, states, strict=True)]
    traced = [None] * len(sequence)
    for place in sorted(range(len(sequence)), reverse=op.reverse):
        given = dict(
            zip(
                [first.name, *(state.name for state in states)],
                [np.asarray(sequence[place], dtype=object), *kept],
                strict=True,
            )
        )
        traced[place] = slow_values(op.body, given, mantissa)
        kept = [traced[place][name] for name in op.body.outputs]
    return {name: np.array([values[name] for values in traced], dtype=object) for name in traced[0]}


def slow_op(op, graph, values, mantissa):
    """The real values of an op's output from those of its inputs, in the tensors' shapes."""
    read = [values[name] for name in op.inputs]
    shape, fmt = op.output.shape, op.output.format
    match op:
        case Constant():
            return reals(op.values, fmt)
        case MatVec():
            weights, bias = reals(op.weights.dense(), op.weight_format), reals(op.bias, fmt)
            return filled(shape, lambda *at: dot(weights[at[-1]], read[0][at[:-1]]) + bias[at[-1]])
        case Requantise():
            unit = step(graph.tensors[op.input].format)

            def limited(value):
                value = value if op.low is None else max(value, op.low * unit)
                value = value if op.high is None else min(value, op.high * unit)
                return mantissa(value, fmt) * step(fmt)

            return each(limited, read[0])
        case Add():
            return each(lambda left, right: left - right if op.subtract else left + right, *read)
        case Multiply():
            return each(lambda left, right: left * right, *read)
        case MatMul():
            return filled(shape, lambda *at: dot(read[0][at[:-1]], read[1][(*at[:-2], at[-1])]))
        case Table():
            unit = step(graph.tensors[op.input].format)
            return each(lambda value: int(op.values[int(value / unit) - op.low]) * step(fmt), read[0])
        case Window():
            return slow_window(op, read[0], graph.tensors[op.input].format)
        case Maximum():
            return filled(shape, lambda *at: max(read[0][at[:-1]][at[-1] :: shape[-1]]))
        case ArgMax():
            return filled(shape, lambda *at: read[0][at[:-1]].tolist().index(max(read[0][at[:-1]])))
        case Reshape():
            return read[0].reshape(shape)
        case Concat():
            return filled(shape, lambda *at: [value for part in read for value in part[at[:-1]]][at[-1]])
        case Gather():
            flat = read[0].ravel()
            wires = [flat[place] * 2 ** int(shift) for place, shift in zip(op.index, op.shift, strict=True)]
            return filled(len(wires), lambda at: wires[at]).reshape(shape)


def slow_values(graph, given, mantissa):
    """Every tensor's real values, from those of the inputs by name."""
    values = dict(given)
    for op in graph.ops:
        if isinstance(op, Scan):
            steps = slow_scan(op, values[op.input], mantissa)
            values |= steps | {op.output.name: steps[op.body.outputs[op.result]]}
        elif not isinstance(op, Input):
            values[op.output.name] = slow_op(op, graph, values, mantissa)
    return values


def formats_of(graph):
    found = {name: tensor.format for name, tensor in graph.tensors.items()}
    for op in graph.ops:
        found |= formats_of(op.body) if isinstance(op, Scan) else {}
    return found


def slow_trace(graph, inputs, mantissa):
    """Every tensor's mantissas for one sample of each input, as flat lists."""
    given = {op.output.name: reals(values, op.output.format) for op, values in zip(graph.inputs, inputs, strict=True)}
    found, kinds = slow_values(graph, given, mantissa), formats_of(graph)
    return {name: [value / step(kinds[name]) for value in values.flat] for name, values in found.items()}


def assert_equals_the_slow_definition(graph, inputs, mantissa):
    found = trace(graph, *inputs)
    for sample in range(len(inputs[0])):
        expected = slow_trace(graph, [values[sample] for values in inputs], mantissa)
        assert found.keys() == expected.keys()
        for name, values in found.items():
            assert values[sample].ravel().tolist() == expected[name], (name, sample)
    for name, values in zip(graph.outputs, evaluate(graph, *inputs), strict=True):
        assert values.tolist() == found[name].tolist()
        assert values.shape == (len(inputs[0]), *graph.tensors[name].shape)


# --- random graphs ---


def formats(most):
    return st.builds(
        Fixed,
        st.booleans(),
        st.integers(1, most),
        st.integers(-4, most),
        st.sampled_from(Rounding),
        st.sampled_from(Overflow),
    )


def vectors(tensors):
    return [tensor for tensor in tensors if len(tensor.shape) == 1]


@st.composite
def graphs(draw, *, bits):
    """Graphs of every op; words of up to about ``bits`` bits at the inputs, the weights and after requantisation."""
    ops = [
        Input(Tensor(f"x{i}", (draw(st.integers(1, 4)),), draw(formats(bits)))) for i in range(draw(st.integers(1, 2)))
    ]

    def some(tensors):
        return tensors[-1] if draw(st.booleans()) else draw(st.sampled_from(tensors))

    def mantissas(count, *, bits=bits, low=None):
        low = -(1 << bits - 1) if low is None else low
        return draw(st.lists(st.integers(low, (1 << bits - 1) - 1), min_size=count, max_size=count))

    def matvec(name, known):
        source, rows = some(vectors(known)), draw(st.integers(0, 4))
        dense = np.array(mantissas(rows * source.size, bits=min(bits, 64)), dtype=np.int64).reshape(rows, source.size)
        dense[dense % 3 == 0] = 0
        fmt = Fixed(True, 64, draw(st.integers(-3, 5)))
        out = Tensor(name, (rows,), Fixed(True, HUGE, source.format.fraction + fmt.fraction))
        bias = np.array(mantissas(rows), dtype=object)
        return MatVec(out, source.name, SparseMatrix.from_dense(dense), fmt, bias)

    def requantise(name, known):
        source = some(known)
        ends = [draw(st.none() | st.integers(-(1 << bits), 1 << bits)) for _ in range(2)]
        low, high = ends if None in ends else sorted(ends)
        return Requantise(Tensor(name, source.shape, draw(formats(bits))), source.name, low, high)

    def add(name, known):
        left = some(known)
        right = draw(st.sampled_from([tensor for tensor in known if tensor.shape == left.shape]))
        fraction = max(left.format.fraction, right.format.fraction)
        return Add(Tensor(name, left.shape, Fixed(True, HUGE, fraction)), left.name, right.name)

    def reshape(name, known):
        source = some(known)
        shape = draw(st.sampled_from([(source.size,), (1, source.size), (source.size, 1, 1)]))
        return Reshape(Tensor(name, shape, source.format), source.name)

    def gather(name, known):
        source, count = some([tensor for tensor in vectors(known) if tensor.size]), draw(st.integers(0, 5))
        index = draw(st.lists(st.integers(0, source.size - 1), min_size=count, max_size=count))
        shift = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
        out = Tensor(name, (count,), Fixed(True, HUGE, source.format.fraction))
        return Gather(out, source.name, np.array(index, dtype=int), np.array(shift, dtype=int))

    def constant(name, _):
        fmt = draw(formats(bits))
        values = draw(st.lists(st.integers(fmt.low, fmt.high), min_size=1, max_size=4))
        return Constant(Tensor(name, (len(values),), fmt), np.array(values, dtype=object))

    for number in range(draw(st.integers(1, 6))):
        make = draw(st.sampled_from([matvec, matvec, requantise, requantise, add, reshape, gather, constant]))
        ops.append(make(f"t{number}", [op.output for op in ops]))
    names = [op.output.name for op in ops]
    return Graph(tuple(ops), tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))))


@st.composite
def inputs_of(draw, graph, samples):
    result = []
    for op in graph.inputs:
        fmt, count = op.output.format, samples * op.output.size
        entry = st.sampled_from([fmt.low, fmt.high]) | st.integers(fmt.low, fmt.high)
        values = draw(st.lists(entry, min_size=count, max_size=count))
        result.append(np.array(values, object if fmt.width > 63 else np.int64).reshape(samples, *op.output.shape))
    return result


@pytest.mark.parametrize("bits", [5, 14, 40, 66])
def test_random_graphs_equal_the_slow_definition(exact, bits):
    @given(graphs(bits=bits), st.data())
    def check(graph, data):
        verify(graph)
        inputs = data.draw(inputs_of(graph, data.draw(st.integers(0, 3))))
        assert_equals_the_slow_definition(graph, inputs, exact)

    check()


@pytest.mark.parametrize("seed", range(60))
def test_random_networks_equal_the_slow_definition(exact, seed):
    graph = random_network_graph(seed, length=5)
    assert_equals_the_slow_definition(graph, random_inputs(graph, 2, seed), exact)


# --- by hand ---


def test_a_network_worked_by_hand(exact):
    x = Input(Tensor("x", (2,), Fixed(True, 4, 2)))  # quarters
    weights = SparseMatrix.from_dense(np.array([[3, 0], [-1, 2]]))  # 1.5 0; -0.5 1
    hidden = MatVec(Tensor("fc", (2,), Fixed(True, 9, 3)), "x", weights, Fixed(True, 3, 1), np.array([1, -4]))
    relu = Requantise(Tensor("relu", (2,), Fixed(False, 3, 1, Rounding.RND, Overflow.SAT)), "fc", low=0)
    skip = Add(Tensor("skip", (2,), Fixed(True, 6, 2)), "relu", "x")
    wires = Gather(Tensor("wires", (3,), Fixed(True, 8, 2)), "skip", np.array([1, 0, 1]), np.array([0, 0, 2]))
    view = Reshape(Tensor("view", (3, 1), Fixed(True, 8, 2)), "wires")
    graph = Graph((x, hidden, relu, skip, wires, view), ("view", "relu"))
    inputs = np.array([[7, 6], [-8, 7], [1, -1]])  # 1.75 1.5; -2 1.75; 0.25 -0.25

    found = trace(graph, inputs)
    assert list(found) == ["x", "fc", "relu", "skip", "wires", "view"]
    assert found["fc"].tolist() == [[22, 1], [-23, 18], [4, -7]]  # eighths: 2.75 0.125; -2.875 2.25; 0.5 -0.875
    assert found["relu"].tolist() == [[6, 0], [0, 5], [1, 0]]  # halves, half up: 3 0; 0 2.5; 0.5 0
    assert found["skip"].tolist() == [[19, 6], [-8, 17], [3, -1]]  # quarters: 4.75 1.5; -2 4.25; 0.75 -0.25
    assert found["wires"].tolist() == [[6, 19, 24], [17, -8, 68], [-1, 3, -4]]
    assert found["view"].shape == (3, 3, 1)
    assert_equals_the_slow_definition(graph, [inputs], exact)


# --- each arithmetic ---


def product_graph(input_bits, weights, *, signed=True):
    x = Input(Tensor("x", (weights.shape[1],), Fixed(signed, input_bits, 0)))
    y = MatVec(
        Tensor("y", (weights.shape[0],), Fixed(True, HUGE, 0)),
        "x",
        weights,
        Fixed(True, 64, 0),
        np.zeros(weights.shape[0], int),
    )
    return Graph((x, y), ("y",))


def arithmetic(graph):
    """The arithmetic that the first product of a graph is computed in."""
    product = module._Evaluator(graph)._products["y"]
    if product._matrix is not None:
        return product._matrix.dtype.name
    return "object" if product._wide else "int64"


@pytest.mark.parametrize(
    ("largest", "kind"),
    [
        (1 << 24, "float32"),
        ((1 << 24) + 1, "float64"),
        (1 << 53, "float64"),
        ((1 << 53) + 1, "int64"),
        ((1 << 63) - 2, "int64"),
        (1 << 63, "object"),
    ],
)
@pytest.mark.parametrize("signed", [True, False])
def test_the_arithmetic_changes_where_its_integers_end(largest, kind, signed):
    half = largest // 2
    dense = np.array([[half, largest - half], [-half, half - largest]])
    graph = product_graph(1, SparseMatrix.from_dense(dense), signed=signed)
    assert arithmetic(graph) == kind
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]) * (-1 if signed else 1)
    assert evaluate(graph, x)[0].tolist() == (x @ dense.astype(object).T).tolist()


@pytest.mark.parametrize(
    ("input_bits", "weight_bits", "kind"),
    [
        (6, 6, "float32"),
        (12, 14, "float64"),
        (26, 24, "float64"),
        (30, 28, "int64"),
        (32, 34, "object"),
        (70, 20, "object"),
        (100, 64, "object"),
    ],
)
@pytest.mark.parametrize("density", [1.0, 0.2])
def test_every_arithmetic_gives_the_exact_product(input_bits, weight_bits, kind, density):
    rng = np.random.default_rng(7)

    def draw(bits, *shape):
        low, high = -(1 << bits - 1), (1 << bits - 1) - 1
        words = [int.from_bytes(rng.bytes(16), "little") % (high - low + 1) + low for _ in range(np.prod(shape))]
        return np.array(words, dtype=object).reshape(shape)

    dense = draw(weight_bits, 5, 9)
    dense[0], dense[1], dense[rng.random(dense.shape) > density] = (
        -(1 << weight_bits - 1),
        (1 << weight_bits - 1) - 1,
        0,
    )
    graph = product_graph(input_bits, SparseMatrix.from_dense(dense))
    assert arithmetic(graph) == kind
    x = draw(input_bits, 20, 9)
    x[0], x[1] = -(1 << input_bits - 1), (1 << input_bits - 1) - 1
    assert evaluate(graph, x)[0].tolist() == (x @ dense.T).tolist()


def test_a_matrix_too_large_for_a_dense_copy_stays_sparse(monkeypatch):
    monkeypatch.setattr(module, "_DENSE_LIMIT", 5)
    graph = product_graph(4, SparseMatrix.from_dense(np.array([[1, 0, -2], [0, 3, 0]])))
    assert arithmetic(graph) == "int64"
    assert evaluate(graph, np.array([[1, 2, 3], [-8, 7, -8]]))[0].tolist() == [[-5, 6], [8, 21]]


@pytest.mark.parametrize("bits", [8, 63, 64, 65, 200, 1000])
def test_a_matrix_without_weights_gives_its_bias_for_inputs_of_any_width(bits):
    fmt = Fixed(True, bits, 0)
    x = Input(Tensor("x", (2,), fmt))
    y = MatVec(
        Tensor("y", (2,), Fixed(True, 9, 0)),
        "x",
        SparseMatrix.from_dense(np.zeros((2, 2), int)),
        Fixed(True, 1, 0),
        np.array([5, -6]),
    )
    assert evaluate(Graph((x, y), ("y",)), np.array([[fmt.low, fmt.high]], object))[0].tolist() == [[5, -6]]


@pytest.mark.parametrize("bias", [1 << 62, (1 << 63) - 1, 1 << 63, -(1 << 70)])
def test_a_bias_may_be_wider_than_its_products(bias):
    x = Input(Tensor("x", (1,), Fixed(True, 8, 0)))
    y = MatVec(
        Tensor("y", (1,), Fixed(True, 80, 0)),
        "x",
        SparseMatrix.from_dense(np.array([[3]])),
        Fixed(True, 8, 0),
        np.array([bias], object),
    )
    assert evaluate(Graph((x, y), ("y",)), np.array([[127], [-128]]))[0].tolist() == [[bias + 381], [bias - 384]]


# --- windows, tables and comparisons against other definitions ---

INT = Fixed(True, 8, 0)
LONG = Fixed(True, 40, 0)


def windowed(shape, windows, *, fill=0, then):
    """A graph of a window over an image and one op that reads it, named y."""
    x = Input(Tensor("x", shape, INT))
    positions = windows.positions(shape[:-1])
    full = Window(Tensor("window", (*positions, windows.taps * shape[-1]), INT), "x", windows, fill)
    return Graph((x, full, then(positions)), ("y",))


def samples_of(shape, count=5, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, (count, *shape))


def torch_conv(x, weight, bias, windows, groups):
    """A convolution in float64, exact here, channels last on both sides."""
    conv = (torch.nn.functional.conv1d, torch.nn.functional.conv2d)[len(windows.kernel) - 1]
    image = torch.from_numpy(np.moveaxis(x, -1, 1).astype(np.float64))
    parts = torch.from_numpy(weight.astype(np.float64)), torch.from_numpy(bias.astype(np.float64))
    result = conv(image, *parts, windows.stride, windows.before, windows.dilation, groups)
    return np.moveaxis(result.numpy(), 1, -1).astype(np.int64)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "dilation", "padding"),
    [
        ((6, 5), (3, 3), (1, 1), (1, 1), (1, 1)),
        ((6, 5), (3, 2), (2, 1), (1, 2), (0, 1)),
        ((9, 7), (2, 3), (3, 2), (2, 2), (2, 0)),
        ((1, 1), (1, 1), (1, 1), (1, 1), (0, 0)),
        ((7,), (3,), (1,), (2,), (2,)),
        ((8,), (4,), (3,), (1,), (0,)),
    ],
)
def test_a_convolution_is_torchs(shape, kernel, stride, dilation, padding, groups):
    rng = np.random.default_rng(1)
    weight, bias = rng.integers(-9, 9, (8, 4 // groups, *kernel)), rng.integers(-99, 99, 8)
    windows = Windows(kernel, stride, dilation, padding, padding)

    def conv(positions):
        matrix = SparseMatrix.from_dense(conv_matrix(weight, groups))
        return MatVec(Tensor("y", (*positions, 8), LONG), "window", matrix, INT, bias)

    x = samples_of((*shape, 4))
    found = evaluate(windowed((*shape, 4), windows, then=conv), x)[0]
    assert np.array_equal(found, torch_conv(x, weight, bias, windows, groups))


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "padding"),
    [((2, 2), (2, 2), (1, 1), (0, 0)), ((3, 3), (1, 2), (1, 1), (1, 1)), ((2, 3), (2, 1), (2, 1), (1, 0))],
)
def test_max_pooling_is_torchs(kernel, stride, dilation, padding):
    windows = Windows(kernel, stride, dilation, padding, padding)
    x = samples_of((6, 7, 3))
    net = windowed(
        (6, 7, 3), windows, fill=INT.low, then=lambda positions: Maximum(Tensor("y", (*positions, 3), INT), "window")
    )
    image = torch.from_numpy(np.moveaxis(x, -1, 1).astype(np.float64))
    pooled = torch.nn.functional.max_pool2d(image, kernel, stride, padding, dilation)
    assert np.array_equal(evaluate(net, x)[0], np.moveaxis(pooled.numpy(), 1, -1).astype(np.int64))


def test_average_pooling_is_a_depthwise_sum():
    windows = Windows((2, 2), (2, 2), (1, 1), (0, 0), (0, 0))
    ones = SparseMatrix.from_dense(conv_matrix(np.ones((3, 1, 2, 2), int), 3))
    net = windowed(
        (4, 6, 3),
        windows,
        then=lambda positions: MatVec(Tensor("y", (*positions, 3), LONG), "window", ones, INT, np.zeros(3, int)),
    )
    x = samples_of((4, 6, 3))
    assert np.array_equal(evaluate(net, x)[0], x.reshape(5, 2, 2, 3, 2, 3).sum(axis=(2, 4)))


def test_what_is_kept_of_a_window_comes_out_in_its_order():
    windows = Windows((2,), (1,), (1,), (1,), (0,))
    x = Input(Tensor("x", (2, 3), INT))
    kept = Window(Tensor("y", (2, 3), INT), "x", windows, fill=7, kept=np.array([1, 3, 5]))
    assert evaluate(Graph((x, kept), ("y",)), np.array([[[1, 2, 3], [4, 5, 6]]]))[0].tolist() == [
        [[7, 1, 3], [2, 4, 6]]
    ]


@pytest.mark.parametrize("bits", [4, 70])
def test_padding_may_be_of_any_width(bits):
    fmt = Fixed(True, bits, 0)
    x = Input(Tensor("x", (1, 1), fmt))
    y = Window(Tensor("y", (1, 3), fmt), "x", Windows((3,), (1,), (1,), (1,), (1,)), fmt.low)
    assert evaluate(Graph((x, y), ("y",)), np.array([[[5]]]))[0].tolist() == [[[fmt.low, 5, fmt.low]]]


def of_two(kind, left, right, shape, **options):
    ops = Input(Tensor("a", *left)), Input(Tensor("b", *right))
    fraction = left[1].fraction + right[1].fraction
    return Graph((*ops, kind(Tensor("y", shape, Fixed(True, HUGE, fraction)), "a", "b", **options)), ("y",))


@pytest.mark.parametrize("bits", [(4, 5), (12, 12), (26, 27), (31, 31), (32, 31), (40, 40), (70, 3)])
def test_products_are_exact_at_every_width(bits):
    left, right = (Fixed(True, width, 1) for width in bits)
    a, b = (np.array([[fmt.low, fmt.high, fmt.low, -1]], object) for fmt in (left, right))
    b = b[:, ::-1]
    found = evaluate(of_two(Multiply, ((4,), left), ((4,), right), (4,)), a, b)[0]
    assert found.tolist() == [[x * y for x, y in zip(a[0], b[0], strict=True)]]
    found = evaluate(of_two(MatMul, ((2, 2), left), ((1, 2), right), (2, 1)), a.reshape(1, 2, 2), b[:, None, :2])[0]
    assert found.ravel().tolist() == [a[0, 0] * b[0, 0] + a[0, 1] * b[0, 1], a[0, 2] * b[0, 0] + a[0, 3] * b[0, 1]]


def test_products_of_matrices_are_numpys_in_every_batch():
    a, b = samples_of((2, 3, 4)), samples_of((2, 5, 4), seed=1)
    found = evaluate(of_two(MatMul, ((2, 3, 4), INT), ((2, 5, 4), INT), (2, 3, 5)), a, b)[0]
    assert np.array_equal(found, np.einsum("sbik,sbjk->sbij", a, b))


@pytest.mark.parametrize("bits", [8, 63, 64, 80])
def test_a_difference_is_exact_at_every_width(bits):
    fmt = Fixed(True, bits, 0)
    ends = np.array([[fmt.low, fmt.high, 0]], object)
    net = of_two(Add, ((3,), fmt), ((3,), fmt), (3,), subtract=True)
    assert evaluate(net, ends, ends[:, ::-1])[0].tolist() == [[fmt.low, 0, -fmt.low]]
    assert evaluate(net, ends, np.full((1, 3), fmt.high, object))[0].tolist() == [[fmt.low - fmt.high, 0, -fmt.high]]


def test_of_equal_channels_the_first_is_the_largest():
    x, y = Input(Tensor("x", (2, 3), INT)), ArgMax(Tensor("y", (2, 1), Fixed(False, 2, 0)), "x")
    assert evaluate(Graph((x, y), ("y",)), np.array([[[1, 5, 5], [-3, -3, -4]]]))[0].tolist() == [[[1], [0]]]


def test_channels_are_compared_with_those_a_group_apart():
    x, y = Input(Tensor("x", (6,), INT)), Maximum(Tensor("y", (2,), INT), "x")
    assert evaluate(Graph((x, y), ("y",)), np.array([[1, 20, 3, -4, -5, 6]]))[0].tolist() == [[3, 20]]


def table(values, low, fmt=INT):
    x = Input(Tensor("x", (1,), fmt))
    return Graph((x, Table(Tensor("y", (1,), Fixed(True, 80, 0)), "x", np.array(values, object), low)), ("y",))


def test_a_table_starts_at_its_low():
    assert evaluate(table([7, 1 << 70, -3], -1), np.array([[-1], [0], [1]]))[0].tolist() == [[7], [1 << 70], [-3]]


def test_a_table_far_from_zero_is_read_exactly():
    low, fmt = -(1 << 69), Fixed(True, 70, 0)
    assert evaluate(table([4, 5], low, fmt), np.array([[low + 1], [low]], object))[0].tolist() == [[5], [4]]


@pytest.mark.parametrize("value", [-2, 2, 127])
def test_a_table_that_ends_too_soon_is_named(value):
    with pytest.raises(GraphError, match=rf"y: the table reaches -1…1, not (-2…0|0…{value}); extend it"):
        evaluate(table([7, 8, 9], -1), np.array([[value], [0]]))


def lstm(*, reverse):
    """An LSTM without its tables' curves: gates are clipped, not squashed; all of it by hand below."""
    rng = np.random.default_rng(3)
    weights, bias = rng.integers(-5, 6, (8, 5)), rng.integers(-20, 20, 8)
    gate, cell = Fixed(False, 5, 4, Rounding.RND, Overflow.SAT), Fixed(True, 8, 4, Rounding.TRN, Overflow.SAT)

    def wires(name, first):
        return Gather(Tensor(name, (2,), Fixed(True, 24, 8)), "sums", np.arange(first, first + 2), np.zeros(2, int))

    def product(name, left, right):
        return Multiply(Tensor(name, (2,), Fixed(True, 24, 8)), left, right)

    gates = [
        op
        for number, name in enumerate(["in", "forget", "out"])
        for op in (wires(f"{name}_sum", 2 * number), Requantise(Tensor(name, (2,), gate), f"{name}_sum"))
    ]
    ops = (
        Input(Tensor("x_t", (3,), BYTE)),
        Input(Tensor("h", (2,), cell)),
        Input(Tensor("c", (2,), cell)),
        Concat(Tensor("xh", (5,), BYTE), ("x_t", "h")),
        MatVec(Tensor("sums", (8,), Fixed(True, 24, 8)), "xh", SparseMatrix.from_dense(weights), BYTE, bias),
        *gates,
        wires("new_sum", 6),
        Requantise(Tensor("new", (2,), cell), "new_sum"),
        product("kept", "forget", "c"),
        product("added", "in", "new"),
        Add(Tensor("sum", (2,), Fixed(True, 24, 8)), "kept", "added"),
        Requantise(Tensor("c_new", (2,), cell), "sum"),
        product("shown", "out", "c_new"),
        Requantise(Tensor("h_new", (2,), cell), "shown"),
    )
    body = Graph(ops, ("h_new", "c_new"))
    x = Input(Tensor("x", (6, 3), BYTE))
    loop = Scan(Tensor("y", (6, 2), cell), "x", body, (np.array([1, -1]), np.array([5, 9])), reverse=reverse)
    return Graph((x, loop), ("y",)), weights, bias


@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_is_an_lstm_written_out(reverse):
    graph, weights, bias = lstm(reverse=reverse)
    x = samples_of((6, 3), 7)
    expected = {name: np.zeros((7, 6, 2), int) for name in ("h_new", "c_new", "in", "forget")}
    for sample in range(7):
        h, c = [1, -1], [5, 9]
        for step_ in range(5, -1, -1) if reverse else range(6):
            vector = [*x[sample, step_].tolist(), *h]
            sums = [int(sum(w * v for w, v in zip(row, vector, strict=True))) for row in weights.tolist()]
            sums = [value + offset for value, offset in zip(sums, bias.tolist(), strict=True)]
            gates = [min(max((value + 8) >> 4, 0), 31) for value in sums[:6]]
            new = [min(max(value >> 4, -128), 127) for value in sums[6:]]
            c = [min(max((gates[2 + i] * c[i] + gates[i] * new[i]) >> 4, -128), 127) for i in range(2)]
            h = [min(max(gates[4 + i] * c[i] >> 4, -128), 127) for i in range(2)]
            for name, values in (("h_new", h), ("c_new", c), ("in", gates[:2]), ("forget", gates[2:4])):
                expected[name][sample, step_] = values
    found = trace(graph, x)
    assert np.array_equal(evaluate(graph, x)[0], expected["h_new"])
    assert np.array_equal(found["y"], expected["h_new"])
    for name, values in expected.items():
        assert np.array_equal(found[name], values), name
    assert np.array_equal(found["x_t"], x)
    before = found["h"][:, 5 if reverse else 0]
    assert (before == [1, -1]).all(), "the state that the first step reads"
    assert np.array_equal(found["h"][:, 3], expected["h_new"][:, 4 if reverse else 2])


def test_the_result_of_a_loop_may_be_any_of_its_states():
    graph, *_ = lstm(reverse=False)
    x, loop = graph.ops
    other = Graph((x, Scan(loop.output, "x", loop.body, loop.initial, result=1)), ("y",))
    x = samples_of((6, 3))
    assert np.array_equal(evaluate(other, x)[0], trace(graph, x)["c_new"])


# --- shapes and samples ---


def test_samples_are_cut_so_that_the_largest_tensor_stays_small(monkeypatch):
    graph, *_ = lstm(reverse=False)
    x = samples_of((6, 3), 9)
    expected = evaluate(graph, x)[0]
    assert module._chunk(graph) == 2048
    monkeypatch.setattr(module, "_ELEMENTS", 40)
    assert module._chunk(graph) == 40 // 18, "the input has most elements"
    assert np.array_equal(evaluate(graph, x)[0], expected)
    monkeypatch.setattr(module, "_ELEMENTS", 5)
    assert module._chunk(graph) == 1
    assert np.array_equal(evaluate(graph, x)[0], expected)


def test_tensors_inside_a_loop_count_for_the_cut():
    narrow = Input(Tensor("x", (2, 1), INT))
    wide = Gather(Tensor("wide", (500,), INT), "step", np.zeros(500, int), np.zeros(500, int))
    new = Maximum(Tensor("new", (1,), INT), "wide")
    body = Graph((Input(Tensor("step", (1,), INT)), Input(Tensor("h", (1,), INT)), wide, new), ("new",))
    graph = Graph((narrow, Scan(Tensor("y", (2, 1), INT), "x", body, (np.array([0]),))), ("y",))
    assert module._chunk(graph) == module._CHUNK
    assert module._largest(graph) == 500


def test_only_outputs_are_left_at_the_end():
    graph = small_graph()
    inputs = small_inputs(3)
    assert module._Evaluator(graph)(inputs).keys() == set(graph.outputs)
    assert module._Evaluator(graph, everything=True)(inputs).keys() == graph.tensors.keys()


def small_graph():
    """Two inputs, a constant, and every op."""
    a, b = Input(Tensor("a", (2, 2), BYTE)), Input(Tensor("b", (3,), BYTE))
    flat = Reshape(Tensor("flat", (4,), BYTE), "a")
    fc = MatVec(
        Tensor("fc", (3,), Fixed(True, 30, 6)),
        "flat",
        SparseMatrix.from_dense(np.array([[1, 0, 0, 2], [0, 0, 0, 0], [0, -3, 0, 0]])),
        Fixed(True, 4, 2),
        np.array([0, 7, 0]),
    )
    act = Requantise(Tensor("act", (3,), BYTE), "fc", low=0)
    both = Add(Tensor("both", (3,), Fixed(True, 9, 4)), "act", "b")
    one = Constant(Tensor("one", (3,), BYTE), np.array([1, 2, 3]))
    out = Add(Tensor("out", (3,), Fixed(True, 10, 4)), "both", "one")
    wires = Gather(Tensor("wires", (2,), Fixed(True, 12, 4)), "out", np.array([2, 0]), np.array([0, 1]))
    return Graph((a, b, flat, fc, act, both, one, out, wires), ("wires", "one", "a"))


def small_inputs(samples):
    rng = np.random.default_rng(samples)
    return rng.integers(-128, 128, (samples, 2, 2)), rng.integers(-128, 128, (samples, 3))


@pytest.mark.parametrize("samples", [0, 1, 2047, 2048, 2049, 5000])
def test_samples_are_independent_of_how_they_are_cut(samples):
    graph, inputs = small_graph(), small_inputs(samples)
    wires, one, a = evaluate(graph, *inputs)
    assert wires.shape == (samples, 2)
    assert (one == [1, 2, 3]).all()
    assert one.shape == (samples, 3)
    assert (a == inputs[0]).all()
    assert a.shape == inputs[0].shape
    for sample in {0, samples // 2, 2046, 2047, 2048, samples - 1} & set(range(samples)):
        alone = evaluate(graph, *(values[sample : sample + 1] for values in inputs))
        assert wires[sample].tolist() == alone[0][0].tolist()


@pytest.mark.parametrize("input_bits", [8, 40, 60, 80])
def test_no_samples_give_no_results(input_bits):
    graph = product_graph(input_bits, SparseMatrix.from_dense(np.array([[1, -(1 << 20)], [0, 1 << 20]])))
    assert [values.shape for values in evaluate(graph, np.zeros((0, 2), dtype=int))] == [(0, 2)]
    assert [values.shape for values in trace(graph, np.zeros((0, 2), dtype=object)).values()] == [(0, 2), (0, 2)]


def test_a_chunk_of_wide_values_and_one_of_narrow_ones_join():
    x = Input(Tensor("x", (1,), Fixed(True, 60, 0)))
    wide = Gather(Tensor("y", (1,), Fixed(True, 70, 0)), "x", np.array([0]), np.array([10]))
    values = np.ones((2049, 1), dtype=np.int64)
    values[0] = 1 << 58
    result = evaluate(Graph((x, wide), ("y",)), values)[0]
    assert result[0].tolist() == [1 << 68]
    assert set(result[1:].ravel().tolist()) == {1 << 10}


def test_a_scalar_per_sample_is_a_tensor_too():
    x = Input(Tensor("x", (), BYTE))
    y = Requantise(Tensor("y", (), Fixed(True, 4, 0)), "x")
    z = Reshape(Tensor("z", (1, 1), Fixed(True, 4, 0)), "y")
    y_out, z_out = evaluate(Graph((x, y, z), ("y", "z")), np.array([127, -128, 15]))
    assert y_out.tolist() == [7, -8, 0]
    assert z_out.tolist() == [[[7]], [[-8]], [[0]]]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, object])
def test_any_integer_type_is_an_input(dtype):
    a, b = np.full((2, 2, 2), 100, dtype), np.full((2, 3), 7, dtype)
    expected = evaluate(small_graph(), a.astype(np.int64), b.astype(np.int64))
    assert [values.tolist() for values in evaluate(small_graph(), a, b)] == [values.tolist() for values in expected]


def test_inputs_are_left_alone():
    inputs = small_inputs(5)
    before = [values.copy() for values in inputs]
    evaluate(small_graph(), *inputs)
    assert all((left == right).all() for left, right in zip(inputs, before, strict=True))


# --- what is refused ---


def changed(values, value, *, dtype=np.int64):
    values = values.astype(dtype)
    values.flat[-1] = value
    return values


A, B = small_inputs(4)


@pytest.mark.parametrize("run", [evaluate, trace])
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((), r"the graph has 2 inputs \(a, b\), 0 were given"),
        ((A,), r"the graph has 2 inputs \(a, b\), 1 were given"),
        ((A, B, B), r"the graph has 2 inputs \(a, b\), 3 were given"),
        ((A[0], B), r"a: the input must have shape \(samples, 2, 2\), not \(2, 2\)"),
        ((A, B[:, :2]), r"b: the input must have shape \(samples, 3\), not \(4, 2\)"),
        ((A.reshape(4, 4), B), r"a: the input must have shape \(samples, 2, 2\), not \(4, 4\)"),
        ((A[..., None], B), r"a: the input must have shape"),
        ((A, B[:3]), r"one number of samples, not \[3, 4\]"),
        ((A.astype(float), B), "a: mantissas must be integers, not float64; give mantissas of ap_fixed<8,4"),
        ((A, B.astype(str)), "b: mantissas must be integers, not <U"),
        ((changed(A, 1.5, dtype=object), B), "a: mantissas must be integers, not float; give"),
        ((changed(A, "1", dtype=object), B), "a: mantissas must be integers, not str; give mantissas of ap_fixed<8,4"),
        ((A, changed(B, None, dtype=object)), "b: mantissas must be integers, not NoneType; give"),
        ((changed(A, 128), B), r"a: mantissas -\d+…128 are out of the range of ap_fixed<8,4"),
        ((A, changed(B, -129)), r"b: mantissas -129…\d+ are out of the range"),
        ((changed(A, 1 << 70, dtype=object), B), "a: mantissas .* are out of the range"),
    ],
)  # fmt: skip
def test_a_bad_input_is_refused_by_name(run, inputs, message):
    with pytest.raises(InputError, match=message):
        run(small_graph(), *inputs)


def test_the_shape_of_a_scalar_input_reads_well():
    graph = Graph((Input(Tensor("x", (), BYTE)),), ("x",))
    with pytest.raises(InputError, match=r"x: the input must have shape \(samples\), not \(1, 1\)"):
        evaluate(graph, np.zeros((1, 1), int))


@pytest.mark.parametrize(("overflow", "lowest"), [(Overflow.SAT, -128), (Overflow.SAT_SYM, -127)])
def test_the_range_of_an_input_is_that_of_its_mode(overflow, lowest):
    graph = Graph((Input(Tensor("x", (1,), Fixed(True, 8, 0, overflow=overflow))),), ("x",))
    assert evaluate(graph, np.array([[lowest]]))[0].tolist() == [[lowest]]
    with pytest.raises(InputError, match="out of the range"):
        evaluate(graph, np.array([[lowest - 1]]))


@pytest.mark.parametrize(("rounding", "overflow"), list(itertools.product(Rounding, Overflow)))
def test_a_requantisation_uses_the_modes_of_its_own_format(exact, rounding, overflow):
    x = Input(Tensor("x", (1,), Fixed(True, 7, 3, Rounding.RND_INF, Overflow.SAT_ZERO)))
    y = Requantise(Tensor("y", (1,), Fixed(True, 3, 1, rounding, overflow)), "x", low=-50)
    assert_equals_the_slow_definition(Graph((x, y), ("y",)), [np.arange(-64, 64)[:, None]], exact)

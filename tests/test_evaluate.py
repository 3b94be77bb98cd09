"""The definition of what a design computes, held against a slow one in exact fractions."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune import evaluate as module
from fpgaprune.errors import InputError
from fpgaprune.evaluate import evaluate, trace
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import verify
from fpgaprune.ir import Add, Constant, Gather, Graph, Input, MatVec, Requantise, Reshape, Tensor
from fpgaprune.sparse import SparseMatrix

HUGE = 600
BYTE = Fixed(True, 8, 4)


# --- a definition by the value of each element, with nothing but Python's fractions ---


def step(fmt):
    return Fraction(2) ** -fmt.fraction


def slow_op(op, graph, values, mantissa):
    """The real values of an op's output, flat, from those of its inputs."""
    read = [values[name] for name in op.inputs]
    match op:
        case Constant():
            return [int(value) * step(op.output.format) for value in op.values.flat]
        case MatVec():
            grid = step(op.weight_format)
            return [
                sum((int(w) * grid * x for w, x in zip(row, read[0], strict=True)), int(b) * step(op.output.format))
                for row, b in zip(op.weights.dense(), op.bias, strict=True)
            ]
        case Requantise():
            unit = step(graph.tensors[op.input].format)
            kept = [value if op.low is None else max(value, op.low * unit) for value in read[0]]
            kept = [value if op.high is None else min(value, op.high * unit) for value in kept]
            return [mantissa(value, op.output.format) * step(op.output.format) for value in kept]
        case Add():
            return [left + right for left, right in zip(*read, strict=True)]
        case Reshape():
            return read[0]
        case Gather():
            return [read[0][place] * 2 ** int(shift) for place, shift in zip(op.index, op.shift, strict=True)]


def slow_trace(graph, inputs, mantissa):
    """Every tensor's mantissas for one sample of each input, as flat lists."""
    values = {
        op.output.name: [int(x) * step(op.output.format) for x in given.flat]
        for op, given in zip(graph.inputs, inputs, strict=True)
    }
    for op in graph.ops:
        if not isinstance(op, Input):
            values[op.output.name] = slow_op(op, graph, values, mantissa)
    return {name: [value / step(graph.tensors[name].format) for value in flat] for name, flat in values.items()}


def assert_equals_the_slow_definition(graph, inputs, mantissa):
    found = trace(graph, *inputs)
    for sample in range(len(inputs[0])):
        expected = slow_trace(graph, [values[sample] for values in inputs], mantissa)
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


# --- shapes and samples ---


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

"""The graph of a quantised network: ops over tensors of integer mantissas, in topological order, channels last."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from typing_extensions import assert_never

from fpgaprune.errors import GraphError
from fpgaprune.sparse import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.fixed import Fixed, IntArray
    from fpgaprune.sparse import SparseMatrix
    from fpgaprune.windows import Windows


@dataclass(frozen=True)
class Tensor:
    """A named array of mantissas: its shape without the batch, channels last, and the format of all its elements."""

    name: str
    shape: tuple[int, ...]
    format: Fixed

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def channels(self) -> int:
        """Elements at each position: the last axis, 1 where there is none."""
        return self.shape[-1] if self.shape else 1

    @property
    def positions(self) -> tuple[int, ...]:
        """The axes before the channels: none for a vector, rows and columns for an image, steps for a sequence."""
        return self.shape[:-1]


class _NoInput:
    """What ops share that read no tensor."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """No tensor is read."""
        return ()


class _OneInput:
    """What ops share that read one tensor."""

    input: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one tensor that is read."""
        return (self.input,)


class _TwoInputs:
    """What ops share that combine two tensors."""

    left: str
    right: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The two operands."""
        return (self.left, self.right)


@dataclass(frozen=True, eq=False)
class Input(_NoInput):
    """A tensor that comes from outside."""

    output: Tensor


@dataclass(frozen=True, eq=False)
class Constant(_NoInput):
    """A tensor of constant mantissas, ``values`` in the shape of the output."""

    output: Tensor
    values: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen(self.values))


@dataclass(frozen=True, eq=False)
class MatVec(_OneInput):
    """A constant sparse matrix times the channels at every position, plus a bias (outputs,), accumulated exactly.

    The input is (*positions, inputs), the output (*positions, outputs). The output's fraction is that of the input
    plus that of the weights; the bias is given in it. The output's format must hold every sum: nothing is rounded and
    nothing overflows here. ``layer`` is the name that the user knows it by, the tensor's own by default; it is for
    people only.
    """

    output: Tensor
    input: str
    weights: SparseMatrix
    weight_format: Fixed
    bias: IntArray
    layer: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "bias", frozen(self.bias))
        object.__setattr__(self, "layer", self.layer or self.output.name)


@dataclass(frozen=True, eq=False)
class Requantise(_OneInput):
    """Element by element: clip to ``low``…``high`` (input mantissas, open where None), then to the output's format.

    ReLU is ``low=0``; ReLU6, Hardtanh and clamp are clips; an identity is neither.
    """

    output: Tensor
    input: str
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, eq=False)
class Add(_TwoInputs):
    """The exact sum or difference of two tensors of one shape, binary points aligned; nothing is rounded.

    ``subtract`` makes it ``left - right``.
    """

    output: Tensor
    left: str
    right: str
    subtract: bool = False


@dataclass(frozen=True, eq=False)
class Multiply(_TwoInputs):
    """The exact product, element by element, of two tensors of one shape; its fraction is the sum of theirs."""

    output: Tensor
    left: str
    right: str


@dataclass(frozen=True, eq=False)
class MatMul(_TwoInputs):
    """The exact products of two matrices that both depend on the input, the right one transposed.

    ``left`` is (*batch, n, k), ``right`` (*batch, m, k), the output (*batch, n, m); its fraction is the sum of theirs.
    """

    output: Tensor
    left: str
    right: str


@dataclass(frozen=True, eq=False)
class Table(_OneInput):
    """Element by element: mantissa ``low + i`` of the input becomes the mantissa ``values[i]`` of the output's format.

    The table must reach every mantissa that interval analysis cannot exclude.
    """

    output: Tensor
    input: str
    values: IntArray
    low: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen(self.values))


@dataclass(frozen=True, eq=False)
class Window(_OneInput):
    """The channels of all taps of each window, tap by tap: (*positions, channels) → (*windows, kept).

    A full window has ``taps * channels`` elements, of which ``kept`` (increasing) come out; None keeps all. A tap in
    the padding has the mantissa ``fill``.
    """

    output: Tensor
    input: str
    windows: Windows
    fill: int = 0
    kept: IntArray | None = None

    def __post_init__(self) -> None:
        if self.kept is not None:
            object.__setattr__(self, "kept", frozen(self.kept))


@dataclass(frozen=True, eq=False)
class Maximum(_OneInput):
    """At every position, output channel c is the largest of the inputs c, c + outputs, c + 2 * outputs and so on.

    With one output it is the largest of all channels; after a `Window` it is max pooling.
    """

    output: Tensor
    input: str


@dataclass(frozen=True, eq=False)
class ArgMax(_OneInput):
    """At every position, the index of the largest channel, of equals the first; the output is (*positions, 1)."""

    output: Tensor
    input: str


@dataclass(frozen=True, eq=False)
class Reshape(_OneInput):
    """The same elements in the same order under another shape; it costs nothing."""

    output: Tensor
    input: str


@dataclass(frozen=True, eq=False)
class Concat:
    """Tensors with the same positions, one after the other along the channels, binary points aligned exactly."""

    output: Tensor
    sources: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The parts in their order."""
        return self.sources


@dataclass(frozen=True, eq=False)
class Gather(_OneInput):
    """Wires: element i of the output is element ``index[i]`` of the input, shifted left by ``shift[i]`` bits.

    Elements are counted in row-major order on both sides, whatever the shapes.
    """

    output: Tensor
    input: str
    index: IntArray
    shift: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", frozen(self.index))
        object.__setattr__(self, "shift", frozen(self.shift))


@dataclass(frozen=True, eq=False)
class Scan(_OneInput):
    """A recurrent loop: the body runs once for each entry of the input's first axis, its state kept in between.

    The body's inputs are one step (the input's shape without its first axis), then the states; its outputs are the
    new states, in the same order, shapes and formats. State ``result`` of every step makes the output (steps, …).
    ``initial`` has the mantissas of each state before the first step. ``reverse`` runs from the last step to the
    first, and leaves each result at the place of its step.
    """

    output: Tensor
    input: str
    body: Graph
    initial: tuple[IntArray, ...]
    result: int = 0
    reverse: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "initial", tuple(frozen(values) for values in self.initial))


Op: TypeAlias = (
    Input
    | Constant
    | MatVec
    | Requantise
    | Add
    | Multiply
    | MatMul
    | Table
    | Window
    | Maximum
    | ArgMax
    | Reshape
    | Concat
    | Gather
    | Scan
)
OPS = (
    Input,
    Constant,
    MatVec,
    Requantise,
    Add,
    Multiply,
    MatMul,
    Table,
    Window,
    Maximum,
    ArgMax,
    Reshape,
    Concat,
    Gather,
    Scan,
)


@dataclass(frozen=True, eq=False)
class Graph:
    """Ops in topological order, each named by the tensor that it makes, and the names of the output tensors.

    Raises:
        GraphError: a dangling or repeated tensor, no input or output, or an op whose shapes or formats break its rule.
    """

    ops: tuple[Op, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_names(self)
        for op in self.ops:
            _check_op(op, self.tensors)

    @cached_property
    def tensors(self) -> Mapping[str, Tensor]:
        """Every tensor by its name."""
        return {op.output.name: op.output for op in self.ops}

    @cached_property
    def producers(self) -> Mapping[str, Op]:
        """The op that makes each tensor."""
        return {op.output.name: op for op in self.ops}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Op, ...]]:
        """The ops that read each tensor; a graph output counts as no op."""
        return {name: tuple(op for op in self.ops if name in op.inputs) for name in self.tensors}

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """The ops that take the inputs, in their order."""
        return tuple(op for op in self.ops if isinstance(op, Input))

    def only_consumer(self, name: str) -> Op | None:
        """Return the op that alone reads the tensor, or None where several do, none does, or it is an output."""
        readers = self.consumers[name]
        return readers[0] if len(readers) == 1 and name not in self.outputs else None


def _check_names(graph: Graph) -> None:
    known: set[str] = set()
    for op in graph.ops:
        for name in op.inputs:
            if name not in known:
                msg = f"{op.output.name}: reads tensor {name!r}, which no earlier op makes"
                raise GraphError(msg)
        if op.output.name in known:
            msg = f"{op.output.name}: two ops make a tensor of this name"
            raise GraphError(msg)
        known.add(op.output.name)
    if not graph.outputs or not any(isinstance(op, Input) for op in graph.ops):
        msg = "a graph must have at least one input and one output"
        raise GraphError(msg)
    for name, count in Counter(graph.outputs).items():
        if name not in known:
            msg = f"the graph's output {name!r} is made by no op"
            raise GraphError(msg)
        if count > 1:
            msg = f"the graph lists the output {name!r} {count} times"
            raise GraphError(msg)


def _check_op(op: Op, tensors: Mapping[str, Tensor]) -> None:
    match op:
        case Input():
            _require(op, op.output.size > 0, f"an input must have elements, not shape {op.output.shape}")
        case Constant():
            got, shape = op.values.shape, op.output.shape
            _require(op, got == shape, f"values have shape {got}, the tensor {shape}")
            _require_integers(op, values=op.values)
        case MatVec():
            _check_matvec(op, tensors[op.input])
        case Requantise():
            _require_shape(op, tensors[op.input].shape)
            empty = op.low is not None and op.high is not None and op.low > op.high
            _require(op, not empty, f"the clip {op.low}…{op.high} is empty")
        case Add():
            _require_shape(op, tensors[op.left].shape)
            _require_shape(op, tensors[op.right].shape)
            finest = max(tensors[op.left].format.fraction, tensors[op.right].format.fraction)
            _require_fraction(op, finest)
        case Multiply():
            _require_shape(op, tensors[op.left].shape)
            _require_shape(op, tensors[op.right].shape)
            _require_fraction(op, tensors[op.left].format.fraction + tensors[op.right].format.fraction)
        case MatMul():
            _check_matmul(op, tensors[op.left], tensors[op.right])
        case Table():
            _check_table(op, tensors[op.input])
        case Window():
            _check_window(op, tensors[op.input])
        case Maximum():
            _check_maximum(op, tensors[op.input])
        case ArgMax():
            _require_shape(op, (*tensors[op.input].positions, 1))
            _require(op, tensors[op.input].channels > 0, "there is nothing to compare")
            _require_fraction(op, 0)
        case Reshape():
            source = tensors[op.input]
            _require(op, source.size == op.output.size, f"cannot reshape {source.shape} to {op.output.shape}")
            _require(op, source.format == op.output.format, "a reshape must keep the format")
        case Concat():
            _check_concat(op, [tensors[name] for name in op.sources])
        case Gather():
            _check_gather(op, tensors[op.input])
        case Scan():
            _check_scan(op, tensors[op.input])
        case _:
            assert_never(op)


def _check_matvec(op: MatVec, source: Tensor) -> None:
    rows, columns = op.weights.shape
    fits = source.shape[-1:] == (columns,)
    _require(op, fits, f"the weights have {columns} columns, the input shape {source.shape}")
    _require_shape(op, (*source.positions, rows))
    _require(op, op.bias.shape == (rows,), f"the bias has shape {op.bias.shape}, the weights {rows} rows")
    _require_integers(op, bias=op.bias)
    _require_fraction(op, source.format.fraction + op.weight_format.fraction)
    if op.weights.nonzeros:
        low, high = int(op.weights.weight.min()), int(op.weights.weight.max())
        _require(
            op,
            op.weight_format.holds(low, high),
            f"weights {low}…{high} do not fit {op.weight_format}; widen the weight format",
        )


def _check_matmul(op: MatMul, left: Tensor, right: Tensor) -> None:
    fits = len(left.shape) >= 2 and left.shape[:-2] == right.shape[:-2] and left.shape[-1:] == right.shape[-1:]
    _require(op, fits and len(right.shape) == len(left.shape), f"cannot multiply {left.shape} by {right.shape}")
    _require_shape(op, (*left.shape[:-1], right.shape[-2]))
    _require_fraction(op, left.format.fraction + right.format.fraction)


def _check_table(op: Table, source: Tensor) -> None:
    _require_shape(op, source.shape)
    _require(op, op.values.ndim == 1 and op.values.size > 0, f"a table is a vector, not of shape {op.values.shape}")
    _require_integers(op, values=op.values)
    low, high = int(op.values.min()), int(op.values.max())
    _require(op, op.output.format.holds(low, high), f"the table's values {low}…{high} do not fit {op.output.format}")


def _check_window(op: Window, source: Tensor) -> None:
    full = op.windows.taps * source.channels
    count = full
    if op.kept is not None:
        _require_integers(op, kept=op.kept)
        count = op.kept.size
        inside = count == 0 or (op.kept[0] >= 0 and op.kept[-1] < full and bool((op.kept[1:] > op.kept[:-1]).all()))
        _require(op, op.kept.ndim == 1 and inside, f"what is kept must increase within 0…{full - 1}")
    _require_shape(op, (*op.windows.positions(source.positions), count))
    _require_fraction(op, source.format.fraction)


def _check_maximum(op: Maximum, source: Tensor) -> None:
    channels = op.output.channels
    _require(op, channels > 0 and source.channels > 0 and source.channels % channels == 0, _uneven(op, source))
    _require_shape(op, (*source.positions, channels))
    _require_fraction(op, source.format.fraction)


def _uneven(op: Maximum, source: Tensor) -> str:
    return f"{source.channels} channels cannot be compared in {op.output.channels} groups of one size"


def _check_concat(op: Concat, sources: list[Tensor]) -> None:
    _require(op, len(sources) > 0, "there is nothing to join")
    same = len({tensor.positions for tensor in sources}) == 1 and all(tensor.shape for tensor in sources)
    _require(op, same, f"only tensors with the same positions can be joined, not {[each.shape for each in sources]}")
    _require_shape(op, (*sources[0].positions, sum(tensor.channels for tensor in sources)))
    _require_fraction(op, max(tensor.format.fraction for tensor in sources))


def _check_gather(op: Gather, source: Tensor) -> None:
    count = op.output.size
    _require(op, op.index.shape == op.shift.shape == (count,), f"index and shift must be vectors of {count} entries")
    _require_integers(op, index=op.index, shift=op.shift)
    inside = count == 0 or (op.index.min() >= 0 and op.index.max() < source.size)
    _require(op, bool(inside), f"an index lies outside 0…{source.size - 1}")
    _require(op, count == 0 or bool(op.shift.min() >= 0), "a shift is negative")
    _require_fraction(op, source.format.fraction)


def _check_scan(op: Scan, source: Tensor) -> None:
    _require(op, len(source.shape) >= 1, "a sequence needs a first axis")
    step, *states = [each.output for each in op.body.inputs]
    news = [op.body.tensors[name] for name in op.body.outputs]
    _require(op, step.shape == source.shape[1:], f"the body reads {step.shape}, a step has {source.shape[1:]}")
    _require(op, step.format == source.format, f"the body reads {step.format}, the sequence has {source.format}")
    _require(op, len(states) == len(news) == len(op.initial) > 0, "the body must return each of its states")
    for before, after, values in zip(states, news, op.initial, strict=True):
        same = before.shape == after.shape == values.shape and before.format == after.format
        _require(op, same, f"the state {before.name} comes back as another shape or format")
        _require_integers(op, initial=values)
        low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
        _require(op, before.format.holds(low, high), f"the initial state {before.name} does not fit {before.format}")
    _require(op, 0 <= op.result < len(states), f"there is no state {op.result}")
    _require_shape(op, (source.shape[0], *states[op.result].shape))
    _require(op, op.output.format == states[op.result].format, "the output must have the format of its state")


def _require(op: Op, condition: bool, message: str) -> None:
    if not condition:
        msg = f"{op.output.name}: {message}"
        raise GraphError(msg)


def _require_integers(op: Op, **arrays: IntArray) -> None:
    for name, array in arrays.items():
        _require(op, array.dtype.kind in "iubO", f"{name} must be integers, not {array.dtype}")


def _require_shape(op: Op, shape: tuple[int, ...]) -> None:
    _require(op, op.output.shape == shape, f"the result must have shape {shape}, not {op.output.shape}")


def _require_fraction(op: Op, fraction: int) -> None:
    got = op.output.format.fraction
    _require(op, got == fraction, f"the exact result has {fraction} fraction bits, the format {got}")

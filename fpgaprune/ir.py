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


@dataclass(frozen=True, eq=False)
class Input:
    """A tensor that comes from outside."""

    output: Tensor

    @property
    def inputs(self) -> tuple[str, ...]:
        """No tensor is read."""
        return ()


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor of constant mantissas, ``values`` in the shape of the output."""

    output: Tensor
    values: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen(self.values))

    @property
    def inputs(self) -> tuple[str, ...]:
        """No tensor is read."""
        return ()


@dataclass(frozen=True, eq=False)
class MatVec:
    """A constant sparse matrix times a vector (inputs,) plus a bias (outputs,), accumulated exactly.

    The output's fraction is that of the input plus that of the weights; the bias is given in it. The output's format
    must hold every sum: nothing is rounded and nothing overflows here. ``layer`` is the name that the user knows it
    by, the tensor's own by default; it is for people only.
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

    @property
    def inputs(self) -> tuple[str, ...]:
        """The vector."""
        return (self.input,)


@dataclass(frozen=True, eq=False)
class Requantise:
    """Element by element: clip to ``low``…``high`` (input mantissas, open where None), then to the output's format.

    ReLU is ``low=0``; ReLU6, Hardtanh and clamp are clips; an identity is neither.
    """

    output: Tensor
    input: str
    low: int | None = None
    high: int | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tensor that is requantised."""
        return (self.input,)


@dataclass(frozen=True, eq=False)
class Add:
    """The exact sum of two tensors of one shape, binary points aligned; nothing is rounded, nothing overflows."""

    output: Tensor
    left: str
    right: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The two summands."""
        return (self.left, self.right)


@dataclass(frozen=True, eq=False)
class Reshape:
    """The same elements in the same order under another shape; it costs nothing."""

    output: Tensor
    input: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tensor under its former shape."""
        return (self.input,)


@dataclass(frozen=True, eq=False)
class Gather:
    """Wires: element i of the vector is element ``index[i]`` of the input, shifted left by ``shift[i]`` bits."""

    output: Tensor
    input: str
    index: IntArray
    shift: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", frozen(self.index))
        object.__setattr__(self, "shift", frozen(self.shift))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tensor that the wires come from."""
        return (self.input,)


Op: TypeAlias = Input | Constant | MatVec | Requantise | Add | Reshape | Gather
OPS = (Input, Constant, MatVec, Requantise, Add, Reshape, Gather)


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
        case Reshape():
            source = tensors[op.input]
            _require(op, source.size == op.output.size, f"cannot reshape {source.shape} to {op.output.shape}")
            _require(op, source.format == op.output.format, "a reshape must keep the format")
        case Gather():
            _check_gather(op, tensors[op.input])
        case _:
            assert_never(op)


def _check_matvec(op: MatVec, source: Tensor) -> None:
    rows, columns = op.weights.shape
    _require(op, source.shape == (columns,), f"the weights have {columns} columns, the input shape {source.shape}")
    _require_shape(op, (rows,))
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


def _check_gather(op: Gather, source: Tensor) -> None:
    count = op.index.size
    _require(op, len(source.shape) == 1, f"wires come from a vector, not shape {source.shape}")
    _require(op, op.index.shape == op.shift.shape == (count,), "index and shift must be vectors of one length")
    _require_shape(op, (count,))
    _require_integers(op, index=op.index, shift=op.shift)
    inside = count == 0 or (op.index.min() >= 0 and op.index.max() < source.size)
    _require(op, bool(inside), f"an index lies outside 0…{source.size - 1}")
    _require(op, count == 0 or bool(op.shift.min() >= 0), "a shift is negative")
    _require_fraction(op, source.format.fraction)


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

"""What a quantised model consists of: one frozen record a layer, weights as integer mantissas."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fpgaprune.capture import records
from fpgaprune.errors import GraphError
from fpgaprune.fixed import Fixed, IntArray, to_float

if TYPE_CHECKING:
    from fpgaprune.windows import Windows


def _same(left: object, right: object) -> bool:
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return np.array_equal(left, right)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    return left == right


class _Record:
    """Records with equal fields are equal, arrays included."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        names = [item.name for item in fields(self)]  # type: ignore[arg-type]  # each subclass is a dataclass
        return all(_same(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]  # arrays have no hash by value

    def _freeze(self, name: str, shape: tuple[int, ...]) -> None:
        array = getattr(self, name)
        if array.dtype != np.int64 or array.shape != shape:
            msg = f"{name} must hold int64 of shape {shape}, not {array.dtype} of shape {array.shape}"
            raise GraphError(msg)
        copy = array.copy()
        copy.setflags(write=False)
        object.__setattr__(self, name, copy)


class _Sum(_Record, records.OneSource):
    """What layers share that add products of one tensor to a bias, exactly, before they requantise."""

    bias: IntArray
    accumulator: Fixed
    format: Fixed
    positions: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(*positions, outputs)."""
        return (*self.positions, *self.bias.shape)

    @property
    def requantises(self) -> bool:
        """Whether the result is not the exact sum."""
        return self.format != self.accumulator


@dataclass(frozen=True, eq=False)
class QuantisedInput(_Record, records.NoSource):
    """The input, rounded to ``format``; ``axes`` orders the user's tensor as in `fpgaprune.capture.records`."""

    name: str
    shape: tuple[int, ...]
    format: Fixed
    axes: tuple[int, ...] = ()

    @property
    def requantises(self) -> bool:
        """Always."""
        return True

    def real(self) -> records.InputLayer:
        """Return the layer as a record of real numbers."""
        return records.InputLayer(self.name, self.shape, self.axes)


@dataclass(frozen=True, eq=False)
class QuantisedLinear(_Sum):
    """``weight @ x + bias`` of mantissas, exact in ``accumulator``, then requantised to ``format`` if that differs.

    ``weight`` is (outputs, inputs); ``bias`` (outputs,) has the fraction of the accumulator, which is that of the
    input plus that of the weights.

    Raises:
        GraphError: an array has another type or shape.
    """

    name: str
    source: str
    weight: IntArray
    weight_format: Fixed
    bias: IntArray
    accumulator: Fixed
    format: Fixed
    positions: tuple[int, ...] = ()
    trainable: bool = True

    def __post_init__(self) -> None:
        self._freeze("weight", self.weight.shape[:2])
        self._freeze("bias", self.weight.shape[:1])

    def real(self) -> records.Linear:
        """Return the layer as a record of real numbers."""
        weight = to_float(self.weight, self.weight_format.fraction)
        bias = to_float(self.bias, self.accumulator.fraction)
        return records.Linear(self.name, self.source, weight, bias, positions=self.positions, trainable=self.trainable)


@dataclass(frozen=True, eq=False)
class QuantisedConv(_Sum):
    """A convolution of mantissas, with the formats of a QuantisedLinear and the other fields of a Conv.

    ``weight`` is (outputs, inputs / groups, *kernel), ``bias`` (outputs,).

    Raises:
        GraphError: an array has another type or shape.
    """

    name: str
    source: str
    weight: IntArray
    weight_format: Fixed
    bias: IntArray
    accumulator: Fixed
    format: Fixed
    windows: Windows
    groups: int
    positions: tuple[int, ...]
    trainable: bool = True

    def __post_init__(self) -> None:
        self._freeze("weight", (*self.weight.shape[:2], *self.windows.kernel))
        self._freeze("bias", self.weight.shape[:1])

    @property
    def matrix(self) -> IntArray:
        """The weights (outputs, taps * inputs) of a window whose elements are ordered tap by tap."""
        return records.conv_matrix(self.weight, self.groups)

    def real(self) -> records.Conv:
        """Return the layer as a record of real numbers."""
        return records.Conv(
            self.name,
            self.source,
            to_float(self.weight, self.weight_format.fraction),
            to_float(self.bias, self.accumulator.fraction),
            self.windows,
            self.groups,
            self.positions,
            trainable=self.trainable,
        )


@dataclass(frozen=True, eq=False)
class QuantisedAffine(_Sum):
    """``scale * x + bias`` channel by channel, of mantissas (channels,), with the formats of a QuantisedLinear.

    Raises:
        GraphError: an array has another type or shape.
    """

    name: str
    source: str
    scale: IntArray
    scale_format: Fixed
    bias: IntArray
    accumulator: Fixed
    format: Fixed
    positions: tuple[int, ...] = ()
    trainable: bool = True

    def __post_init__(self) -> None:
        self._freeze("scale", self.scale.shape[:1])
        self._freeze("bias", self.scale.shape[:1])

    def real(self) -> records.Affine:
        """Return the layer as a record of real numbers."""
        scale = to_float(self.scale, self.scale_format.fraction)
        bias = to_float(self.bias, self.accumulator.fraction)
        return records.Affine(self.name, self.source, scale, bias, positions=self.positions, trainable=self.trainable)


@dataclass(frozen=True, eq=False)
class QuantisedClip(_Record, records.OneSource):
    """Each element limited to the mantissas ``low``…``high`` of the input, then to ``format``.

    ``fraction`` is that of the input; ``requantises`` tells whether the last step rounds or saturates.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    fraction: int
    low: int | None
    high: int | None
    requantises: bool
    format: Fixed

    def real(self) -> records.Clip:
        """Return the layer as a record of real numbers."""
        low, high = (None if end is None else float(np.ldexp(end, -self.fraction)) for end in (self.low, self.high))
        return records.Clip(self.name, self.source, self.shape, low, high)


class _Pair(_Record, records.TwoSources):
    """What layers share that combine two tensors exactly before they requantise."""

    accumulator: Fixed
    format: Fixed

    @property
    def requantises(self) -> bool:
        """Whether the result is not the exact one."""
        return self.format != self.accumulator


@dataclass(frozen=True, eq=False)
class QuantisedAdd(_Pair):
    """The sum or difference of two tensors, exact in ``accumulator``, then requantised to ``format`` if it differs."""

    name: str
    left: str
    right: str
    shape: tuple[int, ...]
    accumulator: Fixed
    format: Fixed
    subtract: bool = False

    def real(self) -> records.Add:
        """Return the layer as a record of real numbers."""
        return records.Add(self.name, self.left, self.right, self.shape, subtract=self.subtract)


@dataclass(frozen=True, eq=False)
class QuantisedMultiply(_Pair):
    """The product of two tensors, exact in ``accumulator``, then requantised to ``format`` if that differs."""

    name: str
    left: str
    right: str
    shape: tuple[int, ...]
    accumulator: Fixed
    format: Fixed

    def real(self) -> records.Multiply:
        """Return the layer as a record of real numbers."""
        return records.Multiply(self.name, self.left, self.right, self.shape)


@dataclass(frozen=True, eq=False)
class QuantisedMatMul(_Pair):
    """The product of two matrices, exact in ``accumulator``, then requantised to ``format`` if that differs."""

    name: str
    left: str
    right: str
    shape: tuple[int, ...]
    accumulator: Fixed
    format: Fixed

    def real(self) -> records.MatMul:
        """Return the layer as a record of real numbers."""
        return records.MatMul(self.name, self.left, self.right, self.shape)


@dataclass(frozen=True, eq=False)
class QuantisedConstant(_Record, records.NoSource):
    """A tensor of constant mantissas."""

    name: str
    values: IntArray
    format: Fixed

    def __post_init__(self) -> None:
        self._freeze("values", self.values.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the values."""
        return self.values.shape

    @property
    def requantises(self) -> bool:
        """Always: the real constant is rounded."""
        return True

    def real(self) -> records.ConstantLayer:
        """Return the layer as a record of real numbers."""
        return records.ConstantLayer(self.name, to_float(self.values, self.format.fraction))


@dataclass(frozen=True, eq=False)
class QuantisedFunction(_Record, records.OneSource):
    """A table: mantissa ``low + i`` of what is read becomes the mantissa ``values[i]`` of ``format``.

    The table has an entry for every mantissa of the word that it reads.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    kind: records.FunctionKind
    parameter: float
    values: IntArray
    low: int
    format: Fixed

    def __post_init__(self) -> None:
        self._freeze("values", (self.values.size,))

    @property
    def requantises(self) -> bool:
        """Always: the function's value is rounded."""
        return True

    def real(self) -> records.Function:
        """Return the layer as a record of real numbers."""
        return records.Function(self.name, self.source, self.shape, self.kind, self.parameter)


class _Passing(_Record, records.OneSource):
    """What layers share that hand on mantissas of one tensor, in its format."""

    format: Fixed

    @property
    def requantises(self) -> bool:
        """Never."""
        return False


@dataclass(frozen=True, eq=False)
class QuantisedMaxPool(_Passing):
    """The largest mantissa of each channel in each window."""

    name: str
    source: str
    windows: Windows
    shape: tuple[int, ...]
    format: Fixed

    def real(self) -> records.MaxPool:
        """Return the layer as a record of real numbers."""
        return records.MaxPool(self.name, self.source, self.windows, self.shape)


@dataclass(frozen=True, eq=False)
class QuantisedMaximum(_Passing):
    """The largest channel at each position."""

    name: str
    source: str
    shape: tuple[int, ...]
    format: Fixed

    def real(self) -> records.Maximum:
        """Return the layer as a record of real numbers."""
        return records.Maximum(self.name, self.source, self.shape)


@dataclass(frozen=True, eq=False)
class QuantisedArgMax(_Passing):
    """The index of the largest channel at each position; ``format`` is unsigned and whole."""

    name: str
    source: str
    shape: tuple[int, ...]
    format: Fixed

    def real(self) -> records.ArgMax:
        """Return the layer as a record of real numbers."""
        return records.ArgMax(self.name, self.source, self.shape)


@dataclass(frozen=True, eq=False)
class QuantisedGather(_Passing):
    """Element i is element ``index[i]`` of what is read, both in row-major order."""

    name: str
    source: str
    shape: tuple[int, ...]
    index: IntArray
    format: Fixed

    def __post_init__(self) -> None:
        self._freeze("index", (math.prod(self.shape),))

    def real(self) -> records.Gather:
        """Return the layer as a record of real numbers."""
        return records.Gather(self.name, self.source, self.shape, self.index)


@dataclass(frozen=True, eq=False)
class QuantisedConcat(_Record):
    """Tensors one after the other along the channels, in the format that holds all of them exactly."""

    name: str
    parts: tuple[str, ...]
    shape: tuple[int, ...]
    format: Fixed

    @property
    def sources(self) -> tuple[str, ...]:
        """The parts in their order."""
        return self.parts

    @property
    def requantises(self) -> bool:
        """Never: every part is exact in the common format."""
        return False

    def real(self) -> records.Concat:
        """Return the layer as a record of real numbers."""
        return records.Concat(self.name, self.parts, self.shape)


@dataclass(frozen=True, eq=False)
class QuantisedScan(_Record, records.OneSource):
    """A recurrent loop over quantised layers, with the fields of a Scan; ``initial`` has mantissas.

    A state has the format of the layer that becomes it.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    body: tuple[QuantisedLayer, ...]
    state_names: tuple[str, ...]
    new_states: tuple[str, ...]
    initial: tuple[IntArray, ...]
    result: int
    reverse: bool
    format: Fixed

    @property
    def requantises(self) -> bool:
        """Never: the body does."""
        return False

    def real(self) -> records.Scan:
        """Return the layer as a record of real numbers."""
        formats = {layer.name: layer.format for layer in self.body}
        initial = (
            to_float(values, formats[name].fraction) for values, name in zip(self.initial, self.new_states, strict=True)
        )
        return records.Scan(
            self.name,
            self.source,
            self.shape,
            tuple(layer.real() for layer in self.body),
            self.state_names,
            self.new_states,
            tuple(initial),
            self.result,
            self.reverse,
        )


@dataclass(frozen=True, eq=False)
class QuantisedReshape(_Passing):
    """The same mantissas in row-major order under another shape."""

    name: str
    source: str
    shape: tuple[int, ...]
    format: Fixed

    def real(self) -> records.Reshape:
        """Return the layer as a record of real numbers."""
        return records.Reshape(self.name, self.source, self.shape)


QuantisedLayer: TypeAlias = (
    QuantisedInput
    | QuantisedConstant
    | QuantisedLinear
    | QuantisedConv
    | QuantisedAffine
    | QuantisedClip
    | QuantisedFunction
    | QuantisedAdd
    | QuantisedMultiply
    | QuantisedMatMul
    | QuantisedMaxPool
    | QuantisedMaximum
    | QuantisedArgMax
    | QuantisedReshape
    | QuantisedGather
    | QuantisedConcat
    | QuantisedScan
)
LAYERS = (
    QuantisedInput,
    QuantisedConstant,
    QuantisedLinear,
    QuantisedConv,
    QuantisedAffine,
    QuantisedClip,
    QuantisedFunction,
    QuantisedAdd,
    QuantisedMultiply,
    QuantisedMatMul,
    QuantisedMaxPool,
    QuantisedMaximum,
    QuantisedArgMax,
    QuantisedReshape,
    QuantisedGather,
    QuantisedConcat,
    QuantisedScan,
)

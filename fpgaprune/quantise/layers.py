"""What a quantised model consists of: one frozen record a layer, weights as integer mantissas."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np

from fpgaprune.capture import records
from fpgaprune.errors import GraphError
from fpgaprune.fixed import Fixed, IntArray, to_float


def _same(left: object, right: object) -> bool:
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return np.array_equal(left, right)
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


class _Sum(_Record):
    """What layers share that add products of one vector to a bias, exactly, before they requantise."""

    source: str
    bias: IntArray
    accumulator: Fixed
    format: Fixed

    @property
    def sources(self) -> tuple[str, ...]:
        """The vector."""
        return (self.source,)

    @property
    def shape(self) -> tuple[int, ...]:
        """(outputs,)."""
        return self.bias.shape

    @property
    def requantises(self) -> bool:
        """Whether the result is not the exact sum."""
        return self.format != self.accumulator


@dataclass(frozen=True, eq=False)
class QuantisedInput(_Record):
    """The input, rounded to ``format``."""

    name: str
    shape: tuple[int, ...]
    format: Fixed

    @property
    def sources(self) -> tuple[str, ...]:
        """No layer is read."""
        return ()

    @property
    def requantises(self) -> bool:
        """Always."""
        return True

    def real(self) -> records.InputLayer:
        """Return the layer as a record of real numbers."""
        return records.InputLayer(self.name, self.shape)


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

    def __post_init__(self) -> None:
        self._freeze("weight", self.weight.shape[:2])
        self._freeze("bias", self.weight.shape[:1])

    def real(self) -> records.Linear:
        """Return the layer as a record of real numbers."""
        weight = to_float(self.weight, self.weight_format.fraction)
        return records.Linear(self.name, self.source, weight, to_float(self.bias, self.accumulator.fraction))


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

    def __post_init__(self) -> None:
        self._freeze("scale", self.scale.shape[:1])
        self._freeze("bias", self.scale.shape[:1])

    def real(self) -> records.Affine:
        """Return the layer as a record of real numbers."""
        scale = to_float(self.scale, self.scale_format.fraction)
        return records.Affine(self.name, self.source, scale, to_float(self.bias, self.accumulator.fraction))


@dataclass(frozen=True, eq=False)
class QuantisedClip(_Record):
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

    @property
    def sources(self) -> tuple[str, ...]:
        """The tensor that is limited."""
        return (self.source,)

    def real(self) -> records.Clip:
        """Return the layer as a record of real numbers."""
        low, high = (None if end is None else float(np.ldexp(end, -self.fraction)) for end in (self.low, self.high))
        return records.Clip(self.name, self.source, self.shape, low, high)


@dataclass(frozen=True, eq=False)
class QuantisedAdd(_Record):
    """The sum of two tensors, exact in ``accumulator``, then requantised to ``format`` if that differs."""

    name: str
    left: str
    right: str
    shape: tuple[int, ...]
    accumulator: Fixed
    format: Fixed

    @property
    def sources(self) -> tuple[str, ...]:
        """The two summands."""
        return (self.left, self.right)

    @property
    def requantises(self) -> bool:
        """Whether the result is not the exact sum."""
        return self.format != self.accumulator

    def real(self) -> records.Add:
        """Return the layer as a record of real numbers."""
        return records.Add(self.name, self.left, self.right, self.shape)


@dataclass(frozen=True, eq=False)
class QuantisedReshape(_Record):
    """The same mantissas in row-major order under another shape."""

    name: str
    source: str
    shape: tuple[int, ...]
    format: Fixed

    @property
    def sources(self) -> tuple[str, ...]:
        """The tensor under its former shape."""
        return (self.source,)

    @property
    def requantises(self) -> bool:
        """Never."""
        return False

    def real(self) -> records.Reshape:
        """Return the layer as a record of real numbers."""
        return records.Reshape(self.name, self.source, self.shape)


QuantisedLayer: TypeAlias = (
    QuantisedInput | QuantisedLinear | QuantisedAffine | QuantisedClip | QuantisedAdd | QuantisedReshape
)
LAYERS = (QuantisedInput, QuantisedLinear, QuantisedAffine, QuantisedClip, QuantisedAdd, QuantisedReshape)

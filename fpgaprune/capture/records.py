"""What a captured model consists of: one frozen record a layer, weights as read-only float64 arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

FloatArray: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Where:
    """Where an operation comes from: its module path, and the line of the user's code that called it."""

    module: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        """Return text such as ``block.fc (model.py:12)``."""
        module = self.module or "the model itself"
        return f"{module} ({PurePath(self.file).name}:{self.line})" if self.file else module


@dataclass(frozen=True, eq=False)
class InputLayer:
    """The tensor that comes from outside; ``shape`` is without the batch, here as in every record."""

    name: str
    shape: tuple[int, ...]
    where: Where = field(default_factory=Where)

    @property
    def sources(self) -> tuple[str, ...]:
        """No layer is read."""
        return ()


@dataclass(frozen=True, eq=False)
class Linear:
    """``weight @ x + bias``: weight (outputs, inputs), bias (outputs,), zeros where the model has none.

    ``weight_name`` and ``bias_name`` are the state-dict names of the tensors they were made from.
    """

    name: str
    source: str
    weight: FloatArray
    bias: FloatArray
    weight_name: str = ""
    bias_name: str = ""
    where: Where = field(default_factory=Where)

    def __post_init__(self) -> None:
        _freeze(self, "weight", "bias")

    @property
    def sources(self) -> tuple[str, ...]:
        """The vector."""
        return (self.source,)

    @property
    def shape(self) -> tuple[int, ...]:
        """(outputs,)."""
        return (len(self.weight),)


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """``(x - mean) / sqrt(variance + eps) * gamma + beta``, each of shape (channels,)."""

    name: str
    source: str
    gamma: FloatArray
    beta: FloatArray
    mean: FloatArray
    variance: FloatArray
    eps: float
    where: Where = field(default_factory=Where)

    def __post_init__(self) -> None:
        _freeze(self, "gamma", "beta", "mean", "variance")

    @property
    def sources(self) -> tuple[str, ...]:
        """The vector."""
        return (self.source,)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels,)."""
        return self.gamma.shape

    @property
    def scale(self) -> FloatArray:
        """The factor of each channel."""
        scale: FloatArray = self.gamma / np.sqrt(self.variance + self.eps)
        return scale

    @property
    def offset(self) -> FloatArray:
        """What is added to each channel after the scale."""
        return self.beta - self.mean * self.scale


@dataclass(frozen=True, eq=False)
class Affine:
    """``scale * x + bias`` channel by channel, each of shape (channels,): a BatchNorm made explicit."""

    name: str
    source: str
    scale: FloatArray
    bias: FloatArray
    where: Where = field(default_factory=Where)

    def __post_init__(self) -> None:
        _freeze(self, "scale", "bias")

    @property
    def sources(self) -> tuple[str, ...]:
        """The vector."""
        return (self.source,)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels,)."""
        return self.scale.shape


@dataclass(frozen=True, eq=False)
class Clip:
    """Each element limited to ``low``…``high``, an end open where None; ReLU is ``low=0``."""

    name: str
    source: str
    shape: tuple[int, ...]
    low: float | None
    high: float | None
    where: Where = field(default_factory=Where)

    @property
    def sources(self) -> tuple[str, ...]:
        """The tensor that is limited."""
        return (self.source,)


@dataclass(frozen=True, eq=False)
class Add:
    """The sum of two tensors of one shape."""

    name: str
    left: str
    right: str
    shape: tuple[int, ...]
    where: Where = field(default_factory=Where)

    @property
    def sources(self) -> tuple[str, ...]:
        """The two summands."""
        return (self.left, self.right)


@dataclass(frozen=True, eq=False)
class Reshape:
    """The same elements in row-major order under another shape; the batch stays in front."""

    name: str
    source: str
    shape: tuple[int, ...]
    where: Where = field(default_factory=Where)

    @property
    def sources(self) -> tuple[str, ...]:
        """The tensor under its former shape."""
        return (self.source,)


Layer: TypeAlias = InputLayer | Linear | BatchNorm | Affine | Clip | Add | Reshape


def read_only(values: npt.NDArray[Any] | Sequence[float]) -> FloatArray:
    """Return the values as a read-only float64 array; one that already is such an array is not copied."""
    array = np.asarray(values)
    if array.dtype == np.float64 and not array.flags.writeable:
        return array
    copy = np.array(array, dtype=np.float64)
    copy.setflags(write=False)
    return copy


def _freeze(record: object, *names: str) -> None:
    for name in names:
        object.__setattr__(record, name, read_only(getattr(record, name)))

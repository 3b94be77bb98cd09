"""What a captured model consists of: one frozen record a layer, weights as read-only float64 arrays."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.fixed import Fixed
    from fpgaprune.windows import IndexArray, Windows

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


class NoSource:
    """What records share that read no layer."""

    @property
    def sources(self) -> tuple[str, ...]:
        """No layer is read."""
        return ()


class OneSource:
    """What records share that read one layer."""

    source: str

    @property
    def sources(self) -> tuple[str, ...]:
        """The one layer that is read."""
        return (self.source,)


class TwoSources:
    """What records share that combine two layers."""

    left: str
    right: str

    @property
    def sources(self) -> tuple[str, ...]:
        """The two operands."""
        return (self.left, self.right)


@dataclass(frozen=True, eq=False)
class InputLayer(NoSource):
    """The tensor that comes from outside; ``shape`` is without the batch and channels last, here as in every record.

    ``axes`` tells how the user's tensor (samples, …) becomes it: axis i of the layer is axis ``axes[i]`` of the
    user's, the batch not counted; empty where both have the same order.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[int, ...] = ()
    where: Where = field(default_factory=Where)


@dataclass(frozen=True, eq=False)
class Linear(OneSource):
    """``weight @ x + bias`` at every position: weight (outputs, inputs), bias (outputs,), zeros where there is none.

    ``weight_name`` and ``bias_name`` are the state-dict names of the tensors they were made from. Weights that are
    not ``trainable`` are part of an operation (the 1/n of a mean): never pruned, never counted, kept by training.
    """

    name: str
    source: str
    weight: FloatArray
    bias: FloatArray
    weight_name: str = ""
    bias_name: str = ""
    where: Where = field(default_factory=Where)
    positions: tuple[int, ...] = ()
    trainable: bool = True

    def __post_init__(self) -> None:
        _freeze(self, "weight", "bias")

    @property
    def shape(self) -> tuple[int, ...]:
        """(*positions, outputs)."""
        return (*self.positions, len(self.weight))


@dataclass(frozen=True, eq=False)
class Conv(OneSource):
    """A convolution over one axis or two: (*positions, inputs) → (*windows, outputs), padded with zeros.

    ``weight`` is (outputs, inputs / groups, *kernel) as in torch, ``bias`` (outputs,); ``positions`` are those of the
    result. Names and ``trainable`` are as in `Linear`; average pooling is a depthwise Conv that is not trainable.
    """

    name: str
    source: str
    weight: FloatArray
    bias: FloatArray
    windows: Windows
    groups: int
    positions: tuple[int, ...]
    weight_name: str = ""
    bias_name: str = ""
    where: Where = field(default_factory=Where)
    trainable: bool = True

    def __post_init__(self) -> None:
        _freeze(self, "weight", "bias")

    @property
    def shape(self) -> tuple[int, ...]:
        """(*positions, outputs)."""
        return (*self.positions, len(self.weight))

    @property
    def matrix(self) -> FloatArray:
        """The weights (outputs, taps * inputs) of a window whose elements are ordered tap by tap; groups make zeros."""
        return conv_matrix(self.weight, self.groups)


@dataclass(frozen=True, eq=False)
class BatchNorm(OneSource):
    """``(x - mean) / sqrt(variance + eps) * gamma + beta`` at every position, each of shape (channels,)."""

    name: str
    source: str
    gamma: FloatArray
    beta: FloatArray
    mean: FloatArray
    variance: FloatArray
    eps: float
    where: Where = field(default_factory=Where)
    positions: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _freeze(self, "gamma", "beta", "mean", "variance")

    @property
    def shape(self) -> tuple[int, ...]:
        """(*positions, channels)."""
        return (*self.positions, *self.gamma.shape)

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
class Affine(OneSource):
    """``scale * x + bias`` channel by channel, each of shape (channels,): a BatchNorm made explicit.

    One that is not ``trainable`` is part of an operation, such as the factor of a Hardsigmoid.
    """

    name: str
    source: str
    scale: FloatArray
    bias: FloatArray
    where: Where = field(default_factory=Where)
    positions: tuple[int, ...] = ()
    trainable: bool = True

    def __post_init__(self) -> None:
        _freeze(self, "scale", "bias")

    @property
    def shape(self) -> tuple[int, ...]:
        """(*positions, channels)."""
        return (*self.positions, *self.scale.shape)


@dataclass(frozen=True, eq=False)
class Clip(OneSource):
    """Each element limited to ``low``…``high``, an end open where None; ReLU is ``low=0``.

    Where the model itself says in which format the result is, that is ``to``.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    low: float | None
    high: float | None
    where: Where = field(default_factory=Where)
    to: Fixed | None = None


@dataclass(frozen=True, eq=False)
class Add(TwoSources):
    """The sum of two tensors of one shape; with ``subtract`` it is ``left - right``."""

    name: str
    left: str
    right: str
    shape: tuple[int, ...]
    where: Where = field(default_factory=Where)
    subtract: bool = False


@dataclass(frozen=True, eq=False)
class ConstantLayer(NoSource):
    """A tensor that does not depend on the input but meets one that does: an embedding of positions, a mask."""

    name: str
    values: FloatArray
    where: Where = field(default_factory=Where)

    def __post_init__(self) -> None:
        _freeze(self, "values")

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the values."""
        return self.values.shape


@dataclass(frozen=True, eq=False)
class Multiply(TwoSources):
    """The product, element by element, of two tensors of one shape."""

    name: str
    left: str
    right: str
    shape: tuple[int, ...]
    where: Where = field(default_factory=Where)


@dataclass(frozen=True, eq=False)
class MatMul(TwoSources):
    """The product of two matrices that depend on the input: (*batch, n, k), (*batch, m, k) → (*batch, n, m)."""

    name: str
    left: str
    right: str
    shape: tuple[int, ...]
    where: Where = field(default_factory=Where)


class FunctionKind(enum.Enum):
    """A function of one number that hardware looks up in a table."""

    SIGMOID = "sigmoid"
    TANH = "tanh"
    SILU = "silu"
    GELU = "gelu"  # with the error function
    GELU_TANH = "gelu_tanh"  # its approximation by a hyperbolic tangent
    ELU = "elu"  # parameter: alpha
    SOFTPLUS = "softplus"  # parameter: beta
    EXP = "exp"
    LOG = "log"
    RECIPROCAL = "reciprocal"
    RSQRT = "rsqrt"  # parameter: what is added before the root is taken


@dataclass(frozen=True, eq=False)
class Function(OneSource):
    """``kind`` of each element; ``parameter`` is what the kind says, else unused."""

    name: str
    source: str
    shape: tuple[int, ...]
    kind: FunctionKind
    parameter: float = 0.0
    where: Where = field(default_factory=Where)


@dataclass(frozen=True, eq=False)
class MaxPool(OneSource):
    """The largest element of each channel in each window: (*positions, channels) → (*windows, channels)."""

    name: str
    source: str
    windows: Windows
    shape: tuple[int, ...]
    where: Where = field(default_factory=Where)


@dataclass(frozen=True, eq=False)
class Maximum(OneSource):
    """The largest channel at each position: (*positions, channels) → (*positions, 1)."""

    name: str
    source: str
    shape: tuple[int, ...]
    where: Where = field(default_factory=Where)


@dataclass(frozen=True, eq=False)
class ArgMax(OneSource):
    """The index of the largest channel at each position: (*positions, channels) → (*positions, 1)."""

    name: str
    source: str
    shape: tuple[int, ...]
    where: Where = field(default_factory=Where)


@dataclass(frozen=True, eq=False)
class Reshape(OneSource):
    """The same elements in row-major order under another shape; the batch stays in front."""

    name: str
    source: str
    shape: tuple[int, ...]
    where: Where = field(default_factory=Where)


@dataclass(frozen=True, eq=False)
class Gather(OneSource):
    """Element i of the result is element ``index[i]`` of the source, both counted in row-major order.

    Permutations, slices, flips, repeats and broadcasts are all of this kind. The batch does not count.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    index: IndexArray
    where: Where = field(default_factory=Where)


@dataclass(frozen=True, eq=False)
class Concat:
    """Tensors with the same positions, one after the other along the channels."""

    name: str
    parts: tuple[str, ...]
    shape: tuple[int, ...]
    where: Where = field(default_factory=Where)

    @property
    def sources(self) -> tuple[str, ...]:
        """The parts in their order."""
        return self.parts


@dataclass(frozen=True, eq=False)
class Scan(OneSource):
    """A recurrent loop: ``body`` runs once for each entry of the source's first axis, its states kept in between.

    The body's input layers are one step and then the states, which are ``state_names``; ``new_states`` are the layers
    that become them, in that order. State ``result`` of every step makes the result (steps, …). ``initial`` has the
    value of each state before the first step. ``reverse`` runs from the last step to the first, and leaves each
    result at the place of its step.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    body: tuple[Layer, ...]
    state_names: tuple[str, ...]
    new_states: tuple[str, ...]
    initial: tuple[FloatArray, ...]
    result: int = 0
    reverse: bool = False
    where: Where = field(default_factory=Where)

    def __post_init__(self) -> None:
        object.__setattr__(self, "initial", tuple(read_only(values) for values in self.initial))


Layer: TypeAlias = (
    InputLayer
    | ConstantLayer
    | Linear
    | Conv
    | BatchNorm
    | Affine
    | Clip
    | Function
    | Add
    | Multiply
    | MatMul
    | MaxPool
    | Maximum
    | ArgMax
    | Reshape
    | Gather
    | Concat
    | Scan
)


def conv_matrix(weight: npt.NDArray[Any], groups: int) -> npt.NDArray[Any]:
    """Return convolution weights (outputs, inputs / groups, *kernel) as a matrix (outputs, taps * inputs).

    Columns are ordered tap by tap and, within a tap, channel by channel. What a group does not read is zero.
    """
    outputs, channels, *kernel = weight.shape
    taps = int(np.prod(kernel))
    moved = np.moveaxis(weight.reshape(groups, outputs // groups, channels, taps), 3, 2)
    matrix = np.zeros((groups, outputs // groups, taps, groups, channels), dtype=weight.dtype)
    for group in range(groups):
        matrix[group, :, :, group] = moved[group]
    return matrix.reshape(outputs, taps * groups * channels)


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

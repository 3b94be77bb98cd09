"""One torch module for each kind of layer, computing what the hardware will, with gradients; channels last."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from fpgaprune.fixed import Fixed, to_float
from fpgaprune.prune.grid import to_grid, to_step
from fpgaprune.quantise.functions import differentiable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fpgaprune.capture.records import Affine, Clip, ConstantLayer, Conv, FloatArray, Function, Gather, Linear
    from fpgaprune.prune.grid import Grid
    from fpgaprune.quantise.functions import Table
    from fpgaprune.windows import Windows

#: A weight and its bias, both on their grids.
Rounded: TypeAlias = "tuple[Tensor, Tensor]"


class InputStep(nn.Module):
    """The input: the user's axes in the order of the hardware, values on their grid."""

    def __init__(self, shape: tuple[int, ...], axes: tuple[int, ...], result: Grid | None) -> None:
        super().__init__()
        self._shape = shape
        self._axes = axes
        self._result = result

    def forward(self, x: Tensor) -> Tensor:
        """Return the values on their grid."""
        if self._axes:
            x = x.permute(0, *(axis + 1 for axis in self._axes))
        return requantised(x.reshape(len(x), *self._shape), self._result)


class ConstantStep(nn.Module):
    """Values that do not depend on the input, repeated for each sample of it."""

    _values: Tensor

    def __init__(self, layer: ConstantLayer, result: Fixed) -> None:
        super().__init__()
        self.register_buffer("_values", to_grid(torch.tensor(layer.values), result), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the values for as many samples as ``x`` has."""
        return self._values.expand(len(x), *self._values.shape)


class ReshapeStep(nn.Module):
    """The values of (batch, …) in the shape (batch, *shape)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Return the same values in row-major order."""
        return x.reshape(len(x), *self._shape)


class GatherStep(nn.Module):
    """Elements of (batch, …) picked by their place in row-major order."""

    _index: Tensor

    def __init__(self, layer: Gather, size: int) -> None:
        super().__init__()
        self._shape = layer.shape
        self._size = size
        self.register_buffer("_index", torch.tensor(layer.index), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the picked elements."""
        return x.reshape(len(x), self._size).index_select(1, self._index).reshape(len(x), *self._shape)


class ClipStep(nn.Module):
    """A clip whose ends lie on the grid of what it reads."""

    def __init__(self, layer: Clip, fraction: int, result: Grid | None) -> None:
        super().__init__()
        low, high = (_on_step(end, fraction) for end in (layer.low, layer.high))
        self._ends = -math.inf if low is None else low, math.inf if high is None else high
        self._result = result

    def forward(self, x: Tensor) -> Tensor:
        """Return the limited values."""
        return functional.hardtanh(x, *self._ends) if self._result is None else self._result(x, self._ends)


@dataclass(frozen=True)
class Grids:
    """The grids of a sum of products: its weights, its bias on the step of the products, and its result, if any.

    ``weight`` of None is that of another grid, which rounds the weights of several layers together, as one rounds the
    biases of all.
    """

    weight: Grid | None
    bias_fraction: int
    result: Grid | None


class LinearStep(nn.Linear):
    """A matrix product with weights on their grid and the bias on that of the products, once for a whole network.

    It is an nn.Linear so that masks find its weight.
    """

    def __init__(self, layer: Linear, grids: Grids) -> None:
        outputs, inputs = layer.weight.shape
        super().__init__(inputs, outputs, device="meta")
        _hold(self, trainable=layer.trainable, weight=layer.weight, bias=layer.bias)
        self.grids = grids

    def forward(self, input: Tensor, parameters: Rounded) -> Tensor:  # type: ignore[override]  # noqa: A002  # nn.Linear rounds none, and has the name
        """Return the sums."""
        sums = functional.linear(input, *parameters)
        return requantised(sums, self.grids.result)


class Conv1dStep(nn.Conv1d):
    """A convolution over one axis, with the grids of a LinearStep; masks find its weight as well."""

    def __init__(self, layer: Conv, grids: Grids) -> None:
        outputs, inputs, width = layer.weight.shape
        super().__init__(inputs * layer.groups, outputs, width, groups=layer.groups, device="meta")
        _hold(self, trainable=layer.trainable, weight=layer.weight, bias=layer.bias)
        self._windows = layer.windows
        self.grids = grids

    def forward(self, input: Tensor, parameters: Rounded) -> Tensor:  # type: ignore[override]  # noqa: A002  # nn.Conv1d rounds none, and has the name
        """Return the sums (batch, windows, outputs) for (batch, positions, inputs)."""
        return _convolved(functional.conv1d, input, parameters, self._windows, self.groups, self.grids.result)


class Conv2dStep(nn.Conv2d):
    """A convolution over two axes, with the grids of a LinearStep; masks find its weight as well."""

    def __init__(self, layer: Conv, grids: Grids) -> None:
        outputs, inputs, height, width = layer.weight.shape
        super().__init__(inputs * layer.groups, outputs, (height, width), groups=layer.groups, device="meta")
        _hold(self, trainable=layer.trainable, weight=layer.weight, bias=layer.bias)
        self._windows = layer.windows
        self.grids = grids

    def forward(self, input: Tensor, parameters: Rounded) -> Tensor:  # type: ignore[override]  # noqa: A002  # nn.Conv2d rounds none, and has the name
        """Return the sums (batch, *windows, outputs) for (batch, *positions, inputs)."""
        return _convolved(functional.conv2d, input, parameters, self._windows, self.groups, self.grids.result)


class AffineStep(nn.Module):
    """A product with one weight a channel, each on a grid of its own, and the bias on the finest of the products."""

    scale: Tensor
    bias: Tensor
    _unit: Tensor

    def __init__(self, layer: Affine, scales: tuple[Fixed, ...], bias_fraction: int, result: Grid | None) -> None:
        super().__init__()
        _hold(self, trainable=layer.trainable, scale=layer.scale, bias=layer.bias)
        unit = torch.tensor([to.step for to in scales], dtype=torch.float64)
        self.register_buffer("_unit", unit, persistent=False)
        self._whole = replace(scales[0], fraction=0)
        self._bias_fraction = bias_fraction
        self._result = result

    def forward(self, x: Tensor) -> Tensor:
        """Return the sums."""
        scale = to_grid(self.scale / self._unit, self._whole) * self._unit
        return requantised(x * scale + to_step(self.bias, self._bias_fraction), self._result)


class AddStep(nn.Module):
    """The sum or difference of two tensors."""

    def __init__(self, result: Grid | None, *, subtract: bool) -> None:
        super().__init__()
        self._result = result
        self._subtract = subtract

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the sum."""
        return requantised(left - right if self._subtract else left + right, self._result)


class MultiplyStep(nn.Module):
    """The product of two tensors, element by element."""

    def __init__(self, result: Grid | None) -> None:
        super().__init__()
        self._result = result

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the product."""
        return requantised(left * right, self._result)


class MatMulStep(nn.Module):
    """The product of two matrices, the right one transposed."""

    def __init__(self, result: Grid | None) -> None:
        super().__init__()
        self._result = result

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the product."""
        return requantised(left @ right.mT, self._result)


class FunctionStep(nn.Module):
    """A look-up in a table whose gradient is that of the real function."""

    _table: Tensor

    def __init__(self, layer: Function, table: Table, fraction: int, result: Fixed) -> None:
        super().__init__()
        self._layer = layer
        self._low, self._fraction = table.low, fraction
        self._result = result
        self.register_buffer("_table", torch.tensor(to_float(table.values, result.fraction)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the values in the table."""
        found: Tensor = _LookUp.apply(x, self)  # type: ignore[no-untyped-call]  # torch's own
        return found

    def look_up(self, x: Tensor) -> Tensor:
        """Return the values in the table, without a gradient."""
        place = torch.round(x * math.ldexp(1.0, self._fraction)).long() - self._low
        return self._table[place.clamp(0, len(self._table) - 1)]  # in training, NaN has no place of its own

    def real(self, x: Tensor) -> Tensor:
        """Return what the table approximates, limited and rounded like its values, with a gradient."""
        return to_grid(differentiable(self._layer, x, math.ldexp(1.0, -self._fraction)), self._result)


class MaxPoolStep(nn.Module):
    """The largest element of each channel in each window."""

    def __init__(self, windows: Windows) -> None:
        super().__init__()
        self._windows = windows

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest elements."""
        windows = self._windows
        pool = functional.max_pool1d if len(windows.kernel) == 1 else functional.max_pool2d
        padded = _padded(x, windows, -math.inf)
        return pool(padded, windows.kernel, windows.stride, 0, windows.dilation).movedim(1, -1)


class MaximumStep(nn.Module):
    """The largest channel at each position."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest elements."""
        return x.amax(dim=-1, keepdim=True)


class ArgMaxStep(nn.Module):
    """The index of the largest channel at each position."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the indices, of equals the first, in the type of the elements."""
        return x.argmax(dim=-1, keepdim=True).to(x.dtype)


class ConcatStep(nn.Module):
    """Tensors one after the other along the channels."""

    def forward(self, *parts: Tensor) -> Tensor:
        """Return the joined tensor."""
        return torch.cat(parts, dim=-1)


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, step: FunctionStep) -> Tensor:  # noqa: ANN401  # torch's context
        ctx.save_for_backward(x)
        ctx.step = step
        return step.look_up(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401  # as above
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            at = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(ctx.step.real(at), at, gradient)
        return slope, None


def requantised(x: Tensor, to: Grid | None) -> Tensor:
    """Return the values on a grid, where there is one."""
    return x if to is None else to(x)


def _convolved(
    convolve: Callable[..., Tensor],
    x: Tensor,
    parameters: Rounded,
    windows: Windows,
    groups: int,
    result: Grid | None,
) -> Tensor:
    sums = convolve(_padded(x, windows, 0.0), *parameters, windows.stride, 0, windows.dilation, groups)
    return requantised(sums.movedim(1, -1), result)


def _padded(x: Tensor, windows: Windows, value: float) -> Tensor:
    """Return (batch, *positions, channels) as (batch, channels, *positions), padded or cropped for the windows."""
    ends = [end for axis in zip(windows.before[::-1], windows.after[::-1], strict=True) for end in axis]
    return functional.pad(x.movedim(-1, 1), ends, value=value)


def _hold(module: nn.Module, *, trainable: bool, **values: FloatArray) -> None:
    """Give the module these tensors, as parameters where they are trainable, else as buffers."""
    for name, value in values.items():
        tensor = torch.tensor(value, dtype=torch.float64)
        if hasattr(module, name):
            delattr(module, name)
        if trainable:
            module.register_parameter(name, nn.Parameter(tensor))
        else:
            module.register_buffer(name, tensor)


def _on_step(end: float | None, fraction: int) -> float | None:
    """Return the end of a clip as the nearest multiple of ``2**-fraction``, half to even."""
    return None if end is None else math.ldexp(round(math.ldexp(end, fraction)), -fraction)

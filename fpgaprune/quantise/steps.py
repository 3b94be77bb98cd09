"""The network as a torch module: one step a layer, each computing what the hardware will, with gradients."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from typing_extensions import assert_never

from fpgaprune.capture.network import Network
from fpgaprune.capture.records import Add, Affine, BatchNorm, Clip, FloatArray, InputLayer, Layer, Linear, Reshape
from fpgaprune.quantise.grid import to_grid, to_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from fpgaprune.fixed import Fixed
    from fpgaprune.quantise.plan import Plan


class QuantisedNetwork(nn.Module):
    """A network that computes on the grids of a plan; in float64 it is exact, in float32 it serves training.

    Inputs have shape (batch, *input shape) and any floating-point type, which becomes that of the parameters.
    """

    _type: Tensor

    def __init__(self, network: Network, plan: Plan) -> None:
        super().__init__()
        self._network = network
        self.steps = nn.ModuleList(_step(layer, network, plan) for layer in network.layers)
        self.register_buffer("_type", torch.zeros((), dtype=torch.float64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""
        return self.trace(x)[self._network.output]

    def trace(self, x: Tensor) -> dict[str, Tensor]:
        """Return the result of each layer by its name."""
        known = {self._network.input.name: x.to(self._type.dtype)}
        for layer, step in zip(self._network.layers, self.steps, strict=True):
            known[layer.name] = step(*(known[name] for name in layer.sources or (layer.name,)))
        return known

    def network(self) -> Network:
        """Return the network with the weights as they are now, in float64."""
        layers = (_with_weights(layer, step) for layer, step in zip(self._network.layers, self.steps, strict=True))
        return Network(tuple(layers), self._network.output)


class RequantiseStep(nn.Module):
    """The input and reshapes: the values of (batch, …) in the shape (batch, *shape), on a grid where one is given."""

    def __init__(self, shape: tuple[int, ...], result: Fixed | None) -> None:
        super().__init__()
        self._shape = shape
        self._result = result

    def forward(self, x: Tensor) -> Tensor:
        """Return the values on their grid."""
        return _requantised(x.reshape(len(x), *self._shape), self._result)


class ClipStep(nn.Module):
    """A clip whose ends lie on the grid of what it reads."""

    def __init__(self, layer: Clip, fraction: int, result: Fixed | None) -> None:
        super().__init__()
        self._low, self._high = (_on_step(end, fraction) for end in (layer.low, layer.high))
        self._result = result

    def forward(self, x: Tensor) -> Tensor:
        """Return the limited values."""
        if self._low is not None or self._high is not None:
            x = x.clamp(self._low, self._high)
        return _requantised(x, self._result)


class LinearStep(nn.Linear):
    """A matrix product with weights on their grid and the bias on that of the products.

    It is an nn.Linear so that masks find its weight.
    """

    def __init__(self, layer: Linear, weight: Fixed, bias_fraction: int, result: Fixed | None) -> None:
        outputs, inputs = layer.weight.shape
        super().__init__(inputs, outputs, device="meta")
        self.weight = _parameter(layer.weight)
        self.bias = _parameter(layer.bias)
        self._weight_format = weight
        self._bias_fraction = bias_fraction
        self._result = result

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # nn.Linear's own name
        """Return the sums."""
        weight, bias = to_grid(self.weight, self._weight_format), to_step(self.bias, self._bias_fraction)
        return _requantised(nn.functional.linear(input, weight, bias), self._result)


class AffineStep(nn.Module):
    """A product with one weight a channel, each on a grid of its own, and the bias on the finest of the products."""

    _unit: Tensor

    def __init__(self, layer: Affine, scales: tuple[Fixed, ...], bias_fraction: int, result: Fixed | None) -> None:
        super().__init__()
        self.scale = _parameter(layer.scale)
        self.bias = _parameter(layer.bias)
        unit = torch.tensor([to.step for to in scales], dtype=torch.float64)
        self.register_buffer("_unit", unit, persistent=False)
        self._whole = replace(scales[0], fraction=0)
        self._bias_fraction = bias_fraction
        self._result = result

    def forward(self, x: Tensor) -> Tensor:
        """Return the sums."""
        scale = to_grid(self.scale / self._unit, self._whole) * self._unit
        return _requantised(x * scale + to_step(self.bias, self._bias_fraction), self._result)


class AddStep(nn.Module):
    """The sum of two tensors."""

    def __init__(self, result: Fixed | None) -> None:
        super().__init__()
        self._result = result

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the sum."""
        return _requantised(left + right, self._result)


@torch.no_grad()
def keep_dead(network: QuantisedNetwork) -> Callable[[nn.Module], None]:
    """Return a function that keeps at zero, as training's ``after_step``, what masks do not reach.

    These are the zero biases of neurons without inputs, which pruning removed, and the scales that are zero.
    """
    dead: list[tuple[Tensor, Tensor]] = []
    for step in network.steps:
        if isinstance(step, LinearStep):
            dead.append((step.bias, ~step.weight.any(dim=1) & (step.bias == 0)))
        elif isinstance(step, AffineStep):
            dead.append((step.scale, step.scale == 0))

    @torch.no_grad()
    def zero(_: nn.Module) -> None:
        for parameter, entries in dead:
            parameter.masked_fill_(entries, 0)

    return zero


def _step(layer: Layer, network: Network, plan: Plan) -> nn.Module:
    fraction, result = plan.sum_fraction(network, layer.name), plan.results.get(layer.name)
    match layer:
        case InputLayer() | Reshape():
            return RequantiseStep(layer.shape, result)
        case Linear():
            return LinearStep(layer, plan.weights[layer.name], fraction, result)
        case Affine():
            return AffineStep(layer, plan.scales[layer.name], fraction, result)
        case Clip():
            return ClipStep(layer, fraction, result)
        case Add():
            return AddStep(result)
        case BatchNorm():
            msg = f"{layer.name}: fold batch normalisation before quantising"
            raise TypeError(msg)
        case _:
            assert_never(layer)


def _with_weights(layer: Layer, step: nn.Module) -> Layer:
    match layer, step:
        case Linear(), LinearStep():
            return replace(layer, weight=_array(step.weight), bias=_array(step.bias))
        case Affine(), AffineStep():
            return replace(layer, scale=_array(step.scale), bias=_array(step.bias))
        case _:
            return layer


def _requantised(x: Tensor, to: Fixed | None) -> Tensor:
    return x if to is None else to_grid(x, to)


def _on_step(end: float | None, fraction: int) -> float | None:
    """Return the end of a clip as the nearest multiple of ``2**-fraction``, half to even."""
    return None if end is None else math.ldexp(round(math.ldexp(end, fraction)), -fraction)


def _parameter(values: FloatArray) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64))


def _array(parameter: Tensor) -> FloatArray:
    array: FloatArray = parameter.detach().double().numpy()
    return array

"""The network as a torch module: one step a layer, each computing what the hardware will, with gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from typing_extensions import assert_never

from fpgaprune.capture.network import Network
from fpgaprune.capture.records import (
    Add,
    Affine,
    ArgMax,
    BatchNorm,
    Clip,
    Concat,
    ConstantLayer,
    Conv,
    FloatArray,
    Function,
    Gather,
    InputLayer,
    Layer,
    Linear,
    MatMul,
    Maximum,
    MaxPool,
    Multiply,
    Reshape,
    Scan,
)
from fpgaprune.prune.grid import FixedGrid, to_grid
from fpgaprune.quantise.biases import BiasGrid
from fpgaprune.quantise.modules import (
    AddStep,
    AffineStep,
    ArgMaxStep,
    ClipStep,
    ConcatStep,
    ConstantStep,
    Conv1dStep,
    Conv2dStep,
    FunctionStep,
    GatherStep,
    Grids,
    InputStep,
    LinearStep,
    MatMulStep,
    MaximumStep,
    MaxPoolStep,
    MultiplyStep,
    ReshapeStep,
    Rounded,
)
from fpgaprune.quantise.places import givers
from fpgaprune.several import one_or_more

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from fpgaprune.fixed import Fixed
    from fpgaprune.prune.forward import Tensors
    from fpgaprune.prune.grid import Grid
    from fpgaprune.quantise.plan import Plan

SUMMING = (LinearStep, Conv1dStep, Conv2dStep)
"""The steps of layers that sum products."""


class QuantisedNetwork(nn.Module):
    """A network that computes on the grids of a plan; in float64 it is exact, in float32 it serves training.

    Inputs have the user's shape (batch, …) and any floating-point type, which becomes that of the parameters. Several
    are arguments in their order; several outputs are a tuple.
    """

    _type: Tensor

    def __init__(self, network: Network, plan: Plan, trained: TrainedGrids | None = None) -> None:
        super().__init__()
        self._network = network
        trained = trained or TrainedGrids()
        places = _Places(network, plan, trained)
        self.steps = nn.ModuleList(_step(layer, places) for layer in network.layers)
        self.trained, self.result_bits = trained.weights, trained.result_bits
        self._summing = dict(_summing(network.layers, self.steps))
        self._trained = [name for name, step in self._summing.items() if isinstance(step.weight, nn.Parameter)]
        self.biases = _bias_grid(self._summing.values()) if self._summing else None
        self.register_buffer("_type", torch.zeros((), dtype=torch.float64), persistent=False)

    def forward(self, *inputs: Tensor) -> Tensors:
        """Return the output for a batch of inputs."""
        known = self._known(inputs)
        _run(self._network.layers, self.steps, known, self._rounded())
        return one_or_more(known[name] for name in self._network.outputs)

    def trace(self, *inputs: Tensor) -> dict[str, Tensor]:
        """Return the result of each layer by its name; those inside of loops are (batch, steps, *shape)."""
        known = self._known(inputs)
        _run(self._network.layers, self.steps, known, self._rounded(), inside=True)
        return known

    def network(self) -> Network:
        """Return the network with the weights as they are now, in float64; those of trained grids are on them."""
        layers = _all_with_weights(self._network.layers, self.steps, self._on_trained_grids())
        return Network(layers, self._network.outputs)

    def weights(self) -> dict[str, Tensor]:
        """Return the weight of each layer where it is trained, those inside of loops too."""
        return {name: self._summing[name].weight for name in self._trained}

    def _on_trained_grids(self) -> dict[str, Tensor]:
        """Return the weights of all layers that have a trained grid, rounded together."""
        if self.trained is None:
            return {}
        found: dict[str, Tensor] = self.trained(self.weights())
        return found

    def _rounded(self) -> dict[str, Rounded]:
        """Return the parameters of each layer that sums products, on their grids: loops use them step by step."""
        if self.biases is None:
            return {}
        weights = self._on_trained_grids()
        for name, step in self._summing.items():
            if step.grids.weight is not None:
                weights[name] = step.grids.weight(step.weight)
        biases = self.biases([step.bias for step in self._summing.values()])
        return {name: (weights[name], bias) for name, bias in zip(self._summing, biases, strict=True)}

    def _known(self, inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
        layers = zip(self._network.inputs, inputs, strict=True)
        return {layer.name: x.to(self._type.dtype) for layer, x in layers}


class ScanStep(nn.Module):
    """A recurrent loop over the steps of its body."""

    def __init__(self, layer: Scan, steps: Iterable[nn.Module], formats: Iterable[Fixed]) -> None:
        super().__init__()
        self._layer = layer
        self._input = next(name for name in givers(layer) if name not in layer.state_names)
        self.steps = nn.ModuleList(steps)
        for i, (values, to) in enumerate(zip(layer.initial, formats, strict=True)):
            self.register_buffer(f"_initial{i}", to_grid(torch.tensor(values), to), persistent=False)

    def forward(self, x: Tensor, parameters: Mapping[str, Rounded]) -> Tensor:
        """Return the state of every step (batch, steps, …) for a sequence (batch, steps, …)."""
        result = self._layer.new_states[self._layer.result]
        return torch.stack([known[result] for known in self._loop(x, parameters, inside=False)], dim=1)

    def trace(self, x: Tensor, parameters: Mapping[str, Rounded]) -> dict[str, Tensor]:
        """Return the results of all layers inside by their names, each (batch, steps, …), at the place of its step."""
        steps = self._loop(x, parameters, inside=True)
        return {name: torch.stack([known[name] for known in steps], dim=1) for name in steps[0]}

    def _loop(self, x: Tensor, parameters: Mapping[str, Rounded], *, inside: bool) -> list[dict[str, Tensor]]:
        """Return the results in each step, in the order of the sequence; all of them, or the new states alone."""
        states = [self.get_buffer(f"_initial{i}") for i in range(len(self._layer.initial))]
        states = [state.expand(len(x), *state.shape) for state in states]
        entries = x.unbind(dim=1)
        found = []
        for entry in reversed(entries) if self._layer.reverse else entries:
            known = {self._input: entry, **dict(zip(self._layer.state_names, states, strict=True))}
            _run(self._layer.body, self.steps, known, parameters, inside=inside)
            states = [known[name] for name in self._layer.new_states]
            found.append(known if inside else dict(zip(self._layer.new_states, states, strict=True)))
        return found[::-1] if self._layer.reverse else found


@torch.no_grad()
def keep_dead(network: QuantisedNetwork) -> Callable[[nn.Module], None]:
    """Return a function that keeps at zero, as training's ``after_step``, what masks do not reach.

    These are the zero biases of neurons without inputs, which pruning removed, and the scales that are zero.
    """
    dead: list[tuple[Tensor, Tensor]] = []
    for step in network.modules():
        if isinstance(step, SUMMING):
            assert step.bias is not None  # noqa: S101  # there always is one, zeros where the model has none
            dead.append((step.bias, ~step.weight.flatten(1).any(dim=1) & (step.bias == 0)))
        elif isinstance(step, AffineStep):
            dead.append((step.scale, step.scale == 0))
    dead = [(parameter, entries) for parameter, entries in dead if bool(entries.any())]

    def zero(_: nn.Module) -> None:
        for parameter, entries in dead:
            parameter.detach().masked_fill_(entries.to(parameter.device), 0)

    return zero


def _run(
    layers: tuple[Layer, ...],
    steps: nn.ModuleList,
    known: dict[str, Tensor],
    parameters: Mapping[str, Rounded],
    *,
    inside: bool = False,
) -> None:
    """Add the result of each layer to ``known``, which holds the inputs; also of those ``inside`` of loops, if told."""
    batch = next(iter(known.values()))
    for layer, step in zip(layers, steps, strict=True):
        if isinstance(layer, Scan) and isinstance(step, ScanStep):
            if inside:
                known |= step.trace(known[layer.source], parameters)
                known[layer.name] = known[layer.new_states[layer.result]]
            else:
                known[layer.name] = step(known[layer.source], parameters)
        elif isinstance(layer, (Linear, Conv)):
            known[layer.name] = step(known[layer.source], parameters[layer.name])
        elif isinstance(layer, ConstantLayer):
            known[layer.name] = step(batch)
        else:
            known[layer.name] = step(*(known[name] for name in layer.sources or (layer.name,)))


@dataclass(frozen=True)
class TrainedGrids:
    """Grids that are no formats yet: of weights and of requantised results.

    ``weights`` rounds layer → weight to layer → weight on its grid, for all layers that are ``weighted`` at once;
    ``result_bits`` holds what the grids of results learn.
    """

    weights: nn.Module | None = None
    weighted: Collection[str] = ()
    result_bits: nn.Module | None = None
    results: Mapping[str, Grid] = field(default_factory=dict)


@dataclass(frozen=True)
class _Places:
    """Where a network is rounded, and onto what."""

    network: Network
    plan: Plan
    trained: TrainedGrids

    def result(self, name: str) -> Grid | None:
        if name in self.trained.results:
            return self.trained.results[name]
        to = self.plan.results.get(name)
        return None if to is None else FixedGrid(to)

    def sums(self, name: str) -> Grids:
        """Return the grids of a layer that sums products."""
        weight = None if name in self.trained.weighted else FixedGrid(self.plan.weights[name])
        return Grids(weight, self.plan.sum_fraction(self.network, name), self.result(name))


def _step(layer: Layer, places: _Places) -> nn.Module:
    network, plan, result = places.network, places.plan, places.result(layer.name)
    match layer:
        case InputLayer():
            return InputStep(layer.shape, layer.axes, result) if layer in network.inputs else nn.Identity()
        case ConstantLayer():
            return ConstantStep(layer, plan.results[layer.name])
        case Linear():
            return LinearStep(layer, places.sums(layer.name))
        case Conv():
            kind = Conv1dStep if len(layer.windows.kernel) == 1 else Conv2dStep
            return kind(layer, places.sums(layer.name))
        case Affine():
            return AffineStep(layer, plan.scales[layer.name], plan.sum_fraction(network, layer.name), result)
        case Clip():
            return ClipStep(layer, plan.sum_fraction(network, layer.name), result)
        case Function():
            table, fraction = plan.table(network, layer), plan.fraction(network, layer.source)
            return FunctionStep(layer, table, fraction, plan.results[layer.name])
        case Add():
            return AddStep(result, subtract=layer.subtract)
        case Multiply():
            return MultiplyStep(result)
        case MatMul():
            return MatMulStep(result)
        case MaxPool():
            return MaxPoolStep(layer.windows)
        case Maximum():
            return MaximumStep()
        case ArgMax():
            return ArgMaxStep()
        case Reshape():
            return ReshapeStep(layer.shape)
        case Gather():
            return GatherStep(layer, math.prod(network.by_name[layer.source].shape))
        case Concat():
            return ConcatStep()
        case Scan():
            inside = [_step(inner, places) for inner in layer.body]
            return ScanStep(layer, inside, [plan.word(network, name) for name in layer.state_names])
        case BatchNorm():
            msg = f"{layer.name}: fold batch normalisation before quantising"
            raise TypeError(msg)
        case _:
            assert_never(layer)


def _summing(
    layers: tuple[Layer, ...], steps: nn.ModuleList
) -> Iterator[tuple[str, LinearStep | Conv1dStep | Conv2dStep]]:
    """Yield the step of each layer that sums products, those inside of loops too."""
    for layer, step in zip(layers, steps, strict=True):
        if isinstance(layer, Scan) and isinstance(step, ScanStep):
            yield from _summing(layer.body, step.steps)
        elif isinstance(step, SUMMING):
            yield layer.name, step


def _bias_grid(steps: Collection[LinearStep | Conv1dStep | Conv2dStep]) -> BiasGrid:
    return BiasGrid([len(step.weight) for step in steps], [step.grids.bias_fraction for step in steps])


def _all_with_weights(
    layers: tuple[Layer, ...], steps: nn.ModuleList, on_grid: Mapping[str, Tensor]
) -> tuple[Layer, ...]:
    return tuple(_with_weights(layer, step, on_grid) for layer, step in zip(layers, steps, strict=True))


def _with_weights(layer: Layer, step: nn.Module, on_grid: Mapping[str, Tensor]) -> Layer:
    if isinstance(layer, Scan) and isinstance(step, ScanStep):
        return replace(layer, body=_all_with_weights(layer.body, step.steps, on_grid))
    if isinstance(layer, Affine) and isinstance(step, AffineStep):
        return replace(layer, scale=_array(step.scale), bias=_array(step.bias))
    if isinstance(layer, (Linear, Conv)) and isinstance(step, SUMMING):
        assert step.bias is not None  # noqa: S101  # as in keep_dead
        return replace(layer, weight=_array(on_grid.get(layer.name, step.weight)), bias=_array(step.bias))
    return layer


def _array(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().double().numpy()
    return array

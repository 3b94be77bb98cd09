"""A captured model: its layers in topological order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from typing_extensions import assert_never

from fpgaprune.capture.records import (
    Add,
    Affine,
    ArgMax,
    BatchNorm,
    Clip,
    Concat,
    ConstantLayer,
    Conv,
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
from fpgaprune.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fpgaprune.windows import Axes, Windows

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in topological order, the inputs first as the model takes them, and the layers that are its outputs.

    An output may be an input, be read by other layers, or be listed several times.

    Raises:
        GraphError: a repeated name, a layer that reads a later one, shapes that do not fit, no inputs or no outputs.
    """

    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        known = _checked(self.layers, set())
        if not self.inputs or self.layers[: len(self.inputs)] != self.inputs:
            msg = "a network must have at least one input, and its inputs as its first layers"
            raise GraphError(msg)
        if not self.outputs:
            msg = "a network must have at least one output"
            raise GraphError(msg)
        for name in self.outputs:
            if name not in known:
                msg = f"the network's output {name!r} is no layer"
                raise GraphError(msg)

    @cached_property
    def every_layer(self) -> tuple[Layer, ...]:
        """All layers in order; the body of a Scan stands right before it."""
        return tuple(_flattened(self.layers))

    @cached_property
    def by_name(self) -> Mapping[str, Layer]:
        """Each layer by its name, those in bodies included."""
        return {layer.name: layer for layer in self.every_layer}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Layer, ...]]:
        """The layers that read each layer, in bodies too; the outputs of the network and of bodies count as none."""
        found: dict[str, tuple[Layer, ...]] = {layer.name: () for layer in self.every_layer}
        for layer in self.every_layer:
            for name in dict.fromkeys(layer.sources):
                found[name] += (layer,)
        return found

    @cached_property
    def leaving(self) -> frozenset[str]:
        """The layers that are outputs, and in bodies those that become states."""
        scans = [layer for layer in self.every_layer if isinstance(layer, Scan)]
        return frozenset({*self.outputs, *(name for scan in scans for name in scan.new_states)})

    @cached_property
    def inputs(self) -> tuple[InputLayer, ...]:
        """The inputs in their order."""
        return tuple(layer for layer in self.layers if isinstance(layer, InputLayer))

    @property
    def input(self) -> InputLayer:
        """The only input.

        Raises:
            GraphError: there are several.
        """
        return only("input", self.inputs)

    @property
    def output(self) -> str:
        """The layer that is the only output.

        Raises:
            GraphError: there are several.
        """
        return only("output", self.outputs)

    def only_consumer(self, name: str) -> Layer | None:
        """Return the layer that alone reads ``name``, or None where several do, none does, or it is an output."""
        readers = self.consumers[name]
        return readers[0] if len(readers) == 1 and name not in self.leaving else None


def only(kind: str, found: tuple[_T, ...]) -> _T:
    """Return the only one of the inputs or outputs that were found.

    Raises:
        GraphError: there are several.
    """
    if len(found) != 1:
        msg = f"the network has {len(found)} {kind}s, not one; use `{kind}s`"
        raise GraphError(msg)
    return found[0]


def _flattened(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    for layer in layers:
        if isinstance(layer, Scan):
            yield from _flattened(layer.body)
        yield layer


def _checked(layers: tuple[Layer, ...], taken: set[str]) -> Mapping[str, Layer]:
    """Return the layers of the network or of a body by their names, having checked each; ``taken`` are all names."""
    known: dict[str, Layer] = {}
    for layer in layers:
        _check_names(layer, known, taken)
        if isinstance(layer, Scan):
            _check_body(layer, known[layer.source].shape, _checked(layer.body, taken))
        else:
            _require(layer, [known[name].shape for name in layer.sources])
        known[layer.name] = layer
    return known


def _check_names(layer: Layer, known: Mapping[str, Layer], taken: set[str]) -> None:
    if layer.name in taken:
        msg = f"{layer.name}: two layers have this name"
        raise GraphError(msg)
    taken.add(layer.name)
    for name in layer.sources:
        if name not in known:
            msg = f"{layer.name}: reads {name!r}, which is no earlier layer"
            raise GraphError(msg)


def _check_body(layer: Scan, source: Axes, known: Mapping[str, Layer]) -> None:
    inputs = [each for each in layer.body if isinstance(each, InputLayer)]
    unknown = [name for name in layer.new_states if name not in known]
    if unknown or tuple(each.name for each in inputs[1:]) != layer.state_names:
        msg = f"{layer.name}: the inputs of its body must be one step and its states, and each state made by a layer"
        raise GraphError(msg)
    befores = [each.shape for each in inputs[1:]]
    afters = [known[name].shape for name in layer.new_states]
    same = befores == afters == [values.shape for values in layer.initial]
    inside = 0 <= layer.result < len(befores)
    fits = len(source) > 0 and inputs[0].shape == source[1:]
    if not (same and inside and fits and layer.shape == (source[0], *befores[layer.result])):
        msg = f"{layer.name}: a Scan of shape {layer.shape} with states {befores} → {afters} cannot read {source}"
        raise GraphError(msg)


def _require(layer: Layer, shapes: list[Axes]) -> None:
    if not _fits(layer, shapes):
        msg = f"{layer.name}: a {type(layer).__name__} of shape {layer.shape} cannot read {', '.join(map(str, shapes))}"
        raise GraphError(msg)


def _fits(layer: Layer, shapes: list[Axes]) -> bool:
    match layer:
        case InputLayer():
            axes = layer.axes or tuple(range(len(layer.shape)))
            return math.prod(layer.shape) > 0 and sorted(axes) == list(range(len(layer.shape)))
        case ConstantLayer():
            return layer.values.size > 0
        case Linear():
            read = (*layer.positions, *layer.weight.shape[1:])
            return shapes[0] == read and layer.bias.shape == layer.weight.shape[:1]
        case Conv():
            return _conv_fits(layer, shapes[0])
        case BatchNorm():
            parts = (layer.gamma, layer.beta, layer.mean, layer.variance)
            return shapes[0] == layer.shape and all(part.shape == layer.shape[-1:] for part in parts)
        case Affine():
            return shapes[0] == layer.shape and layer.scale.shape == layer.bias.shape == layer.shape[-1:]
        case Clip() | Function() | Add() | Multiply():
            return all(shape == layer.shape for shape in shapes)
        case MatMul():
            return _products_fit(layer, *shapes)
        case MaxPool():
            return shapes[0][-1:] == layer.shape[-1:] and _slides(layer.windows, shapes[0], layer.shape[:-1])
        case Maximum() | ArgMax():
            return layer.shape == (*shapes[0][:-1], 1) and len(shapes[0]) > 0
        case Reshape():
            return math.prod(shapes[0]) == math.prod(layer.shape)
        case Gather():
            inside = layer.index.size == 0 or (layer.index.min() >= 0 and layer.index.max() < math.prod(shapes[0]))
            return layer.index.shape == (math.prod(layer.shape),) and bool(inside)
        case Concat():
            channels = sum(shape[-1] for shape in shapes if shape)
            return {shape[:-1] for shape in shapes} == {layer.shape[:-1]} and layer.shape[-1:] == (channels,)
        case Scan():
            return True  # its body was checked with it
        case _:
            assert_never(layer)


def _conv_fits(layer: Conv, source: Axes) -> bool:
    outputs, inputs, *kernel = layer.weight.shape
    grouped = layer.groups > 0 and outputs % layer.groups == 0 and source[-1:] == (inputs * layer.groups,)
    same = tuple(kernel) == layer.windows.kernel and layer.bias.shape == (outputs,)
    return grouped and same and _slides(layer.windows, source, layer.positions)


def _slides(windows: Windows, source: Axes, positions: Axes) -> bool:
    return len(source) == len(windows.kernel) + 1 and windows.positions(source[:-1]) == positions


def _products_fit(layer: MatMul, left: Axes, right: Axes) -> bool:
    fits = len(left) == len(right) >= 2 and left[:-2] == right[:-2] and left[-1] == right[-1]
    return fits and layer.shape == (*left[:-1], right[-2])

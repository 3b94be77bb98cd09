"""A captured model: its layers in topological order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.capture.records import Add, Affine, BatchNorm, Clip, InputLayer, Layer, Linear, Reshape
from fpgaprune.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in topological order, the input first, and the name of the one whose result is the output.

    Raises:
        GraphError: a repeated name, a layer that reads a later one, shapes that do not fit, no or several inputs.
    """

    layers: tuple[Layer, ...]
    output: str

    def __post_init__(self) -> None:
        known: dict[str, Layer] = {}
        for layer in self.layers:
            _check_names(layer, known)
            _check_shapes(layer, [known[name].shape for name in layer.sources])
            known[layer.name] = layer
        inputs = [layer for layer in self.layers if isinstance(layer, InputLayer)]
        if len(inputs) != 1 or self.layers[0] is not inputs[0]:
            msg = f"a network must have one input, as its first layer, not {len(inputs)}"
            raise GraphError(msg)
        if self.output not in known:
            msg = f"the network's output {self.output!r} is no layer"
            raise GraphError(msg)

    @cached_property
    def by_name(self) -> Mapping[str, Layer]:
        """Each layer by its name."""
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Layer, ...]]:
        """The layers that read each layer; the network's output counts as none."""
        found: dict[str, tuple[Layer, ...]] = {layer.name: () for layer in self.layers}
        for layer in self.layers:
            for name in dict.fromkeys(layer.sources):
                found[name] += (layer,)
        return found

    @property
    def input(self) -> InputLayer:
        """The input."""
        first = self.layers[0]
        assert isinstance(first, InputLayer)  # noqa: S101  # the constructor saw to it; this tells the type checker
        return first

    def only_consumer(self, name: str) -> Layer | None:
        """Return the layer that alone reads ``name``, or None where several do, none does, or it is the output."""
        readers = self.consumers[name]
        return readers[0] if len(readers) == 1 and name != self.output else None


def _check_names(layer: Layer, known: Mapping[str, Layer]) -> None:
    if layer.name in known:
        msg = f"{layer.name}: two layers have this name"
        raise GraphError(msg)
    for name in layer.sources:
        if name not in known:
            msg = f"{layer.name}: reads {name!r}, which is no earlier layer"
            raise GraphError(msg)


def _check_shapes(layer: Layer, shapes: list[tuple[int, ...]]) -> None:
    match layer:
        case InputLayer():
            fits = math.prod(layer.shape) > 0
        case Linear():
            fits = shapes[0] == layer.weight.shape[1:] and layer.bias.shape == layer.shape
        case BatchNorm():
            parts = (layer.gamma, layer.beta, layer.mean, layer.variance)
            fits = all(part.shape == shapes[0] for part in parts) and len(shapes[0]) == 1
        case Affine():
            fits = layer.scale.shape == layer.bias.shape == shapes[0] and len(shapes[0]) == 1
        case Clip() | Add():
            fits = all(shape == layer.shape for shape in shapes)
        case Reshape():
            fits = math.prod(shapes[0]) == math.prod(layer.shape)
        case _:
            assert_never(layer)
    if not fits:
        msg = f"{layer.name}: a {type(layer).__name__} of shape {layer.shape} cannot read {', '.join(map(str, shapes))}"
        raise GraphError(msg)

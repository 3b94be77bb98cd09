"""Where a network is requantised, and where a format comes from that is passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.capture.records import (
    Add,
    Affine,
    ArgMax,
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
from fpgaprune.quantise.recipe import LayerBits

if TYPE_CHECKING:
    from collections.abc import Collection

    from fpgaprune.capture.network import Network
    from fpgaprune.capture.records import FloatArray
    from fpgaprune.quantise.recipe import QuantiseRecipe

SUMS = (Linear, Conv, Affine, Add, Multiply, MatMul)
"""Layers whose result is an exact sum or product, wider than what goes into it."""

PASSING = (Reshape, Gather, MaxPool, Maximum)
"""Layers that pass on values of one tensor, in its format."""

_RESULTS = (*SUMS, Clip, Function, ConstantLayer)
"""Layers that can round what they make."""


def result_bits(network: Network, recipe: QuantiseRecipe) -> dict[str, int]:
    """Return layer → width of its requantised result, for each layer that is requantised.

    That is the input; constants and functions; each sum, unless a Clip alone reads it; that Clip in its place; what
    becomes a state, and a Clip that a function reads. The last of them makes the output, which has the width of
    ``output_bits`` or stays exact.
    """
    last, readers = output_layer(network), table_readers(network)
    ends, kept = _ends(network, last), {*_new_states(network), *readers}
    widths: dict[str, int] = {}
    for layer in network.every_layer:
        own = recipe.layers.get(layer.name, LayerBits()).activation_bits
        if layer.name in ends and isinstance(layer, _RESULTS) and (own or recipe.output_bits):
            widths[layer.name] = own or recipe.output_bits or 0
        elif _always(network, layer, kept) or (layer.name != last and _ends_sum(network, layer)):
            widths[layer.name] = own or _bits(layer, recipe, readers)
    return widths


def output_layer(network: Network) -> str:
    """Return the layer that makes the output; what comes after it only moves, drops or compares elements."""
    name = network.output
    while isinstance(layer := network.by_name[name], (*PASSING, ArgMax)):
        name = layer.source
    return name


def origin(network: Network, name: str) -> str:
    """Return the layer whose format the result of ``name`` has; layers that pass values on and loops are followed."""
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        name = _giver(network, network.by_name[name])
    return name


def table_readers(network: Network) -> dict[str, Function]:
    """Return the layer that makes what a function reads → the first such function."""
    found: dict[str, Function] = {}
    for layer in network.every_layer:
        if isinstance(layer, Function):
            found.setdefault(origin(network, layer.source), layer)
    return found


def initial_values(network: Network, name: str) -> list[FloatArray]:
    """Return the values, before the first step, of the states that have the format of ``name``."""
    return [
        values
        for scan in _scans(network)
        for values, new in zip(scan.initial, scan.new_states, strict=True)
        if origin(network, new) == name
    ]


def givers(scan: Scan) -> dict[str, str]:
    """Return each input of a loop's body → the layer that it takes its values from, and so their format."""
    states = dict(zip(scan.state_names, scan.new_states, strict=True))
    inputs = (layer.name for layer in scan.body if isinstance(layer, InputLayer))
    return {name: states.get(name, scan.source) for name in inputs}


def _giver(network: Network, layer: Layer) -> str:
    """Return the layer that this one passes on, or itself."""
    match layer:
        case Reshape() | Gather() | MaxPool() | Maximum():
            return layer.source
        case Scan():
            return layer.new_states[layer.result]
        case InputLayer():
            inside = (givers(scan) for scan in _scans(network))
            return next((each[layer.name] for each in inside if layer.name in each), layer.name)
        case _:
            return layer.name


def _scans(network: Network) -> list[Scan]:
    return [layer for layer in network.every_layer if isinstance(layer, Scan)]


def _new_states(network: Network) -> set[str]:
    return {origin(network, name) for scan in _scans(network) for name in scan.new_states}


def _ends(network: Network, name: str) -> set[str]:
    """Return the layers that give the output its format."""
    found: set[str] = set()
    remaining = [name]
    while remaining:
        end = network.by_name[origin(network, remaining.pop())]
        if isinstance(end, Concat) and end.name not in found:
            remaining.extend(end.parts)
        found.add(end.name)
    return found


def _always(network: Network, layer: Layer, kept: Collection[str]) -> bool:
    """Return whether the layer is requantised even where it makes the output."""
    if isinstance(layer, InputLayer):
        return layer is network.input
    return isinstance(layer, (ConstantLayer, Function)) or (isinstance(layer, _RESULTS) and layer.name in kept)


def _ends_sum(network: Network, layer: Layer) -> bool:
    """Return whether the layer is an exact sum or, where a Clip alone reads that, this Clip."""
    if isinstance(layer, Clip):
        return isinstance(network.by_name[layer.source], SUMS) and network.only_consumer(layer.source) is layer
    return isinstance(layer, SUMS) and not isinstance(network.only_consumer(layer.name), Clip)


def _bits(layer: Layer, recipe: QuantiseRecipe, readers: Collection[str]) -> int:
    """Return the width that the recipe has for results of this kind."""
    if isinstance(layer, InputLayer):
        return recipe.input_bits
    return recipe.function_bits if isinstance(layer, Clip) and layer.name in readers else recipe.activation_bits

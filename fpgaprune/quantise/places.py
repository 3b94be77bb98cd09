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
    from collections.abc import Collection, Iterable, Iterator

    from fpgaprune.capture.network import Network
    from fpgaprune.capture.records import FloatArray
    from fpgaprune.fixed import Fixed
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
    becomes a state, and a Clip that a function reads. The last of them make the outputs, which have the width of
    ``output_bits`` or stay exact; a Clip that reads one of them is requantised. What reaches only Clips with formats of
    their own is not, as these round by themselves.
    """
    given = given_formats(network)
    lasts, exact, readers = output_layers(network), exact_outputs(network), table_readers(network)
    ends, kept = _ends(network, lasts), {*_new_states(network), *readers}
    widths: dict[str, int] = {}
    for layer in network.every_layer:
        own = recipe.layers.get(layer.name, LayerBits()).activation_bits
        if layer.name in given:
            widths[layer.name] = given[layer.name].width
        elif layer.name in ends and isinstance(layer, _RESULTS) and (own or recipe.output_bits):
            widths[layer.name] = own or recipe.output_bits or 0
        elif _always(network, layer, kept) or (layer.name not in lasts and _ends_sum(network, layer, exact)):
            widths[layer.name] = own or _bits(layer, recipe, readers)
    return widths


def given_formats(network: Network) -> dict[str, Fixed]:
    """Return the formats that the model itself gives: of Clips, and of inputs that reach Clips of one format alone."""
    found = {layer.name: layer.to for layer in network.every_layer if isinstance(layer, Clip) and layer.to is not None}
    for layer in network.inputs:
        first, *others = {*_formats_ahead(network, layer.name)} or {None}
        if first is not None and not others:
            found[layer.name] = first
    return found


def trainable_results(network: Network, results: Iterable[str]) -> list[str]:
    """Return those of the requantised ``results`` whose width is free: no input, constant, table, state or output.

    Nor is a width free that the model gives.
    """
    fixed = {*_new_states(network), *table_readers(network), *_ends(network, output_layers(network))}
    fixed |= given_formats(network).keys()
    return [name for name in results if name not in fixed and isinstance(network.by_name[name], (*SUMS, Clip))]


def output_layers(network: Network) -> set[str]:
    """Return the layers that make the outputs; what comes after them only moves, drops or compares elements."""
    return {output_path(network, name)[-1] for name in network.outputs}


def exact_outputs(network: Network) -> set[str]:
    """Return the layers that make outputs out of exact sums."""
    lasts = output_layers(network)
    return {name for name in lasts if _is_exact(network, network.by_name[name], lasts)}


def output_path(network: Network, name: str) -> list[str]:
    """Return an output, what it moves, drops or compares elements of, and so on to the layer that makes them."""
    path = [name]
    while isinstance(layer := network.by_name[path[-1]], (*PASSING, ArgMax)):
        path.append(layer.source)
    return path


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


def _ends(network: Network, lasts: Iterable[str]) -> set[str]:
    """Return the layers that give the outputs their formats."""
    found: set[str] = set()
    remaining = [*lasts]
    while remaining:
        end = network.by_name[origin(network, remaining.pop())]
        if isinstance(end, Concat) and end.name not in found:
            remaining.extend(end.parts)
        found.add(end.name)
    return found


def _always(network: Network, layer: Layer, kept: Collection[str]) -> bool:
    """Return whether the layer is requantised even where it makes the output."""
    if isinstance(layer, InputLayer):
        return layer in network.inputs
    return isinstance(layer, (ConstantLayer, Function)) or (isinstance(layer, _RESULTS) and layer.name in kept)


def _ends_sum(network: Network, layer: Layer, exact: Collection[str]) -> bool:
    """Return whether the layer is an exact sum or, where a Clip alone reads that or it is an output, this Clip."""
    if isinstance(layer, (Clip, *SUMS)) and None not in _formats_ahead(network, layer.name):
        return False
    if isinstance(layer, Clip):
        return _clips_sum(network, layer) or origin(network, layer.source) in exact
    return isinstance(layer, SUMS) and not isinstance(network.only_consumer(layer.name), Clip)


def _formats_ahead(network: Network, name: str) -> Iterator[Fixed | None]:
    """Yield the format of each Clip that has one and meets the values of ``name`` next; None for any other reader."""
    if name in network.leaving:
        yield None
    for reader in network.consumers[name]:
        if isinstance(reader, Clip) and reader.to is not None:
            yield reader.to
        elif isinstance(reader, (Clip, *PASSING)):
            yield from _formats_ahead(network, reader.name)
        else:
            yield None


def _clips_sum(network: Network, layer: Clip) -> bool:
    return isinstance(network.by_name[layer.source], SUMS) and network.only_consumer(layer.source) is layer


def _is_exact(network: Network, layer: Layer, lasts: Collection[str]) -> bool:
    """Return whether a layer that makes an output is an exact sum, or a Clip of one that nothing rounds before it."""
    if not isinstance(layer, Clip):
        return isinstance(layer, SUMS)
    if layer.to is not None:
        return False
    source = origin(network, layer.source)
    return _clips_sum(network, layer) or (source in lasts and _is_exact(network, network.by_name[source], lasts))


def _bits(layer: Layer, recipe: QuantiseRecipe, readers: Collection[str]) -> int:
    """Return the width that the recipe has for results of this kind."""
    if isinstance(layer, InputLayer):
        return recipe.input_bits
    return recipe.function_bits if isinstance(layer, Clip) and layer.name in readers else recipe.activation_bits

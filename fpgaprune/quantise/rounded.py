"""Outputs that other layers read as well: they stay exact, and what is read inside is rounded as any other result."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from fpgaprune.capture.network import Network
from fpgaprune.capture.origin import Names
from fpgaprune.capture.records import ArgMax, Clip, Layer
from fpgaprune.quantise.fold import reading
from fpgaprune.quantise.places import PASSING, exact_outputs, output_path

if TYPE_CHECKING:
    from collections.abc import Iterator


def with_rounded_readers(network: Network) -> Network:
    """Return the network in which layers read a sum that makes an output through a Clip without ends, ``x.rounded``.

    Such a Clip only rounds. A Clip that reads the sum rounds by itself; what leads to an output has it as it is.
    """
    names = Names.beside(layer.name for layer in network.every_layer)
    readers = {name: _readers(network, name) for name in _exact_results(network)}
    renamed = {name: names.take(f"{name}.rounded") for name, found in readers.items() if found}
    if not renamed:
        return network
    layers: list[Layer] = []
    for layer in network.layers:
        own = {name: copy for name, copy in renamed.items() if layer.name in readers[name]}
        layers.append(reading(layer, own))
        if layer.name in renamed:
            layers.append(Clip(renamed[layer.name], layer.name, layer.shape, None, None, layer.where))
    return Network(tuple(layers), network.outputs)


def _exact_results(network: Network) -> Iterator[str]:
    """Yield the layers that make outputs out of exact sums, and those between them and the outputs."""
    exact = exact_outputs(network)
    for path in (output_path(network, name)[::-1] for name in network.outputs):
        if path[0] in exact:
            yield from takewhile(lambda name: not isinstance(network.by_name[name], ArgMax), path)


def _readers(network: Network, name: str) -> set[str]:
    """Return the layers that read ``name``, but not those that make an output of it or round by themselves."""
    leading = {step for output in network.outputs for step in output_path(network, output)}
    return {
        layer.name
        for layer in network.consumers[name]
        if not isinstance(layer, Clip) and not (layer.name in leading and isinstance(layer, (*PASSING, ArgMax)))
    }

"""Quantised layers with those inside of loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.quantise.layers import QuantisedLayer, QuantisedScan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def every_layer(layers: Iterable[QuantisedLayer]) -> Iterator[QuantisedLayer]:
    """Yield all layers in order, the body of a loop before the loop."""
    for layer in layers:
        if isinstance(layer, QuantisedScan):
            yield from every_layer(layer.body)
        yield layer

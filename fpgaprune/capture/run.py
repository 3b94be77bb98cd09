"""A captured model in float64: what calibration watches, and what capture is checked with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.capture.records import Add, Affine, BatchNorm, Clip, FloatArray, InputLayer, Layer, Linear, Reshape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.capture.network import Network


def trace(network: Network, x: FloatArray) -> dict[str, FloatArray]:
    """Return the result of every layer by its name (samples, *shape) for inputs (samples, *input shape)."""
    known = {network.input.name: np.asarray(x, dtype=np.float64)}
    for layer in network.layers[1:]:
        known[layer.name] = _step(layer, known)
    return known


def _step(layer: Layer, known: Mapping[str, FloatArray]) -> FloatArray:
    match layer:
        case InputLayer():
            return known[layer.name]
        case Linear():
            return known[layer.source] @ layer.weight.T + layer.bias
        case BatchNorm():
            return known[layer.source] * layer.scale + layer.offset
        case Affine():
            return known[layer.source] * layer.scale + layer.bias
        case Clip():
            return _clipped(known[layer.source], layer.low, layer.high)
        case Add():
            return known[layer.left] + known[layer.right]
        case Reshape():
            source = known[layer.source]
            return source.reshape(len(source), *layer.shape)
        case _:
            assert_never(layer)


def _clipped(values: FloatArray, low: float | None, high: float | None) -> FloatArray:
    limits = (-np.inf if low is None else low, np.inf if high is None else high)
    clipped: FloatArray = np.clip(values, *limits)
    return clipped

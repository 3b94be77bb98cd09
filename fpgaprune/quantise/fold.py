"""Batch normalisation made part of the weights before it, before anything is quantised."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.capture.network import Network
from fpgaprune.capture.records import Affine, BatchNorm, Concat, Conv, Layer, Linear
from fpgaprune.explained import FoldReport

if TYPE_CHECKING:
    from collections.abc import Mapping


def fold_batch_norm(network: Network) -> tuple[Network, tuple[FoldReport, ...]]:
    """Return the network without a BatchNorm, and what each folding changed.

    A BatchNorm that alone reads a Linear or a Conv is multiplied into it, in float64; that layer keeps its name. Any
    other becomes an Affine.
    """
    folded = {
        layer.source: layer for layer in network.layers if _folds(network, layer) and isinstance(layer, BatchNorm)
    }
    renamed = {batch_norm.name: name for name, batch_norm in folded.items()}
    layers, reports = [], []
    for layer in network.layers:
        if isinstance(layer, (Linear, Conv)) and layer.name in folded:
            merged = _merged(layer, folded[layer.name])
            reports.append(_report(layer, folded[layer.name], merged))
            layers.append(reading(merged, renamed))
        elif layer.name not in renamed:
            layers.append(reading(_explicit(layer), renamed))
    return Network(tuple(layers), tuple(renamed.get(name, name) for name in network.outputs)), tuple(reports)


def _folds(network: Network, layer: Layer) -> bool:
    if not isinstance(layer, BatchNorm):
        return False
    source = network.by_name[layer.source]
    return isinstance(source, (Linear, Conv)) and source.trainable and network.only_consumer(source.name) is layer


def _merged(layer: Linear | Conv, batch_norm: BatchNorm) -> Linear | Conv:
    scale = batch_norm.scale
    weight = layer.weight * scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
    return replace(layer, weight=weight, bias=layer.bias * scale + batch_norm.offset)


def _report(layer: Linear | Conv, batch_norm: BatchNorm, merged: Linear | Conv) -> FoldReport:
    counts = (np.count_nonzero(array) for array in (layer.weight, merged.weight, layer.bias, merged.bias))
    return FoldReport(layer.name, batch_norm.name, *(int(count) for count in counts))


def _explicit(layer: Layer) -> Layer:
    if not isinstance(layer, BatchNorm):
        return layer
    return Affine(layer.name, layer.source, layer.scale, layer.offset, layer.where, layer.positions)


def reading(layer: Layer, renamed: Mapping[str, str]) -> Layer:
    """Return the layer with what it reads renamed."""
    fields = {field: getattr(layer, field) for field in ("source", "left", "right") if hasattr(layer, field)}
    changed: dict[str, object] = {field: renamed[name] for field, name in fields.items() if name in renamed}
    if isinstance(layer, Concat):
        changed["parts"] = tuple(renamed.get(name, name) for name in layer.parts)
    return replace(layer, **changed)  # type: ignore[arg-type]  # only fields that hold names are changed

"""From a quantised model to hls4ml's layer list, with an explicit precision for every tensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from hls4ml.model.graph import ModelGraph

from fpgaprune.errors import UnsupportedError
from fpgaprune.fixed import Fixed, bounds, to_float
from fpgaprune.frontend.clip_layer import CLIP
from fpgaprune.frontend.quiet import quiet
from fpgaprune.paths import unique_identifiers
from fpgaprune.prune.checks import one_line
from fpgaprune.quantise.layers import (
    QuantisedAdd,
    QuantisedAffine,
    QuantisedClip,
    QuantisedInput,
    QuantisedLayer,
    QuantisedLinear,
    QuantisedReshape,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fpgaprune.fixed import IntArray
    from fpgaprune.quantise.model import QuantisedModel

PROJECT = "baseline"
"""The name of the stock hls4ml project and of its top function."""


@dataclass(frozen=True)
class Entry:
    """A layer for hls4ml: its class, its attributes, and the precision of each of its tensors."""

    class_name: str
    attributes: Mapping[str, Any]
    precision: Mapping[str, Fixed]


@dataclass(frozen=True)
class LayerList:
    """hls4ml's layer list, the precisions by hls4ml's names, and layer → the hls4ml layer that holds its result.

    Several layers share one name where the later ones change nothing: the last reshape, a cast to the same format.
    """

    layers: tuple[Mapping[str, Any], ...]
    precisions: Mapping[str, Mapping[str, str]]
    names: Mapping[str, str]
    output: str


def layer_list(quantised: QuantisedModel) -> LayerList:
    """Return the model as hls4ml's layer list, channels last, weights exactly on their grids.

    Raises:
        UnsupportedError: a tensor without any axis, which hls4ml cannot hold.
    """
    entries = {layer.name: ENTRIES[type(layer)](layer, quantised) for layer in quantised.layers}
    last = _at_the_end(quantised, entries)
    kept = {name: entry for name, entry in entries.items() if entry and name not in last}
    _refuse_scalars(quantised, kept)
    names = _names(quantised, kept)
    return LayerList(
        tuple(_as_dict(quantised.by_name[name], entry, names) for name, entry in kept.items()),
        {names[name]: {part: str(to) for part, to in entry.precision.items()} for name, entry in kept.items()},
        names,
        names[quantised.output],
    )


def model_graph(layers: LayerList, part: str, clock_ns: float) -> ModelGraph:
    """Return hls4ml's ModelGraph after its ``vitis:ip`` flow, for a parallel interface at reuse factor 1.

    Raises:
        UnsupportedError: hls4ml refuses the network.
    """
    model = {"Precision": "ap_fixed<16,6>", "ReuseFactor": 1, "Strategy": "Latency"}
    by_name = {name: {"Precision": dict(parts)} for name, parts in layers.precisions.items()}
    config = {
        "Backend": "Vitis",
        "ProjectName": PROJECT,
        "OutputDir": PROJECT,
        "Part": part,
        "ClockPeriod": clock_ns,
        "ClockUncertainty": "27%",  # hls4ml's own default for Vitis
        "IOType": "io_parallel",
        "HLSConfig": {"Model": model, "LayerName": by_name},
        "WriterConfig": {"Namespace": None, "WriteWeightsTxt": True, "WriteTar": False, "TBOutputStream": "both"},
    }
    inputs = [layers.layers[0]["name"]]
    try:
        with quiet():
            return ModelGraph.from_layer_list(config, [dict(each) for each in layers.layers], inputs, [layers.output])
    except Exception as error:
        msg = f"hls4ml refuses the network: {one_line(error)}"
        raise UnsupportedError(msg) from error


def _as_dict(layer: QuantisedLayer, entry: Entry, names: Mapping[str, str]) -> dict[str, Any]:
    head: dict[str, Any] = {"class_name": entry.class_name, "name": names[layer.name], "data_format": "channels_last"}
    return head | {"inputs": [names[source] for source in layer.sources]} | dict(entry.attributes)


def _at_the_end(quantised: QuantisedModel, entries: Mapping[str, Entry | None]) -> set[str]:
    """Return the reshapes at the end, which hls4ml would remove with a warning, and what changes nothing there."""
    found: set[str] = set()
    name = quantised.output
    while entries[name] is None or isinstance(quantised.by_name[name], QuantisedReshape):
        found.add(name)
        (name,) = quantised.by_name[name].sources
    return found


def _names(quantised: QuantisedModel, kept: Collection[str]) -> dict[str, str]:
    """Return layer → the hls4ml layer that holds its result: its own, or that of what it reads."""
    identifiers = unique_identifiers([f"/{PROJECT}", *kept])  # the slash sets the project apart from any layer
    names: dict[str, str] = {}
    for layer in quantised.layers:
        names[layer.name] = identifiers[layer.name] if layer.name in kept else names[layer.sources[0]]
    return names


def _refuse_scalars(quantised: QuantisedModel, kept: Collection[str]) -> None:
    for name in kept:
        if not quantised.by_name[name].shape:
            msg = f"{name}: a result without any axis is not supported by hls4ml; keep one axis (no squeeze before it)"
            raise UnsupportedError(msg)


def _input(layer: QuantisedInput, quantised: QuantisedModel) -> Entry:  # noqa: ARG001  # an entry maker
    return Entry("InputLayer", {"input_shape": list(layer.shape)}, {"result": layer.format})


def _linear(layer: QuantisedLinear, quantised: QuantisedModel) -> Entry:  # noqa: ARG001  # an entry maker
    outputs, inputs = layer.weight.shape
    attributes = {
        "n_in": inputs,
        "n_out": outputs,
        "weight_data": to_float(layer.weight, layer.weight_format.fraction).T,  # hls4ml wants (inputs, outputs)
        "bias_data": to_float(layer.bias, layer.accumulator.fraction),
    }
    precision = {
        "weight": layer.weight_format,
        "bias": _bias_format(layer.bias, layer.accumulator),
        "accum": layer.accumulator,
        "result": layer.format,
    }
    return Entry("Dense", attributes, precision)


def _affine(layer: QuantisedAffine, quantised: QuantisedModel) -> Entry | None:
    scale, bias = to_float(layer.scale, layer.scale_format.fraction), to_float(layer.bias, layer.accumulator.fraction)
    if (scale == 1).all() and not bias.any():
        return _cast(layer, quantised)  # hls4ml would remove such a layer, and the rounding with it
    attributes = {"n_in": len(scale), "n_filt": -1, "scale_data": scale, "bias_data": bias}
    precision = {
        "scale": layer.scale_format,
        "bias": _bias_format(layer.bias, layer.accumulator),
        "result": layer.format,
    }
    return Entry("BatchNormalization", attributes, precision)


def _clip(layer: QuantisedClip, quantised: QuantisedModel) -> Entry | None:
    real = layer.real()
    if (real.low, real.high) == (None, None):
        return _cast(layer, quantised)
    if real.low == 0.0 and real.high in _RELU:
        return _activation(_RELU[real.high], layer)
    return Entry(CLIP, {"low": real.low, "high": real.high}, {"result": layer.format})


_RELU = {None: "relu", 1.0: "relu1", 6.0: "relu6"}
"""The upper end of a clip from zero → the activation of hls4ml that is exactly this."""


def _cast(layer: QuantisedAffine | QuantisedClip, quantised: QuantisedModel) -> Entry | None:
    same = layer.format == quantised.by_name[layer.source].format
    return None if same else _activation("linear", layer)


def _activation(name: str, layer: QuantisedAffine | QuantisedClip) -> Entry:
    size = int(np.prod(layer.shape))
    return Entry("Activation", {"activation": name, "n_in": size}, {"result": layer.format})


def _add(layer: QuantisedAdd, quantised: QuantisedModel) -> Entry:  # noqa: ARG001  # an entry maker
    return Entry("Merge", {"op": "add"}, {"result": layer.format})


def _reshape(layer: QuantisedReshape, quantised: QuantisedModel) -> Entry:  # noqa: ARG001  # an entry maker
    return Entry("Reshape", {"target_shape": list(layer.shape)}, {"result": layer.format})


EntryMaker: TypeAlias = Callable[[Any, "QuantisedModel"], Entry | None]

ENTRIES: Mapping[type, EntryMaker] = {
    QuantisedInput: _input,
    QuantisedLinear: _linear,
    QuantisedAffine: _affine,
    QuantisedClip: _clip,
    QuantisedAdd: _add,
    QuantisedReshape: _reshape,
}
"""One maker for each kind of layer; None means that the layer changes nothing."""


def _bias_format(bias: IntArray, accumulator: Fixed) -> Fixed:
    return accumulator.with_range(*bounds(bias))

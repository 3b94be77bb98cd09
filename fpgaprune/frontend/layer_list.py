"""From a quantised model to hls4ml's layer list, with an explicit precision for every tensor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from hls4ml.model.graph import ModelGraph

from fpgaprune.errors import UnsupportedError
from fpgaprune.fixed import Fixed, bounds, to_float
from fpgaprune.frontend.custom_layers import FPGAPRUNE, RESHAPE
from fpgaprune.frontend.quiet import quiet
from fpgaprune.frontend.window_readers import ENDS, SIZES
from fpgaprune.paths import unique_identifiers
from fpgaprune.prune.checks import one_line
from fpgaprune.quantise.layers import (
    QuantisedAdd,
    QuantisedAffine,
    QuantisedArgMax,
    QuantisedClip,
    QuantisedConcat,
    QuantisedConstant,
    QuantisedConv,
    QuantisedFunction,
    QuantisedGather,
    QuantisedInput,
    QuantisedLayer,
    QuantisedLinear,
    QuantisedMatMul,
    QuantisedMaximum,
    QuantisedMaxPool,
    QuantisedMultiply,
    QuantisedReshape,
    QuantisedScan,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from fpgaprune.fixed import IntArray
    from fpgaprune.quantise.model import QuantisedModel
    from fpgaprune.windows import Windows

PROJECT = "baseline"
"""The name of the stock hls4ml project and of its top function."""

IOType: TypeAlias = Literal["io_parallel", "io_stream"]
"""How tensors move between the layers of a stock project, in hls4ml's words."""

IMAGE_AXES = 2
"""The most axes of positions that hls4ml's layers have."""


@dataclass(frozen=True)
class Entry:
    """A layer for hls4ml: its class, its attributes, and the precision of each of its tensors."""

    class_name: str
    attributes: Mapping[str, Any]
    precision: Mapping[str, Fixed]


@dataclass(frozen=True)
class LayerList:
    """hls4ml's layer list, the precisions by hls4ml's names, and layer → the tensor that holds its result.

    ``inputs`` and ``outputs`` are those that hls4ml is told of, in their order; equal outputs are one.

    That tensor is a layer of hls4ml's, or for a layer in a loop a name that no other has. Several layers share one name
    where the later ones change nothing: a last reshape, a cast to the same format.
    """

    layers: tuple[Mapping[str, Any], ...]
    precisions: Mapping[str, Mapping[str, str]]
    names: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def layer_list(quantised: QuantisedModel) -> LayerList:
    """Return the model as hls4ml's layer list, channels last, weights exactly on their grids.

    Raises:
        UnsupportedError: a tensor without any axis, which hls4ml cannot hold.
    """
    entries = {layer.name: ENTRIES[type(layer)](layer, quantised) for layer in quantised.layers}
    last = _at_the_end(quantised, entries)
    kept = {name: parts for name, parts in entries.items() if parts and name not in last}
    _refuse_scalars(quantised, kept)
    names = _names(quantised, kept)
    return LayerList(
        tuple(each for name, parts in kept.items() for each in _as_dicts(quantised.by_name[name], parts, names)),
        {
            names[part]: {place: str(to) for place, to in entry.precision.items()}
            for name, parts in kept.items()
            for part, entry in zip(_parts(name, parts), parts, strict=True)
        },
        {name: names[name] for name in quantised.by_name},
        tuple(names[layer.name] for layer in quantised.inputs),
        tuple(dict.fromkeys(names[name] for name in quantised.outputs)),
    )


def model_graph(layers: LayerList, part: str, clock_ns: float, *, io_type: IOType = "io_parallel") -> ModelGraph:
    """Return hls4ml's ModelGraph after its ``vitis:ip`` flow, at reuse factor 1.

    Ours is read from the parallel one; ``io_type`` serves stock projects to compare with.

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
        "IOType": io_type,
        "HLSConfig": {"Model": model, "LayerName": by_name},
        "WriterConfig": {"Namespace": None, "WriteWeightsTxt": True, "WriteTar": False, "TBOutputStream": "both"},
    }
    given = [{**each, "inputs": [*each["inputs"]]} for each in layers.layers]  # hls4ml renames inputs in place
    ends = [*layers.inputs], [*layers.outputs]
    try:
        with quiet():
            return ModelGraph.from_layer_list(config, given, *ends)
    except Exception as error:
        msg = f"hls4ml refuses the network: {one_line(error)}"
        raise UnsupportedError(msg) from error


def _as_dicts(layer: QuantisedLayer, entries: Sequence[Entry], names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    inputs = [names[source] for source in layer.sources]
    for part, entry in zip(_parts(layer.name, entries), entries, strict=True):
        head = {"class_name": entry.class_name, "name": names[part], "data_format": "channels_last", "inputs": inputs}
        yield head | dict(entry.attributes)
        inputs = [names[part]]


def _parts(name: str, entries: Sequence[Entry]) -> list[str]:
    """Return a name for each entry of a layer, the last of which holds its result."""
    return [*(f"{name}/{place}" for place in range(len(entries) - 1)), name]


def _at_the_end(quantised: QuantisedModel, entries: Mapping[str, Sequence[Entry]]) -> set[str]:
    """Return the reshapes at the ends, which hls4ml would remove with a warning, and what changes nothing there."""
    found: set[str] = set()
    for output in quantised.outputs:
        name = output
        while not entries[name] or _is_last_reshape(quantised, name, found):
            found.add(name)
            (name,) = quantised.by_name[name].sources
    return found


def _is_last_reshape(quantised: QuantisedModel, name: str, after: Collection[str]) -> bool:
    """Tell whether a layer is a reshape that nothing reads but layers ``after`` it, which hls4ml is not given."""
    readers = {layer.name for layer in quantised.network.consumers[name]}
    return isinstance(quantised.by_name[name], QuantisedReshape) and readers <= set(after)


def _names(quantised: QuantisedModel, kept: Mapping[str, Sequence[Entry]]) -> dict[str, str]:
    """Return layer or part of one → the tensor with its result: its own, or that of what it reads; loops included."""
    parts = [part for name, entries in kept.items() for part in _parts(name, entries)]
    outside = {layer.name for layer in quantised.layers}
    inside = [name for name in quantised.by_name if name not in outside]
    identifiers = unique_identifiers([f"/{PROJECT}", *parts, *inside])  # the slash sets the project apart
    names = {part: identifiers[part] for part in (*parts, *inside)}
    for layer in quantised.layers:
        if layer.name not in kept:
            names[layer.name] = names[layer.sources[0]]
    return names


def _refuse_scalars(quantised: QuantisedModel, kept: Collection[str]) -> None:
    for name in kept:
        if not quantised.by_name[name].shape:
            msg = f"{name}: a result without any axis is not supported by hls4ml; keep one axis (no squeeze before it)"
            raise UnsupportedError(msg)


Entries: TypeAlias = "tuple[Entry, ...]"


def _pass_through(layer: QuantisedLayer, quantised: QuantisedModel) -> Entries:  # noqa: ARG001  # an entry maker
    return (Entry(FPGAPRUNE, {"record": layer}, {"result": layer.format}),)


def _input(layer: QuantisedInput, quantised: QuantisedModel) -> Entries:  # noqa: ARG001  # an entry maker
    return (Entry("InputLayer", {"input_shape": list(layer.shape)}, {"result": layer.format}),)


def _linear(layer: QuantisedLinear, quantised: QuantisedModel) -> Entries:
    if len(layer.positions) > IMAGE_AXES:
        return _pass_through(layer, quantised)
    outputs, inputs = layer.weight.shape
    attributes = {
        "n_in": inputs,
        "n_out": outputs,
        "weight_data": to_float(layer.weight, layer.weight_format.fraction).T,  # hls4ml wants (inputs, outputs)
        "bias_data": to_float(layer.bias, layer.accumulator.fraction),
    }
    return (Entry("Dense", attributes, _sum_precision(layer)),)


def _conv(layer: QuantisedConv, quantised: QuantisedModel) -> Entries:
    source = quantised.by_name[layer.source].shape
    channels, depthwise = source[-1], layer.groups > 1
    ordinary = layer.groups == 1 or (layer.groups == channels == len(layer.weight))
    if not (ordinary and _is_plain(layer.windows)):
        return _pass_through(layer, quantised)
    weight = to_float(layer.weight, layer.weight_format.fraction)
    kernel = np.moveaxis(weight, (0, 1), (-1, -2) if not depthwise else (-2, -1))  # (*kernel, inputs, outputs)
    attributes = {
        **_geometry(layer.windows, "filt", source, layer.shape),
        "n_chan": channels,
        "n_filt": len(layer.weight),
        "depthwise_data" if depthwise else "weight_data": kernel,
        "bias_data": to_float(layer.bias, layer.accumulator.fraction),
    }
    kind = "DepthwiseConv" if depthwise else "Conv"
    return (Entry(f"{kind}{len(layer.positions)}D", attributes, _sum_precision(layer)),)


def _sum_precision(layer: QuantisedLinear | QuantisedConv) -> dict[str, Fixed]:
    return {
        "weight": layer.weight_format,
        "bias": _bias_format(layer.bias, layer.accumulator),
        "accum": layer.accumulator,
        "result": layer.format,
    }


def _is_plain(windows: Windows) -> bool:
    """Tell whether hls4ml can slide such windows: it knows neither dilation nor cropping."""
    return set(windows.dilation) == {1} and min(*windows.before, *windows.after) >= 0


def _geometry(windows: Windows, kind: str, source: Sequence[int], result: Sequence[int]) -> dict[str, int]:
    """Return windows in hls4ml's words, in which ``kind`` is the kernel; a sequence has no height."""
    axes = len(windows.kernel)
    found: dict[str, int] = {}
    for axis, (size, (before, after)) in enumerate(zip(SIZES[-axes:], ENDS[-axes:], strict=True)):
        found |= {f"in_{size}": source[axis], f"out_{size}": result[axis]}
        found |= {f"{kind}_{size}": windows.kernel[axis], f"stride_{size}": windows.stride[axis]}
        found |= {f"pad_{before}": windows.before[axis], f"pad_{after}": windows.after[axis]}
    return found


def _affine(layer: QuantisedAffine, quantised: QuantisedModel) -> Entries:
    scale, bias = to_float(layer.scale, layer.scale_format.fraction), to_float(layer.bias, layer.accumulator.fraction)
    if (scale == 1).all() and not bias.any():
        return _cast(layer, quantised)  # hls4ml would remove such a layer, and the rounding with it
    shared = {"n_filt": len(scale) if layer.positions else -1}  # of each scale: a channel of many positions, or one
    attributes = {"n_in": math.prod(layer.shape), **shared, "scale_data": scale, "bias_data": bias}
    precision = {
        "scale": layer.scale_format,
        "bias": _bias_format(layer.bias, layer.accumulator),
        "result": layer.format,
    }
    return (Entry("BatchNormalization", attributes, precision),)


def _clip(layer: QuantisedClip, quantised: QuantisedModel) -> Entries:
    real = layer.real()
    if (real.low, real.high) == (None, None):
        return _cast(layer, quantised)
    if real.low == 0.0 and real.high in _RELU:
        return _activation(_RELU[real.high], layer)
    return _pass_through(layer, quantised)


_RELU = {None: "relu", 1.0: "relu1", 6.0: "relu6"}
"""The upper end of a clip from zero → the activation of hls4ml that is exactly this."""


def _cast(layer: QuantisedAffine | QuantisedClip, quantised: QuantisedModel) -> Entries:
    same = layer.format == quantised.by_name[layer.source].format
    return () if same else _activation("linear", layer)


def _activation(name: str, layer: QuantisedAffine | QuantisedClip) -> Entries:
    return (Entry("Activation", {"activation": name, "n_in": math.prod(layer.shape)}, {"result": layer.format}),)


def _add(layer: QuantisedAdd, quantised: QuantisedModel) -> Entries:  # noqa: ARG001  # an entry maker
    return (Entry("Merge", {"op": "subtract" if layer.subtract else "add"}, {"result": layer.format}),)


def _multiply(layer: QuantisedMultiply, quantised: QuantisedModel) -> Entries:  # noqa: ARG001  # an entry maker
    return (Entry("Merge", {"op": "multiply"}, {"result": layer.format}),)


def _max_pool(layer: QuantisedMaxPool, quantised: QuantisedModel) -> Entries:
    source, windows = quantised.by_name[layer.source].shape, layer.windows
    padded = max(*windows.before, *windows.after) > 0
    if not _is_plain(windows) or (padded and layer.format.low != -1 << (layer.format.width - 1)):
        return _pass_through(layer, quantised)  # stock hls4ml pads with the sign bit, which others take for half way
    axes = len(windows.kernel)
    geometry = _geometry(windows, "pool", source, layer.shape)
    if axes == 1:
        geometry |= {"n_in": geometry["in_width"], "n_out": geometry["out_width"]}
    attributes = {**geometry, "n_filt": source[-1]}
    return (Entry(f"MaxPooling{axes}D", attributes, {"accum": layer.format, "result": layer.format}),)


def _concat(layer: QuantisedConcat, quantised: QuantisedModel) -> Entries:
    axes = len(layer.shape)
    if len(layer.parts) != _HLS4ML_PARTS or axes > IMAGE_AXES + 1:
        return _pass_through(layer, quantised)
    return (Entry("Concatenate", {"op": f"concatenate{axes}d", "axis": -1}, {"result": layer.format}),)


_HLS4ML_PARTS = 2


def _reshape(layer: QuantisedReshape, quantised: QuantisedModel) -> Entries:
    if layer.name in quantised.outputs:  # hls4ml makes what a reshape reads the output, and refuses to do so twice
        return _pass_through(layer, quantised)
    return (_reshaped(layer),)


def _reshaped(layer: QuantisedReshape | QuantisedGather) -> Entry:
    return Entry(RESHAPE, {"target_shape": list(layer.shape)}, {"result": layer.format})


def _gather(layer: QuantisedGather, quantised: QuantisedModel) -> Entries:
    """Return a Transpose where that is all, and a reshape after it where the axes are then joined or split."""
    source = quantised.by_name[layer.source]
    axes = _permutation(layer, source.shape)
    removed = isinstance(source, QuantisedInput) and source.shape[:1] == (1,)  # by hls4ml, with the shape wrong
    if axes is None or removed:
        return _pass_through(layer, quantised)
    transpose = Entry("Transpose", {"perm": list(axes)}, {"result": layer.format})
    if layer.shape == tuple(source.shape[axis] for axis in axes):
        return (transpose,)
    read = any(layer.name in other.sources for other in quantised.layers if not isinstance(other, QuantisedReshape))
    return (transpose, _reshaped(layer)) if read else _pass_through(layer, quantised)  # hls4ml drops a last reshape


def _permutation(layer: QuantisedGather, shape: Sequence[int]) -> tuple[int, ...] | None:
    """Return the order of the source's axes that a gather of all its elements puts them in, if it does just that."""
    if not 1 < len(shape) <= IMAGE_AXES + 1 or len(layer.index) != math.prod(shape):
        return None
    places = np.arange(len(layer.index)).reshape(shape)
    orders = permutations(range(len(shape)))
    return next((axes for axes in orders if np.array_equal(places.transpose(axes).ravel(), layer.index)), None)


EntryMaker: TypeAlias = Callable[[Any, "QuantisedModel"], Entries]

ENTRIES: Mapping[type, EntryMaker] = {
    QuantisedInput: _input,
    QuantisedConstant: _pass_through,
    QuantisedLinear: _linear,
    QuantisedConv: _conv,
    QuantisedAffine: _affine,
    QuantisedClip: _clip,
    QuantisedFunction: _pass_through,
    QuantisedAdd: _add,
    QuantisedMultiply: _multiply,
    QuantisedMatMul: _pass_through,
    QuantisedMaxPool: _max_pool,
    QuantisedMaximum: _pass_through,
    QuantisedArgMax: _pass_through,
    QuantisedReshape: _reshape,
    QuantisedGather: _gather,
    QuantisedConcat: _concat,
    QuantisedScan: _pass_through,
}
"""One maker for each kind of layer; it makes no entry of one that changes nothing, two where hls4ml needs as many."""


def _bias_format(bias: IntArray, accumulator: Fixed) -> Fixed:
    return accumulator.with_range(*bounds(bias))

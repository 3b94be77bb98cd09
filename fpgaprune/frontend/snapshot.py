"""From hls4ml's ModelGraph, after its ``vitis:ip`` flow, to a Graph: integers, exact sums, zeros gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from fpgaprune.errors import UnsupportedError, suggest
from fpgaprune.frontend import element_readers, window_readers
from fpgaprune.frontend.custom_layers import FPGAPRUNE, RESHAPE
from fpgaprune.frontend.element_readers import AS_A_MODULE
from fpgaprune.frontend.reading import Node, Reading
from fpgaprune.frontend.record_ops import append_record
from fpgaprune.ir import Graph, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def snapshot(model_graph: Any, titles: Mapping[str, str] | None = None) -> Graph:  # noqa: ANN401  # hls4ml has no types
    """Return a ModelGraph as a Graph whose tensors have the names of hls4ml's.

    Whatever hls4ml's accumulator type is, sums are exact and rounded once, to the layer's result type. ``titles``
    maps hls4ml's names, and those of tensors in loops, to those that users know their layers by.

    Raises:
        UnsupportedError: a layer, an activation or a type that has no exact counterpart.
    """
    nodes = list(model_graph.get_layers())
    reading = Reading(titles or {}, {name for node in nodes for name in node.outputs})
    for node in nodes:
        _read(reading, node)
    outputs = dict.fromkeys(reading.tensor(name).name for name in model_graph.outputs)
    return Graph(tuple(reading.builder.ops), tuple(outputs))


def _read(reading: Reading, node: Node) -> None:
    kind = node.class_name
    if kind in COPIES:
        reading.finish(node, reading.source(node))
        return
    if kind not in READERS:
        remedy = REMEDIES.get(kind, AS_A_MODULE)
        msg = f"{node.name}: hls4ml's layer {kind} is not supported{suggest(kind, READERS)}; {remedy}"
        raise UnsupportedError(msg)
    result = reading.result(node)
    READERS[kind](reading, node, result)
    reading.finish(node, result)


def _read_record(reading: Reading, node: Node, result: Tensor) -> None:
    record = node.get_attr("record")
    append_record(reading.builder, record, result, reading.sources(node) if record.sources else [])


Reader: TypeAlias = "Callable[[Reading, Node, Tensor], None]"

READERS: Mapping[str, Reader] = {
    "Input": element_readers.read_input,
    "Constant": element_readers.read_constant,
    "Dense": element_readers.read_dense,
    "BatchNormalization": element_readers.read_batch_norm,
    "ApplyAlpha": element_readers.read_batch_norm,
    "Activation": element_readers.read_activation,
    "ParametrizedActivation": element_readers.read_parametrised,
    "PReLU": element_readers.read_prelu,
    "Merge": element_readers.read_merge,
    "Concatenate": element_readers.read_concatenate,
    "Reshape": element_readers.read_reshape,
    "Repack": element_readers.read_reshape,
    RESHAPE: element_readers.read_reshape,
    "Transpose": element_readers.read_transpose,
    "Conv1D": window_readers.read_conv,
    "Conv2D": window_readers.read_conv,
    "Conv2DBatchnorm": window_readers.read_conv,
    "PointwiseConv1D": window_readers.read_conv,
    "PointwiseConv2D": window_readers.read_conv,
    "DepthwiseConv1D": window_readers.read_depthwise,
    "DepthwiseConv2D": window_readers.read_depthwise,
    "Pooling1D": window_readers.read_pooling,
    "Pooling2D": window_readers.read_pooling,
    "GlobalPooling1D": window_readers.read_global_pooling,
    "GlobalPooling2D": window_readers.read_global_pooling,
    "ZeroPadding1D": window_readers.read_padding,
    "ZeroPadding2D": window_readers.read_padding,
    "Cropping1D": window_readers.read_cropping,
    "Cropping2D": window_readers.read_cropping,
    "Resize": window_readers.read_resize,
    FPGAPRUNE: _read_record,
}
"""One reader for each of hls4ml's layer classes."""

COPIES = ("Clone",)
"""Layers that only copy a stream."""

REMEDIES: Mapping[str, str] = {
    "Softmax": "leave it out and compare the logits, or " + AS_A_MODULE,
    "SeparableConv1D": "let hls4ml's flow split it (separable_to_depthwise_and_conv)",
    "SeparableConv2D": "let hls4ml's flow split it (separable_to_depthwise_and_conv)",
    "DACombinational": "build the ModelGraph with the strategy 'Latency'",
}
"""What to do about a layer that has no reader, where there is more to say than of all."""

"""The whole way from a quantised model to a checked graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fpgaprune.frontend.building import every_tensor, unused
from fpgaprune.frontend.check import check
from fpgaprune.frontend.layer_list import LayerList, layer_list, model_graph
from fpgaprune.frontend.snapshot import snapshot
from fpgaprune.intervals import verify
from fpgaprune.ir import Graph, Reshape, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.capture.records import FloatArray
    from fpgaprune.quantise.model import QuantisedModel
    from fpgaprune.several import OneOrMore


@dataclass(frozen=True)
class Converted:
    """A graph that computes exactly what the quantised model does, and the hls4ml ModelGraph that it came from.

    ``names`` maps the model's layers, those in loops included, to tensors of the graph and of its loops.
    """

    graph: Graph
    model_graph: Any
    names: Mapping[str, str]


def convert(quantised: QuantisedModel, part: str, clock_ns: float, samples: OneOrMore[FloatArray]) -> Converted:
    """Return the graph of ``quantised``, checked on real inputs as users order them, for a device and a clock.

    Its inputs and outputs are those of the model, in their order; samples of several inputs are a tuple.

    Raises:
        MismatchError: the graph computes something else; the message names the first layer that differs.
        UnsupportedError: a layer or a type that has no exact counterpart.
        InputError: the samples do not fit the model.
    """
    layers = layer_list(quantised)
    hls = model_graph(layers, part, clock_ns)
    titles = {layers.names[name]: name for name in reversed(list(layers.names))}  # the first of several names
    graph = _with_outputs(snapshot(hls, titles), quantised, layers)
    verify(graph)
    check(quantised, graph, samples, layers.names)
    return Converted(graph, hls, layers.names)


def _with_outputs(graph: Graph, quantised: QuantisedModel, layers: LayerList) -> Graph:
    """Return the graph with an output for each of the model's.

    A Reshape makes it where hls4ml leaves out the last reshape, where it is an input, or where it is an output already.
    """
    ops, outputs = [*graph.ops], list[str]()
    used = {op.output.name for op in graph.inputs}
    taken = {tensor.name for tensor in every_tensor(graph)}
    for name in quantised.outputs:
        source, shape = graph.tensors[layers.names[name]], quantised.by_name[name].shape
        output = source
        if source.shape != shape or source.name in used:
            output = Tensor(unused(f"{source.name}_out", taken), shape, source.format)
            ops.append(Reshape(output, source.name))
        used.add(output.name)
        taken.add(output.name)
        outputs.append(output.name)
    return Graph(tuple(ops), tuple(outputs))

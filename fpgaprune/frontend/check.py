"""The quantised model in float64 against the graph in integers, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.errors import InputError, MismatchError
from fpgaprune.evaluate import trace
from fpgaprune.fixed import as_mantissas
from fpgaprune.frontend.building import every_tensor
from fpgaprune.quantise.layers import QuantisedScan
from fpgaprune.several import OneOrMore, as_tuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.capture.records import FloatArray
    from fpgaprune.fixed import Fixed, IntArray
    from fpgaprune.ir import Graph
    from fpgaprune.quantise.layers import QuantisedLayer
    from fpgaprune.quantise.model import QuantisedModel


def check(
    quantised: QuantisedModel, graph: Graph, samples: OneOrMore[FloatArray], names: Mapping[str, str] | None = None
) -> None:
    """Refuse a graph that does not compute, for real inputs as users order them, what the quantised model does.

    Every layer and every output is compared, at every step of a loop too, for equality of integers. ``names`` maps
    layers to tensors of the graph, by default to those of the same name.

    Raises:
        MismatchError: two executors differ; the message names the first layer that does, the neuron and both values.
        InputError: the samples have another number or shape, are not finite, or there is none.
    """
    if not len(as_tuple(samples)[0]):
        msg = "a graph must be checked on at least one sample, not on none"
        raise InputError(msg)
    wanted = quantised.mantissas(samples)
    got = trace(graph, *as_tuple(quantised.quantise_input(samples)))
    tensors = {tensor.name: tensor for tensor in every_tensor(graph)}
    for layer in _in_order(quantised):
        tensor = tensors.get((names or {}).get(layer.name, layer.name))
        if tensor is None:
            msg = f"{layer.name}: the graph has no tensor for this layer"
            raise MismatchError(msg)
        _check_format(layer.name, layer.format, tensor.format)
        _check_values(layer.name, layer.format, wanted[layer.name], got[tensor.name])
    if len(graph.outputs) != len(quantised.outputs):
        msg = f"the quantised model has {len(quantised.outputs)} outputs, the graph {len(graph.outputs)}"
        raise MismatchError(msg)
    for name, output in zip(quantised.outputs, graph.outputs, strict=True):
        _check_format(name, quantised.formats[name], graph.tensors[output].format)
        _check_values(name, quantised.formats[name], wanted[name], got[output])


def _in_order(quantised: QuantisedModel) -> list[QuantisedLayer]:
    """Return all layers in the order of blame: a state only hands on what a layer made in the step before."""
    layers = list(quantised.by_name.values())
    states = {name for layer in layers if isinstance(layer, QuantisedScan) for name in layer.state_names}
    return sorted(layers, key=lambda layer: layer.name in states)


def _check_format(name: str, wanted: Fixed, got: Fixed) -> None:
    if wanted != got:
        msg = f"{name}: the quantised model has the format {wanted}, the graph {got}"
        raise MismatchError(msg)


def _check_values(name: str, to: Fixed, wanted: IntArray, got: IntArray) -> None:
    left, right = (as_mantissas(values).reshape(len(values), -1) for values in (wanted, got))
    if left.shape != right.shape:
        msg = f"{name}: the quantised model has {left.shape[1]} elements, the graph {right.shape[1]}"
        raise MismatchError(msg)
    differing = np.argwhere(left != right)
    if len(differing):
        sample, neuron = (int(place) for place in differing[0])
        values = (int(side[sample, neuron]) for side in (left, right))
        real = [f"{value} ({value * to.step:g})" for value in values]
        msg = f"{name}: neuron {neuron} of sample {sample} is {real[0]} in torch, but {real[1]} in the graph"
        raise MismatchError(msg)

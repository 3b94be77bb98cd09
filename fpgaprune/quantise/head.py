"""Classifiers cut or extended to give out logits, the class, or probabilities."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fpgaprune.capture.origin import Names
from fpgaprune.capture.records import FunctionKind
from fpgaprune.errors import InputError
from fpgaprune.fixed import Fixed
from fpgaprune.heads import Head
from fpgaprune.quantise.layers import (
    QuantisedAdd,
    QuantisedArgMax,
    QuantisedClip,
    QuantisedFunction,
    QuantisedGather,
    QuantisedMaximum,
    QuantisedMultiply,
)

if TYPE_CHECKING:
    from fpgaprune.quantise.layers import QuantisedLayer
    from fpgaprune.quantise.model import QuantisedModel


def with_head(model: QuantisedModel, head: Head) -> QuantisedModel:
    """Return the model with each of its outputs as ``head`` says; the largest logit is the largest probability.

    Raises:
        InputError: ``softmax`` is asked for, but an output does not end in one.
    """
    if head is Head.SOFTMAX:
        for name in model.outputs:
            if logits(model, name) is None:
                msg = (
                    f"{name}: the model does not end in a softmax; add nn.Softmax, or choose the head logits or argmax"
                )
                raise InputError(msg)
        return model
    outputs = tuple(logits(model, name) or name for name in model.outputs)
    layers = _needed(model, outputs)
    if head is Head.ARGMAX:
        names = Names.beside(model.by_name)
        largest = tuple(_argmax(model, name, names) for name in outputs)
        layers, outputs = (*layers, *largest), tuple(layer.name for layer in largest)
    if outputs == model.outputs:
        return model
    return replace(model, layers=layers, outputs=outputs)


def logits(model: QuantisedModel, name: str) -> str | None:
    """Return the layer whose softmax, or logarithm of a softmax, the layer ``name`` is; None where it is neither."""
    match model.by_name[name]:
        case QuantisedMultiply(left=exponentials, right=inverses):
            shifted = _looked_up(model, exponentials, FunctionKind.EXP)
            scaled = _spread(model, inverses, FunctionKind.RECIPROCAL)
        case QuantisedAdd(left=left, right=logarithms, subtract=True):
            shifted, scaled = left, _spread(model, logarithms, FunctionKind.LOG)
        case _:
            return None
    return _without_largest(model, shifted) if scaled and shifted is not None else None


def _looked_up(model: QuantisedModel, name: str, kind: FunctionKind) -> str | None:
    """Return what a table of this kind reads, before the clip that narrows it."""
    layer = model.by_name[name]
    if not isinstance(layer, QuantisedFunction) or layer.kind is not kind:
        return None
    index = model.by_name[layer.source]
    return index.source if isinstance(index, QuantisedClip) else None


def _spread(model: QuantisedModel, name: str, kind: FunctionKind) -> bool:
    """Whether a layer is one number of a table of this kind, given to every class."""
    layer = model.by_name[name]
    return isinstance(layer, QuantisedGather) and _looked_up(model, layer.source, kind) is not None


def _without_largest(model: QuantisedModel, name: str) -> str | None:
    """Return the layer from which its own largest element was subtracted."""
    layer = model.by_name[name]
    if not isinstance(layer, QuantisedAdd) or not layer.subtract:
        return None
    spread = model.by_name[layer.right]
    largest = model.by_name[spread.source] if isinstance(spread, QuantisedGather) else None
    subtracted = isinstance(largest, QuantisedMaximum) and largest.source == layer.left
    return layer.left if subtracted else None


def _needed(model: QuantisedModel, outputs: tuple[str, ...]) -> tuple[QuantisedLayer, ...]:
    """Return the layers that the outputs depend on, and every input."""
    wanted = {*outputs, *(layer.name for layer in model.inputs)}
    for layer in reversed(model.layers):
        if layer.name in wanted:
            wanted.update(layer.sources)
    return tuple(layer for layer in model.layers if layer.name in wanted)


def _argmax(model: QuantisedModel, name: str, names: Names) -> QuantisedArgMax:
    layer = model.by_name[name]
    classes = layer.shape[-1] if layer.shape else 1
    index = Fixed(False, max(1, (classes - 1).bit_length()), 0)
    return QuantisedArgMax(names.take(f"{name}.argmax"), name, (*layer.shape[:-1], 1), index)

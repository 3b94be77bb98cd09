"""The value that quantisation returns: integer layers, and the float64 network that computes exactly the same."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np
import torch
from torch import Tensor

from fpgaprune.capture.network import Network, only
from fpgaprune.errors import GraphError, InputError
from fpgaprune.fixed import Fixed, IntArray, from_float
from fpgaprune.quantise.functions import Table
from fpgaprune.quantise.layers import (
    QuantisedAffine,
    QuantisedConv,
    QuantisedFunction,
    QuantisedInput,
    QuantisedLayer,
    QuantisedLinear,
    QuantisedScan,
)
from fpgaprune.quantise.nested import every_layer
from fpgaprune.quantise.plan import Plan
from fpgaprune.quantise.report import QuantiseReport
from fpgaprune.quantise.steps import QuantisedNetwork
from fpgaprune.several import OneOrMore, as_tuple, one_or_more

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.capture.records import FloatArray
    from fpgaprune.quantise.recipe import QuantiseRecipe

_CHUNK = 4096
"""Samples computed at a time, at the most."""

_MOST_ELEMENTS = 1 << 26
"""Elements of all layers computed at a time, which bounds the memory of images."""


@dataclass(frozen=True)
class QuantisedModel:
    """Layers in topological order, the inputs first as the model takes them, and the layers that are its outputs.

    Equal layers, outputs, recipe and report make equal models. Wherever inputs are taken or outputs returned, one is
    an array, and several are a tuple of arrays in their order.

    Raises:
        GraphError: a layer reads a later one, shapes do not fit, a state changes its format, or a table does not
            cover the word that it reads.
    """

    layers: tuple[QuantisedLayer, ...]
    outputs: tuple[str, ...]
    recipe: QuantiseRecipe | None = None
    report: QuantiseReport = field(default_factory=QuantiseReport)

    def __post_init__(self) -> None:
        _ = self.network  # its constructor checks names and shapes
        for layer in self.by_name.values():
            _check(layer, self.formats)

    @cached_property
    def network(self) -> Network:
        """The same layers with real weights, each exactly on its grid."""
        return Network(tuple(layer.real() for layer in self.layers), self.outputs)

    @cached_property
    def by_name(self) -> Mapping[str, QuantisedLayer]:
        """Each layer by its name, those inside of loops too."""
        return {layer.name: layer for layer in every_layer(self.layers)}

    @cached_property
    def inputs(self) -> tuple[QuantisedInput, ...]:
        """The inputs in their order."""
        return tuple(layer for layer in self.layers if isinstance(layer, QuantisedInput))

    @property
    def input(self) -> QuantisedInput:
        """The only input.

        Raises:
            GraphError: there are several.
        """
        return only("input", self.inputs)

    @property
    def output(self) -> str:
        """The layer that is the only output.

        Raises:
            GraphError: there are several.
        """
        return only("output", self.outputs)

    @property
    def formats(self) -> dict[str, Fixed]:
        """The format of each layer's result by the layer's name."""
        return {name: layer.format for name, layer in self.by_name.items()}

    @cached_property
    def module(self) -> QuantisedNetwork:
        """The network in float64, in evaluation mode; it computes what integers would, exactly."""
        layers = tuple(self.by_name.values())
        plan = Plan(_requantised(layers), _weight_formats(layers), _scale_formats(layers), tables=_tables(layers))
        return QuantisedNetwork(self.network, plan).double().eval()

    def forward(self, x: OneOrMore[FloatArray]) -> OneOrMore[FloatArray]:
        """Return the output (samples, *output shape) for real inputs (samples, …) in the user's order of axes.

        Raises:
            InputError: the inputs have another number or shape, or are not finite.
        """
        with torch.no_grad():
            parts = [as_tuple(self.module(*part)) for part in self._chunks(x)]
        return one_or_more(np.concatenate([part.numpy() for part in column]) for column in zip(*parts, strict=True))

    def trace(self, x: OneOrMore[FloatArray]) -> dict[str, FloatArray]:
        """Return the result of every layer by its name (samples, *shape), as real numbers.

        Those inside of loops are (samples, steps, *shape). Inputs are as in ``forward``.

        Raises:
            InputError: the inputs have another number or shape, or are not finite.
        """
        with torch.no_grad():
            parts = [self.module.trace(*part) for part in self._chunks(x)]
        return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}

    def mantissas(self, x: OneOrMore[FloatArray]) -> dict[str, IntArray]:
        """Return what ``trace`` does, as mantissas of each layer's format.

        Raises:
            InputError: the inputs have another number or shape, or are not finite.
        """
        formats = self.formats
        return {name: _whole(values, formats[name]) for name, values in self.trace(x).items()}

    @overload
    def quantise_input(self, x: FloatArray) -> IntArray: ...

    @overload
    def quantise_input(self, x: tuple[FloatArray, ...]) -> tuple[IntArray, ...]: ...

    def quantise_input(self, x: OneOrMore[FloatArray]) -> OneOrMore[IntArray]:
        """Return real inputs, as in ``forward``, as mantissas (samples, *shape of the input layer), channels last.

        Raises:
            InputError: the inputs have another number or shape, or are not finite.
        """
        found = tuple(map(_quantised, self.inputs, self._checked(x)))
        return found if isinstance(x, tuple) else found[0]

    def _chunks(self, x: OneOrMore[FloatArray]) -> list[tuple[Tensor, ...]]:
        inputs = [torch.from_numpy(values) for values in self._checked(x)]
        size = max(1, min(_CHUNK, _MOST_ELEMENTS // max(sum(math.prod(layer.shape) for layer in self.layers), 1)))
        starts = range(0, max(len(inputs[0]), 1), size)
        return [tuple(values[start : start + size] for values in inputs) for start in starts]

    def _checked(self, x: OneOrMore[FloatArray]) -> list[FloatArray]:
        given = as_tuple(x)
        if len(given) != len(self.inputs):
            names = ", ".join(layer.name for layer in self.inputs)
            msg = f"the model has {len(self.inputs)} inputs ({names}), not {len(given)}; several are given as a tuple"
            raise InputError(msg)
        arrays = [_checked(layer, values) for layer, values in zip(self.inputs, given, strict=True)]
        for layer, values in zip(self.inputs, arrays, strict=True):
            if len(values) != len(arrays[0]):
                msg = (
                    f"{layer.name}: {len(values)} samples, but {len(arrays[0])} of {self.inputs[0].name}; give as many"
                )
                raise InputError(msg)
        return arrays


def _checked(layer: QuantisedInput, x: FloatArray) -> FloatArray:
    values = np.array(x, dtype=np.float64)  # torch wants an array that it could write to
    shape = _user_shape(layer)
    if values.ndim == 0 or values.shape[1:] != shape:
        wanted = ", ".join(["samples", *map(str, shape)])
        msg = f"{layer.name}: the input must have the shape ({wanted}), not {values.shape}"
        raise InputError(msg)
    if not np.isfinite(values).all():
        msg = f"{layer.name}: the input must be finite; remove or replace samples with NaN or infinity"
        raise InputError(msg)
    return values


def _quantised(layer: QuantisedInput, values: FloatArray) -> IntArray:
    axes = [axis + 1 for axis in layer.axes] or range(1, values.ndim)
    return from_float(np.ascontiguousarray(values.transpose(0, *axes)), layer.format)


def _user_shape(layer: QuantisedInput) -> tuple[int, ...]:
    """Return the shape of the user's tensor, the batch not counted."""
    if not layer.axes:
        return layer.shape
    return tuple(layer.shape[layer.axes.index(axis)] for axis in range(len(layer.shape)))


def _check(layer: QuantisedLayer, formats: Mapping[str, Fixed]) -> None:
    """Refuse a state that comes back in another format, and a table of another length than its word."""
    if isinstance(layer, QuantisedScan):
        for before, after in zip(layer.state_names, layer.new_states, strict=True):
            if formats[before] != formats[after]:
                msg = f"{layer.name}: the state {before!r} has the format {formats[before]}, {after!r} {formats[after]}"
                raise GraphError(msg)
    if isinstance(layer, QuantisedFunction):
        word = formats[layer.source]
        if layer.low != word.low or len(layer.values) != word.high - word.low + 1:
            msg = (
                f"{layer.name}: the table must reach from {word.low} to {word.high}, the word of {layer.source!r}, not"
                f" from {layer.low} to {layer.low + len(layer.values) - 1}"
            )
            raise GraphError(msg)


def _whole(values: FloatArray, to: Fixed) -> IntArray:
    return np.ldexp(values, to.fraction).astype(np.int64)


def _requantised(layers: tuple[QuantisedLayer, ...]) -> dict[str, Fixed]:
    """Return layer → format, for each layer whose result is rounded."""
    return {layer.name: layer.format for layer in layers if layer.requantises}


def _weight_formats(layers: tuple[QuantisedLayer, ...]) -> dict[str, Fixed]:
    weighted = (layer for layer in layers if isinstance(layer, (QuantisedLinear, QuantisedConv)))
    return {layer.name: layer.weight_format for layer in weighted}


def _scale_formats(layers: tuple[QuantisedLayer, ...]) -> dict[str, tuple[Fixed, ...]]:
    affine = (layer for layer in layers if isinstance(layer, QuantisedAffine))
    return {layer.name: (layer.scale_format,) * len(layer.scale) for layer in affine}


def _tables(layers: tuple[QuantisedLayer, ...]) -> dict[str, Table]:
    return {layer.name: Table(layer.values, layer.low) for layer in layers if isinstance(layer, QuantisedFunction)}

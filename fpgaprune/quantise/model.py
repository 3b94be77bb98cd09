"""The value that quantisation returns: integer layers, and the float64 network that computes exactly the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from fpgaprune.capture.network import Network
from fpgaprune.errors import InputError
from fpgaprune.fixed import Fixed, IntArray, from_float
from fpgaprune.quantise.layers import QuantisedAffine, QuantisedInput, QuantisedLayer, QuantisedLinear
from fpgaprune.quantise.plan import Plan
from fpgaprune.quantise.report import QuantiseReport
from fpgaprune.quantise.steps import QuantisedNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.capture.records import FloatArray
    from fpgaprune.quantise.recipe import QuantiseRecipe

_CHUNK = 4096
"""Samples computed at a time, which bounds the memory of wide layers."""


@dataclass(frozen=True)
class QuantisedModel:
    """Layers in topological order, the input first, and the name of the one whose result is the output.

    Equal layers, output, recipe and report make equal models.

    Raises:
        GraphError: a layer reads a later one, or shapes do not fit.
    """

    layers: tuple[QuantisedLayer, ...]
    output: str
    recipe: QuantiseRecipe | None = None
    report: QuantiseReport = field(default_factory=QuantiseReport)

    def __post_init__(self) -> None:
        _ = self.network  # its constructor checks names and shapes

    @cached_property
    def network(self) -> Network:
        """The same layers with real weights, each exactly on its grid."""
        return Network(tuple(layer.real() for layer in self.layers), self.output)

    @cached_property
    def by_name(self) -> Mapping[str, QuantisedLayer]:
        """Each layer by its name."""
        return {layer.name: layer for layer in self.layers}

    @property
    def input(self) -> QuantisedInput:
        """The input."""
        first = self.layers[0]
        assert isinstance(first, QuantisedInput)  # noqa: S101  # the network's check saw to it
        return first

    @property
    def formats(self) -> dict[str, Fixed]:
        """The format of each layer's result by the layer's name."""
        return {layer.name: layer.format for layer in self.layers}

    @cached_property
    def module(self) -> QuantisedNetwork:
        """The network in float64, in evaluation mode; it computes what integers would, exactly."""
        plan = Plan(_requantised(self.layers), _weight_formats(self.layers), _scale_formats(self.layers))
        return QuantisedNetwork(self.network, plan).double().eval()

    def forward(self, x: FloatArray) -> FloatArray:
        """Return the output (samples, *output shape) for real inputs (samples, *input shape).

        Raises:
            InputError: the inputs have another shape, or are not finite.
        """
        return self.trace(x)[self.output]

    def trace(self, x: FloatArray) -> dict[str, FloatArray]:
        """Return the result of every layer by its name (samples, *shape), as real numbers.

        Raises:
            InputError: the inputs have another shape, or are not finite.
        """
        values = self._checked(x)
        with torch.no_grad():
            parts = [self.module.trace(torch.from_numpy(part)) for part in _chunks(values)]
        return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}

    def mantissas(self, x: FloatArray) -> dict[str, IntArray]:
        """Return the result of every layer by its name (samples, *shape), as mantissas of its format.

        Raises:
            InputError: the inputs have another shape, or are not finite.
        """
        formats = self.formats
        return {name: _whole(values, formats[name]) for name, values in self.trace(x).items()}

    def quantise_input(self, x: FloatArray) -> IntArray:
        """Return real inputs (samples, *input shape) as mantissas of the input's format.

        Raises:
            InputError: the inputs have another shape, or are not finite.
        """
        return from_float(self._checked(x), self.input.format)

    def _checked(self, x: FloatArray) -> FloatArray:
        values = np.array(x, dtype=np.float64)  # torch wants an array that it could write to
        if values.ndim == 0 or values.shape[1:] != self.input.shape:
            wanted = ", ".join(["samples", *map(str, self.input.shape)])
            msg = f"{self.input.name}: the input must have the shape ({wanted}), not {values.shape}"
            raise InputError(msg)
        if not np.isfinite(values).all():
            msg = f"{self.input.name}: the input must be finite; remove or replace samples with NaN or infinity"
            raise InputError(msg)
        return values


def _chunks(values: FloatArray) -> list[FloatArray]:
    return [values[start : start + _CHUNK] for start in range(0, max(len(values), 1), _CHUNK)]


def _whole(values: FloatArray, to: Fixed) -> IntArray:
    return np.ldexp(values, to.fraction).astype(np.int64)


def _requantised(layers: tuple[QuantisedLayer, ...]) -> dict[str, Fixed]:
    """Return layer → format, for each layer whose result is rounded."""
    return {layer.name: layer.format for layer in layers if layer.requantises}


def _weight_formats(layers: tuple[QuantisedLayer, ...]) -> dict[str, Fixed]:
    return {layer.name: layer.weight_format for layer in layers if isinstance(layer, QuantisedLinear)}


def _scale_formats(layers: tuple[QuantisedLayer, ...]) -> dict[str, tuple[Fixed, ...]]:
    affine = (layer for layer in layers if isinstance(layer, QuantisedAffine))
    return {layer.name: (layer.scale_format,) * len(layer.scale) for layer in affine}

"""Where a network is quantised and to which formats: accumulate exactly, requantise once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fpgaprune.capture.records import Add, Affine, Clip, FloatArray, InputLayer, Linear, Reshape
from fpgaprune.errors import InputError, suggest
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.quantise.calibrate import Choice, choose, describe
from fpgaprune.quantise.recipe import Calibration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.capture.network import Network
    from fpgaprune.quantise.recipe import QuantiseRecipe

SUMS = (Linear, Affine, Add)
"""Layers whose result is an exact sum, wider than what goes into it."""

_SPREAD = 16
"""Bits by which the step of a channel's scale may be finer than the coarsest; it bounds the width of the sums."""


@dataclass(frozen=True)
class Plan:
    """The formats of a network, by layer: of its requantised result, its weights, the scale of each of its channels.

    A layer without an entry in ``results`` keeps the exact values, at the fraction that they come with.
    """

    results: Mapping[str, Fixed] = field(default_factory=dict)
    weights: Mapping[str, Fixed] = field(default_factory=dict)
    scales: Mapping[str, tuple[Fixed, ...]] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()

    def sum_fraction(self, network: Network, name: str) -> int:
        """Return the fraction bits of a layer's exact result, before it is requantised."""
        incoming = [self.fraction(network, source) for source in network.by_name[name].sources]
        return max(incoming, default=0) + self._own_fraction(name)

    def fraction(self, network: Network, name: str) -> int:
        """Return the fraction bits of a layer's result."""
        return self.results[name].fraction if name in self.results else self.sum_fraction(network, name)

    def _own_fraction(self, name: str) -> int:
        if name in self.weights:
            return self.weights[name].fraction
        return max((channel.fraction for channel in self.scales.get(name, ())), default=0)


def make_plan(network: Network, traces: Mapping[str, FloatArray], recipe: QuantiseRecipe) -> Plan:
    """Return the formats that suit the weights, and the results in ``traces`` (layer → (samples, *shape)).

    Raises:
        InputError: the recipe has widths for a layer that does not exist or has nothing to set.
    """
    widths = result_bits(network, recipe)
    _check_layers(network, recipe, widths)
    weights = [_weight_choice(layer, recipe) for layer in network.layers if isinstance(layer, Linear)]
    results = [_result_choice(name, traces[name], width, recipe) for name, width in widths.items()]
    return Plan(
        {choice.layer: choice.format for choice in results},
        {choice.layer: choice.format for choice in weights},
        {layer.name: _scale_formats(layer, recipe) for layer in network.layers if isinstance(layer, Affine)},
        (*weights, *results),
    )


def result_bits(network: Network, recipe: QuantiseRecipe) -> dict[str, int]:
    """Return layer → width of its requantised result, for each layer that is requantised.

    That is the input; each sum, unless a Clip alone reads it; that Clip in its place. The last of them makes the
    output, which has the width of ``output_bits`` or stays exact.
    """
    last = output_layer(network)
    widths: dict[str, int] = {}
    for layer in network.layers:
        own = recipe.layers[layer.name].activation_bits if layer.name in recipe.layers else None
        if isinstance(layer, InputLayer):
            widths[layer.name] = own or recipe.input_bits
        elif layer.name == last and (own or recipe.output_bits):
            widths[layer.name] = own or recipe.output_bits or 0
        elif layer.name != last and _requantises(network, layer.name):
            widths[layer.name] = own or recipe.activation_bits
    return widths


def output_layer(network: Network) -> str:
    """Return the layer that makes the output; reshapes after it only rename its elements."""
    name = network.output
    while isinstance(layer := network.by_name[name], Reshape):
        name = layer.source
    return name


def _requantises(network: Network, name: str) -> bool:
    layer = network.by_name[name]
    if isinstance(layer, Clip):
        source = network.by_name[layer.source]
        return isinstance(source, SUMS) and network.only_consumer(source.name) is layer
    return isinstance(layer, SUMS) and not isinstance(network.only_consumer(name), Clip)


def _weight_choice(layer: Linear, recipe: QuantiseRecipe) -> Choice:
    kept = layer.weight[layer.weight != 0]  # zeros are exact in every format and would drown the percentile
    empty = Fixed(True, recipe.weight_bits_of(layer.name), 0, Rounding.RND_CONV, Overflow.SAT)
    return describe(layer.name, "weight", kept, choose(kept, empty, recipe.calibration, recipe.percentile))


def _scale_formats(layer: Affine, recipe: QuantiseRecipe) -> tuple[Fixed, ...]:
    """Return a format for each channel: scales differ by orders of magnitude, and one format would zero the small."""
    empty = Fixed(True, recipe.weight_bits_of(layer.name), 0, Rounding.RND_CONV, Overflow.SAT)
    chosen = [choose(scale, empty, Calibration.MINMAX, recipe.percentile) for scale in layer.scale.reshape(-1, 1)]
    used = [to.fraction for to, scale in zip(chosen, layer.scale, strict=True) if scale != 0]
    finest = min(used, default=0) + _SPREAD
    return tuple(replace(to, fraction=min(to.fraction, finest)) for to in chosen)


def _result_choice(name: str, values: FloatArray, width: int, recipe: QuantiseRecipe) -> Choice:
    signed = bool((values < 0).any())
    empty = Fixed(signed, width, 0, recipe.rounding, recipe.overflow)
    return describe(name, "result", values, choose(values, empty, recipe.calibration, recipe.percentile))


def _check_layers(network: Network, recipe: QuantiseRecipe, widths: Mapping[str, int]) -> None:
    for name, own in recipe.layers.items():
        if name not in network.by_name:
            msg = f"the recipe has widths for {name!r}, which is no layer{suggest(name, network.by_name)}"
            raise InputError(msg)
        if own.weight_bits is not None and not isinstance(network.by_name[name], (Linear, Affine)):
            msg = f"layers.{name}.weight_bits must be left out: a {type(network.by_name[name]).__name__} has no weights"
            raise InputError(msg)
        if own.activation_bits is not None and name not in widths:
            msg = f"layers.{name}.activation_bits must be left out: {_instead(network, name)}"
            raise InputError(msg)


def _instead(network: Network, name: str) -> str:
    reader = network.only_consumer(name)
    if reader is not None and isinstance(network.by_name[name], SUMS):
        return f"its result is requantised after {reader.name!r}; set it there"
    return f"its result has the format of {network.by_name[name].sources[0]!r}; set it there"

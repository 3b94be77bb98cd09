"""Where a network is quantised and to which formats: accumulate exactly, requantise once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.capture.records import (
    Affine,
    ArgMax,
    Clip,
    Concat,
    ConstantLayer,
    Conv,
    FloatArray,
    Function,
    Linear,
    MatMul,
    Multiply,
    Scan,
)
from fpgaprune.errors import InputError, UnsupportedError, suggest
from fpgaprune.fixed import Fixed, Overflow, Rounding, bounds, from_float
from fpgaprune.quantise.calibrate import Choice, choose, choose_for_table, describe
from fpgaprune.quantise.functions import Table, tabulated
from fpgaprune.quantise.places import SUMS, given_formats, initial_values, origin, result_bits, table_readers
from fpgaprune.quantise.recipe import MOST_BITS, Calibration, LayerBits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.capture.network import Network
    from fpgaprune.quantise.recipe import QuantiseRecipe

FACTOR_BITS = 12
"""The least width of weights that are part of an operation: rounding the 1/n of a mean would bias all its results."""

_SPREAD = 16
"""Bits by which the step of a channel's scale may be finer than the coarsest; it bounds the width of the sums."""


@dataclass(frozen=True)
class Plan:
    """The formats of a network, by layer: of its requantised result, its weights, the scale of each of its channels.

    A layer without an entry in ``results`` keeps the exact values, at the fraction that they come with. ``tables``
    holds the tables of functions, where they are known already.
    """

    results: Mapping[str, Fixed] = field(default_factory=dict)
    weights: Mapping[str, Fixed] = field(default_factory=dict)
    scales: Mapping[str, tuple[Fixed, ...]] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)

    def sum_fraction(self, network: Network, name: str) -> int:
        """Return the fraction bits of a layer's exact result, before it is requantised."""
        layer = network.by_name[name]
        incoming = [self.fraction(network, source) for source in layer.sources]
        match layer:
            case Linear() | Conv():
                return incoming[0] + self.weights[name].fraction
            case Affine():
                return incoming[0] + max(channel.fraction for channel in self.scales[name])
            case Multiply() | MatMul():
                return sum(incoming)
            case ArgMax():
                return 0
            case _:
                return max(incoming, default=0)

    def fraction(self, network: Network, name: str) -> int:
        """Return the fraction bits of a layer's result."""
        maker = name if name in self.results else origin(network, name)
        return self.results[maker].fraction if maker in self.results else self.sum_fraction(network, maker)

    def word(self, network: Network, name: str) -> Fixed:
        """Return the format of a layer's result, where that is requantised or passed on from such a one."""
        return self.results[name] if name in self.results else self.results[origin(network, name)]

    def table(self, network: Network, layer: Function) -> Table:
        """Return the table of a function, for the whole word that it reads."""
        known = self.tables.get(layer.name)
        return known or tabulated(layer, self.word(network, layer.source), self.results[layer.name])


def make_plan(network: Network, traces: Mapping[str, FloatArray], recipe: QuantiseRecipe) -> Plan:
    """Return the formats that suit the weights, and the results in ``traces`` (layer → (samples, *shape)).

    Raises:
        InputError: the recipe has widths for a layer that does not exist or has nothing to set.
        UnsupportedError: a state or what a function reads has no format of its own.
    """
    widths = result_bits(network, recipe)
    refuse_unfit_layers(network, recipe)
    _check_words(network, widths)
    weights = [_weight_choice(layer, recipe) for layer in network.every_layer if isinstance(layer, (Linear, Conv))]
    results = _result_choices(network, traces, widths, recipe)
    return Plan(
        {choice.layer: choice.format for choice in results},
        {choice.layer: choice.format for choice in weights},
        {layer.name: _scale_formats(layer, recipe) for layer in network.every_layer if isinstance(layer, Affine)},
        (*weights, *results),
    )


def _weight_choice(layer: Linear | Conv, recipe: QuantiseRecipe) -> Choice:
    kept = layer.weight[layer.weight != 0]  # zeros are exact in every format and would drown the percentile
    if layer.trainable and recipe.exact_weights and recipe.layers.get(layer.name, LayerBits()).weight_bits is None:
        chosen = _own_grid(layer, kept)
    elif layer.trainable:
        chosen = choose(kept, _empty(recipe.weight_bits_of(layer.name)), recipe.calibration, recipe.percentile)
    else:
        wide = _covering(kept, _factor_bits(layer.name, recipe))
        chosen = _exact(kept, layer.bias, wide) or wide
    return describe(layer.name, "weight", kept, chosen)


def _own_grid(layer: Linear | Conv, kept: FloatArray) -> Fixed:
    """Return the coarsest format that holds the weights exactly."""
    wide = _covering(kept, MOST_BITS)
    exact = _exact(kept, np.zeros(0), wide) if kept.size else wide
    if exact is None:
        msg = (
            f"{layer.name}: exact_weights needs weights on a grid of at most {MOST_BITS} bits, which these are not"
            f" (a batch normalisation may be folded into them); leave it out, or give layers.{layer.name}.weight_bits"
        )
        raise InputError(msg)
    return exact


def _scale_formats(layer: Affine, recipe: QuantiseRecipe) -> tuple[Fixed, ...]:
    """Return a format for each channel: scales differ by orders of magnitude, and one format would zero the small."""
    width = recipe.weight_bits_of(layer.name) if layer.trainable else _factor_bits(layer.name, recipe)
    exact = None if layer.trainable else _exact(layer.scale, layer.bias, _covering(layer.scale, width))
    if exact is not None:
        return (exact,) * len(layer.scale)
    chosen = [_covering(scale, width) for scale in layer.scale.reshape(-1, 1)]
    used = [to.fraction for to, scale in zip(chosen, layer.scale, strict=True) if scale != 0]
    finest = min(used, default=0) + _SPREAD
    return tuple(replace(to, fraction=min(to.fraction, finest)) for to in chosen)


def _factor_bits(name: str, recipe: QuantiseRecipe) -> int:
    return recipe.layers.get(name, LayerBits()).weight_bits or max(recipe.weight_bits, FACTOR_BITS)


def _covering(values: FloatArray, width: int) -> Fixed:
    return choose(values, _empty(width), Calibration.MINMAX, 100)


def _empty(width: int) -> Fixed:
    return Fixed(True, width, 0, Rounding.RND_CONV, Overflow.SAT)


def _exact(factors: FloatArray, bias: FloatArray, wide: Fixed) -> Fixed | None:
    """Return the narrowest format of the factors, or None where they, or the bias on its step, would be rounded."""
    whole = from_float(factors, wide)
    if not whole.any():
        return None
    common = int(np.bitwise_or.reduce(np.abs(whole)))
    zeros = (common & -common).bit_length() - 1
    narrow = replace(wide, fraction=wide.fraction - zeros).with_range(*bounds(whole >> zeros))
    return narrow if _lossless(factors, wide.fraction) and _lossless(bias, narrow.fraction) else None


def _lossless(values: FloatArray, fraction: int) -> bool:
    scaled = np.ldexp(values, fraction)
    return np.array_equal(scaled, np.rint(scaled))


def _result_choices(
    network: Network, traces: Mapping[str, FloatArray], widths: Mapping[str, int], recipe: QuantiseRecipe
) -> list[Choice]:
    """Return the formats of all results; what a table reads is fitted to what comes out of the table."""
    readers = table_readers(network)
    values = {name: _values(network, name, traces) for name in widths}
    found = {name: _result_choice(name, values[name], widths[name], recipe) for name in widths}
    given = given_formats(network)
    found |= {name: describe(name, "result", values[name], to) for name, to in given.items()}
    for name, reader in readers.items():
        if recipe.calibration is Calibration.MSE and isinstance(network.by_name[name], Clip) and name not in given:
            empty = replace(found[name].format, fraction=0)
            to = choose_for_table(values[name], empty, reader, found[reader.name].format)
            found[name] = describe(name, "result", values[name], to)
    return list(found.values())


def _values(network: Network, name: str, traces: Mapping[str, FloatArray]) -> FloatArray:
    """Return the values that the result of a layer takes, before the first step of a loop too; infinities saturate."""
    layer = network.by_name[name]
    own = layer.values if isinstance(layer, ConstantLayer) else traces[name]
    found = np.concatenate([own.ravel(), *(values.ravel() for values in initial_values(network, name))])
    finite: FloatArray = found[np.isfinite(found)]
    return finite


def _result_choice(name: str, values: FloatArray, width: int, recipe: QuantiseRecipe) -> Choice:
    signed = bool((values < 0).any())
    empty = Fixed(signed, width, 0, recipe.rounding, recipe.overflow)
    return describe(name, "result", values, choose(values, empty, recipe.calibration, recipe.percentile))


def _check_words(network: Network, widths: Mapping[str, int]) -> None:
    """Refuse states, and what functions read, whose values no layer requantises."""
    read: dict[str, tuple[str, ...]] = {
        layer.name: (layer.source,) for layer in network.every_layer if isinstance(layer, Function)
    }
    read |= {layer.name: layer.new_states for layer in network.every_layer if isinstance(layer, Scan)}
    for name, sources in read.items():
        for source in sources:
            if origin(network, source) not in widths:
                kind = type(network.by_name[name]).__name__
                msg = f"{name}: a {kind} cannot take {source!r}, whose values are not requantised; put a Clip after it"
                raise UnsupportedError(msg)


def refuse_unfit_layers(network: Network, recipe: QuantiseRecipe) -> None:
    """Refuse widths of layers that do not exist or have nothing to set.

    Raises:
        InputError: the recipe has such.
    """
    widths = result_bits(network, recipe)
    given = given_formats(network)
    for name, own in recipe.layers.items():
        if name not in network.by_name:
            msg = f"layers.{name} names no layer{suggest(name, network.by_name)}"
            raise InputError(msg)
        if own.weight_bits is not None and not isinstance(network.by_name[name], (Linear, Conv, Affine)):
            msg = f"layers.{name}.weight_bits must be left out: a {type(network.by_name[name]).__name__} has no weights"
            raise InputError(msg)
        if own.activation_bits is not None and name in given:
            msg = f"layers.{name}.activation_bits must be left out: the model itself gives the format {given[name]}"
            raise InputError(msg)
        if own.activation_bits is not None and name not in widths:
            msg = f"layers.{name}.activation_bits must be left out: {_instead(network, name)}"
            raise InputError(msg)


def _instead(network: Network, name: str) -> str:
    layer, reader = network.by_name[name], network.only_consumer(name)
    if reader is not None and isinstance(layer, SUMS):
        return f"its result is requantised after {reader.name!r}; set it there"
    match layer:
        case ArgMax():
            return "its result is an index, as wide as the number of channels needs"
        case Concat():
            return f"its result holds all of {', '.join(map(repr, layer.parts))} exactly; set it there"
        case Clip():
            return f"its result has the format of {layer.source!r}; set it there"
        case _:
            return f"its result has the format of {origin(network, name)!r}; set it there"

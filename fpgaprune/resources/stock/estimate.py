"""Estimates what stock hls4ml would cost: terms with a physical meaning, weighed by fitted coefficients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fpgaprune.resources.stock import counts, timing
from fpgaprune.resources.stock.coefficients import Coefficients, building, form, load
from fpgaprune.resources.stock.terms import ff_terms, lut_terms
from fpgaprune.resources.stock.values import AMOUNTS, SYNTHESISED, Range, StockDesign, StockEstimate

if TYPE_CHECKING:
    from collections.abc import Mapping


def estimate_stock(design: StockDesign) -> StockEstimate:
    """Return what csynth is expected to report of a stock design and, apart, what its synthesis is expected to take."""
    known = load()
    amounts = csynth(design, known)
    spread = known.spread[form(design)]
    ranges = {name: around(amounts[name], spread[name]) for name in AMOUNTS}
    after = synthesised(design, amounts, known)
    wide = known.synthesised_spread[building(design)]
    apart = {name: around(after[name], wide[name]) for name in SYNTHESISED}
    return StockEstimate(**ranges, post_synthesis=apart, assumed=design.assumed)


def csynth(design: StockDesign, known: Coefficients) -> dict[str, float]:
    """Return the estimate of each of `AMOUNTS`, unrounded."""
    cycles = timing.cycles(design)
    return {
        "lut": _weighed(lut_terms(design), known.lut),
        "ff": _weighed(ff_terms(design), known.ff),
        "dsp": sum(counts.design_dsp(design)),
        "bram_18k": bram(design),
        "latency_cycles": cycles.latency,
        "interval_cycles": cycles.interval,
    }


def bram(design: StockDesign) -> float:
    """Return the block RAMs of 18 kbit: weights, tables, streams."""
    weights = sum(counts.weight_ram(matrix) for layer in design.layers for matrix in layer.matrices)
    return weights + counts.design_table_ram(design) + counts.fifo_ram(design)


def synthesised(design: StockDesign, amounts: Mapping[str, float], known: Coefficients) -> dict[str, float]:
    """Return what Vivado's synthesis is expected to leave of csynth's amounts."""
    shares = known.synthesised[building(design)]
    kept = synthesisable(design, amounts, known)
    return {name: kept[name] * shares[name] for name in SYNTHESISED}


def synthesisable(design: StockDesign, amounts: Mapping[str, float], known: Coefficients) -> dict[str, float]:
    """Return csynth's amounts without the multiplexers of multipliers, which synthesis finds to be few."""
    return {**amounts, "lut": amounts["lut"] - known.lut["folded_reads"] * lut_terms(design)["folded_reads"]}


def around(value: float, spread: float) -> Range:
    """Return the range of a count: as many times more or less of one more than it as ``spread`` allows."""
    factor = math.exp(spread)
    middle = max(0, round(value))
    low = math.floor((value + 1) / factor - 1)
    return Range(middle, max(0, min(low, middle)), max(middle, math.ceil((value + 1) * factor - 1)))


def _weighed(terms: Mapping[str, float], coefficients: Mapping[str, float]) -> float:
    return sum(coefficients[name] * amount for name, amount in terms.items())

"""The fitted coefficients, as `calibration/stock/fit.py` wrote them into ``coefficients.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from fpgaprune.resources.stock.values import Role, StockDesign, Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMS = ("vectors", "stream", "parallel_windows", "recurrent")
"""Forms of designs that have intervals of their own."""

BUILDINGS = ("folded", "unrolled")
"""Ways of building matrices that synthesis treats differently."""


@dataclass(frozen=True)
class Coefficients:
    """Cells for each amount of a term; of csynth, what synthesis leaves; half widths of intervals as logarithms."""

    lut: Mapping[str, float]
    ff: Mapping[str, float]
    synthesised: Mapping[str, Mapping[str, float]]
    spread: Mapping[str, Mapping[str, float]]
    synthesised_spread: Mapping[str, Mapping[str, float]]


@cache
def load() -> Coefficients:
    """Return the coefficients that are packaged."""
    text = files("fpgaprune.resources.stock").joinpath("coefficients.json").read_text(encoding="utf-8")
    return Coefficients(**json.loads(text))


def form(design: StockDesign) -> str:
    """Return the form of a design, by which intervals differ: how its layers are joined, and what is in them."""
    roles = {layer.role for layer in design.layers}
    if Role.RECURRENT in roles:
        return "recurrent"
    if design.stream:
        return "stream"
    return "parallel_windows" if Role.CONV in roles else "vectors"


def building(design: StockDesign) -> str:
    """Return how matrices are built: what is folded shrinks more in synthesis, for its multiplexers do."""
    folded = any(
        matrix.strategy is Strategy.RESOURCE and matrix.reuse > 1
        for layer in design.layers
        for matrix in layer.matrices
    )
    return "folded" if folded else "unrolled"

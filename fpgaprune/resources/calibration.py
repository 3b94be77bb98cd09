"""The estimate of kernels brought to what open synthesis counts: few coefficients, fitted in calibration/own."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from typing_extensions import assert_never

from fpgaprune.schedule import Access, Adders, Folded, Multiply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.resources.values import LayerResources
    from fpgaprune.schedule import Plan

_SCATTERED = 200
"""The count at which half of the variance of the relative error comes from parts that scatter by themselves."""

OTHERS = "others"
"""The class of kernels that are no matrices."""


@dataclass(frozen=True)
class Coefficients:
    """What open synthesis counts for each look-up table of adders, of multiplexers, each other one, each flip-flop.

    ``multipliers`` are the look-up tables beside each multiplier. Between the shares ``lut_within`` and ``ff_within``
    of an estimate lie 90 % of what was measured, where counts are large; `spread` says how much wider it is elsewhere.
    """

    adders: float
    choices: float
    multipliers: float
    lut: float
    ff: float
    lut_within: tuple[float, float]
    ff_within: tuple[float, float]


@dataclass(frozen=True)
class Physics:
    """The cost of a kernel before it is calibrated, and its look-up tables of adders, multiplexers and memories."""

    layer: LayerResources
    adders: int = 0
    choices: int = 0
    held: int = 0

    @property
    def others(self) -> int:
        """The look-up tables that are neither adders nor multiplexers, memories included."""
        return self.layer.lut - self.adders - self.choices


def class_of(plan: Plan) -> str:
    """Return the class of matrices that share coefficients."""
    match plan:
        case Multiply():
            return "multiply"
        case Adders():
            return "adders"
        case Folded(access=Access.REGISTERS):
            return "registers"
        case Folded():
            return "memories"
        case _:
            assert_never(plan)


def calibrated(physics: Physics, of: str) -> LayerResources:
    """Return the cost of a kernel by the coefficients of its class, with the 90 % intervals."""
    by, layer = coefficients()[of], physics.layer
    beside = by.multipliers * layer.multipliers
    lut = round(by.adders * physics.adders + by.choices * physics.choices + by.lut * physics.others + beside)
    ff = round(by.ff * layer.ff)
    bounds = {"lut": _around(lut, by.lut_within), "ff": _around(ff, by.ff_within)}
    return replace(layer, lut=lut, ff=ff, bounds=bounds)


def spread(count: float) -> float:
    """Return by how much the relative error of a count is larger than that of a large one.

    Errors of the parts of a kernel are independent, so that of their sum goes with the root of the count; what all
    parts have in common is the rest.
    """
    return math.sqrt(1 + _SCATTERED / max(count, 1))


def _around(count: int, shares: tuple[float, float]) -> tuple[int, int]:
    low, high = (1 + (share - 1) * spread(count) for share in shares)
    return max(0, math.floor(count * low)), math.ceil(count * high)


@cache
def coefficients() -> Mapping[str, Coefficients]:
    """Return the packaged coefficients of each class."""
    data = json.loads(files("fpgaprune.resources").joinpath("calibration.json").read_text(encoding="utf-8"))
    return {name: _read(entry) for name, entry in data["classes"].items()}


def _read(entry: Mapping[str, Any]) -> Coefficients:
    return Coefficients(
        entry["adders"],
        entry["choices"],
        entry["multipliers"],
        entry["lut"],
        entry["ff"],
        tuple(entry["lut_within"]),
        tuple(entry["ff_within"]),
    )

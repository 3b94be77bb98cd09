"""Whether pruning pays: the cost of a layer against its non-zeros, in a denser and in a sparser design."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.reasons import Found, found

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fpgaprune.report.comparison import LayerPoint, Point
    from fpgaprune.resources import Kind, LayerResources

THRESHOLD = 0.5
"""The share of the expected fall of a cost that must be there, unless the user says another."""

TOLERATED = 0.02
"""Rise of a layer's cost, as a share, that does not count as one: rounding of widths alone makes as much."""

DSP_LUT = 55
"""The look-up tables that a DSP slice counts for: the tool trades one for the other, so that either alone says little.

The figure is that of the effective bit operations of HGQ (arXiv:2405.00645), which come to about LUT + 55 DSP.
"""


class Outcome(enum.Enum):
    """What a layer of a design shows of pruning."""

    REFERENCE = "reference"  # others are judged beside it
    PAYS = "pays"
    FAILS = "does not pay"
    UNKNOWN = "not judged"


@dataclass(frozen=True)
class Finding:
    """A layer whose cost did not fall with its non-zeros between two designs, and the reasons that were found.

    Pairs are of the denser and of the sparser design: non-zeros after pruning and as built, the `cost`, what it is
    made of, and the cycles that a vector keeps the layer busy. ``allowed`` is the most that the sparser could cost at
    its interval.
    """

    layer: str
    denser: str
    sparser: str
    kind: Kind
    nonzeros: tuple[int, int]
    nonzeros_built: tuple[int, int]
    cost: tuple[int, int]
    lut: tuple[int, int]
    dsp: tuple[int, int]
    interval_cycles: tuple[int, int]
    allowed: int
    reasons: tuple[Found, ...] = ()

    def __str__(self) -> str:
        """Return one line for a person, without the reasons."""
        before, after = self.interval_cycles
        cycles = "" if before == after else f" and the interval from {wording.fall(self.interval_cycles)} cycles"
        return (
            f"{wording.layer(self.layer)}: non-zeros fell from {wording.fall(self.nonzeros)} between {self.denser} and "
            f"{self.sparser}, but the cost ({self.kind.value}; LUT + {DSP_LUT} DSP) went from {wording.fall(self.cost)}"
            f"{cycles}, where {wording.count(self.allowed)} is the most that pays: LUT {wording.fall(self.lut)}, "
            f"DSP {wording.fall(self.dsp)}"
        )

    @property
    def why(self) -> tuple[str, ...]:
        """The reasons as sentences, or that none was found."""
        return tuple(reason.says for reason in self.reasons) or (NO_REASON,)


NO_REASON = "no reason was found: none of those in docs/comparison.md applies"


@dataclass(frozen=True)
class Beside:
    """A layer of a design beside a denser one of its strategy, and the share of the expected fall that is asked."""

    denser: Point
    before: LayerPoint
    sparser: Point
    after: LayerPoint
    threshold: float


def findings(points: Sequence[Point], threshold: float) -> tuple[Finding, ...]:
    """Return the layers for which pruning did not pay, at most one finding for each design; none is the aim."""
    told: dict[tuple[str, str], Finding] = {}
    for pair in pairs(points, threshold):
        finding = _finding(pair)
        if finding is not None:
            told.setdefault((finding.layer, finding.sparser), finding)
    return tuple(told.values())


def pairs(points: Sequence[Point], threshold: float = THRESHOLD) -> Iterator[Beside]:
    """Yield each layer of each design beside the densest of its strategy, and beside the next denser one.

    Beside the densest the cost must fall by ``threshold``; beside the next denser it must not rise.
    """
    for place, sparser in enumerate(points):
        for after in sparser.layers:
            denser = [(point, layer) for point in points[:place] for layer in point.layers if _is_denser(layer, after)]
            if denser:
                yield Beside(*denser[0], sparser, after, threshold)
            if len(denser) > 1:
                yield Beside(*denser[-1], sparser, after, 0.0)


def outcomes(points: Sequence[Point], found: Sequence[Finding]) -> dict[tuple[str, str], Outcome]:
    """Return what layers show of pruning, by the names of the layer and of the design; others show nothing.

    ``found`` are the findings of all designs.
    """
    every = list(pairs(points))
    told = {(pair.before.layer, pair.denser.label): Outcome.REFERENCE for pair in every}
    told |= {(pair.after.layer, pair.sparser.label): Outcome.PAYS for pair in every}
    return told | {(each.layer, each.sparser): Outcome.FAILS for each in found}


def cost(resources: LayerResources) -> int:
    """Return what a layer costs, in look-up tables."""
    return resources.lut + DSP_LUT * resources.dsp


def allowed(before: int, left: float, intervals: tuple[int, int], threshold: float) -> int:
    """Return the most that a sparser layer may cost: ``left`` is the share of the non-zeros that it has.

    What counts is the cost times the cycles that a vector keeps it busy, so that a folded layer may pay by time.
    """
    busy = before * intervals[0] * (1 - threshold * (1 - left) + TOLERATED)
    return math.ceil(busy / intervals[1] - _ROUNDING)


_ROUNDING = 1e-9
"""What a count may lie above a whole number by the rounding of floating point alone."""


def _is_denser(before: LayerPoint, after: LayerPoint) -> bool:
    return (
        before.layer == after.layer
        and before.resources is not None
        and after.resources is not None
        and before.resources.strategy == after.resources.strategy
        and before.nonzeros_pruned > after.nonzeros_pruned
    )


def _finding(pair: Beside) -> Finding | None:
    before, after = pair.before, pair.after
    assert before.resources is not None and after.resources is not None  # noqa: S101, PT018  # of every pair
    costs = cost(before.resources), cost(after.resources)
    intervals = before.interval, after.interval
    most = allowed(costs[0], after.nonzeros_pruned / before.nonzeros_pruned, intervals, pair.threshold)
    if costs[1] <= most:
        return None
    return Finding(
        layer=after.layer,
        denser=pair.denser.label,
        sparser=pair.sparser.label,
        kind=pair.sparser.resources.kind,
        nonzeros=(before.nonzeros_pruned, after.nonzeros_pruned),
        nonzeros_built=(before.nonzeros_built, after.nonzeros_built),
        cost=costs,
        lut=(before.resources.lut, after.resources.lut),
        dsp=(before.resources.dsp, after.resources.dsp),
        interval_cycles=intervals,
        allowed=most,
        reasons=found(before, after),
    )

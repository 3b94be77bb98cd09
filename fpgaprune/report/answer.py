"""What pruning buys, in two sentences: the best design that fits, what it costs and what it gives up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.measures import ratio

if TYPE_CHECKING:
    from fpgaprune.report.comparison import Comparison, Point

ACCEPTED = 0.01
"""Accuracy, as a share, that a smaller design may lack against the most accurate one that fits: one point."""

RULE = (
    "The best design is the one with the fewest LUTs among those that fit the board, are not known to differ in "
    "C-simulation, and lie within 1 point of accuracy of the most accurate of these. Where an accuracy is unknown, "
    "it is the densest of these."
)
"""How `best` chooses, for the reader."""

ALONE = "There is no other design to compare it with."


@dataclass(frozen=True)
class Answer:
    """The best design, if there is one, a sentence that answers the question, and one that explains it."""

    best: Point | None
    headline: str
    detail: str


def answer(comparison: Comparison) -> Answer:
    """Return what pruning buys on the board of a comparison."""
    found = best(comparison)
    if found is None:
        return Answer(None, _none(comparison), _smaller(comparison))
    if len(comparison.points) == 1:
        return Answer(
            found,
            f"The {wording.plain(found.label)} design fits {_board(found)}.",
            "There is no other design to compare it with.",
        )
    if found is comparison.dense:
        return Answer(found, _dense(comparison), _proof(found))
    return Answer(found, _pruned(found, comparison.dense), _more(found, comparison.dense))


def best(comparison: Comparison) -> Point | None:
    """Return the design that `RULE` chooses, None if none fits and may be trusted."""
    fitting = [point for point in comparison.points if point.resources.fits(point.board) and not _wrong(point)]
    known = [(point, point.accuracy) for point in fitting if point.accuracy is not None]
    if len(known) < len(fitting) or not fitting:
        return fitting[0] if fitting else None
    least = max(accuracy for _, accuracy in known) - ACCEPTED - 1e-9
    good = [(point, accuracy) for point, accuracy in known if accuracy >= least]
    return min(good, key=lambda pair: (pair[0].resources.total("lut"), -pair[1]))[0]


def given_up(point: Point, dense: Point) -> str:
    """Return what the integer network of a design gives up in accuracy against the dense one: a verb and its object."""
    if point.accuracy is None or dense.accuracy is None:
        return "gives up an unknown amount of accuracy"
    points = 100 * (dense.accuracy - point.accuracy)
    if abs(points) < 0.005:  # two digits would show 0.00
        return "gives up no accuracy"
    return f"{'gives up' if points > 0 else 'gains'} {_digits(abs(points))} points of accuracy"


def _digits(points: float) -> str:
    return f"{points:.1f}" if points >= 0.095 else f"{points:.2f}"  # one digit that is not 0


def _wrong(point: Point) -> bool:
    return point.verdict is not None and not point.verdict.exact


def _named(point: Point) -> str:
    return f"the {wording.plain(point.label)} design"


def _board(point: Point) -> str:
    return f"the {wording.plain(point.board.title)}"


def _none(comparison: Comparison) -> str:
    fitting = [point for point in comparison.points if point.resources.fits(point.board)]
    if fitting:
        labels = wording.listed([wording.plain(point.label) for point in fitting])
        return f"No design that fits {_board(fitting[0])} can be trusted: C-simulation found differences in {labels}."
    smallest = min(comparison.points, key=lambda point: max(point.resources.utilisation(point.board).values()))
    which = "it" if len(comparison.points) == 1 else f"the closest, {wording.plain(smallest.label)},"
    return f"No design fits {_board(smallest)}: {which} needs {_excess(smallest)}."


def _excess(point: Point) -> str:
    """Return the resource that is most short, as a multiple of what the board has."""
    used = point.resources.utilisation(point.board)
    worst = max(used, key=lambda amount: used[amount])
    name = wording.AMOUNT_NAMES[worst]
    if used[worst] == float("inf"):
        return f"{wording.plural(point.resources.total(worst), name)}, and the board has none"
    return f"{wording.times(used[worst], '')} times the board's {name}s"


def _smaller(comparison: Comparison) -> str:
    sparsest, dense = comparison.points[-1], comparison.dense
    if sparsest is dense:
        return ALONE
    return f"The {wording.plain(sparsest.label)} design has {_fewer(sparsest, dense)} and {given_up(sparsest, dense)}."


def _fewer(point: Point, dense: Point) -> str:
    """Return the look-up tables of a design against those of the dense one, in words."""
    used, before = point.resources.total("lut"), dense.resources.total("lut")
    share = ratio(used, before)
    if not share:
        return f"{wording.plural(used, 'LUT')} where {_named(dense)} has {wording.count(before)}"
    if share < 2 / 3:
        return f"{wording.times(1 / share, '')} times fewer LUTs than {_named(dense)}"
    return f"{wording.times(share, '')} times the LUTs of {_named(dense)}"


def _dense(comparison: Comparison) -> str:
    dense = comparison.dense
    if dense.accuracy is None:
        why = "and as accuracies are unknown, no sparser one can be preferred"
    else:
        other = "sparser" if comparison.reference else "other"
        why = f"and no {other} one that fits is smaller and within 1 point of its accuracy"
    return f"The {wording.plain(dense.label)} design fits {_board(dense)} as it is, {why}."


def _pruned(point: Point, dense: Point) -> str:
    label = wording.plain(point.label)
    return f"The {label} design fits {_board(point)} with {_fewer(point, dense)}, and {given_up(point, dense)}."


def _more(point: Point, dense: Point) -> str:
    before = "fits as well" if dense.resources.fits(dense.board) else f"would need {_excess(dense)}"
    return f"{_proof(point)} The {wording.plain(dense.label)} design {before}."


def _proof(point: Point) -> str:
    verdict = point.verdict
    if verdict is None:
        return "Its C-simulation has not been run yet."
    samples = wording.plural(verdict.samples, "sample")
    return f"Its C-simulation equals the integer network bit for bit on {samples}."

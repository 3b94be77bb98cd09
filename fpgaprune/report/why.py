"""What was pruned and why, as the page shows it: inputs that are read, scores, sensitivity, trainings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from fpgaprune.explained import History, remarks
from fpgaprune.report import wording
from fpgaprune.report.panels import score_panel, sensitivity_panels, training_panels
from fpgaprune.report.picture import coarse, data_uri
from fpgaprune.report.views import DesignView, MasksView, PictureView, SensitivityView, WhyView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.explained import Explained, SensitivityCurves
    from fpgaprune.report.comparison import Point
    from fpgaprune.report.inputs import InputReads

_Reason = TypeVar("_Reason")

MOST_TENSORS = 24
"""Tensors of a design whose scores or sensitivity are drawn: of more, those that the page says."""

HOW = "projects keep it when `fpgaprune generate` or `fit` makes them of a model that `fpgaprune prune` wrote"


MOST_AMONG_MANY = 6
"""The same where there are many designs."""


def why_view(points: Sequence[Point]) -> WhyView:
    """Return what a page says of why weights went, of all designs."""
    return WhyView(
        missing=_missing(points),
        sensitivity=_sensitivity(points),
    )


def _missing(points: Sequence[Point]) -> str:
    """Return in a sentence what is not recorded and how to get it, nothing where nothing lacks."""
    lacking = [wording.plain(point.label) for point in points if point.explained is None]
    if lacking:
        of_whom = "" if len(lacking) == len(points) else f" of {wording.listed(lacking)}"
        return f"Trainings, scores and sensitivity{of_whom} are not recorded: {HOW}."
    if all(_curves(point) is None for point in points):
        return "Sensitivity is not recorded: `fpgaprune prune --explain` measures it."
    return ""


def reasons(points: Sequence[Point]) -> list[tuple[Explained, list[str]]]:
    """Return why weights of each network went, once for all designs that came of it, with their labels."""
    found: list[tuple[Explained, list[str]]] = []
    for point in points:
        if point.explained is not None:
            _joined(found, point.explained, wording.plain(point.label))
    return found


def _joined(found: list[tuple[_Reason, list[str]]], reason: _Reason, label: str) -> None:
    """Add a label to those of a reason, once."""
    labels = next((labels for known, labels in found if known == reason), None)
    if labels is None:
        found.append((reason, [label]))
    elif label not in labels:
        labels.append(label)


def _curves(point: Point) -> SensitivityCurves | None:
    pruning = point.explained.pruning if point.explained else None
    return pruning.curves if pruning else None


def inputs_of(points: Sequence[Point], cells: int) -> tuple[MasksView, ...]:
    """Return the pictures of each input, one a design, by its name."""
    names = input_names(points)
    return tuple(
        MasksView(
            f"Input {wording.plain(name)}" if len(names) > 1 else "Inputs that are read", _pictures(points, name, cells)
        )
        for name in names
    )


def input_names(points: Sequence[Point]) -> list[str]:
    """Return the names of the inputs of designs."""
    return list(dict.fromkeys(reads.name for point in points for reads in point.inputs))


def read_by(point: Point, name: str) -> InputReads | None:
    """Return how often the elements of an input are read by a design, None where that is not known."""
    return next((reads for reads in point.inputs if reads.name == name), None)


def told_read(reads: InputReads) -> str:
    """Return how many elements of an input are read, in words."""
    return f"{wording.count(reads.alive)} of {wording.count(len(reads.counts))} read"


def _pictures(points: Sequence[Point], name: str, cells: int) -> tuple[PictureView, ...]:
    found = ((point, read_by(point, name)) for point in points)
    return tuple(input_picture(wording.plain(point.label), reads, cells) for point, reads in found if reads is not None)


def input_picture(label: str, reads: InputReads, cells: int) -> PictureView:
    """Return how often the elements of an input are read, in at most so many cells."""
    full, across = input_grid(reads)
    grid, told = coarse(full, cells), told_read(reads)
    shape = f"{min(max(len(grid[0]) / len(grid), 1 / 3), 12):.3g}"
    alt = f"Inputs of {label}: {told}; {across}"
    return PictureView(label, data_uri(grid), shape, alt, told)


def input_grid(reads: InputReads) -> tuple[list[list[float]], str]:
    """Return how often each place is read, of 1, as a picture, and how it is laid out.

    Channels of a picture add up; a vector is laid out row by row in a square, and what is too large is averaged.
    """
    counts, shape = reads.counts, reads.shape
    if len(shape) == 3:
        channels = shape[2]
        places = [sum(counts[at : at + channels]) for at in range(0, len(counts), channels)]
        width, across = shape[1], f"{shape[0]} rows of {shape[1]}, channels added up"
    elif len(shape) == 2:
        places, width, across = list(counts), shape[1], f"{shape[0]} positions from top to bottom, channels across"
    else:
        width = math.ceil(math.sqrt(len(counts)))
        places, across = list(counts), f"row by row, {width} in a row"
    most = max(places) or 1
    rows = [[count / most for count in places[at : at + width]] for at in range(0, len(places), width)]
    rows[-1] += [0.0] * (width - len(rows[-1]))
    return rows, across


def _sensitivity(points: Sequence[Point]) -> tuple[SensitivityView, ...]:
    """Return the curves of each network that was pruned, once for all designs that came of it."""
    found: list[tuple[SensitivityCurves, list[str]]] = []
    for point in points:
        curves = _curves(point)
        if curves is not None:
            _joined(found, curves, wording.plain(point.label))
    return tuple(_network(curves, labels if len(found) > 1 else []) for curves, labels in found)


def _network(curves: SensitivityCurves, labels: list[str]) -> SensitivityView:
    panels = sensitivity_panels(curves)
    falls = [curves.unpruned - min(curve) for curve in curves.curves.values()]
    shown = sorted(sorted(range(len(panels)), key=lambda at: -falls[at])[:MOST_TENSORS])
    rest = f" The {MOST_TENSORS} most sensitive of {len(panels)} are shown." if len(panels) > len(shown) else ""
    of_whom = f" Of {wording.listed(labels)}." if labels else ""
    note = f"Weights go by {wording.plain(curves.criterion)}; nothing is trained.{of_whom}{rest}"
    return SensitivityView(note, tuple(panels[at] for at in shown))


def design_view(explained: Explained, *, many: bool) -> DesignView:
    """Return why the weights of one design went, in less room if it is one of ``many``."""
    pruning, quantising = explained.pruning, explained.quantising
    scores = pruning.scores.tensors if pruning else {}
    most = MOST_AMONG_MANY if many else MOST_TENSORS
    largest = sorted(scores, key=lambda name: -sum(scores[name].kept) - sum(scores[name].pruned))[:most]
    panels = tuple(score_panel(name, histogram) for name, histogram in scores.items() if name in largest)
    trainings = training_panels(pruning.history if pruning else History(), quantising.history)
    return DesignView(_lines(explained), trainings, panels)


def _lines(explained: Explained) -> tuple[str, ...]:
    """Return in sentences how weights were chosen, what happened in training, and what quantisation did."""
    pruning, quantising = explained.pruning, explained.quantising
    lines = []
    if pruning is None:
        lines.append("How it was pruned is not recorded: it was quantised as it was given.")
    elif pruning.criterion:
        lines.append(
            f"Pruned by {wording.plain(pruning.criterion)}, schedule {wording.plain(pruning.schedule)}, structure "
            f"{wording.plain(pruning.structure)}."
        )
    events = (*(pruning.history.events if pruning else ()), *quantising.history.events)
    lines += [f"{wording.plain(event.text).rstrip('.')} (step {event.step}, epoch {event.epoch})." for event in events]
    if saved := quantising.saved:
        before, after = (wording.count(round(cost)) for cost in (saved.before, saved.after))
        lines.append(f"Training in fixed point saved {before} to {after} {wording.plain(saved.unit)} (expected).")
    digits = [f"{wording.layer(name)} {wording.count(count)}" for name, count in quantising.digits.items()]
    if digits:
        lines.append(f"Signed digits of the integer weights: {', '.join(digits)}.")
    return (*lines, *map(wording.plain, remarks(explained)))

"""Pictures of a comparison as matplotlib figures: accuracy and cost; and all pictures as files."""

from __future__ import annotations

import math
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from matplotlib import rc_context

from fpgaprune.paths import fresh_file, identifier
from fpgaprune.report import wording
from fpgaprune.report.drawing import (
    BLUE,
    GREEN,
    GREY,
    HALO,
    INK,
    LINE,
    RUST,
    SOFT,
    VERMILION,
    frame,
    new_figure,
    note,
    shown,
    write_title,
)
from fpgaprune.report.measures import board_shares
from fpgaprune.report.pareto import frontier as best_of
from fpgaprune.report.pareto import short
from fpgaprune.report.plot_bars import layers, utilisation
from fpgaprune.report.plot_grids import masks, surviving_inputs
from fpgaprune.report.plot_panels import scores, sensitivity, trainings
from fpgaprune.report.scales import accuracy_scale, apart, board_scale, cost_scale, spread
from fpgaprune.report.several_boards import Comparisons
from fpgaprune.report.why import reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fpgaprune.report.comparison import Comparison
    from fpgaprune.report.scales import Scale
    from fpgaprune.report.several_boards import Compared

_LABELLED = 12
MOST_GROUPS, MOST_DESIGNS = 4, 16
"""Comparisons, and designs of one, of which layers and masks are drawn: more are neither quick to draw nor to read."""

DPI = 150

__all__ = [
    "frontier",
    "layers",
    "masks",
    "scores",
    "sensitivity",
    "surviving_inputs",
    "tradeoff",
    "trainings",
    "utilisation",
    "write_plots",
]

_LOWEST_TEXT = 0.06


def write_plots(compared: Compared, folder: Path) -> tuple[Path, ...]:
    """Write every picture into a folder as PNG and as SVG, each file in one step, and return where they are.

    Raises:
        InputError: the folder cannot be written.
    """
    return tuple(path for write in plot_writers(compared, folder) for path in write())


def plot_writers(compared: Compared, folder: Path) -> list[Callable[[], tuple[Path, ...]]]:
    """Return a function for every picture that writes it into a folder as PNG and as SVG, and returns where they are.

    There is a picture of what is known alone: sensitivity, scores, trainings and inputs. Of several comparisons each
    has pictures of its layers, which begin with its board, its clock and its title. There is the frontier alone of
    more than `MOST_GROUPS` comparisons, and of one of more than `MOST_DESIGNS`.
    """
    every = Comparisons.of(compared)
    drawn: dict[str, Callable[[], Figure]] = {draw.__name__: partial(draw, every) for draw in _of_all(every)}
    pictured = every.groups if len(every.groups) <= MOST_GROUPS else ()
    for group in (each for each in pictured if len(each.points) <= MOST_DESIGNS):
        board, clock_ns = group.place
        parts = [f"{board}-{clock_ns:g}ns", *([identifier(group.title)] if group.title else []), ""]
        prefix = "-".join(parts) if len(every.groups) > 1 else ""
        drawn |= {f"{prefix}{draw.__name__}": partial(draw, group) for draw in _of_one(group)}
    return [partial(_write, draw, folder, name) for name, draw in drawn.items()]


def _of_all(every: Comparisons) -> Iterator[Callable[[Comparisons], Figure]]:
    """Yield the functions that draw all designs at once, those for which there are data, and not too many."""
    yield frontier
    if len(every.boards) <= MOST_GROUPS and all(len(board.points) <= MOST_DESIGNS for board in every.boards):
        yield utilisation
    known = [explained for explained, _ in reasons(every.points)]
    pruned = [explained.pruning for explained in known if explained.pruning is not None]
    if len(known) > MOST_DESIGNS:
        return
    if any(pruning.curves for pruning in pruned):
        yield sensitivity
    if any(pruning.scores.tensors for pruning in pruned):
        yield scores
    if any(pruning.history.records for pruning in pruned) or any(each.quantising.history.records for each in known):
        yield trainings


def _of_one(group: Comparison) -> Iterator[Callable[[Comparison], Figure]]:
    yield from (tradeoff, layers, masks)
    if any(point.inputs for point in group.points):
        yield surviving_inputs


def _write(draw: Callable[[], Figure], folder: Path, name: str) -> tuple[Path, ...]:
    figure = draw()
    paths = tuple(folder / f"{name}.{ending}" for ending in ("png", "svg"))
    for path in paths:
        with fresh_file(path) as target, rc_context({"svg.hashsalt": "fpgaprune"}):
            figure.savefig(target, dpi=DPI, metadata={"Date": None} if path.suffix == ".svg" else None)
        figure.set_layout_engine(None)  # the places are found; to find them once more takes as long as to draw
    return paths


def frontier(compared: Compared) -> Figure:
    """Return the integer accuracy of every design against its LUTs, and the line that no other design beats."""
    every = Comparisons.of(compared)
    figure = new_figure(7.2, 4.8, "Accuracy against LUTs")
    panel = figure.subplots()
    write_title(panel, f"Accuracy of the integer network (%), LUTs ({every.kind.value}); hollow: does not fit")
    pairs = [(point.resources.total("lut"), point.accuracy) for point in every.points if point.accuracy is not None]
    if not pairs:
        note(panel, "The accuracy of these designs is not known.")
        return figure
    across, up = cost_scale([cost for cost, _ in pairs]), accuracy_scale([gain for _, gain in pairs])
    best = [(across.at(cost), up.at(gain)) for cost, gain in best_of(pairs)]
    panel.step(*zip(*[*best, (1.0, best[-1][1])], strict=True), where="post", color=GREY, ls="--", lw=1.2)
    for group, colour, marker in zip(every.boards, cycle((BLUE, VERMILION, GREEN, GREY)), cycle("os^Dv"), strict=False):
        _dots(panel, group, (across, up), colour, marker)
    panel.set_xticks([across.at(tick) for tick in across.ticks], [short(tick) for tick in across.ticks])
    panel.set_xlim(-0.04, 1.04)
    _value_axis(panel, up)
    if len(every.boards) > 1:
        panel.legend(loc="lower right", frameon=False, fontsize=9, labelcolor=INK)
    return figure


def _dots(panel: Axes, group: Comparison, scales: tuple[Scale, Scale], colour: str, marker: str) -> None:
    label = shown(group.dense.board.title)
    for point in group.points:
        if point.accuracy is None:
            continue
        at = (scales[0].at(point.resources.total("lut")), scales[1].at(point.accuracy))
        face = colour if point.resources.fits(point.board) else "white"
        panel.plot(*at, marker, color=colour, mfc=face, ms=6, label=label)
        label = ""
        if len(group.points) <= _LABELLED:
            panel.annotate(shown(point.label), at, xytext=(7, -10), textcoords="offset points", fontsize=8, color=INK)


def tradeoff(comparison: Comparison) -> Figure:
    """Return accuracy, and LUTs and DSPs as shares of the board, against sparsity."""
    figure = new_figure(11, 4.6, f"What pruning buys on the {shown(comparison.dense.board.title)}")
    left, right = figure.subplots(1, 2)
    _accuracy_panel(left, comparison)
    _board_panel(right, comparison)
    return figure


def _accuracy_panel(panel: Axes, comparison: Comparison) -> None:
    write_title(panel, "Accuracy on the test data (%)")
    floating = [point.float_accuracy for point in comparison.points]
    integer = [point.accuracy for point in comparison.points]
    known = [share for share in (*floating, *integer) if share is not None]
    places = _sparsity_axis(panel, comparison)
    if not known:
        note(panel, "The accuracy of these designs is not known.")
        return
    scale = accuracy_scale(known)
    _value_axis(panel, scale)
    _line(panel, places, _places(scale, floating), "floating point", GREY, "s", "--")
    _line(panel, places, _places(scale, integer), "integer, as built", GREEN, "o", "-")
    _values(panel, places, scale, integer, floating, GREEN)
    _legend(panel)


def _board_panel(panel: Axes, comparison: Comparison) -> None:
    kind = comparison.dense.resources.kind.value
    write_title(panel, f"LUT and DSP, % of the board ({kind})")
    lut, dsp = board_shares(comparison, "lut"), board_shares(comparison, "dsp")
    scale = board_scale(share for share in (*lut, *dsp) if share is not None)
    places = _sparsity_axis(panel, comparison)
    _value_axis(panel, scale)
    full = scale.at(1.0)
    panel.axhspan(full, 1.08, color=VERMILION, alpha=0.07, lw=0)
    panel.axhline(full, color=VERMILION, lw=1)
    across = panel.get_yaxis_transform()
    panel.text(0.015, full + 0.015, "board full", color=RUST, fontsize=8.5, transform=across, path_effects=HALO)
    _line(panel, places, _places(scale, dsp), "DSP", VERMILION, "s", "--")
    _line(panel, places, _places(scale, lut), "LUT", BLUE, "o", "-")
    _values(panel, places, scale, lut, dsp, BLUE)
    _legend(panel)


def _sparsity_axis(panel: Axes, comparison: Comparison) -> list[float]:
    """Lay out the axis of sparsity and return the place of every design."""
    sparsities = [point.sparsity for point in comparison.points]
    places = spread(sparsities)
    written = apart(places, 0.09)
    panel.set_xticks([places[at] for at in written], [wording.percent(sparsities[at]) for at in written])
    panel.set_xlim(-0.07, 1.07)
    panel.set_xlabel("sparsity, % of weights that are zero (spaced by what remains)", fontsize=9, color=SOFT)
    return places


def _value_axis(panel: Axes, scale: Scale) -> None:
    panel.set_yticks([scale.at(tick) for tick in scale.ticks], scale.texts())
    panel.set_ylim(-0.04, 1.08)
    panel.grid(axis="y", color=LINE, lw=0.8)
    panel.set_axisbelow(True)
    frame(panel, "bottom")


def _places(scale: Scale, shares: Sequence[float | None]) -> list[float]:
    return [math.nan if share is None else scale.at(share) for share in shares]


def _line(
    panel: Axes, places: list[float], heights: list[float], name: str, colour: str, marker: str, dash: str
) -> None:
    known = [(place, height) for place, height in zip(places, heights, strict=True) if not math.isnan(height)]
    if known:
        panel.plot(*zip(*known, strict=True), dash, marker=marker, color=colour, lw=2, ms=6, mec="white", label=name)


def _values(
    panel: Axes, places: list[float], scale: Scale, own: Sequence[float | None], other: Sequence[float | None], ink: str
) -> None:
    """Write the values of a line beside its points, away from the other line, as many as do not touch."""
    heights, beside = _places(scale, own), _places(scale, other)
    for at in apart(places, 0.12):
        share = own[at]
        if share is None:
            continue
        below = _LOWEST_TEXT < heights[at] <= beside[at]
        panel.annotate(
            wording.percent(share),
            (places[at], heights[at]),
            xytext=(0, -15 if below else 8),
            textcoords="offset points",
            ha="center" if at else "left",
            fontsize=8.5,
            color=ink,
            path_effects=HALO,
        )


def _legend(panel: Axes) -> None:
    panel.legend(loc="lower left", frameon=False, fontsize=9, labelcolor=INK, handlelength=2.6)

"""Why weights went, as matplotlib figures: the panels of the page, at the same places, on one sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from fpgaprune.report.drawing import BLUE, GREEN, GREY, INK, LINE, SOFT, VERMILION, empty, new_figure, shown
from fpgaprune.report.several_boards import Comparisons
from fpgaprune.report.why import HOW, design_view, reasons, why_view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from fpgaprune.report.panels import Panel, Shape
    from fpgaprune.report.several_boards import Compared
    from fpgaprune.report.views import DesignView

_UNITS = 100.0
"""Units of panels in an inch."""

_MARGIN, _HEAD, _NAME, _GAP = 18, 84, 30, 24
_LEAST, _WIDEST = 600, 1100
_TEXT, _SMALL = 8.5, 7.5

_LOOKS: Mapping[str, dict[str, Any]] = {
    "curve": {"fill": False, "edgecolor": BLUE, "linewidth": 1.6},
    "loss": {"fill": False, "edgecolor": VERMILION, "linewidth": 1.6},
    "metric": {"fill": False, "edgecolor": GREEN, "linewidth": 1.6},
    "whole": {"fill": False, "edgecolor": GREY, "linewidth": 1.0, "linestyle": (0, (3, 3))},
    "sparsity": {"facecolor": to_rgba(GREY, 0.25), "edgecolor": "none"},
    "pruned": {"facecolor": to_rgba(GREY, 0.25), "edgecolor": GREY, "linewidth": 0.8},
    "kept": {"facecolor": to_rgba(BLUE, 0.35), "edgecolor": BLUE, "linewidth": 1.0},
}
"""How shapes are drawn, by their class in the style sheet of the page."""


@dataclass(frozen=True)
class _Section:
    """Panels of one size, and what they are of."""

    name: str
    panels: tuple[Panel, ...]


def sensitivity(compared: Compared) -> Figure:
    """Return the metric against sparsity of each tensor that was pruned alone, as the page draws it."""
    view = why_view(Comparisons.of(compared).points)
    sections = [_Section(network.note, network.panels) for network in view.sensitivity]
    keys = {"curve": "metric with this tensor alone pruned", "whole": "with nothing pruned"}
    return _sheet("Sensitivity: metric against sparsity (%) of each tensor", sections, keys, view.missing)


def scores(compared: Compared) -> Figure:
    """Return how the scores of kept and of pruned weights are spread in each tensor, a row a design."""
    keys = {"pruned": "pruned", "kept": "kept (heights are square roots of counts)"}
    sections = [_Section(name, view.scores) for name, view in _designs(compared) if view.scores]
    return _sheet("Scores of weights that went and that stayed", sections, keys, f"Scores are not recorded: {HOW}.")


def trainings(compared: Compared) -> Figure:
    """Return metric, sparsity and loss over the epochs of pruning and of training in fixed point, a row a design."""
    sections = [_Section(name, view.trainings) for name, view in _designs(compared) if view.trainings]
    keys = {style: name for section in sections for panel in section.panels for style, name in panel.keys}
    return _sheet("Trainings, over epochs", sections, keys, f"Trainings are not recorded: {HOW}.")


def _designs(compared: Compared) -> list[tuple[str, DesignView]]:
    """Return what is known of each network, once for all designs that came of it, with their labels."""
    found = reasons(Comparisons.of(compared).points)
    return [(", ".join(labels), design_view(explained, many=len(found) > 1)) for explained, labels in found]


def _sheet(title: str, sections: Sequence[_Section], keys: Mapping[str, str], nothing: str) -> Figure:
    """Draw sections below one another, each in as many lines as it needs, or say why there is none."""
    if not sections:
        return empty(new_figure(7.2, 2.5, title), nothing)
    lines = [(section.name if at == 0 else "", line) for section in sections for at, line in enumerate(_lines(section))]
    width = max(_LEAST, *(sum(panel.width for panel in line) for _, line in lines)) + 2 * _MARGIN
    figure, axes = _paper(width, _HEAD + sum(_tall(name, line) for name, line in lines) + _MARGIN)
    axes.text(_MARGIN, 28, title, fontsize=13, fontweight="bold", color=INK, va="center")
    _write_keys(axes, keys)
    down = float(_HEAD)
    for name, line in lines:
        _write_line(axes, name, line, down)
        down += _tall(name, line)
    return figure


def _paper(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure and its only axes, whose units are those of panels, from the top left corner."""
    figure = Figure(figsize=(width / _UNITS, height / _UNITS), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return figure, axes


def _write_keys(axes: Axes, keys: Mapping[str, str]) -> None:
    axes.legend(
        handles=[Patch(label=name, **_LOOKS[style]) for style, name in keys.items()],
        loc="center left",
        bbox_to_anchor=(_MARGIN, 58),
        bbox_transform=axes.transData,
        ncols=len(keys),
        frameon=False,
        fontsize=_TEXT,
        labelcolor=INK,
        borderpad=0,
        borderaxespad=0,
    )


def _lines(section: _Section) -> list[tuple[Panel, ...]]:
    most = max(1, _WIDEST // section.panels[0].width)
    return [section.panels[at : at + most] for at in range(0, len(section.panels), most)]


def _tall(name: str, line: tuple[Panel, ...]) -> int:
    return line[0].height + _GAP + (_NAME if name else 0)


def _write_line(axes: Axes, name: str, line: tuple[Panel, ...], down: float) -> None:
    if name:
        axes.text(_MARGIN, down + _NAME / 2, shown(name, 100), fontsize=10, color=INK, va="center")
        down += _NAME
    across = float(_MARGIN)
    for panel in line:
        _write_panel(axes, panel, across, down + _GAP)
        across += panel.width


def _write_panel(axes: Axes, panel: Panel, across: float, down: float) -> None:
    """Draw a panel as the template of the page does, its top left corner at a place."""
    small: dict[str, Any] = {"fontsize": _SMALL, "color": SOFT}
    axes.text(across + panel.left, down - 8, shown(panel.title, 40), fontsize=_TEXT, color=INK)
    ends = (across + panel.left, across + panel.right)
    for tick in panel.y_ticks:
        axes.plot(ends, (down + tick.at,) * 2, color=LINE, lw=0.7, zorder=0)
        axes.text(ends[0] - 6, down + tick.at, tick.text, ha="right", va="center", **small)
    for tick in panel.x_ticks:
        axes.text(across + tick.at, down + panel.bottom + 14, tick.text, ha="center", va="center", **small)
    for shape in panel.shapes:
        axes.add_patch(_patch(shape, across, down))
    for cut in panel.cuts:
        axes.plot((across + cut.at,) * 2, (down + panel.top, down + panel.bottom), color=GREY, lw=0.8, ls=(0, (2, 3)))
        axes.text(across + cut.at, down + panel.top - 8, cut.text, ha="center", va="center", **small)


def _patch(shape: Shape, across: float, down: float) -> PathPatch:
    return PathPatch(Path([(across + x, down + y) for x, y in shape.points]), **_LOOKS[shape.style])

"""Pictures of a comparison as matplotlib figures: accuracy and cost, layers, and the weights that are left."""

from __future__ import annotations

import math
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from matplotlib import font_manager, patheffects, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fpgaprune.paths import fresh_file, identifier
from fpgaprune.report import wording
from fpgaprune.report.measures import (
    board_shares,
    layer_lut,
    layer_names,
    layer_points,
    layer_title,
    ratio,
    reference_layer,
)
from fpgaprune.report.pareto import frontier as best_of
from fpgaprune.report.pareto import short
from fpgaprune.report.scales import PICTURE_GAMMA, accuracy_scale, apart, board_scale, cost_scale, spread
from fpgaprune.report.several_boards import Comparisons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from fpgaprune.report.comparison import Comparison, LayerPoint
    from fpgaprune.report.scales import Scale
    from fpgaprune.report.several_boards import Compared

# Okabe and Ito's colours, which are told apart with every kind of colour vision; the green is darker than theirs.
BLUE, VERMILION, RUST, GREEN, GREY = "#0072B2", "#D55E00", "#A84900", "#00785A", "#8A9299"
INK, SOFT, LINE = "#1C2226", "#5C666E", "#DDE1E4"
SHADES = LinearSegmentedColormap.from_list("fpgaprune", ["#FFFFFF", "#0B4F8A"])
DPI = 150

_HALO = [patheffects.withStroke(linewidth=3, foreground="white")]
_ACROSS = 3
_LABELLED = 12
MOST_GROUPS, MOST_DESIGNS = 4, 16
"""Comparisons, and designs of one, of which layers and masks are drawn: more are neither quick to draw nor to read."""

_LONGEST = 26
_LOWEST_TEXT = 0.06
_NO_LAYERS = "These designs have no layers with weights."


def write_plots(compared: Compared, folder: Path) -> tuple[Path, ...]:
    """Write every picture into a folder as PNG and as SVG, each file in one step, and return where they are.

    Of several comparisons each has pictures of its own, which begin with its board, its clock and its title. There is
    the frontier alone of more than `MOST_GROUPS`, and of a comparison of more than `MOST_DESIGNS`.

    Raises:
        InputError: the folder cannot be written.
    """
    every = Comparisons.of(compared)
    drawn: dict[str, Callable[[], Figure]] = {"frontier": partial(frontier, every)}
    pictured = every.groups if len(every.groups) <= MOST_GROUPS else ()
    for group in (each for each in pictured if len(each.points) <= MOST_DESIGNS):
        board, clock_ns = group.place
        parts = [f"{board}-{clock_ns:g}ns", *([identifier(group.title)] if group.title else []), ""]
        prefix = "-".join(parts) if len(every.groups) > 1 else ""
        drawn |= {f"{prefix}{draw.__name__}": partial(draw, group) for draw in (tradeoff, layers, masks)}
    return tuple(path for name, draw in drawn.items() for path in _written(draw(), folder, name))


def _written(figure: Figure, folder: Path, name: str) -> Iterator[Path]:
    for ending in ("png", "svg"):
        path = folder / f"{name}.{ending}"
        with fresh_file(path) as target, rc_context({"svg.hashsalt": "fpgaprune"}):
            figure.savefig(target, dpi=DPI, metadata={"Date": None} if ending == "svg" else None)
        figure.set_layout_engine(None)  # the places are found; to find them once more takes as long as to draw
        yield path


def frontier(compared: Compared) -> Figure:
    """Return the integer accuracy of every design against its LUTs, and the line that no other design beats."""
    every = Comparisons.of(compared)
    figure = _figure(7.2, 4.8, "Accuracy against LUTs")
    panel = figure.subplots()
    _title(panel, f"Accuracy of the integer network (%), LUTs ({every.kind.value}); hollow: does not fit")
    pairs = [(point.resources.total("lut"), point.accuracy) for point in every.points if point.accuracy is not None]
    if not pairs:
        _note(panel, "The accuracy of these designs is not known.")
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
    label = _shown(group.dense.board.title)
    for point in group.points:
        if point.accuracy is None:
            continue
        at = (scales[0].at(point.resources.total("lut")), scales[1].at(point.accuracy))
        face = colour if point.resources.fits(point.board) else "white"
        panel.plot(*at, marker, color=colour, mfc=face, ms=6, label=label)
        label = ""
        if len(group.points) <= _LABELLED:
            panel.annotate(_shown(point.label), at, xytext=(7, -10), textcoords="offset points", fontsize=8, color=INK)


def tradeoff(comparison: Comparison) -> Figure:
    """Return accuracy, and LUTs and DSPs as shares of the board, against sparsity."""
    figure = _figure(11, 4.6, f"What pruning buys on the {_shown(comparison.dense.board.title)}")
    left, right = figure.subplots(1, 2)
    _accuracy_panel(left, comparison)
    _board_panel(right, comparison)
    return figure


def layers(comparison: Comparison) -> Figure:
    """Return the LUTs of every layer in every design, one panel a layer with a scale of its own."""
    names = layer_names(comparison)
    across, down = min(_ACROSS, len(names)), math.ceil(len(names) / _ACROSS)
    kind = comparison.dense.resources.kind.value
    height = 1.1 + max(down, 1) * (0.7 + 0.3 * len(comparison.points))
    figure = _figure(3.7 * max(across, 1.4), height, f"LUTs of each layer ({kind})")
    if not names:
        return _empty(figure, _NO_LAYERS)
    panels = list(figure.subplots(down, across, squeeze=False).flat)
    for name, panel in zip(names, panels, strict=False):
        _layer_panel(panel, name, comparison)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    meaning = "black line: where a bar would end if LUTs fell exactly as the non-zeros do"
    figure.supxlabel(meaning, fontsize=9, color=SOFT)
    return figure


def masks(comparison: Comparison) -> Figure:
    """Return where the non-zeros of every layer are: a row a layer, a column a design, one scale of colours."""
    names, points = layer_names(comparison), comparison.points
    shapes = [_aspect(layer_points(comparison, name)) for name in names]
    height = 1.7 + sum(1.6 * shape + 0.35 for shape in shapes)
    figure = _figure(max(1.9 + 1.7 * len(points), 4.5), max(height, 2.5), "Weights that are left")
    if not names:
        return _empty(figure, _NO_LAYERS)
    grid = figure.subplots(len(names), len(points), squeeze=False, height_ratios=shapes)
    norm = PowerNorm(PICTURE_GAMMA, 0, 1)
    for row, name, shape in zip(grid, names, shapes, strict=True):
        for panel, layer in zip(row, layer_points(comparison, name), strict=True):
            image = _mask_panel(panel, layer, norm, shape)
        row[0].set_ylabel(_shown(layer_title(comparison, name)), rotation=0, ha="right", va="center", color=INK)
    for panel, point in zip(grid[0], points, strict=True):
        panel.set_title(_shown(point.label), color=INK, fontsize=10)
    bar = figure.colorbar(image, ax=grid, location="bottom", shrink=0.6, aspect=40, ticks=[0, 0.05, 0.25, 0.5, 1])
    bar.ax.tick_params(length=0, colors=SOFT, labelsize=9)
    bar.ax.set_xticklabels(["0", "5 %", "25 %", "50 %", "100 %"])
    bar.set_label("share of non-zero weights in each cell", fontsize=9, color=SOFT)
    bar.outline.set_edgecolor(LINE)
    return figure


def _accuracy_panel(panel: Axes, comparison: Comparison) -> None:
    _title(panel, "Accuracy on the test data (%)")
    floating = [point.float_accuracy for point in comparison.points]
    integer = [point.accuracy for point in comparison.points]
    known = [share for share in (*floating, *integer) if share is not None]
    places = _sparsity_axis(panel, comparison)
    if not known:
        _note(panel, "The accuracy of these designs is not known.")
        return
    scale = accuracy_scale(known)
    _value_axis(panel, scale)
    _line(panel, places, _places(scale, floating), "floating point", GREY, "s", "--")
    _line(panel, places, _places(scale, integer), "integer, as built", GREEN, "o", "-")
    _values(panel, places, scale, integer, floating, GREEN)
    _legend(panel)


def _board_panel(panel: Axes, comparison: Comparison) -> None:
    kind = comparison.dense.resources.kind.value
    _title(panel, f"LUT and DSP, % of the board ({kind})")
    lut, dsp = board_shares(comparison, "lut"), board_shares(comparison, "dsp")
    scale = board_scale(share for share in (*lut, *dsp) if share is not None)
    places = _sparsity_axis(panel, comparison)
    _value_axis(panel, scale)
    full = scale.at(1.0)
    panel.axhspan(full, 1.08, color=VERMILION, alpha=0.07, lw=0)
    panel.axhline(full, color=VERMILION, lw=1)
    across = panel.get_yaxis_transform()
    panel.text(0.015, full + 0.015, "board full", color=RUST, fontsize=8.5, transform=across, path_effects=_HALO)
    _line(panel, places, _places(scale, dsp), "DSP", VERMILION, "s", "--")
    _line(panel, places, _places(scale, lut), "LUT", BLUE, "o", "-")
    _values(panel, places, scale, lut, dsp, BLUE)
    _legend(panel)


def _layer_panel(panel: Axes, name: str, comparison: Comparison) -> None:
    found, dense = layer_points(comparison, name), reference_layer(comparison, name)
    luts = [layer_lut(layer) for layer in found]
    most = max((lut for lut in luts if lut is not None), default=0) or 1
    flagged = {finding.sparser for finding in comparison.findings() if finding.layer == name}
    for row, (layer, lut, point) in enumerate(zip(found, luts, comparison.points, strict=True)):
        colour = VERMILION if point.label in flagged else GREY if dense is not None and row == 0 else BLUE
        panel.barh(row, (lut or 0) / most, height=0.62, color=colour)
        panel.text(
            (lut or 0) / most + 0.03, row, _bar_text(lut, layer_lut(dense)), va="center", fontsize=8.5, color=INK
        )
        left = ratio(layer.nonzeros_built, dense.nonzeros_built) if layer and dense else None
        before = layer_lut(dense)
        if left is not None and before is not None and lut is not None:
            panel.vlines(left * before / most, row - 0.42, row + 0.42, color=INK, lw=1.4)
    _title(panel, _shown(layer_title(comparison, name)))
    panel.set_xlim(0, 1.62)
    panel.set_ylim(len(luts) - 0.4, -0.6)
    panel.set_yticks(range(len(luts)), [_shown(point.label) for point in comparison.points])
    panel.set_xticks([])
    _frame(panel, "left")


def _bar_text(lut: int | None, dense: int | None) -> str:
    if lut is None:
        return "not built"
    share = ratio(lut, dense)
    return wording.count(lut) if share is None else f"{wording.count(lut)}  ({wording.times(share)})"


def _aspect(found: Sequence[LayerPoint | None]) -> float:
    """Return height by width of a layer's pictures, kept between 0.3 and 1."""
    grids = [layer.picture for layer in found if layer is not None and layer.picture and layer.picture[0]]
    return min(max(len(grids[0]) / len(grids[0][0]), 0.3), 1.0) if grids else 0.5


def _mask_panel(panel: Axes, layer: LayerPoint | None, norm: PowerNorm, shape: float) -> AxesImage:
    grid = layer.picture if layer is not None and layer.picture and layer.picture[0] else ((0.0,),)
    image = panel.imshow(grid, cmap=SHADES, norm=norm, interpolation="nearest", aspect="auto")
    panel.set_box_aspect(shape)
    panel.set_xticks([])
    panel.set_yticks([])
    _frame(panel, "left", "right", "top", "bottom")
    if layer is None:
        panel.text(
            0.5, 0.5, "no such layer", transform=panel.transAxes, ha="center", va="center", fontsize=8, color=SOFT
        )
    else:
        panel.set_xlabel(f"{wording.count(layer.nonzeros_quantised)} left", fontsize=8, color=SOFT, labelpad=3)
    return image


def _figure(width: float, height: float, title: str) -> Figure:
    """Return an empty figure that draws to memory and knows nothing of pyplot's state."""
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.02, ha="left", fontsize=13, fontweight="bold", color=INK)
    return figure


def _empty(figure: Figure, sentence: str) -> Figure:
    panel = figure.subplots()
    panel.set_axis_off()
    _note(panel, sentence)
    return figure


def _note(panel: Axes, sentence: str) -> None:
    _frame(panel, "bottom")
    panel.set_yticks([])
    panel.text(0.5, 0.5, sentence, transform=panel.transAxes, ha="center", va="center", color=SOFT, fontsize=10)


def _title(panel: Axes, title: str) -> None:
    panel.set_title(title, loc="left", fontsize=10, color=INK)


def _frame(panel: Axes, *sides: str) -> None:
    for side, spine in panel.spines.items():
        spine.set_visible(side in sides)
        spine.set_color(LINE)
    panel.tick_params(length=0, colors=SOFT, labelsize=9)


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
    _frame(panel, "bottom")


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
            path_effects=_HALO,
        )


def _legend(panel: Axes) -> None:
    panel.legend(loc="lower left", frameon=False, fontsize=9, labelcolor=INK, handlelength=2.6)


def _shown(name: str) -> str:
    """Return a foreign name as matplotlib shows it: short, no formula, and '?' for a sign that the font lacks."""
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    text = "".join(sign if font.get_char_index(ord(sign)) else "?" for sign in wording.short(name, _LONGEST))
    return text.replace("$", r"\$")

"""How full boards are, and what each layer takes, as bars of matplotlib figures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.cards import board_bars
from fpgaprune.report.drawing import (
    BLUE,
    GREY,
    HALO,
    INK,
    NO_LAYERS,
    SOFT,
    VERMILION,
    empty,
    frame,
    new_figure,
    shown,
    write_title,
)
from fpgaprune.report.measures import (
    layer_lut,
    layer_names,
    layer_points,
    layer_title,
    ratio,
    reference_layer,
    shown_amounts,
)
from fpgaprune.report.several_boards import Comparisons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fpgaprune.report.comparison import Comparison
    from fpgaprune.report.several_boards import Compared
    from fpgaprune.report.views import BarView

_HEAD, _DESIGN = 0.95, 0.27
"""Inches of the titles of a board, and of each of its designs."""

_FULL = 100.0
_ACROSS = 3


def utilisation(compared: Compared) -> Figure:
    """Return what every design takes of its board: a row of panels a board, a panel an amount, a bar a design."""
    every = Comparisons.of(compared)
    amounts = tuple(dict.fromkeys(amount for board in every.boards for amount in shown_amounts(board)))
    heights = [_HEAD + _DESIGN * len(board.points) for board in every.boards]
    width = 2.4 + 1.9 * max(len(amounts), 2)
    figure = new_figure(width, 0.6 + sum(heights), f"What designs take of their boards ({every.kind.value})")
    parts = figure.subfigures(len(every.boards), 1, squeeze=False, height_ratios=heights)
    for part, board in zip(parts.flat, every.boards, strict=True):
        part.suptitle(shown(board.site, 60), x=0.02, ha="left", fontsize=10.5, color=INK)
        panels = part.subplots(1, max(len(amounts), 1), squeeze=False)[0]
        _board(panels, board, amounts)
    figure.supxlabel("dashed line: all that the board has", fontsize=9, color=SOFT)
    return figure


def _board(panels: Sequence[Axes], board: Comparison, amounts: Sequence[str]) -> None:
    bars = [board_bars(point, amounts) for point in board.points]
    for at, panel in enumerate(panels):
        _amount_panel(panel, [each.bars[at] for each in bars] if amounts else [])
        panel.set_yticks([])
    panels[0].set_yticks(range(len(bars)), [shown(each.title) for each in bars])


def _amount_panel(panel: Axes, bars: Sequence[BarView]) -> None:
    for row, bar in enumerate(bars):
        colour = VERMILION if bar.style == "over" else BLUE
        panel.barh(row, float(bar.length), height=0.62, color=colour)
        panel.text(float(bar.length) + 3, row, bar.text, va="center", fontsize=8.5, color=INK, path_effects=HALO)
    if bars:
        write_title(panel, bars[0].name)
    panel.axvline(_FULL, color=SOFT, lw=0.8, ls=(0, (2, 3)), zorder=0)
    panel.set_xlim(0, 1.6 * _FULL)
    panel.set_ylim(len(bars) - 0.4, -0.6)
    panel.set_xticks([])
    frame(panel, "left")


def layers(comparison: Comparison) -> Figure:
    """Return the LUTs of every layer in every design, one panel a layer with a scale of its own."""
    names = layer_names(comparison)
    across, down = min(_ACROSS, len(names)), math.ceil(len(names) / _ACROSS)
    kind = comparison.dense.resources.kind.value
    height = 1.1 + max(down, 1) * (0.7 + 0.3 * len(comparison.points))
    figure = new_figure(3.7 * max(across, 1.4), height, f"LUTs of each layer ({kind})")
    if not names:
        return empty(figure, NO_LAYERS)
    panels = list(figure.subplots(down, across, squeeze=False).flat)
    for name, panel in zip(names, panels, strict=False):
        _layer_panel(panel, name, comparison)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    meaning = "black line: where a bar would end if LUTs fell exactly as the non-zeros do"
    figure.supxlabel(meaning, fontsize=9, color=SOFT)
    return figure


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
    write_title(panel, shown(layer_title(comparison, name)))
    panel.set_xlim(0, 1.62)
    panel.set_ylim(len(luts) - 0.4, -0.6)
    panel.set_yticks(range(len(luts)), [shown(point.label) for point in comparison.points])
    panel.set_xticks([])
    frame(panel, "left")


def _bar_text(lut: int | None, dense: int | None) -> str:
    if lut is None:
        return "not built"
    share = ratio(lut, dense)
    return wording.count(lut) if share is None else f"{wording.count(lut)}  ({wording.times(share)})"

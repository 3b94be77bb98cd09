"""Pictures of grids: the weights that are left and the inputs that are still read, a row each, a column a design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.colors import PowerNorm

from fpgaprune.report import wording
from fpgaprune.report.drawing import INK, LINE, NO_LAYERS, SHADES, SOFT, empty, frame, new_figure, shown
from fpgaprune.report.measures import layer_names, layer_points, layer_title
from fpgaprune.report.picture import MOST_CELLS, coarse
from fpgaprune.report.scales import PICTURE_GAMMA
from fpgaprune.report.why import input_grid, input_names, read_by, told_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from fpgaprune.report.comparison import Comparison, LayerPoint
    from fpgaprune.report.inputs import InputReads


@dataclass(frozen=True)
class _Cell:
    """A grid of shares, empty where there is none, with what is written below it or, where nothing is, on it."""

    grid: Sequence[Sequence[float]]
    below: str
    on: str = ""


@dataclass(frozen=True)
class _Row:
    """A name, and a picture a design."""

    name: str
    cells: tuple[_Cell, ...]

    @property
    def shape(self) -> float:
        """Height by width of its pictures, kept between 0.3 and 1."""
        grid = next((cell.grid for cell in self.cells if cell.grid and cell.grid[0]), None)
        return 0.5 if grid is None else min(max(len(grid) / len(grid[0]), 0.3), 1.0)


def masks(comparison: Comparison) -> Figure:
    """Return where the non-zeros of every layer are: a row a layer, a column a design, one scale of colours."""
    rows = [
        _Row(layer_title(comparison, name), tuple(map(_mask, layer_points(comparison, name))))
        for name in layer_names(comparison)
    ]
    meaning = "share of non-zero weights in each cell"
    return _pictures(comparison, rows, ("Weights that are left", meaning, NO_LAYERS))


def _mask(layer: LayerPoint | None) -> _Cell:
    if layer is None:
        return _Cell((), "", "no such layer")
    return _Cell(layer.picture, f"{wording.count(layer.nonzeros_quantised)} left")


def surviving_inputs(comparison: Comparison) -> Figure:
    """Return how often the elements of every input are read: a row an input, a column a design, as on the page."""
    points, names = comparison.points, input_names(comparison.points)
    rows = [
        _Row(f"input {name}" if len(names) > 1 else "inputs", tuple(_read(read_by(point, name)) for point in points))
        for name in names
    ]
    meaning = "non-zero weights that read each element, of the most"
    return _pictures(
        comparison,
        rows,
        ("Inputs that are still read", meaning, "What reads the inputs of these designs is not known."),
    )


def _read(reads: InputReads | None) -> _Cell:
    if reads is None:
        return _Cell((), "", "not known")
    grid, _ = input_grid(reads)
    return _Cell(coarse(grid, MOST_CELLS), told_read(reads))


def _pictures(comparison: Comparison, rows: Sequence[_Row], words: tuple[str, str, str]) -> Figure:
    """Draw rows of pictures under a title, above the meaning of colours, or say that there are none."""
    (title, meaning, nothing), points = words, comparison.points
    shapes = [row.shape for row in rows]
    height = 1.7 + sum(1.6 * shape + 0.35 for shape in shapes)
    figure = new_figure(max(1.9 + 1.7 * len(points), 4.5), max(height, 2.5), title)
    if not rows:
        return empty(figure, nothing)
    grid = figure.subplots(len(rows), len(points), squeeze=False, height_ratios=shapes)
    norm = PowerNorm(PICTURE_GAMMA, 0, 1)
    for panels, row in zip(grid, rows, strict=True):
        for panel, cell in zip(panels, row.cells, strict=True):
            image = _picture(panel, cell, norm, row.shape)
        panels[0].set_ylabel(shown(row.name), rotation=0, ha="right", va="center", color=INK)
    for panel, point in zip(grid[0], points, strict=True):
        panel.set_title(shown(point.label), color=INK, fontsize=10)
    bar = figure.colorbar(image, ax=grid, location="bottom", shrink=0.6, aspect=40, ticks=[0, 0.05, 0.25, 0.5, 1])
    bar.ax.tick_params(length=0, colors=SOFT, labelsize=9)
    bar.ax.set_xticklabels(["0", "5 %", "25 %", "50 %", "100 %"])
    bar.set_label(meaning, fontsize=9, color=SOFT)
    bar.outline.set_edgecolor(LINE)
    return figure


def _picture(panel: Axes, cell: _Cell, norm: PowerNorm, shape: float) -> AxesImage:
    grid = cell.grid if cell.grid and cell.grid[0] else ((0.0,),)
    image = panel.imshow(grid, cmap=SHADES, norm=norm, interpolation="nearest", aspect="auto")
    panel.set_box_aspect(shape)
    panel.set_xticks([])
    panel.set_yticks([])
    frame(panel, "left", "right", "top", "bottom")
    panel.text(0.5, 0.5, cell.on, transform=panel.transAxes, ha="center", va="center", fontsize=8, color=SOFT)
    panel.set_xlabel(cell.below, fontsize=8, color=SOFT, labelpad=3)
    return image

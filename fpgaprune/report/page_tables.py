"""The tables of a page: those of layers of designs, and what all tables are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.measures import (
    LAYER_AMOUNTS,
    OUTCOMES,
    Tone,
    layer_latency,
    layer_names,
    layer_points,
    layer_title,
    ratio,
    reference_layer,
)
from fpgaprune.report.views import CellView, ColumnView, RowView, TableView

if TYPE_CHECKING:
    from fpgaprune.report.comparison import Comparison, LayerPoint, Point
    from fpgaprune.report.measures import Cell

TIMES = "×"  # noqa: RUF001  # the page is UTF-8
_RESOURCES = frozenset(wording.AMOUNT_NAMES.values())
EMPTY = CellView(wording.NOTHING, (), "", "")


def times(share: float | None) -> str:
    """Return a ratio as the page writes it."""
    return wording.times(share, TIMES)


def sort_key(value: float | None) -> str:
    """Return what the script of the page reads as a number."""
    return "" if value is None else f"{value:.9g}".replace("inf", "Infinity")


def tone_of(cell: Cell) -> str:
    """Return the class of a cell, empty for a plain one."""
    return "" if cell.tone is Tone.PLAIN else cell.tone.value


def fewer(view: TableView) -> TableView:
    """Return a table of several rows without the columns of resources that no row takes, which its caption names."""
    used = [any(row.cells[at].sort not in ("", "0") for row in view.rows) for at in range(len(view.columns))]
    kept = [at for at, column in enumerate(view.columns) if used[at] or column.name not in _RESOURCES]
    dropped = [column.name for at, column in enumerate(view.columns) if at not in kept]
    if not dropped or len(view.rows) < 2:
        return view
    rows = (replace(row, cells=tuple(row.cells[at] for at in kept)) for row in view.rows)
    caption = f"{view.caption} Not taken by any: {', '.join(dropped)}."
    return TableView(caption, view.corner, tuple(view.columns[at] for at in kept), tuple(rows))


def _layer_columns(kind: str) -> tuple[ColumnView, ...]:
    return (
        ColumnView("weights", (), True),
        ColumnView("sparsity", (), True),
        *(ColumnView("non-zeros", (when,), True) for when in ("pruned", "quantised", "built")),
        *(ColumnView(wording.AMOUNT_NAMES[amount], (kind,), True) for amount in LAYER_AMOUNTS),
        ColumnView("latency", ("cycles", kind), True),
        ColumnView("interval", ("cycles",), True),
        ColumnView("strategy", (), False),
        ColumnView("pruning pays", (), False),
    )


def layer_table(comparison: Comparison) -> TableView:
    """Return the layers of every design of a comparison, dense beside pruned."""
    rows = [
        RowView(title, "", (_design_cell(at, point), *layer_cells(point, layer, first, comparison)))
        for name in layer_names(comparison)
        for title, first in ((layer_title(comparison, name), reference_layer(comparison, name)),)
        for at, (point, layer) in enumerate(zip(comparison.points, layer_points(comparison, name), strict=True))
    ]
    multiple = f" Below a number: {TIMES} the {wording.against(comparison)} one." if comparison.reference else ""
    columns = _layer_columns(comparison.dense.resources.kind.value)
    head = (ColumnView("design", (), False), *columns)
    return fewer(TableView(f"Layers of every design.{multiple}", "layer", head, tuple(rows)))


def layers_of(point: Point, comparison: Comparison) -> TableView:
    """Return the layers of one design."""
    rows = [
        RowView(
            layer_title(comparison, layer.layer),
            "",
            layer_cells(point, layer, reference_layer(comparison, layer.layer), comparison),
        )
        for layer in point.layers
    ]
    multiple = f" Below a number: {TIMES} the {wording.against(comparison)} one." if comparison.reference else ""
    columns = _layer_columns(point.resources.kind.value)
    return fewer(TableView(f"Its layers.{multiple}", "layer", columns, tuple(rows)))


def _design_cell(at: int, point: Point) -> CellView:
    return CellView(wording.plain(point.label), (), str(at), "")


def layer_cells(
    point: Point, layer: LayerPoint | None, dense: LayerPoint | None, comparison: Comparison
) -> tuple[CellView, ...]:
    """Return what is known of a layer of a design."""
    if layer is None:
        return (EMPTY,) * 13
    before = dense.resources if dense else None
    cost = layer.resources
    amounts = [
        EMPTY if cost is None else _number(getattr(cost, amount), getattr(before, amount, None))
        for amount in LAYER_AMOUNTS
    ]
    latency, paid = layer_latency(point, layer), OUTCOMES[comparison.outcome(layer, point)]
    return (
        _number(layer.weights),
        CellView(wording.percent(layer.sparsity), (), sort_key(layer.sparsity), ""),
        _number(layer.nonzeros_pruned),
        _number(layer.nonzeros_quantised),
        _number(layer.nonzeros_built, dense.nonzeros_built if dense else None),
        *amounts,
        EMPTY if latency is None else _number(latency),
        EMPTY if cost is None else _number(layer.interval),
        CellView(wording.plain(cost.strategy) if cost else without_cost(layer), (), "", ""),
        CellView(paid.text, (), sort_key(paid.value), tone_of(paid)),
    )


def _number(value: int, dense: int | None = None) -> CellView:
    share = ratio(value, dense)
    return CellView(wording.count(value), () if share is None else (times(share),), sort_key(value), "")


def without_cost(layer: LayerPoint | None) -> str:
    """Return why a design has no cost of a layer."""
    if layer is None:
        return "no such layer"
    return "not counted apart" if layer.facts else "not built"

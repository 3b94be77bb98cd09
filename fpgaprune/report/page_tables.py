"""The tables of a page: designs, what fits where, and the layers of designs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.measures import (
    LAYER_AMOUNTS,
    OUTCOMES,
    Tone,
    design_measures,
    layer_latency,
    layer_names,
    layer_points,
    layer_title,
    ratio,
    reference_layer,
    stock_measures,
)
from fpgaprune.report.views import CellView, ColumnView, RowView, TableView

if TYPE_CHECKING:
    from fpgaprune.report.comparison import Comparison, LayerPoint, Point
    from fpgaprune.report.measures import Cell, Measure, StockMeasure
    from fpgaprune.report.several_boards import Comparisons

TIMES = "×"  # noqa: RUF001  # the page is UTF-8
EMPTY = CellView(wording.NOTHING, (), "", "")


def times(share: float | None) -> str:
    """Return a ratio as the page writes it."""
    return wording.times(share, TIMES)


def designs_table(compared: Comparisons, best: set[int]) -> TableView:
    """Return all designs, a row each; ``best`` has the identities of the best ones."""
    groups, several = compared.groups, len(compared.groups) > 1
    measured = [design_measures(group) for group in groups]
    keys = list(dict.fromkeys(_key(measure) for each in measured for measure in each))
    heads = {_key(measure): measure for each in measured for measure in each}
    against = [stock_measures(group, group.stock) if group.stock else () for group in groups]
    stock_keys = list(dict.fromkeys((each.name, each.target) for found in against for each in found))
    stock_heads = {(each.name, each.target): each for found in against for each in found}
    rows, number = [], 0
    for group, measures, stock in zip(groups, measured, against, strict=True):
        by_key, by_stock = {_key(each): each for each in measures}, {(each.name, each.target): each for each in stock}
        for at, point in enumerate(group.points):
            board = (CellView(wording.plain(compared.name(group)), (), "", ""),) if several else ()
            cells = (_cell(by_key[key], at) if key in by_key else EMPTY for key in keys)
            ratios = (_stock_cell(by_stock[key], at) if key in by_stock else EMPTY for key in stock_keys)
            tag = _tag(point, group, best)
            rows.append(RowView(wording.plain(point.label), tag, (*board, *cells, *ratios), number))
            number += 1
    kind = compared.kind.value
    multiple = f"{TIMES} {wording.against(groups[0])}, " if any(group.reference for group in groups) else ""
    order = "Designs by board, densest first." if several else "Designs, densest first."
    return TableView(
        caption=f"{order} Below LUT, FF, DSP and BRAM_18K ({kind}): {multiple}share of the board."
        f"{' Last columns: multiples of stock hls4ml, whose numbers are below.' if stock_keys else ''}",
        corner="design",
        columns=(
            *((ColumnView("board" if len(compared.boards) > 1 else "of", (), False),) if several else ()),
            *(_column(heads[key]) for key in keys),
            *(_stock_column(stock_heads[key]) for key in stock_keys),
        ),
        rows=tuple(rows),
    )


def fits_table(compared: Comparisons) -> TableView | None:
    """Return which design fits which board: a row a label, a column a board.

    None for a single board, and where no label is of two boards.
    """
    groups = compared.boards
    labels = list(dict.fromkeys(point.label for point in compared.points))
    if len(labels) == len(compared.points):
        return None
    found = [{point.label: point for point in group.points} for group in groups]
    return TableView(
        f"Whether designs fit, and the fullest resource of the board ({compared.kind.value}).",
        "design",
        tuple(
            ColumnView(wording.plain(group.dense.board.title), (f"{group.place[1]:g} ns",), True) for group in groups
        ),
        tuple(RowView(wording.plain(label), "", tuple(_fit(each.get(label)) for each in found)) for label in labels),
    )


def _fit(point: Point | None) -> CellView:
    if point is None:
        return EMPTY
    used = point.resources.utilisation(point.board)
    fullest = max(used, key=lambda amount: used[amount])
    text = f"{wording.percent(used[fullest])} {wording.AMOUNT_NAMES[fullest]}"
    fits = used[fullest] <= 1
    return CellView("yes" if fits else "no", (text,), _sort(used[fullest]), "good" if fits else "bad")


def _key(measure: Measure) -> tuple[str, str]:
    return measure.name, measure.unit


def _tag(point: Point, comparison: Comparison, best: set[int]) -> str:
    if id(point) in best:
        return "best"
    return wording.against(comparison) if point is comparison.reference else ""


def _column(measure: Measure) -> ColumnView:
    units = tuple(word for word in (measure.unit, measure.kind) if word)
    return ColumnView(measure.name, units, True)


def _stock_column(measure: StockMeasure) -> ColumnView:
    return ColumnView(f"{TIMES} stock {measure.name}", (f"{measure.kind} / {measure.target.value}, estimated",), True)


def _stock_cell(measure: StockMeasure, at: int) -> CellView:
    ratio = measure.cells[at].ratio
    return CellView(times(ratio), (), _sort(ratio), "")


def _cell(measure: Measure, at: int) -> CellView:
    cell = measure.cells[at]
    notes = [cell.note] if cell.note else []
    if measure.compared and cell.ratio is not None:
        notes.append(times(cell.ratio))
    if measure.boarded and cell.share is not None:
        notes.append(wording.percent(cell.share))
    return CellView(cell.text, tuple(notes), _sort(cell.value), _tone(cell))


def _sort(value: float | None) -> str:
    """Return what the script of the page reads as a number."""
    return "" if value is None else f"{value:.9g}".replace("inf", "Infinity")


def _tone(cell: Cell) -> str:
    return "" if cell.tone is Tone.PLAIN else cell.tone.value


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
    return TableView(
        f"Layers of every design.{multiple}", "layer", (ColumnView("design", (), False), *columns), tuple(rows)
    )


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
    return TableView(f"Its layers.{multiple}", "layer", _layer_columns(point.resources.kind.value), tuple(rows))


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
        CellView(wording.percent(layer.sparsity), (), _sort(layer.sparsity), ""),
        _number(layer.nonzeros_pruned),
        _number(layer.nonzeros_quantised),
        _number(layer.nonzeros_built, dense.nonzeros_built if dense else None),
        *amounts,
        EMPTY if latency is None else _number(latency),
        EMPTY if cost is None else _number(layer.interval),
        CellView(wording.plain(cost.strategy) if cost else without_cost(layer), (), "", ""),
        CellView(paid.text, (), _sort(paid.value), _tone(paid)),
    )


def _number(value: int, dense: int | None = None) -> CellView:
    share = ratio(value, dense)
    return CellView(wording.count(value), () if share is None else (times(share),), _sort(value), "")


def without_cost(layer: LayerPoint | None) -> str:
    """Return why a design has no cost of a layer."""
    if layer is None:
        return "no such layer"
    return "not counted apart" if layer.facts else "not built"

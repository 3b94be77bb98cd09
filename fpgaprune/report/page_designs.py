"""The tables of designs of a page: what each takes, its multiples of stock hls4ml, and what fits where."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.measures import design_measures, stock_measures
from fpgaprune.report.page_tables import EMPTY, TIMES, fewer, sort_key, times, tone_of
from fpgaprune.report.views import CellView, ColumnView, RowView, TableView

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    from fpgaprune.report.comparison import Comparison, Point
    from fpgaprune.report.measures import Measure, StockMeasure
    from fpgaprune.report.several_boards import Comparisons

    Key: TypeAlias = tuple[str, str]
    """The name of a measure and its unit, which tell it from others."""

_BELOW: Mapping[Key, Key] = {("accuracy", "float"): ("accuracy", "integer"), ("latency", "cycles"): ("latency", "ns")}
"""Measures that have no column of their own: each is below another one, so that the table is as wide as a screen."""


def designs_table(compared: Comparisons, best: set[int]) -> TableView:
    """Return all designs, a row each, without what none takes; ``best`` has the identities of the best."""
    measured = [{_key(each): each for each in design_measures(group)} for group in compared.groups]
    heads = {key: each for measures in measured for key, each in measures.items()}
    fullest_first = sorted(measured, key=len, reverse=True)  # a board without a measure must not move its column
    keys = [key for key in dict.fromkeys(chain.from_iterable(fullest_first)) if key not in _BELOW]
    rows = [
        RowView(
            wording.plain(point.label),
            _tag(point, group, best),
            (*_place(compared, group), *(_cell(measures, key, at) for key in keys)),
            number,
        )
        for number, (group, measures, at, point) in enumerate(_numbered(compared, measured))
    ]
    columns = (*_place_column(compared), *(_column(heads[key]) for key in keys))
    return fewer(TableView(_caption(compared, heads), "design", columns, tuple(rows)))


def _caption(compared: Comparisons, heads: Mapping[Key, Measure]) -> str:
    """Return the order of designs, and what is below their numbers."""
    order = "Designs by board, densest first." if len(compared.groups) > 1 else "Designs, densest first."
    against = any(group.reference for group in compared.groups)
    multiple = f"{TIMES} {wording.against(compared.groups[0])}, " if against else ""
    boarded = [head.name for head in heads.values() if head.boarded]
    below = (
        f" Below {wording.listed(boarded)} ({compared.kind.value}): {multiple}share of the board." if boarded else ""
    )
    return f"{order}{below}"


def _numbered(
    compared: Comparisons, measured: Sequence[Mapping[Key, Measure]]
) -> Iterator[tuple[Comparison, Mapping[Key, Measure], int, Point]]:
    """Yield designs in their order, with their comparison, its measures and their place in it."""
    for group, measures in zip(compared.groups, measured, strict=True):
        for at, point in enumerate(group.points):
            yield group, measures, at, point


def _place(compared: Comparisons, group: Comparison) -> tuple[CellView, ...]:
    several = len(compared.groups) > 1
    return (CellView(wording.plain(compared.name(group)), (), "", ""),) if several else ()


def _place_column(compared: Comparisons) -> tuple[ColumnView, ...]:
    several = len(compared.groups) > 1
    return (ColumnView("board" if len(compared.boards) > 1 else "of", (), False),) if several else ()


def _key(measure: Measure) -> Key:
    return measure.name, measure.unit


def _below(key: Key) -> Key | None:
    """Return what is below a measure, None where nothing is."""
    return next((lower for lower, upper in _BELOW.items() if upper == key), None)


def _column(measure: Measure) -> ColumnView:
    lower = _below(_key(measure))
    below = f"below: {lower[1]}" if lower else ""
    return ColumnView(measure.name, tuple(word for word in (measure.unit, below, measure.kind) if word), True)


def _cell(measures: Mapping[Key, Measure], key: Key, at: int) -> CellView:
    if key not in measures:
        return EMPTY
    measure, lower = measures[key], _below(key)
    cell = measure.cells[at]
    notes = [cell.note] if cell.note else []
    notes += [measures[lower].cells[at].text] if lower else []
    if measure.compared and cell.ratio is not None:
        notes.append(times(cell.ratio))
    if measure.boarded and cell.share is not None:
        notes.append(wording.percent(cell.share))
    return CellView(cell.text, tuple(notes), sort_key(cell.value), tone_of(cell))


def stock_table(compared: Comparisons) -> TableView | None:
    """Return what all designs take as multiples of stock hls4ml, a row each; None where it was not estimated."""
    against = [
        {(each.name, each.target): each for each in (stock_measures(group, group.stock) if group.stock else ())}
        for group in compared.groups
    ]
    heads = {key: each for measures in against for key, each in measures.items()}
    if not heads:
        return None
    rows = tuple(
        RowView(
            wording.plain(point.label),
            "",
            (*_place(compared, group), *(_stock_cell(measures.get(key), at) for key in heads)),
        )
        for group, measures in zip(compared.groups, against, strict=True)
        for at, point in enumerate(group.points)
    )
    columns = (*_place_column(compared), *map(_stock_column, heads.values()))
    return TableView(
        f"What designs take ({compared.kind.value}) as multiples of stock hls4ml, an estimate of what is named below "
        "each; its numbers are at the end of the page.",
        "design",
        columns,
        rows,
    )


def _stock_column(measure: StockMeasure) -> ColumnView:
    return ColumnView(f"{TIMES} stock {measure.name}", (f"{measure.kind} / {measure.target.value}, estimated",), True)


def _stock_cell(measure: StockMeasure | None, at: int) -> CellView:
    if measure is None:
        return EMPTY
    ratio = measure.cells[at].ratio
    return CellView(times(ratio), (), sort_key(ratio), "")


def _tag(point: Point, comparison: Comparison, best: set[int]) -> str:
    if id(point) in best:
        return "best"
    return wording.against(comparison) if point is comparison.reference else ""


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
    return CellView("yes" if fits else "no", (text,), sort_key(used[fullest]), "good" if fits else "bad")

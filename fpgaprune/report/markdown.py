"""A comparison as a Markdown table, for a README."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.answer import answer
from fpgaprune.report.measures import design_measures, layer_measures, stock_measures
from fpgaprune.report.notes import notes
from fpgaprune.report.several_boards import Comparisons

if TYPE_CHECKING:
    from fpgaprune.report.comparison import Comparison
    from fpgaprune.report.judge import Finding
    from fpgaprune.report.measures import Cell, Measure
    from fpgaprune.report.several_boards import Compared


def markdown(compared: Compared) -> str:
    """Return a table with one design a row, dense first, and whether pruning pays, as Markdown, board by board."""
    return "\n".join(map(_part, Comparisons.of(compared).groups))


def _part(comparison: Comparison) -> str:
    resources = comparison.dense.resources
    kind = wording.KIND_NOTE[resources.kind]
    measures = design_measures(comparison)
    head = ["design", *(_heading(measure) for measure in measures)]
    rows = [
        [_safe(point.label), *(_cell(measure.cells[at]) for measure in measures)]
        for at, point in enumerate(comparison.points)
    ]
    board = f"{_safe(comparison.dense.board.title)}, clock {wording.nanoseconds(resources.clock_ns)} ns"
    multiple = "; in brackets the multiple of the first design" if comparison.reference else ""
    lines = [
        f"Designs on the {board}. Kind of numbers: {kind}{multiple}.",
        "",
        *_table(head, rows),
        "",
        _safe(answer(comparison).headline),
        "",
        f"Does pruning pay? {_safe(wording.pays(comparison))}.",
        *(line for finding in comparison.findings() for line in _finding(finding)),
        *(f"- but {_safe(note)}" for note in notes(comparison)),
        *_layers(comparison),
        *_stock(comparison),
        *(["", wording.also_measured(comparison.measured)] if comparison.measured else []),
        *(
            f"- {_safe(point.label)}: {_safe(wording.edited(point.edited))}"
            for point in comparison.points
            if point.edited
        ),
    ]
    return "\n".join(lines) + "\n"


def _finding(finding: Finding) -> list[str]:
    return [f"- {_safe(str(finding))}", *(f"  - because: {_safe(reason)}" for reason in finding.why)]


def _layers(comparison: Comparison) -> list[str]:
    """Return a table of layers, a row for each measure; the kind of the numbers is in the heading."""
    layers = layer_measures(comparison)
    if not layers:
        return []
    rows = [
        [_safe(layer.layer), f"{measure.name} ({said})" if (said := measure.unit or measure.kind) else measure.name]
        + [_cell(cell) for cell in measure.cells]
        for layer in layers
        for measure in layer.measures
    ]
    return ["", *_table(["layer", "", *(_safe(point.label) for point in comparison.points)], rows, words=1)]


def _stock(comparison: Comparison) -> list[str]:
    """Return a table of designs against stock hls4ml, in brackets the multiple of it."""
    stock = comparison.stock
    if stock is None:
        return []
    rows = [
        [
            f"{measure.name}{f' ({measure.unit})' if measure.unit else ''}",
            f"{measure.stock.text} ({measure.target.value}, estimated; {measure.stock.note})",
            *(_cell(cell) for cell in measure.cells),
        ]
        for measure in stock_measures(comparison, stock)
    ]
    kind = comparison.dense.resources.kind.value
    head = ["", "stock", *(f"{_safe(point.label)} ({kind})" for point in comparison.points)]
    said = (
        [f"Against {_safe(stock.title)}; in brackets the multiple of stock.", "", *_table(head, rows)] if rows else []
    )
    return ["", *said, *(f"- {_safe(remark)}" for remark in stock.remarks)]


def _table(head: list[str], rows: list[list[str]], words: int = 0) -> list[str]:
    """Return a table whose first column and ``words`` more are words."""
    rule = ["---"] * (1 + words) + ["---:"] * (len(head) - 1 - words)
    return [_row(head), _row(rule), *map(_row, rows)]


def _heading(measure: Measure) -> str:
    said = ", ".join(word for word in (measure.unit, measure.kind) if word)
    return f"{measure.name} ({said})" if said else measure.name


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    said = cell.note if cell.ratio is None else wording.times(cell.ratio)
    return f"{cell.text} ({said})" if said else cell.text


def _safe(name: str) -> str:
    """Return a foreign name whose signs mean nothing to Markdown or HTML."""
    text = wording.plain(name).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|~#$!])", r"\\\1", text)

"""A comparison as a Markdown table, for a README."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.answer import answer
from fpgaprune.report.measures import design_measures
from fpgaprune.report.notes import notes

if TYPE_CHECKING:
    from fpgaprune.report.comparison import Comparison
    from fpgaprune.report.measures import Cell, Measure


def markdown(comparison: Comparison) -> str:
    """Return a table with one design a row, dense first, and whether pruning pays, as Markdown."""
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
        _row(head),
        _row(["---", *("---:" for _ in measures)]),
        *map(_row, rows),
        "",
        _safe(answer(comparison).headline),
        "",
        f"Does pruning pay? {_safe(wording.pays(comparison))}.",
        *(f"- {_safe(str(finding))}" for finding in comparison.findings()),
        *(f"- but {_safe(note)}" for note in notes(comparison)),
        *(
            f"- {_safe(point.label)}: {_safe(wording.edited(point.edited))}"
            for point in comparison.points
            if point.edited
        ),
    ]
    return "\n".join(lines) + "\n"


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

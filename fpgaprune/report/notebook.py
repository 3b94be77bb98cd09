"""Comparisons in notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.answer import answer
from fpgaprune.report.measures import design_measures
from fpgaprune.rows import html_table

if TYPE_CHECKING:
    from fpgaprune.report.comparison import Comparison
    from fpgaprune.report.measures import Cell, Measure
    from fpgaprune.report.several_boards import Comparisons


def comparisons_html(compared: Comparisons) -> str:
    """Return one table after the other, each under what sets it apart and the answer for it."""
    return "".join(comparison_html(group, wording.plain(compared.name(group))) for group in compared.groups)


def comparison_html(comparison: Comparison, name: str = "") -> str:
    """Return the measures of whole designs as an HTML table, a column a design, under a name and the answer."""
    head = ["", *(wording.plain(point.label) for point in comparison.points)]
    rows = [
        [_name(measure), *(_cell(cell, measure) for cell in measure.cells)] for measure in design_measures(comparison)
    ]
    headline = answer(comparison).headline
    return html_table(head, rows, f"{name}: {headline}" if name else headline)


def _name(measure: Measure) -> str:
    said = ", ".join(word for word in (measure.unit, measure.kind) if word)
    return f"{measure.name} ({said})" if said else measure.name


def _cell(cell: Cell, measure: Measure) -> str:
    if measure.compared and cell.ratio is not None:
        return f"{cell.text} ({wording.times(cell.ratio)})"
    return f"{cell.text} ({cell.note})" if cell.note else cell.text

"""A comparison on the terminal: designs beside each other, dense first, then each layer, then whether pruning pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from fpgaprune.report import wording
from fpgaprune.report.answer import answer
from fpgaprune.report.measures import Tone, design_measures, layer_measures, shown_amounts
from fpgaprune.report.notes import notes
from fpgaprune.report.tables import Column, Line, fits, foreign, print_tables, safe, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from fpgaprune.report.comparison import Comparison
    from fpgaprune.report.measures import Cell, Measure

STYLES = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.BAD: "bold red"}


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print a comparison to a rich console: in ASCII without colours unless it is a terminal."""
    columns = [Column(foreign(point.label, console)) for point in comparison.points]
    lines = [_design_line(measure, comparison) for measure in design_measures(comparison)]
    say(console, Text(f"Designs side by side on the {_title(comparison)}", style="bold"))
    say(console, Text(_units(comparison), style="dim"))
    print_tables(console, "design", columns, lines, repeated=1)
    _print_layers(comparison, console, columns)
    _print_findings(comparison, console)
    for point in comparison.points:
        if point.edited:
            say(console, foreign(f"{point.label}: {wording.edited(point.edited)}", console, style="yellow"))


def _title(comparison: Comparison) -> str:
    board, resources = comparison.dense.board, comparison.dense.resources
    return f"{board.title} ({board.part}), clock {wording.nanoseconds(resources.clock_ns)} ns"


def _units(comparison: Comparison) -> str:
    names = ", ".join(wording.AMOUNT_NAMES[amount] for amount in shown_amounts(comparison))
    times = f"'x {wording.against(comparison)}' is the multiple of the first design, " if comparison.reference else ""
    return (
        f"Kind of numbers ({names}, cycles): {wording.KIND_NOTE[comparison.dense.resources.kind]}. "
        f"{times}'% board' is the share of what the board has; "
        "sparsity is the share of zero weights after quantisation, non-zeros are those built."
    )


def _print_layers(comparison: Comparison, console: Console, columns: Sequence[Column]) -> None:
    layers = layer_measures(comparison)
    if not layers:
        return
    multiple = ", each with its multiple of the first design" if comparison.reference else ""
    say(console, Text(f"Layer by layer ({comparison.dense.resources.kind.value}){multiple}", style="bold"))
    joined = [_layer_line(measure, " ") for layer in layers for measure in layer.measures]
    between = " " if fits(console, columns, joined) else "\n"
    lines = []
    for layer in layers:
        lines.append(Line(foreign(layer.layer, console, style="bold"), (Text(""),) * len(columns)))
        rows = [_layer_line(measure, between) for measure in layer.measures]
        lines += [*rows[:-1], Line(rows[-1].label, rows[-1].cells, last=True)]
    print_tables(console, "layer", columns, lines, repeated=1)


def _print_findings(comparison: Comparison, console: Console) -> None:
    findings, noted = comparison.findings(), notes(comparison)
    good = not findings and not noted and comparison.compared and not comparison.not_compared
    style = "bold green" if good else "bold red" if findings else "bold"
    say(console, Text.assemble(("Does pruning pay? ", "bold"), (safe(wording.pays(comparison), console), style)))
    for finding in findings:
        say(console, foreign(f"- {finding}", console, style="red"))
    for note in noted:
        say(console, foreign(f"- but {note}", console, style="yellow"))
    found = answer(comparison)
    say(console, foreign(f"{found.headline} {found.detail}", console))


def _design_line(measure: Measure, comparison: Comparison) -> Line:
    said = measure.unit or measure.kind
    label = Text(f"{measure.name} ({said})" if said else measure.name)
    parts = []
    if measure.compared:
        parts.append(f"x {wording.against(comparison)}")
    if measure.boarded:
        parts.append("% board")
    for part in parts:
        label.append(f"\n  {part}", style="dim")
    return Line(label, tuple(_stacked(cell, measure) for cell in measure.cells))


def _stacked(cell: Cell, measure: Measure) -> Text:
    text = Text(cell.text.replace(", ", ",\n"), style=STYLES[cell.tone])
    if measure.compared:
        text.append(f"\n{wording.times(cell.ratio)}", style="dim")
    if measure.boarded and cell.share is not None:
        text.append(f"\n{wording.percent(cell.share)}", style=STYLES[cell.tone] or "dim")
    return text


def _layer_line(measure: Measure, between: str) -> Line:
    cells = []
    for cell in measure.cells:
        text = Text(cell.text)
        if measure.compared and cell.value is not None:
            text.append(f"{between}{wording.times(cell.ratio):>6}", style="dim")
        cells.append(text)
    return Line(Text(f"  {measure.name}"), tuple(cells))

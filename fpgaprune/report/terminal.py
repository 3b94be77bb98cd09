"""A comparison on the terminal: designs beside each other, dense first, then each layer, then whether pruning pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from fpgaprune.report import wording
from fpgaprune.report.answer import answer
from fpgaprune.report.measures import Tone, design_measures, layer_measures, shown_amounts, stock_measures
from fpgaprune.report.notes import notes
from fpgaprune.report.tables import Column, Line, fits, foreign, print_tables, safe, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from fpgaprune.report.comparison import Comparison
    from fpgaprune.report.measures import Cell, Measure, StockMeasure

STYLES = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.BAD: "bold red"}


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print a comparison to a rich console: in ASCII without colours unless it is a terminal."""
    columns = [Column(foreign(point.label, console)) for point in comparison.points]
    lines = [_design_line(measure, comparison) for measure in design_measures(comparison)]
    say(console, Text(f"Designs side by side on the {_title(comparison)}", style="bold"))
    say(console, Text(_units(comparison), style="dim"))
    print_tables(console, "design", columns, lines, repeated=1)
    _print_layers(comparison, console, columns)
    _print_stock(comparison, console)
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


def _print_stock(comparison: Comparison, console: Console) -> None:
    """Print what designs take against stock hls4ml; each row says its kinds, which differ."""
    stock = comparison.stock
    if stock is None:
        return
    measures = stock_measures(comparison, stock)
    if measures:
        say(console, foreign(f"Against {stock.title}", console, style="bold"))
        kinds = f"stock is an estimate of csynth or of post-synthesis, designs are of the kind {measures[0].kind}"
        say(console, Text(f"Kinds differ: {kinds}; 'x' is the multiple of stock.", style="dim"))
        columns = [
            Column(Text("stock\n(estimated)")),
            *(Column(foreign(point.label, console)) for point in comparison.points),
        ]
        lines = [_stock_line(measure) for measure in measures]
        print_tables(console, "against stock", columns, lines, repeated=1)
    for remark in stock.remarks:
        say(console, foreign(remark, console, style="yellow"))


def _stock_line(measure: StockMeasure) -> Line:
    unit = f" [{measure.unit}]" if measure.unit else ""
    label = Text(f"{measure.name}{unit}").append(f"\n  {measure.target.value}", style="dim")
    first = Text(measure.stock.text).append(f"\n{measure.stock.note.replace(' to ', '-')}", style="dim")
    cells = (Text(cell.text).append(f"\n{wording.times(cell.ratio)}", style="dim") for cell in measure.cells)
    return Line(label, (first, *cells))


def _print_findings(comparison: Comparison, console: Console) -> None:
    findings, noted = comparison.findings(), notes(comparison)
    good = not findings and not noted and comparison.compared and not comparison.not_compared
    style = "bold green" if good else "bold red" if findings else "bold"
    say(console, Text.assemble(("Does pruning pay? ", "bold"), (safe(wording.pays(comparison), console), style)))
    for finding in findings:
        say(console, foreign(f"- {finding}", console, style="red"))
        for reason in finding.why:
            say(console, foreign(f"  because: {reason}", console))
    for note in noted:
        say(console, foreign(f"- but {note}", console, style="yellow"))
    if comparison.compared:
        say(console, Text(f"Threshold {comparison.threshold:g}: {wording.asked(comparison.threshold)}.", style="dim"))
    if also := wording.also_measured(comparison.measured):
        say(console, Text(also))
    found = answer(comparison)
    say(console, foreign(f"{found.headline} {found.detail}", console))


def _design_line(measure: Measure, comparison: Comparison) -> Line:
    label = Text(_head(measure))
    parts = []
    if measure.compared:
        parts.append(f"x {wording.against(comparison)}")
    if measure.boarded:
        parts.append("% board")
    for part in parts:
        label.append(f"\n  {part}", style="dim")
    return Line(label, tuple(_stacked(cell, measure) for cell in measure.cells))


def _head(measure: Measure) -> str:
    """Return a measure with its unit and kind; the kind of times is said above the table."""
    kind = "" if measure.unit in ("cycles", "ns") else measure.kind
    said = ", ".join(word for word in (measure.unit, kind) if word)
    return f"{measure.name} ({said})" if said else measure.name


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
        text = Text(cell.text, style=STYLES[cell.tone])
        if measure.compared and cell.value is not None:
            text.append(f"{between}{wording.times(cell.ratio):>6}", style="dim")
        cells.append(text)
    return Line(Text(f"  {measure.name}{f' [{measure.unit}]' if measure.unit else ''}"), tuple(cells))

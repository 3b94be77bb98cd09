"""A comparison on the terminal: designs beside each other, dense first, then each layer, then whether pruning pays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from fpgaprune.report import wording
from fpgaprune.report.answer import answer
from fpgaprune.report.measures import Tone, design_measures, layer_measures, shown_amounts
from fpgaprune.report.notes import notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from fpgaprune.report.comparison import Comparison
    from fpgaprune.report.measures import Cell, Measure

STYLES = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.BAD: "bold red"}

_ASCII = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_LABEL_WIDTH = 20
_HEADER_WIDTH = 16
_GAP = 2


@dataclass(frozen=True)
class _Line:
    """One row of a table: what it is, and a text for each design; ``last`` if a rule of blank space follows."""

    label: Text
    cells: tuple[Text, ...]
    last: bool = False


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print a comparison to a rich console: in ASCII without colours unless it is a terminal."""
    labels = [_foreign(point.label, console) for point in comparison.points]
    _say(console, Text(f"Designs side by side on the {_title(comparison)}", style="bold"))
    _say(console, Text(_units(comparison), style="dim"))
    _print_tables(console, "design", labels, [_design_line(measure) for measure in design_measures(comparison)])
    _print_layers(comparison, console, labels)
    _print_findings(comparison, console)


def _title(comparison: Comparison) -> str:
    board, resources = comparison.dense.board, comparison.dense.resources
    return f"{board.title} ({board.part}), clock {wording.nanoseconds(resources.clock_ns)} ns"


def _units(comparison: Comparison) -> str:
    names = ", ".join(wording.AMOUNT_NAMES[amount] for amount in shown_amounts(comparison))
    return (
        f"Kind of numbers ({names}, cycles): {wording.KIND_NOTE[comparison.dense.resources.kind]}. "
        "'x dense' is the multiple of the first design, '% board' the share of what the board has; "
        "sparsity is the share of zero weights after quantisation, non-zeros are those built."
    )


def _print_layers(comparison: Comparison, console: Console, labels: Sequence[Text]) -> None:
    layers = layer_measures(comparison)
    if not layers:
        return
    kind = comparison.dense.resources.kind.value
    _say(console, Text(f"Layer by layer ({kind}), each with its multiple of the first design", style="bold"))
    joined = [_layer_line(measure, " ") for layer in layers for measure in layer.measures]
    between = " " if _fits(console, labels, joined) else "\n"
    lines = []
    for layer in layers:
        lines.append(_Line(_foreign(layer.layer, console, style="bold"), (Text(""),) * len(labels)))
        rows = [_layer_line(measure, between) for measure in layer.measures]
        lines += [*rows[:-1], _Line(rows[-1].label, rows[-1].cells, last=True)]
    _print_tables(console, "layer", labels, lines)


def _print_findings(comparison: Comparison, console: Console) -> None:
    findings, noted = comparison.findings(), notes(comparison)
    good = not findings and not noted and len(comparison.points) > 1
    style = "bold green" if good else "bold red" if findings else "bold"
    _say(console, Text.assemble(("Does pruning pay? ", "bold"), (_safe(wording.pays(comparison), console), style)))
    for finding in findings:
        _say(console, _foreign(f"- {finding}", console, style="red"))
    for note in noted:
        _say(console, _foreign(f"- but {note}", console, style="yellow"))
    found = answer(comparison)
    _say(console, _foreign(f"{found.headline} {found.detail}", console))


def _say(console: Console, text: Text) -> None:
    console.print(text, highlight=False)


def _design_line(measure: Measure) -> _Line:
    said = measure.unit or measure.kind
    label = Text(f"{measure.name} ({said})" if said else measure.name)
    parts = []
    if measure.compared:
        parts.append("x dense")
    if measure.boarded:
        parts.append("% board")
    for part in parts:
        label.append(f"\n  {part}", style="dim")
    return _Line(label, tuple(_stacked(cell, measure) for cell in measure.cells))


def _stacked(cell: Cell, measure: Measure) -> Text:
    text = Text(cell.text, style=STYLES[cell.tone])
    if measure.compared:
        text.append(f"\n{wording.times(cell.ratio)}", style="dim")
    if measure.boarded and cell.share is not None:
        text.append(f"\n{wording.percent(cell.share)}", style=STYLES[cell.tone] or "dim")
    return text


def _layer_line(measure: Measure, between: str) -> _Line:
    cells = []
    for cell in measure.cells:
        text = Text(cell.text)
        if cell.value is not None:
            text.append(f"{between}{wording.times(cell.ratio):>6}", style="dim")
        cells.append(text)
    return _Line(Text(f"  {measure.name}"), tuple(cells))


def _print_tables(console: Console, corner: str, labels: Sequence[Text], lines: Sequence[_Line]) -> None:
    """Print one table, or as many as the width of the console asks for, each with the dense design first."""
    for columns in _groups(console.width, labels, lines):
        table = Table(box=box.SIMPLE_HEAD if _rich(console) else _ASCII, padding=(0, 1, 0, 0), show_edge=False)
        table.add_column(corner, overflow="fold", max_width=_LABEL_WIDTH)
        for column in columns:
            table.add_column(labels[column], justify="right", overflow="fold", max_width=_HEADER_WIDTH)
        for line in lines:
            table.add_row(line.label, *(line.cells[column] for column in columns), end_section=line.last)
        console.print(table)
        console.print()


def _groups(width: int, labels: Sequence[Text], lines: Sequence[_Line]) -> list[list[int]]:
    """Return the designs of each table: as many as fit beside the label and the dense design, at least one."""
    widths = [_width(labels, lines, column) + _GAP for column in range(len(labels))]
    room = width - _label_width(lines) - _GAP - widths[0]
    groups: list[list[int]] = [[0]]
    used = 0
    for column, needed in enumerate(widths[1:], start=1):
        if used + needed > room and len(groups[-1]) > 1:
            groups.append([0])
            used = 0
        groups[-1].append(column)
        used += needed
    return groups


def _fits(console: Console, labels: Sequence[Text], lines: Sequence[_Line]) -> bool:
    return len(_groups(console.width, labels, lines)) == 1 and (
        _label_width(lines) + _GAP + sum(_width(labels, lines, column) + _GAP for column in range(len(labels)))
        <= console.width
    )


def _label_width(lines: Sequence[_Line]) -> int:
    return min(_LABEL_WIDTH, max(_longest(line.label) for line in lines))


def _width(labels: Sequence[Text], lines: Sequence[_Line], column: int) -> int:
    return max(min(_HEADER_WIDTH, _longest(labels[column])), *(_longest(line.cells[column]) for line in lines))


def _longest(text: Text) -> int:
    return max((cell_len(line) for line in text.plain.split("\n")), default=0)


def _rich(console: Console) -> bool:
    return console.is_terminal and console.encoding.startswith("utf")


def _safe(name: str, console: Console) -> str:
    """Return a name that the console can write: escapes instead of what cannot be printed or encoded."""
    encoding = console.encoding if console.is_terminal else "ascii"
    return wording.plain(name).encode(encoding, "backslashreplace").decode(encoding)


def _foreign(name: str, console: Console, style: str = "") -> Text:
    return Text(_safe(name, console), style=style)

"""The table of a sweep on the terminal: a line for each design, or one for each fact of a single one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from fpgaprune.sweep.table import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.sweep.table import Column, Table

_FIRST = ("design", "said", "accuracy, integers", "lut", "dsp", "interval", "latency", "C-simulation", "fits the board")
"""What is shown where there is no room for all, the rest being in the table's files."""

_WIDE = 1000
"""Characters of a line that is piped, which nothing wraps."""


def print_table(table: Table, console: Console) -> None:
    """Print a table without its empty columns; a terminal gets the first of those that it has room for."""
    told = [place for place in range(len(table.columns)) if any(row[place] not in (None, "", 0) for row in table.rows)]
    if len(table.rows) == 1:
        _print_one(table, told, console)
        return
    wide = console if console.is_terminal else Console(width=_WIDE)
    shown_places = _fitting(table, told, wide.width)
    printed = RichTable(box=box.SIMPLE_HEAD if wide.is_terminal else box.ASCII, pad_edge=False)
    for place in shown_places:
        numeric = all(isinstance(row[place], (int, float, type(None))) for row in table.rows)
        printed.add_column(Text("\n".join(_head(table.columns[place]))), justify="right" if numeric else "left")
    for row in table.rows:
        printed.add_row(*(Text(shown(row[place])) for place in shown_places))
    wide.print(printed)


def _print_one(table: Table, told: Sequence[int], console: Console) -> None:
    printed = RichTable(box=None, show_header=False, pad_edge=False)
    for place in told[1:]:
        printed.add_row(Text(table.columns[place].title), Text(shown(table.rows[0][place])))
    console.print(printed)


def _fitting(table: Table, told: Sequence[int], width: int) -> list[int]:
    """Return the places of columns that fit, the most important ones first chosen, in the order of the table."""
    names = [column.name for column in table.columns]
    ranked = sorted(told, key=lambda place: _FIRST.index(names[place]) if names[place] in _FIRST else len(_FIRST))
    chosen: list[int] = []
    left = width
    for place in ranked:
        left -= _width(table, place)
        if left < 0 and chosen:
            break
        chosen.append(place)
    return sorted(chosen)


def _width(table: Table, place: int) -> int:
    cells = [*_head(table.columns[place]), *(shown(row[place]) for row in table.rows)]
    return max(map(len, cells)) + 3


def _head(column: Column) -> list[str]:
    return [word for word in (column.name, column.unit, column.kind) if word]

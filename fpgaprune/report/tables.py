"""Tables on the terminal: as wide as the console and never wider, in ASCII where it is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from fpgaprune.report import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

_ASCII = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_LABEL_WIDTH = 28
_HEADER_WIDTH = 16
_GAP = 2


@dataclass(frozen=True)
class Column:
    """The head of a column, and whether its cells are words, which begin at the left."""

    head: Text
    words: bool = False


@dataclass(frozen=True)
class Line:
    """One row of a table: what it is, and a text for each column; ``last`` if a rule of blank space follows."""

    label: Text
    cells: tuple[Text, ...]
    last: bool = False


def print_tables(
    console: Console, corner: str, columns: Sequence[Column], lines: Sequence[Line], *, repeated: int = 0
) -> None:
    """Print one table, or as many as the width of the console asks for, each with its first ``repeated`` columns."""
    for places in _groups(console.width, columns, lines, repeated):
        table = Table(box=box.SIMPLE_HEAD if _rich(console) else _ASCII, padding=(0, 1, 0, 0), show_edge=False)
        table.add_column(corner, overflow="fold", max_width=_LABEL_WIDTH)
        for place in places:
            column = columns[place]
            width = None if column.words else _width(columns, lines, place)  # heads are folded, numbers never
            justify: Literal["left", "right"] = "left" if column.words else "right"
            table.add_column(column.head, justify=justify, overflow="fold", max_width=width)
        for line in lines:
            table.add_row(line.label, *(line.cells[place] for place in places), end_section=line.last)
        console.print(table)
        console.print()


def fits(console: Console, columns: Sequence[Column], lines: Sequence[Line]) -> bool:
    """Whether everything goes into one table that is no wider than the console."""
    widths = [_width(columns, lines, place) + _GAP for place in range(len(columns))]
    return _label_width(lines) + _GAP + sum(widths) <= console.width


def say(console: Console, text: Text) -> None:
    """Print text as it is."""
    console.print(text, highlight=False)


def foreign(name: str, console: Console, style: str = "") -> Text:
    """Return a name that a user chose as a text that the console can write."""
    return Text(safe(name, console), style=style)


def safe(name: str, console: Console) -> str:
    """Return a name that the console can write: escapes instead of what cannot be printed or encoded."""
    encoding = console.encoding if console.is_terminal else "ascii"
    return wording.plain(name).encode(encoding, "backslashreplace").decode(encoding)


def _groups(width: int, columns: Sequence[Column], lines: Sequence[Line], repeated: int) -> list[list[int]]:
    """Return the columns of each table: as many as fit beside the label and those repeated, at least one."""
    widths = [_width(columns, lines, place) + _GAP for place in range(len(columns))]
    first = list(range(min(repeated, len(columns))))
    room = width - _label_width(lines) - _GAP - sum(widths[place] for place in first)
    groups = [list(first)]
    used = 0
    for place in range(len(first), len(columns)):
        if used + widths[place] > room and len(groups[-1]) > len(first):
            groups.append(list(first))
            used = 0
        groups[-1].append(place)
        used += widths[place]
    return groups


def _label_width(lines: Sequence[Line]) -> int:
    return min(_LABEL_WIDTH, max(_longest(line.label) for line in lines))


def _width(columns: Sequence[Column], lines: Sequence[Line], place: int) -> int:
    head = min(_HEADER_WIDTH, _longest(columns[place].head))
    return max(head, *(_longest(line.cells[place]) for line in lines))


def _longest(text: Text) -> int:
    return max((cell_len(line) for line in text.plain.split("\n")), default=0)


def _rich(console: Console) -> bool:
    return console.is_terminal and console.encoding.startswith("utf")

"""The texts that vendor tools write: tables of bars and dashes, and headers of keys and values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table: the lines of its head, and its rows; cells keep the blanks that show depth."""

    head: tuple[Row, ...]
    rows: tuple[Row, ...]

    @property
    def columns(self) -> Row:
        """The names of the columns, each put together from the lines of the head."""
        last = self.head[-1]
        lines = [line for line in self.head if len(line) == len(last)]
        return tuple(" ".join(filter(None, (cell.strip() for cell in cells))) for cells in zip(*lines, strict=True))

    def records(self) -> tuple[Mapping[str, str], ...]:
        """Return each row by the names of its columns.

        Raises:
            InputError: a row has other cells than the head: the report is cut off.
        """
        columns = self.columns
        for row in self.rows:
            if len(row) != len(columns):
                said = "|".join(row).strip()
                msg = f"the row {said!r} has {len(row)} cells under {len(columns)} columns: is the report cut off?"
                raise InputError(msg)
        return tuple(dict(zip(columns, row, strict=True)) for row in self.rows)


def tables(text: str) -> Iterator[Table]:
    """Yield the tables of a report from top to bottom: rows between bars, a head between lines of dashes."""
    block: list[str] = []
    for line in (*text.splitlines(), ""):
        bare = line.strip()
        if bare.startswith(("|", "+-")):
            block.append(bare)
        elif block:
            yield from _table(block)
            block = []


def _table(block: list[str]) -> Iterator[Table]:
    parts: list[list[Row]] = [[]]
    for line in block:
        if line.startswith("+"):
            parts.append([])
        else:
            parts[-1].append(tuple(line.removesuffix("|")[1:].split("|")))
    head, *rest = [part for part in parts if part] or [[]]
    if head:
        yield Table(tuple(head), tuple(row for part in rest for row in part))


def find(text: str, *columns: str) -> Table | None:
    """Return the first table that has all these columns."""
    return next((table for table in tables(text) if set(columns) <= set(table.columns)), None)


def require(text: str, what: str, *columns: str) -> Table:
    """Return the first table that has all these columns.

    Raises:
        InputError: there is none.
    """
    table = find(text, *columns)
    if table is None:
        msg = f"there is no table of {what} (columns {', '.join(columns)}): is the report cut off?"
        raise InputError(msg)
    return table


def header(text: str) -> dict[str, str]:
    """Return the keys and values at the head of a Vivado report (``| Design : net``), keys in lower case."""
    pairs = re.findall(r"^\|[ \t]*([A-Za-z][A-Za-z ]*?)[ \t]*:[ \t]*(.*?)\s*?$", text[:20_000], re.MULTILINE)
    return {key.lower(): value for key, value in reversed(pairs)}


def field(text: str, key: str) -> str | None:
    """Return a value at the head of an HLS report (``* Version:  2023.2 (Build …)``), or None."""
    found = re.search(rf"^\s*\*\s*{re.escape(key)}:[ \t]*(\S.*?)\s*$", text, re.MULTILINE)
    return found[1] if found else None


def tag_of(text: str | None) -> str | None:
    """Return the tag that the scripts of a project leave in names of folders, or None."""
    found = re.search(r"fpgaprune_([0-9a-f]{8})\b", text or "")
    return found[1] if found else None


def version_of(text: str) -> str:
    """Return the version of a vendor's tool, ``2023.2`` or ``2023.2.1``.

    Raises:
        InputError: none is there.
    """
    found = re.search(r"\b(20[0-9]{2}\.[0-9](?:\.[0-9]+)?)", text) or re.search(r"v\.?(20[0-9]{2}\.[0-9])", text)
    if found is None:
        msg = "it does not say the version of the tool that wrote it"
        raise InputError(msg)
    return found[1]

"""Which line of a TOML file an error is about."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fpgaprune import errors
from fpgaprune.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_WORD = re.compile(r"[\w.\[\]-]+")
_TABLE = re.compile(r"\[(\w+)\] (.*)", re.DOTALL)


@contextmanager
def located(path: Path) -> Iterator[None]:
    """Begin the message of an InputError in the block with its line in a TOML file, where it names a table there."""
    try:
        yield
    except InputError as error:
        line = line_of(path.read_text(encoding="utf-8"), str(error))
        if line is None:
            raise
        msg = f"line {line}: {error}"
        raise InputError(msg) from error


@contextmanager
def told_of(path: Path | None) -> Iterator[None]:
    """Begin the message of an InputError in the block with the TOML file behind it, and its line as `located`."""
    if path is None:
        yield
        return
    with errors.located(f"{path}:"), located(path):
        yield


def line_of(text: str, message: str) -> int | None:
    """Return the line of the field that a message begins with or quotes, else that of its table, from 1 on."""
    found = _TABLE.match(message)
    if found is None:
        return None
    table, said = found.groups()
    lines = lines_of(text)
    named = [*_WORD.findall(said)[:1], *re.findall(r"'([^']+)'", said)]
    paths = [path for name in named for path in lines if path[0] == table and _is_named(path, name)]
    return lines[max(paths, key=len)] if paths else lines.get((table,))


def _is_named(path: tuple[str, ...], name: str) -> bool:
    """Return whether a name is that of a field of a file, or begins with it, or ends it."""
    parts = tuple(re.sub(r"\[(\d+)\]", r".\1", name).split("."))
    return path[1:] == parts[: len(path) - 1] or path[-len(parts) :] == parts


def lines_of(text: str) -> Mapping[tuple[str, ...], int]:
    """Return the first line of each table and key of a TOML file, from 1 on; keys of inline tables are left out.

    Tables of a list (``[[name]]``) are counted from 0 on, below its name.
    """
    found: dict[tuple[str, ...], int] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            table = _parts(header[2])
            if header[1] == "[[":
                counts[table] += 1
                table = (*table, str(counts[table] - 1))
            path = table
        elif key := _KEY.match(line):
            path = (*table, *_parts(key[1]))
        else:
            continue
        for count in range(1, len(path) + 1):
            found.setdefault(path[:count], number)
    return found


def _parts(dotted: str) -> tuple[str, ...]:
    """Return the names of a dotted key; a quoted one with dots in it names as many."""
    return tuple(part for part in re.sub(r"[\"'\s]", "", dotted).split(".") if part)

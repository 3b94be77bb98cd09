"""What a board offers: the part, the default clock and the resources, each figure with the document it comes from."""

from __future__ import annotations

import re
import reprlib
import sys
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError, suggest
from fpgaprune.paths import resource
from fpgaprune.rows import html_table

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LARGEST_FILE = 1_000_000  # bytes; a board file has about two thousand
_SLOWEST_NS = 1e6


class Family(Enum):
    """A device family, under the name that Yosys' ``synth_xilinx -family`` knows it by."""

    XC7 = "xc7"  # 7 series and Zynq-7000
    XCU = "xcu"  # UltraScale
    XCUP = "xcup"  # UltraScale+


@dataclass(frozen=True)
class BoardResources:
    """The resources of a whole device; ``bram_18k`` counts 18-kbit halves of block RAM, ``uram`` 288-kbit blocks.

    Raises:
        InputError: a count is no whole number, or is negative, or there are no look-up tables or flip-flops.
    """

    lut: int
    ff: int
    dsp: int
    bram_18k: int
    uram: int

    def __post_init__(self) -> None:
        for name in _RESOURCES:
            _check_count(f"resources.{name}", getattr(self, name), least=1 if name in ("lut", "ff") else 0)


_RESOURCES = tuple(each.name for each in fields(BoardResources))
_SOURCED = ("part", "clock_ns", *_RESOURCES)
_TOP = ("name", "title", "part", "family", "clock_ns", "resources", "sources")
_OPTIONAL = ("static_w",)
_MOST_W = 1e4


@dataclass(frozen=True)
class Board:
    """One board: its part, its default clock period in ns, its resources, and the source of each figure by field.

    ``static_w`` is the power in watts of a configured device whose clocks stand still; None where none is published.

    Raises:
        InputError: a text is empty, the clock is no positive period, the power is no positive number, a figure has no
            source, or UltraRAM is claimed for a family that has none.
    """

    name: str
    title: str
    part: str
    family: Family
    clock_ns: float
    resources: BoardResources
    sources: Mapping[str, str] = field(hash=False, repr=False)
    static_w: float | None = None

    def __post_init__(self) -> None:
        # Names and parts are written into scripts of vendor tools and into paths, hence the narrow alphabet.
        _check_word("name", self.name)
        _check_line("title", self.title)
        _check_word("part", self.part)
        _check_period("clock_ns", self.clock_ns)
        if self.family is not Family.XCUP and self.resources.uram:
            msg = f"resources.uram must be 0 for family {self.family.value}, not {self.resources.uram}"
            raise InputError(msg)
        if self.static_w is not None:
            _check_power("static_w", self.static_w)
        sourced = _SOURCED if self.static_w is None else (*_SOURCED, "static_w")
        _check_keys("sources", self.sources, sourced)
        for name in sourced:
            _check_line(f"sources.{name}", self.sources[name])

    def _repr_html_(self) -> str:
        """Return the figures with their sources for a notebook."""
        figures = {"part": self.part, "clock_ns": self.clock_ns}
        figures |= {name: getattr(self.resources, name) for name in _RESOURCES}
        figures |= {} if self.static_w is None else {"static_w": self.static_w}
        rows = [(name, value, self.sources[name]) for name, value in figures.items()]
        return html_table(("figure", "value", "source"), rows, self.title)


def names() -> tuple[str, ...]:
    """Return the names of the packaged boards in alphabetical order."""
    return tuple(sorted(path.stem for path in resource("boards").glob("*.toml")))


def load(name: str) -> Board:
    """Return the packaged board called ``name``, or the board in the file if ``name`` is a path ending in ``.toml``.

    Raises:
        InputError: no board has this name, or the file is no valid board.
    """
    if name.endswith(".toml"):
        return read(Path(name))
    known = names()
    if name not in known:
        msg = (
            f"{name!r} is not a known board{suggest(name.lower(), known)}; `fpgaprune boards` lists them, "
            "and a path that ends in .toml gives a board of your own"
        )
        raise InputError(msg)
    return read(_packaged(name))


def load_all() -> tuple[Board, ...]:
    """Return every packaged board, in alphabetical order of the names.

    Raises:
        InputError: a packaged file is no valid board.
    """
    return tuple(read(_packaged(name)) for name in names())


def read(path: Path) -> Board:
    """Return the board that the TOML file at ``path`` describes.

    Raises:
        InputError: the file cannot be read, is larger than 1 MB, is no UTF-8 or TOML, or breaks a rule of boards;
            the message names the file and the field.
    """
    try:
        return _board(_table(path), stem=path.stem)
    except InputError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error


def to_data(board: Board) -> dict[str, Any]:
    """Return a board as JSON values, in the form of its file."""
    return {
        "name": board.name,
        "title": board.title,
        "part": board.part,
        "family": board.family.value,
        "clock_ns": board.clock_ns,
        **({} if board.static_w is None else {"static_w": board.static_w}),
        "resources": {name: getattr(board.resources, name) for name in _RESOURCES},
        "sources": dict(board.sources),
    }


def from_data(data: object) -> Board:
    """Return the board that `to_data` described.

    Raises:
        InputError: the values break a rule of boards; the message names the field.
    """
    if not isinstance(data, dict):
        msg = f"a board must be a table, not {_shown(data)}"
        raise InputError(msg)
    return _board(data, stem=str(data.get("name")))


def _packaged(name: str) -> Path:
    return resource("boards") / f"{name}.toml"


def _table(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        msg = f"the file cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InputError(msg) from error
    if len(content) > _LARGEST_FILE:
        msg = f"the file must be at most {_LARGEST_FILE} bytes long; this is no board file"
        raise InputError(msg)
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        msg = f"the file must be UTF-8 text: {error.reason} at byte {error.start}"
        raise InputError(msg) from error
    except (ValueError, RecursionError) as error:  # beyond TOMLDecodeError: integers of 5,000 digits, deep nesting
        msg = f"the file must be valid TOML: {error}"
        raise InputError(msg) from error


def _board(table: dict[str, Any], stem: str) -> Board:
    _check_keys("", table, _TOP, _OPTIONAL)
    for name in ("resources", "sources"):
        if not isinstance(table[name], dict):
            msg = f"{name} must be a table, not {_shown(table[name])}"
            raise InputError(msg)
    if table["name"] != stem:
        msg = f"name must be {stem!r} as the file is called, not {_shown(table['name'])}"
        raise InputError(msg)
    _check_keys("resources", table["resources"], _RESOURCES)
    _check_period("clock_ns", table["clock_ns"])
    if "static_w" in table:
        _check_power("static_w", table["static_w"])
    return Board(
        name=table["name"],
        title=table["title"],
        part=table["part"],
        family=_family(table["family"]),
        clock_ns=float(table["clock_ns"]),
        resources=BoardResources(**table["resources"]),
        sources=table["sources"],
        static_w=float(table["static_w"]) if "static_w" in table else None,
    )


def _family(value: object) -> Family:
    known = [family.value for family in Family]
    if not isinstance(value, str) or value not in known:
        hint = suggest(value.lower(), known) if isinstance(value, str) else ""
        msg = f"family must be one of {', '.join(known)}, not {_shown(value)}{hint}"
        raise InputError(msg)
    return Family(value)


def _check_keys(where: str, table: Iterable[str], expected: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    prefix, known = f"{where}." if where else "", (*expected, *optional)
    for key in table:
        if key not in known:
            msg = f"{prefix}{_plain(key)} is not a field of a board{suggest(key, known)}"
            raise InputError(msg)
    for key in expected:
        if key not in table:
            remedy = "name the document of each figure" if where == "sources" else "add it to the file"
            msg = f"{prefix}{key} is missing; {remedy}"
            raise InputError(msg)


def _check_count(name: str, value: object, least: int) -> None:
    # True and False are integers to Python, but not to the author of a file.
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"{name} must be a whole number of at least {least}, not {_shown(value)}"
        raise InputError(msg)


def _check_period(name: str, value: object) -> None:
    # The comparison is false for NaN; the upper bound keeps infinity and integers beyond a float out.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _SLOWEST_NS:
        msg = f"{name} must be a number of nanoseconds above 0 and up to {_SLOWEST_NS:.0f}, not {_shown(value)}"
        raise InputError(msg)


def _check_power(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _MOST_W:
        msg = f"{name} must be a number of watts above 0 and up to {_MOST_W:.0f}, not {_shown(value)}"
        raise InputError(msg)


def _check_line(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        msg = f"{name} must be one line of text, not {_shown(value)}"
        raise InputError(msg)


def _check_word(name: str, value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        msg = f"{name} must be a word of letters, digits, '.', '_' and '-', not {_shown(value)}"
        raise InputError(msg)


def _shown(value: object) -> str:
    return reprlib.repr(value)


def _plain(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", key) else _shown(key)

"""Find Vitis and Vivado: by our variables, on PATH, or by the variables that the vendor's settings64.sh sets."""

from __future__ import annotations

import enum
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fpgaprune import tools
from fpgaprune.errors import InputError, ToolError
from fpgaprune.vendor.text import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION_TIMEOUT_S = 300.0
"""A first start of these tools reads gigabytes."""


class Maker(enum.Enum):
    """The programs that are run."""

    VITIS = "vitis"
    VIVADO = "vivado"


@dataclass(frozen=True)
class _Search:
    """Our variables, the names of the program, newest first, and the vendor's variables of folders with a ``bin``."""

    variables: tuple[str, ...]
    names: tuple[str, ...]
    roots: tuple[str, ...]
    remedy: str


_SEARCHES = {
    Maker.VITIS: _Search(
        ("FPGAPRUNE_VITIS",),
        ("vitis-run", "vitis_hls"),
        ("XILINX_VITIS", "XILINX_HLS"),
        "install AMD Vitis 2020.2 or later and source its settings64.sh",
    ),
    Maker.VIVADO: _Search(
        ("FPGAPRUNE_VIVADO",),
        ("vivado",),
        ("XILINX_VIVADO",),
        "install AMD Vivado 2020.2 or later and source its settings64.sh",
    ),
}


@dataclass(frozen=True)
class Install:
    """A program that was found, and its version."""

    path: Path
    version: str

    def command(self, script: str) -> list[str | Path]:
        """Return the words that run a Tcl script in batch mode."""
        if _program(self.path) == "vivado":
            return [self.path, "-mode", "batch", "-nojournal", "-nolog", "-notrace", "-source", script]
        if _program(self.path) == "vitis-run":
            return [self.path, "--mode", "hls", "--tcl", script]
        return [self.path, "-f", script]

    def __str__(self) -> str:
        """Return the program and its version, for messages and for telling one installation from another."""
        return f"{_program(self.path)} {self.version}"


def _program(path: Path) -> str:
    """Return which of the programs a file is; one under another name, as our variables allow, is the older kind."""
    stem = path.name.lower()
    return next((name for name in ("vitis-run", "vitis_hls", "vivado") if stem.startswith(name)), "vitis_hls")


def find(maker: Maker) -> Path | None:
    """Return where a program is, or None; a variable of ours that is set decides alone."""
    search = _SEARCHES[maker]
    wanted = next((os.environ[name] for name in search.variables if os.environ.get(name)), None)
    names = (wanted,) if wanted else (*search.names, *_in_roots(search))
    found = next(filter(None, map(shutil.which, names)), None)
    return Path(found).absolute() if found else None  # links stay: what a loader does depends on its name


def _in_roots(search: _Search) -> Iterator[str]:
    for root in search.roots:
        if os.environ.get(root):
            yield from (str(Path(os.environ[root]) / "bin" / name) for name in search.names)


def missing(maker: Maker) -> str:
    """Return what to do where a program was not found."""
    search = _SEARCHES[maker]
    return f"{search.remedy}, or set {' or '.join(search.variables)} to the program"


def require(maker: Maker) -> Install:
    """Return a program and its version.

    Raises:
        ToolError: it is not installed, or does not say its version.
    """
    path = find(maker)
    if path is None:
        msg = f"{' or '.join(_SEARCHES[maker].names)} is needed and was not found; {missing(maker)}"
        raise ToolError(msg)
    return Install(path, _version(path))


def _version(path: Path) -> str:
    option = "--version" if _program(path) == "vitis-run" else "-version"
    result = tools.run([path, option], cwd=Path.cwd(), timeout_s=_VERSION_TIMEOUT_S)
    said = f"{result.stdout}\n{result.stderr}"
    try:
        return version_of(re.sub(r"(?i)\bv\.?(?=20)", " ", said))
    except InputError as error:
        msg = f"{path} {option} does not say a version: {tools.tail(said, 3) or 'it says nothing'}"
        raise ToolError(msg) from error

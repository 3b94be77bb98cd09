"""Yosys' own simulator of Verilog, CXXRTL, in the place of Verilator where that is not installed.

Registers start as zeros and not as random bits; only the runs after the first begin with what the one before left.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from fpgaprune import tools
from fpgaprune.emit.render import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOP = "bench"
_WIDEST = 64
"""Bits up to which a port is one integer, as of Verilator."""


@dataclass(frozen=True)
class PortView:
    """A port of the bench."""

    name: str
    bits: int
    enters: bool

    @property
    def member(self) -> str:
        """The name that CXXRTL gives it."""
        return "p_" + self.name.replace("_", "__")

    @property
    def type(self) -> str:
        """The C++ type that the testbench sees."""
        return "uint64_t" if self.bits <= _WIDEST else f"VlWide<{-(-self.bits // 32)}>"


@dataclass(frozen=True)
class HeaderView:
    """What the header that stands for Verilator's needs."""

    ports: tuple[PortView, ...]


@contextmanager
def simulator() -> Iterator[str]:
    """Yield the name of the simulator that `fpgaprune.sim.rtl` finds in here: Verilator, or CXXRTL without it.

    A variable that names a Verilator which is not there is a fault of the user's, and is left alone.
    """
    variable = tools.TOOLS["verilator"].variable
    if tools.find("verilator") or os.environ.get(variable):
        yield "Verilator"
        return
    with tempfile.TemporaryDirectory(prefix="fpgaprune-") as scratch:
        program = Path(scratch) / "verilator"
        start = "from fpgaprune.yosys.cxxrtl import main; import sys; main(sys.argv[1:])"
        words = shlex.join([sys.executable, "-c", start])
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        os.environ[variable] = str(program)
        try:
            yield "CXXRTL"
        finally:
            del os.environ[variable]


def main(words: Sequence[str]) -> None:
    """Build the testbench and its Verilog into the program that Verilator makes of these words."""
    compiler = tools.require("g++")
    folder = Path(words[words.index("-Mdir") + 1])
    folder.mkdir()
    library = _translate([word for word in words if word.endswith(".v")], folder)
    (bench,) = (word for word in words if word.endswith(".cpp"))
    (folder / "verilated.h").write_text("#pragma once\n", encoding="ascii")
    (folder / "Vbench.h").write_text(render("yosys/Vbench.h.j2", _header(folder / "ports.json")), encoding="ascii")
    command = [compiler, "-std=c++17", "-O1", "-w", f"-I{folder}", f"-I{library}", bench, "-o", folder / "Vbench"]
    os.execv(compiler, list(map(str, command)))  # noqa: S606  # in this process, so that what ends it ends the compiler


def _translate(files: Sequence[str], folder: Path) -> Path:
    """Write the C++ of the bench and a list of its ports, and return the folder of what it includes."""
    yosys = import_module("pyosys.libyosys")
    design = yosys.Design()
    for command in (
        *(f"read_verilog {file}" for file in files),
        f"hierarchy -check -top {_TOP}",
        "proc",
        f"select {_TOP}",
        f"write_json -selected {folder / 'ports.json'}",
        "select -clear",
        f"write_cxxrtl -g0 {folder / 'design.cc'}",
    ):
        yosys.run_pass(command, design)
    return Path(import_module("pyosys").__file__ or "").parent / "share/include/backends/cxxrtl/runtime"


def _header(path: Path) -> HeaderView:
    ports = json.loads(path.read_text(encoding="utf-8"))["modules"][_TOP]["ports"]
    return HeaderView(
        tuple(PortView(name, len(port["bits"]), port["direction"] == "input") for name, port in ports.items())
    )

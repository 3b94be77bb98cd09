"""One module through Yosys, in a process of its own: ``python -m fpgaprune.yosys.worker JOB.json``."""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from collections import Counter
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Run = Callable[[str], None]
    Ports = Mapping[str, Mapping[str, Any]]

_STAGES = ("begin", "coarse", "map_memory", "fine", "map_cells", "map_ffs", "map_luts")
_ABC = "strash;ifraig;dch;if;mfs2"
"""As good on sums as the default script within two per cent, and ten times as fast."""

_STEPS = 12
"""Cycles within which a netlist that could not be proved is searched for a difference: more than small modules take."""

_SEARCH_S = 20
"""The time limit of that search."""


def flow(family: str, top: str, *, dsp: bool = True) -> Iterator[str]:
    """Yield the commands that map a module to a family: synth_xilinx with its own script for look-up tables.

    Without ``dsp`` products are look-up tables.
    """
    synth = f"synth_xilinx -family {family} -top {top} -flatten -noiopad -noclkbuf{'' if dsp else ' -nodsp'}"
    for stage, end in pairwise(_STAGES):
        yield f"{synth} -run {stage}:{end}"
    yield "opt_expr -mux_undef -noclkinv"
    yield f"abc -luts 2:2,3,6:5,10,20 -script +{_ABC}"
    yield "clean"
    yield "techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -map +/xilinx/ff_map.v -D LUT_WIDTH=6"
    yield "xilinx_dffopt"
    yield "clean"
    yield f"{synth} -run finalize:check"


def main(path: Path) -> None:
    """Do a job; what Yosys says goes into its log, the result beside the job."""
    job = json.loads(path.read_text(encoding="utf-8"))
    with Path(job["log"]).open("wb") as log:  # of the library as well, up to the moment in which it is ended
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log.fileno(), stream.fileno())
    resource.setrlimit(resource.RLIMIT_AS, (job["memory_bytes"], job["memory_bytes"]))
    yosys = import_module("pyosys.libyosys")
    design = yosys.Design()

    def run(command: str) -> None:
        yosys.run_pass(command, design)

    run(f"read_verilog {path.with_name('text.v')}")
    task = _prove if job["prove"] else _count
    result = task(run, job["top"], job["flow"], path.parent)
    path.with_name("result.json").write_text(json.dumps(result), encoding="utf-8")


def _count(run: Run, top: str, commands: list[str], folder: Path) -> dict[str, Any]:
    """Return the cells by type, the bits of outputs that are constant, and the memories that are not empty."""
    for command in commands:
        run(command)
    netlist = _module(run, top, folder)
    constant = {
        name: [place for place, bit in enumerate(port["bits"]) if isinstance(bit, str)]
        for name, port in _outputs(netlist["ports"]).items()
    }
    return {
        "cells": Counter(cell["type"] for cell in netlist["cells"].values()),
        "constant": constant,
        "filled": filled(netlist["cells"]),
    }


_MEMORY = re.compile(r"(?:^|\.)(\w+)\.\d+\.\d+(?:\.|$)")
"""The name of a memory in those of the cells that it is mapped to."""


def filled(cells: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of memories of which any cell has a one in its contents, in order."""
    return sorted(
        {
            memory[1]
            for name, cell in cells.items()
            if cell["type"].startswith("RAM") and (memory := _MEMORY.search(name))
            if any("1" in str(bits) for key, bits in cell["parameters"].items() if re.match(r"INITP?_[0-9A-F]+$", key))
        }
    )


def _module(run: Run, name: str, folder: Path) -> dict[str, Any]:
    run(f"select {name}")
    run(f"write_json -selected {folder / 'netlist.json'}")
    run("select -clear")
    return dict(json.loads((folder / "netlist.json").read_text(encoding="utf-8"))["modules"][name])


def _outputs(ports: Ports) -> Ports:
    return {name: port for name, port in ports.items() if port["direction"] == "output"}


def _prove(run: Run, top: str, commands: list[str], folder: Path) -> dict[str, Any]:
    """Compare the mapped netlist, by the vendor's models of its cells, with the text: for all inputs and states.

    Where induction finds no proof, a difference is searched for from states of which nothing is known.
    """
    for command in (
        f"hierarchy -check -top {top}",
        "design -save read",
        *("proc", "flatten", "memory"),  # tables as choices
        "design -save text",
        "design -load read",
        *commands,
        "design -stash mapped",
        f"design -copy-from text -as gold {top}",
        f"design -copy-from mapped -as gate {top}",
        "techmap -wb -D EQUIV -autoproc -map +/xilinx/cells_sim.v",
        "async2sync",
        "design -save both",
        "equiv_make gold gate equiv",
        "equiv_induct equiv",
        f"tee -o {folder / 'status.txt'} equiv_status equiv",
    ):
        run(command)
    if "Equivalence successfully proven!" in (folder / "status.txt").read_text(encoding="utf-8"):
        return {"equivalence": "proved"}
    run("design -load both")
    outputs = _outputs(_module(run, "gold", folder)["ports"])
    run("miter -equiv -make_outputs -flatten gold gate miter")
    defined = " ".join(f"-set-def-at {_STEPS} {side}_{name}" for name in outputs for side in ("gold", "gate"))
    run(
        f"sat -seq {_STEPS} -set-init-undef -set-def-inputs {defined} -set-at {_STEPS} trigger 1 -timeout {_SEARCH_S} "
        f"-dump_json {folder / 'difference.json'} miter"
    )
    return {"equivalence": "different" if (folder / "difference.json").exists() else "not proved"}


if __name__ == "__main__":
    main(Path(sys.argv[1]))

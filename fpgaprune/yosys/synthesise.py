"""Synthesis of one module in a process with limits, and the proof that a netlist computes what its text says."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpgaprune import tools
from fpgaprune.errors import ToolError
from fpgaprune.yosys.cache import cached
from fpgaprune.yosys.cells import cells_of
from fpgaprune.yosys.checks import tables
from fpgaprune.yosys.worker import flow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fpgaprune.board import Family
    from fpgaprune.yosys.cells import Cells

DEFAULT_TIMEOUT_S = 1200.0
PROOF_TIMEOUT_S = 60.0
"""The time that a proof is worth: the text was simulated already."""

MEMORY_BYTES = 4 << 30
"""What a process of Yosys may take; two run at a time."""

_RESULT = "2"
"""To be raised with every change of what `worker` tells of a netlist; its commands are in the digest themselves."""


class Equivalence(enum.Enum):
    """Whether the mapped netlist was proved equal to its text, for all inputs and states."""

    PROVED = "proved"
    UNPROVED = "not proved"


def version() -> str:
    """Return the version of Yosys.

    Raises:
        ToolError: it is not installed.
    """
    if util.find_spec("pyosys") is None:
        msg = "pyosys is needed for open synthesis but is not installed: pip install 'fpgaprune[synth]'"
        raise ToolError(msg)
    return metadata.version("pyosys")


def synthesise(
    text: str,
    top: str,
    family: Family,
    *,
    boxes: Collection[str] = (),
    moving: Mapping[str, Collection[int]] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    log: Path | None = None,
) -> Cells:
    """Return what module ``top`` of a text takes on a family; the same text is not synthesised twice.

    ``boxes`` are modules without a body in the text. ``moving`` has bits of outputs that must not be constant. A text
    that asks for products without DSP slices (``use_dsp = "no"``, which Yosys does not know) gets none. What Yosys
    says goes into ``log``.

    Raises:
        ToolError: no pyosys, a failure, a time or memory limit, a cell that was not mapped, an output that collapsed,
            a table that is empty.
    """
    commands = _commands(text, top, family)
    found = cached("yosys", _made_of(text, commands), lambda: _run(text, top, commands, timeout_s, log))
    for port, places in (moving or {}).items():
        lost = sorted(set(places) & set(found["constant"].get(port, ())))
        if lost:
            msg = (
                f"{top}: bit {lost[0]} of output {port} became a constant in synthesis, but the network's does move; "
                "these numbers would mean nothing. Please report this network"
            )
            raise ToolError(msg)
    empty = sorted(tables(text) - set(found["filled"]))
    if empty:
        msg = (
            f"{top}: the table {empty[0]} has words in the text, but is empty or gone in the netlist; these numbers "
            "would mean nothing. Please report this network"
        )
        raise ToolError(msg)
    return cells_of(found["cells"], boxes)


def prove(text: str, top: str, family: Family, *, timeout_s: float = PROOF_TIMEOUT_S) -> Equivalence:
    """Return whether the netlist that `synthesise` counts is proved equal to its text, by induction and SAT.

    Induction does not find every proof, nor within every time; a netlist without one is unproved.

    Raises:
        ToolError: no pyosys, a failure, or inputs on which the netlist differs from its text.
    """
    commands = _commands(text, top, family)

    def proof() -> dict[str, Any]:
        try:
            return _run(text, top, commands, timeout_s, prove=True)
        except ToolError as error:
            if isinstance(error.__cause__, subprocess.TimeoutExpired):
                return {"equivalence": Equivalence.UNPROVED.value}
            raise

    found = cached("proof", (f"{timeout_s:g}", *_made_of(text, commands)), proof)["equivalence"]
    if found not in {each.value for each in Equivalence}:
        msg = f"{top}: the netlist that Yosys makes differs from its text; please report this network"
        raise ToolError(msg)
    return Equivalence(found)


def _commands(text: str, top: str, family: Family) -> list[str]:
    return list(flow(family.value, top, dsp='use_dsp = "no"' not in text))


def _made_of(text: str, commands: list[str]) -> tuple[str, ...]:
    return _RESULT, version(), "\n".join(commands), text


def _run(
    text: str, top: str, commands: list[str], timeout_s: float, log: Path | None = None, *, prove: bool = False
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="fpgaprune-") as scratch:
        folder = Path(scratch)
        log = (log or folder / "yosys.log").resolve()
        log.parent.mkdir(parents=True, exist_ok=True)
        (folder / "text.v").write_text(text, encoding="ascii")
        job = {"top": top, "flow": commands, "memory_bytes": MEMORY_BYTES, "log": str(log), "prove": prove}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        command: list[str | Path] = [sys.executable, "-m", "fpgaprune.yosys.worker", folder / "job.json"]
        try:
            done = tools.run(command, cwd=folder, timeout_s=timeout_s)
        except ToolError as error:
            msg = f"Yosys on {top}: {error}; give it more with --timeout-s, fold this layer, or prune it more"
            raise ToolError(msg) from error.__cause__
        result = folder / "result.json"
        if done.returncode or not result.is_file():
            raise ToolError(_explain(top, log, done.stderr))
        return dict(json.loads(result.read_text(encoding="utf-8")))


_NO_MEMORY = ("bad_alloc", "memoryerror", "cannot allocate memory", "out of memory")


def _explain(top: str, log: Path, stderr: str) -> str:
    """Return why synthesis of a module failed, from what its log says."""
    said = stderr + (log.read_text(encoding="utf-8", errors="replace") if log.is_file() else "")
    if any(sign in said.lower() for sign in _NO_MEMORY):
        return f"Yosys needs more than {MEMORY_BYTES / 2**30:.3g} GB for {top}; fold this layer, or prune it more"
    errors = "\n".join(line for line in said.splitlines() if "ERROR" in line)
    return f"Yosys fails on {top}: {errors or tools.tail(said) or 'it said nothing'}"

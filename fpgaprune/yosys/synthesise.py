"""Synthesis of one module in a process with limits, and the proof that a netlist computes what its text says."""

from __future__ import annotations

import enum
import json
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpgaprune import tools
from fpgaprune.errors import ToolError
from fpgaprune.yosys.cache import cached
from fpgaprune.yosys.cells import cells_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fpgaprune.board import Family
    from fpgaprune.yosys.cells import Cells

DEFAULT_TIMEOUT_S = 1200.0
MEMORY_BYTES = 4 << 30
"""What a process of Yosys may take; two run at a time."""

_FLOW = "1"
"""To be raised with every change of what `worker` does, so that no result of another flow is taken for one of this."""


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
) -> Cells:
    """Return what module ``top`` of a text takes on a family; the same text is not synthesised twice.

    ``boxes`` are modules without a body in the text. ``moving`` has bits of outputs that must not be constant.

    Raises:
        ToolError: no pyosys, a failure, a time or memory limit, a cell that was not mapped, an output that collapsed.
    """
    found = cached("yosys", (_FLOW, version(), family.value, top, text), lambda: _run(text, top, family, timeout_s))
    for port, places in (moving or {}).items():
        lost = sorted(set(places) & set(found["constant"].get(port, ())))
        if lost:
            msg = (
                f"{top}: bit {lost[0]} of output {port} became a constant in synthesis, but the network's does move; "
                "these numbers would mean nothing. Please report this network"
            )
            raise ToolError(msg)
    return cells_of(found["cells"], boxes)


def prove(text: str, top: str, family: Family, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Equivalence:
    """Return whether the netlist that `synthesise` counts is proved equal to its text, by induction and SAT.

    Raises:
        ToolError: no pyosys, a failure, a time or memory limit.
    """
    try:
        cached("proof", (_FLOW, version(), family.value, top, text), lambda: _run(text, top, family, timeout_s, True))
    except ToolError as error:
        if "unproven $equiv" in str(error):
            return Equivalence.UNPROVED
        raise
    return Equivalence.PROVED


def _run(text: str, top: str, family: Family, timeout_s: float, prove: bool = False) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="fpgaprune-") as scratch:
        folder = Path(scratch)
        (folder / "text.v").write_text(text, encoding="ascii")
        job = {"top": top, "family": family.value, "memory_bytes": MEMORY_BYTES, "prove": prove}
        (folder / "job.json").write_text(json.dumps(job), encoding="ascii")
        command: list[str | Path] = [sys.executable, "-m", "fpgaprune.yosys.worker", folder / "job.json"]
        done = tools.run(command, cwd=folder, timeout_s=timeout_s)
        result = folder / "result.json"
        if done.returncode or not result.is_file():
            said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line)
            msg = f"Yosys fails on {top}: {said or tools.tail(done.stdout + done.stderr)}"
            raise ToolError(msg)
        return dict(json.loads(result.read_text(encoding="utf-8")))

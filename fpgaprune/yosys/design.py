"""A whole design through open synthesis: each kernel by itself, then what joins them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune import tools
from fpgaprune.emit.vectors import random_inputs
from fpgaprune.errors import MismatchError, ToolError
from fpgaprune.lower import lower, run
from fpgaprune.paths import write_text
from fpgaprune.resources import Kind, estimate
from fpgaprune.rtl import TOP, port_names, print_rtl
from fpgaprune.sim.csim import stored_inputs
from fpgaprune.sim.rtl import rtlsim
from fpgaprune.vendor import Measurement, resources, store
from fpgaprune.vendor.layers import LayerCounts
from fpgaprune.vendor.measurement import FOLDER
from fpgaprune.vendor.tie import Identity, refuse_edited
from fpgaprune.vendor.values import Counts, Cycles
from fpgaprune.yosys.cells import Cells
from fpgaprune.yosys.checks import moving, moving_bits
from fpgaprune.yosys.cxxrtl import simulator
from fpgaprune.yosys.synthesise import DEFAULT_TIMEOUT_S, prove, synthesise, version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import Lowered
    from fpgaprune.resources import Resources
    from fpgaprune.sim import ProjectFolder
    from fpgaprune.sim.rtl import RtlRun

RANDOM = 32
"""Random vectors on which the Verilog is simulated beside the stored ones, and which show what must not be constant."""

PROVED_TEXT = 4000
"""Characters of a module up to which its netlist is proved equal to it."""

AT_ONCE = 2
"""Processes of Yosys that run at a time."""


def open_synthesis(
    lowered: Lowered,
    texts: Mapping[str, str],
    *,
    logs: Path | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    progress: Callable[[str], None] = lambda _text: None,
) -> dict[str, Cells]:
    """Return what each kernel of a printed design takes, by its tensor, and under "" what joins them.

    ``logs`` is a folder for what Yosys says of each module.

    Raises:
        ToolError: as `synthesise`, or a small netlist that differs from its text.
    """
    family, whole = lowered.design.board.family, lowered.design.name
    modules = {kernel.name: name for kernel, name in zip(lowered.kernels, _kernel_modules(texts), strict=True)}
    boxes = {name: _box(texts[f"{name}.v"], name) for name in modules.values()}
    moves = _moves(lowered)
    done: list[str] = []

    def counted(name: str) -> Cells:
        module = modules.get(name, whole)
        text = texts[f"{module}.v"] if name else "\n".join((texts[TOP], *boxes.values()))
        found = synthesise(
            text,
            module,
            family,
            boxes=() if name else boxes,
            moving=moves[name],
            timeout_s=timeout_s,
            log=logs / f"{module}.log" if logs else None,
        )
        if name and _is_small(text):
            progress(f"{module}: netlist {prove(text, module, family).value} equal to its text")
        done.append(name)
        progress(f"{len(done)} of {len(names)} modules synthesised")
        return found

    names = [*modules, ""]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            return dict(zip(names, pool.map(counted, names), strict=True))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            tools.end_all()
            raise


def _moves(lowered: Lowered) -> dict[str, dict[str, list[int]]]:
    """Return which bits of the outputs of each kernel, and under "" of the design, are seen to move in a run."""
    words = run(lowered, *random_inputs(lowered.design.graph, RANDOM))
    names = port_names(lowered).outputs
    leaving = {
        names[output.name]: moving_bits(words[output.port.name].reshape(-1, output.port.size), output.port.word.width)
        for output in lowered.outputs
    }
    return {kernel.name: moving(kernel, words) for kernel in lowered.kernels} | {"": leaving}


def _is_small(text: str) -> bool:
    """Whether the netlist of a module is proved: not with products or memories, whose models in SAT are slow."""
    return len(text) <= PROVED_TEXT and " * " not in text and " [0:" not in text


def _kernel_modules(texts: Mapping[str, str]) -> list[str]:
    return [path.removesuffix(".v") for path in texts if path != TOP]


def _box(text: str, name: str) -> str:
    """Return a module without its body."""
    header = re.search(rf"^module {name} \(.*?^\);$", text, re.DOTALL | re.MULTILINE)
    if header is None:
        msg = f"the Verilog of {name} has no module of that name; please report this network"
        raise ToolError(msg)
    return f"(* blackbox *)\n{header[0]}\nendmodule"


def synth(
    project: ProjectFolder,
    *,
    timeout_s: float | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> Resources:
    """Write a project's Verilog, prove it exact in simulation, count it, and keep the counts with it.

    It is simulated on the project's stored vectors and on random ones.

    Raises:
        MismatchError: the Verilog does not compute what the definition does.
        InputError: the project was edited.
        UnsupportedError: a kernel that is not printed.
        ToolError: no pyosys or g++, a failure, a limit, a netlist that means nothing.
    """
    refuse_edited(project)
    tool, limit = f"Yosys {version()}", timeout_s or DEFAULT_TIMEOUT_S
    lowered = lower(project.design)
    texts = print_rtl(lowered)
    for name, text in texts.items():
        write_text(project.path / "rtl" / name, text)
    with simulator() as simulated_by:
        progress(f"simulating the Verilog with {simulated_by}")
        (simulated,) = rtlsim([lowered], [_vectors(project)], files=[texts], timeout_s=limit)
    if not simulated.verdict.exact:
        raise MismatchError(simulated.verdict.sentence())
    logs = project.path / FOLDER / "yosys"
    cells = open_synthesis(lowered, texts, logs=logs, timeout_s=limit, progress=progress)
    store(project, _measurement(project, lowered, tool, simulated, cells))
    return resources(project, Kind.OPEN_SYNTHESIS)


def _vectors(project: ProjectFolder) -> tuple[IntArray, ...]:
    kept = stored_inputs(project)
    others = random_inputs(project.design.graph, RANDOM)
    return tuple(np.concatenate([one, other]) for one, other in zip(kept, others, strict=True))


def _measurement(
    project: ProjectFolder, lowered: Lowered, tool: str, simulated: RtlRun, cells: Mapping[str, Cells]
) -> Measurement:
    latency = {layer.tensor: layer.latency_cycles for layer in estimate(lowered).layers}
    whole = sum(cells.values(), Cells())
    return Measurement(
        kind=Kind.OPEN_SYNTHESIS,
        digest=Identity.of(project).digest,
        tool=tool,
        counts=_counts(whole),
        carry=whole.carry,
        cycles=Cycles(simulated.latency, simulated.latency, simulated.interval, simulated.interval),
        layers=tuple(LayerCounts(name, _counts(each), latency[name]) for name, each in cells.items() if name),
    )


def _counts(cells: Cells) -> Counts:
    return Counts(cells.lut, cells.ff, cells.dsp, cells.bram_18k, cells.uram)

"""Put the files of a project together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fpgaprune.emit.functions import function_view
from fpgaprune.emit.headers import ap_types
from fpgaprune.emit.manifest import manifest
from fpgaprune.emit.names import names_of
from fpgaprune.emit.processes import process_view, works_in_turn
from fpgaprune.emit.project import NAME, Project
from fpgaprune.emit.render import copied, render
from fpgaprune.emit.top import top_view
from fpgaprune.emit.vectors import Vectors, random_inputs, to_text
from fpgaprune.emit.views import TEMPLATES
from fpgaprune.explained import NAME as EXPLAINED
from fpgaprune.explained import explained_to_text
from fpgaprune.lower import AccumulateKernel, BufferKernel, ForkKernel, ScanKernel, WindowKernel, layer_of
from fpgaprune.paths import identifier
from fpgaprune.schedule.store import plans_to_text
from fpgaprune.serialise import graph_to_text
from fpgaprune.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fpgaprune.emit.top import PortView, TopView
    from fpgaprune.emit.views import KernelView
    from fpgaprune.explained import Explained
    from fpgaprune.lower import Kernel, Lowered

STORED_SAMPLES = 32
"""Vectors stored in a project when the caller gives none."""


@dataclass(frozen=True)
class KernelLine:
    """A layer in the project's README."""

    layer: str
    name: str
    comment: str


@dataclass(frozen=True)
class ProjectView:
    """What the C-simulation's source and the vendor scripts see."""

    name: str
    part: str
    clock_ns: str
    kernels: tuple[str, ...]


@dataclass(frozen=True)
class ReadmeView:
    """What the project's README sees."""

    name: str
    summary: str
    version: str
    board_title: str
    part: str
    clock_ns: str
    kernels: tuple[KernelLine, ...]
    samples: int
    words: int
    inputs: tuple[PortView, ...]
    outputs: tuple[PortView, ...]
    streaming: bool
    interval_text: str


def emit(
    lowered: Lowered,
    vectors: Vectors | None = None,
    *,
    extras: Mapping[str, Any] | None = None,
    explained: Explained | None = None,
) -> Project:
    """Return the project of lowered kernels, with the given test vectors or random ones of a fixed seed.

    ``extras`` are JSON values for the manifest; ``explained`` becomes a file of its own beside it.
    """
    graph = lowered.design.graph
    stored = vectors if vectors is not None else Vectors.of(graph, *random_inputs(graph, STORED_SAMPLES))
    names = names_of(lowered)
    view = top_view(lowered, names)
    files = _sources(lowered, view, names) | _testbench(view, stored) | _scripts(lowered, view) | ap_types()
    files |= {"graph.json": graph_to_text(graph), "plans.json": plans_to_text(lowered.design.plans)}
    if explained is not None:
        files[EXPLAINED] = explained_to_text(explained)
    files["README.md"] = render("project/README.md.j2", _readme_view(lowered, view, names, len(stored.inputs[0])))
    files[".clang-format"] = copied("project/clang-format")
    files[NAME] = manifest(lowered, view, names, files, extras or {})
    return Project(files)


def _sources(lowered: Lowered, view: TopView, names: Mapping[str, str]) -> dict[str, str]:
    files = {f"src/{name}": copied(f"vitis/{name}") for name in ("integers.h", "kernel.h")}
    if view.dataflow:
        files |= {f"src/{name}": copied(f"vitis/{name}") for name in ("beats.h", "streams.h")}
    files["src/kernels.h"] = render("vitis/kernels.h.j2", view)
    files["src/top.h"] = render("vitis/top.h.j2", view)
    files["src/top.cpp"] = render("vitis/top.cpp.j2", view)
    for kernel_view, name in kernel_views(lowered, names, view):
        files[f"src/kernels/{name}.cpp"] = render(TEMPLATES[type(kernel_view)], kernel_view)
    return files


def kernel_views(lowered: Lowered, names: Mapping[str, str], view: TopView) -> Iterator[tuple[KernelView, str]]:
    """Yield the view of each kernel and the name of its file: processes of a dataflow, else functions."""
    design = lowered.design.name
    loops = {inner.name: loop for loop in lowered.kernels if isinstance(loop, ScanKernel) for inner in loop.body}
    for kernel, declared in zip(lowered.every_kernel, view.kernels, strict=True):
        name, comment = names[kernel.name], declared.comment
        loop = loops.get(kernel.name)
        if lowered.design.is_dataflow and loop is None:
            yield process_view(kernel, design, names, comment), name
        else:
            assert not isinstance(kernel, _MOVING)  # noqa: S101  # only streaming designs have them, outside of loops
            inline = loop is not None and not works_in_turn(loop)
            yield function_view(kernel, design, name, comment, None, inline=inline), name


_MOVING = (AccumulateKernel, WindowKernel, BufferKernel, ScanKernel, ForkKernel)


def _testbench(view: TopView, stored: Vectors) -> dict[str, str]:
    return {
        "tb/testbench.cpp": render("vitis/testbench.cpp.j2", view),
        "tb/words.h": copied("vitis/words.h"),
        "tb/trace.h": copied("vitis/trace.h"),
        "tb/input.dat": to_text(stored.inputs),
        "tb/expected.dat": to_text(stored.outputs),
    }


def _scripts(lowered: Lowered, view: TopView) -> dict[str, str]:
    design = lowered.design
    project = ProjectView(design.name, design.board.part, f"{design.clock_ns:g}", view.files)
    return {
        "sim/Makefile": copied("project/Makefile"),
        "sim/design.cpp": render("project/design.cpp.j2", project),
        "scripts/run_hls.tcl": render("vitis/run_hls.tcl.j2", project),
        "scripts/hls_config.cfg": render("vitis/hls_config.cfg.j2", project),
        "scripts/build_vivado.tcl": render("vitis/build_vivado.tcl.j2", project),
    }


def _readme_view(lowered: Lowered, view: TopView, names: Mapping[str, str], samples: int) -> ReadmeView:
    design = lowered.design
    return ReadmeView(
        name=design.name,
        summary=f"A network of {lowered.nonzeros} non-zero weights.",
        version=__version__,
        board_title=design.board.title,
        part=design.board.part,
        clock_ns=f"{design.clock_ns:g}",
        kernels=tuple(
            KernelLine(_layer(kernel), names[kernel.name], declared.comment)
            for kernel, declared in zip(lowered.every_kernel, view.kernels, strict=True)
        ),
        samples=samples,
        words=samples * view.output_words,
        inputs=view.inputs,
        outputs=view.outputs,
        streaming=view.streaming,
        interval_text=_interval_text(lowered),
    )


def _interval_text(lowered: Lowered) -> str:
    if lowered.design.is_by_position:
        return "`fpgaprune estimate .` tells how soon a sample can follow another."
    cycles = "cycle" if lowered.interval == 1 else f"{lowered.interval} cycles"
    return f"A new vector can enter every {cycles}."


def _layer(kernel: Kernel) -> str:
    """The user's name of a matrix; other kernels are known by their tensor."""
    return identifier(layer_of(kernel))

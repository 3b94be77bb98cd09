"""The manifest of a project: what it is, what it was made for, and the digest of every file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fpgaprune import board
from fpgaprune.emit.project import sha256
from fpgaprune.lower import ForkKernel, MatVecKernel, layer_of
from fpgaprune.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeGuard

    from fpgaprune.emit.top import PortView, TopView
    from fpgaprune.ir import Graph
    from fpgaprune.lower import Kernel, Lowered
    from fpgaprune.lower.kernels import Making

SCHEMA = "fpgaprune-project-3"


def manifest(
    lowered: Lowered,
    view: TopView,
    names: Mapping[str, str],
    files: Mapping[str, str],
    extras: Mapping[str, Any],
) -> str:
    """Return the manifest as JSON text; ``extras`` (JSON values) come from the caller under their own keys."""
    design = lowered.design
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "fpgaprune": __version__,
        "name": design.name,
        "board": board.to_data(design.board),
        "part": design.board.part,
        "clock_ns": design.clock_ns,
        "interface": design.interface.value,
        "by_position": design.is_by_position,
        "interval_cycles": None if design.is_by_position else view.interval,
        "inputs": [_port(port) for port in view.inputs],
        "outputs": [_port(port) for port in view.outputs],
        "nonzeros": lowered.nonzeros,
        "kernels": [_kernel(kernel, names) for kernel in lowered.kernels if _makes_a_tensor(kernel, design.graph)],
        "files": {path: sha256(text) for path, text in sorted(files.items())},
    }
    return json.dumps(data | dict(extras), indent=1) + "\n"


def _makes_a_tensor(kernel: Kernel, graph: Graph) -> TypeGuard[Making]:
    """Whether the definition has a tensor that a kernel's words can be compared with."""
    return not isinstance(kernel, ForkKernel) and kernel.name in graph.tensors


def _port(port: PortView) -> dict[str, Any]:
    return {"name": port.name, "words": port.size, "beats": port.beats, "format": port.format}


def _kernel(kernel: Making, names: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": kernel.name,
        "cpp": names[kernel.name],
        "layer": layer_of(kernel),
        "kind": type(kernel).__name__,
        "words": kernel.result.size,
        "beats": kernel.result.beats,
    }
    if isinstance(kernel, MatVecKernel):
        entry |= {"strategy": kernel.strategy.value, "nonzeros": kernel.weights.nonzeros}
    return entry

"""Lowered kernels as Verilog: a file a kernel, and the top module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.emit.render import render
from fpgaprune.errors import UnsupportedError
from fpgaprune.fabric import CLOCK_SHARE, FABRICS
from fpgaprune.lower import (
    AccumulateKernel,
    BufferKernel,
    ConstantKernel,
    ForkKernel,
    MatMulKernel,
    MatVecKernel,
    ScanKernel,
    WindowKernel,
    layer_of,
)
from fpgaprune.lower.netlist import netlist
from fpgaprune.lower.nodes import latency
from fpgaprune.rtl.dataflow import dataflow_top
from fpgaprune.rtl.folded import BankedView, folded_views
from fpgaprune.rtl.loop import body_module, scan_view
from fpgaprune.rtl.pipeline import pipeline_view
from fpgaprune.rtl.processes import (
    beats_view,
    buffer_view,
    fork_view,
    matmul_view,
    one_row,
    sum_view,
    window_view,
)
from fpgaprune.rtl.top import as_pipelined, module_names, pipeline_top

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.fabric import Fabric
    from fpgaprune.lower import Kernel, Lowered

TOP = "top.v"


def print_rtl(lowered: Lowered) -> Mapping[str, str]:
    """Return the Verilog of a design, path → text: ``top.v``, whose module has the design's name, and a file a kernel.

    Raises:
        UnsupportedError: a kernel that is not printed.
    """
    fabric, budget = timing(lowered)
    modules = module_names(lowered)
    kernels = {f"{name}.v": kernel for kernel, name in ((each, modules[each.name]) for each in lowered.kernels)}
    files = {path: print_kernel(kernel, fabric, budget, modules[kernel.name]) for path, kernel in kernels.items()}
    if lowered.design.is_dataflow:
        return {TOP: render("verilog/dataflow.v.j2", dataflow_top(lowered, fabric, budget))} | files
    return {TOP: render("verilog/top.v.j2", pipeline_top(lowered, fabric, budget))} | files


def timing(lowered: Lowered) -> tuple[Fabric, float]:
    """Return the fabric of a design's board and the usable period in ns."""
    return FABRICS[lowered.design.board.family], lowered.design.clock_ns * CLOCK_SHARE


def print_kernel(kernel: Kernel, fabric: Fabric, budget: float, name: str) -> str:
    """Return the Verilog of one kernel as module ``name``, cut to a usable period of ``budget`` ns.

    Raises:
        UnsupportedError: a kernel that is not printed.
    """
    comment = type(kernel).__name__
    pipelined = as_pipelined(kernel)
    if pipelined is not None:
        pipeline = pipeline_view(netlist(pipelined), pipelined.result, fabric, budget, name, comment)
        return render(_PIPELINE, pipeline)
    match kernel:
        case MatVecKernel():
            view, merging = folded_views(kernel, fabric, budget, name, comment)
            lanes = render(f"verilog/{'banked' if isinstance(view, BankedView) else 'lanes'}.v.j2", view)
            return _joined(lanes, *(render(_PIPELINE, each) for each in merging))
        case MatMulKernel():
            row = netlist(one_row(kernel))
            made = matmul_view(kernel, latency(row, fabric, budget), name, comment)
            one = pipeline_view(row, one_row(kernel).result, fabric, budget, f"{name}_row", comment)
            return _joined(render("verilog/matmul.v.j2", made), render(_PIPELINE, one))
        case ConstantKernel():
            return render("verilog/beats.v.j2", beats_view(kernel, name, comment))
        case ForkKernel():
            return render("verilog/fork.v.j2", fork_view(kernel, name, comment))
        case AccumulateKernel():
            return render("verilog/sums.v.j2", sum_view(kernel, name, comment))
        case BufferKernel():
            return render("verilog/buffer.v.j2", buffer_view(kernel, name, comment))
        case WindowKernel():
            return render("verilog/window.v.j2", window_view(kernel, name, comment))
        case ScanKernel():
            loop = render("verilog/scan.v.j2", scan_view(kernel, fabric, budget, name, comment))
            body = [
                print_kernel(inner, fabric, budget, body_module(name, number))
                for number, inner in enumerate(kernel.body)
            ]
            return _joined(loop, *body)
        case _:
            msg = f"{layer_of(kernel)}: {comment} is not printed as Verilog"
            raise UnsupportedError(msg)


_PIPELINE = "verilog/pipeline.v.j2"


def _joined(*modules: str) -> str:
    return "\n".join(modules)

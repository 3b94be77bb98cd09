"""The stock hls4ml project of the same network: what fpgaprune is compared with, and an oracle of what it computes."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaprune import tools
from fpgaprune.errors import ToolError, UnsupportedError
from fpgaprune.frontend import baseline_runner
from fpgaprune.frontend.custom_layers import FPGAPRUNE
from fpgaprune.frontend.quiet import quiet
from fpgaprune.paths import fresh_folder
from fpgaprune.quantise.layers import QuantisedClip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.capture.records import FloatArray
    from fpgaprune.quantise.layers import QuantisedLayer


def write_baseline(model_graph: Any, folder: Path) -> None:  # noqa: ANN401  # hls4ml has no types
    """Write the stock Vitis project of a ModelGraph into a new folder, in one step.

    Raises:
        UnsupportedError: a layer that stock hls4ml has no C++ for, or an output that is an input.
        InputError: the folder exists, or it cannot be written.
    """
    for node in model_graph.get_layers():
        if node.class_name == FPGAPRUNE:
            _refuse(node.get_attr("record"))
    if returned := set(model_graph.inputs) & set(model_graph.outputs):
        msg = f"{min(returned)}: stock hls4ml cannot return an input; leave the baseline out"
        raise UnsupportedError(msg)
    kinds = {node.class_name for node in model_graph.get_layers()}
    if {"DepthwiseConv1D", "DepthwiseConv2D"} <= kinds:  # nnet_sepconv1d_latency.h bears the guard of its 2D sister
        msg = (
            "stock hls4ml cannot compile depthwise convolutions over one axis and over two in one project; leave it out"
        )
        raise UnsupportedError(msg)
    settings = model_graph.config.config
    with fresh_folder(folder) as staging, quiet():
        settings["OutputDir"] = str(staging)
        try:
            model_graph.write()
        finally:
            settings["OutputDir"] = str(folder)
        stamp = settings["Stamp"]  # YAML puts it into quotes where it happens to be a number
        _settle(staging, {str(staging): str(folder), f"'{stamp}'": _STAMP, stamp: _STAMP})
    settings["Stamp"] = _STAMP


def _refuse(record: QuantisedLayer) -> None:
    kind = type(record).__name__.removeprefix("Quantised")
    msg = f"{record.name}: stock hls4ml has no exact counterpart of this {kind}; leave the baseline out"
    if isinstance(record, QuantisedClip):
        real = record.real()
        ends = f"{real.low}…{real.high}"
        msg = f"{record.name}: stock hls4ml has no clip to {ends}; leave the baseline out, or use ReLU or ReLU6"
    raise UnsupportedError(msg)


_STAMP = "stock"
"""What takes the place of the random stamp in the name of hls4ml's library, so that equal networks give equal files."""


def _settle(folder: Path, replacements: Mapping[str, str]) -> None:
    """Replace what hls4ml wrote of temporary folders and random stamps."""
    for name in ("hls4ml_config.yml", "build_lib.sh"):
        path = folder / name
        text = path.read_text(encoding="utf-8")
        for old, new in replacements.items():
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Baseline:
    """The compiled C-simulation of a stock project."""

    library: Path
    function: str
    outputs: int

    def predict(self, x: FloatArray, *, timeout_s: float = 600.0) -> FloatArray:
        """Return the flat output (samples, outputs) for real inputs (samples, …), computed in a process of its own.

        Inputs are channels last, whatever order the PyTorch model takes.

        Raises:
            ToolError: the C-simulation crashes, as vendor headers do on some formats, or takes too long.
        """
        with tempfile.TemporaryDirectory() as name:
            inputs, outputs = Path(name) / "inputs.npy", Path(name) / "outputs.npy"
            np.save(inputs, np.asarray(x, dtype=np.float64).reshape(len(x), -1))
            np.save(outputs, np.zeros((len(x), self.outputs)))
            command: list[str | Path] = [
                sys.executable,
                baseline_runner.__file__,
                self.library,
                self.function,
                inputs,
                outputs,
            ]
            done = tools.run(command, cwd=Path(name), timeout_s=timeout_s)
            if done.returncode:
                msg = f"the stock C-simulation {self.library} crashed:\n{tools.tail(done.stdout + done.stderr)}"
                raise ToolError(msg)
            results: FloatArray = np.load(outputs)
        return results


def compile_baseline(model_graph: Any, folder: Path, *, timeout_s: float = 600.0) -> Baseline:  # noqa: ANN401  # as above
    """Compile the project that ``write_baseline`` wrote into ``folder``.

    Raises:
        UnsupportedError: the network has several inputs or outputs.
        ToolError: g++ is missing, fails, or takes longer than ``timeout_s``.
    """
    if len(model_graph.inputs) != 1 or len(model_graph.outputs) != 1:
        msg = "the stock C-simulation is run for networks of one input and one output; use that of hls4ml itself"
        raise UnsupportedError(msg)
    tools.require("g++")
    done = tools.run(["bash", "build_lib.sh"], cwd=folder, timeout_s=timeout_s)
    if done.returncode:
        msg = f"the stock hls4ml project in {folder} does not compile:\n{tools.failure(done.stdout + done.stderr)}"
        raise ToolError(msg)
    name = model_graph.config.get_project_name()
    (output,) = model_graph.get_output_variables()
    return Baseline(folder.resolve() / "firmware" / f"{name}-{_STAMP}.so", f"{name}_double", output.size())

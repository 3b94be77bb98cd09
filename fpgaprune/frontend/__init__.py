"""Frontend: a quantised model through hls4ml's ModelGraph to a checked Graph; the only package that knows hls4ml."""

from __future__ import annotations

from fpgaprune.frontend.baseline import Baseline, compile_baseline, write_baseline
from fpgaprune.frontend.check import check
from fpgaprune.frontend.convert import Converted, convert
from fpgaprune.frontend.layer_list import LayerList, layer_list, model_graph
from fpgaprune.frontend.snapshot import snapshot

__all__ = [
    "Baseline",
    "Converted",
    "LayerList",
    "check",
    "compile_baseline",
    "convert",
    "layer_list",
    "model_graph",
    "snapshot",
    "write_baseline",
]

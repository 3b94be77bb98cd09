"""Seconds and memory from a residual PyTorch network, pruned to 90 %, to an exact verdict of its C-simulation."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import Stages, claim, main, measured, run_part

SETTINGS: dict[str, Any] = {  # 78,186 parameters
    "side": 32,
    "channels": (16, 32, 64),
    "classes": 10,
    "sparsity": 0.9,
    "samples": 200,
}
QUICK: dict[str, Any] = {"side": 6, "channels": (4, 5), "classes": 3, "sparsity": 0.5, "samples": 5}
BOARD = "pynq-z2"
CHECKED = 16
"""Images on which `convert` compares the graph with the quantised model."""
MOST_S, MOST_MB = 300.0, 4096.0

SPIED = {
    "fpgaprune.quantise.api:capture": "capture",
    "fpgaprune.quantise.api:make_plan": "formats",
    "fpgaprune.quantise.api:freeze": "freeze",
    "fpgaprune.quantise.api:evaluate_metric": "metric",
    "fpgaprune.frontend.convert:layer_list": "layer list",
    "fpgaprune.frontend.convert:model_graph": "hls4ml ModelGraph",
    "fpgaprune.frontend.convert:snapshot": "snapshot",
    "fpgaprune.frontend.convert:verify": "verify",
    "fpgaprune.frontend.convert:check": "check",
    "fpgaprune.schedule.design:verify": "verify",
    "fpgaprune.schedule.design:optimise": "passes",
    "fpgaprune.sim.csim:evaluate": "evaluate",
    "fpgaprune.sim.csim:simulate": "simulate",
}


def whole(quick: bool) -> dict[str, Any]:
    """Return the stages of the network, and the claims on their sum."""
    net = QUICK if quick else SETTINGS
    found = run_part(__file__, **net)
    wrong = found["verdict"]["mismatches"]
    peak = max(found["process"]["peak_mb"], found["compile"]["peak_mb"])
    return {
        "settings": {**net, "board": BOARD, "checked_samples": CHECKED, "interface": "stream"},
        "results": found,
        "claims": [
            claim("output words that differ from those of evaluate", wrong, at_most=0.0),
            claim(
                "from the PyTorch model to a verdict in under 300 s, imports aside", found["total_s"], at_most=MOST_S
            ),
            claim("in under 4 GB (of our process and of the compiler)", peak, at_most=MOST_MB),
        ],
    }


def part(side: int, channels: list[int], classes: int, sparsity: float, samples: int) -> dict[str, Any]:
    """Take one network all the way, stage by stage."""
    start = time.perf_counter()
    import numpy as np
    from networks import data, nonzeros, parameters, residual

    from fpgaprune import board
    from fpgaprune.emit import Vectors, emit
    from fpgaprune.frontend import convert
    from fpgaprune.lower import lower
    from fpgaprune.prune import PruneRecipe, TrainSettings, prune
    from fpgaprune.quantise import QuantiseRecipe, quantise
    from fpgaprune.schedule import Interface, schedule
    from fpgaprune.sim import ProjectFolder, csim
    from fpgaprune.sim.verdict import to_data

    imports_s = time.perf_counter() - start
    model, given, on = residual(channels, classes), data((3, side, side), classes, samples), board.load(BOARD)
    images = given.test_arrays()[0].astype(np.float64)
    stages = Stages()
    with tempfile.TemporaryDirectory() as scratch, stages.spied(SPIED):
        folder = Path(scratch) / "project"
        start = time.perf_counter()
        with stages.stage("prune"):
            recipe = PruneRecipe(sparsity=sparsity, fine_tune=TrainSettings(epochs=0))
            pruned = prune(model, None, recipe, progress=False)
        with stages.stage("quantise"):
            quantised = quantise(pruned, given, QuantiseRecipe(fine_tune=None), progress=False)
        with stages.stage("convert"):
            converted = convert(quantised, on.part, on.clock_ns, images[:CHECKED])
        with stages.stage("schedule"):
            design = schedule(converted.graph, on, interface=Interface.STREAM)
        with stages.stage("lower"):
            lowered = lower(design)
        with stages.stage("emit"):
            words = quantised.quantise_input(images)
            project = emit(lowered, Vectors.of(converted.graph, words[:CHECKED]))
        with stages.stage("write"):
            project.write(folder)
        with stages.stage("compile"):
            compiled = measured(["make", "-j", str(os.cpu_count() or 1), "build/testbench"], cwd=folder / "sim")
        with stages.stage("run"):
            verdict = csim(ProjectFolder.load(folder), (words,))
        total = time.perf_counter() - start
    return {
        "imports_s": round(imports_s, 3),
        "parameters": parameters(model),
        "nonzeros": nonzeros(converted.graph),
        "nonzeros_after_passes": nonzeros(design.graph),
        "project_mb": round(sum(map(len, project.files.values())) / 1e6, 2),
        "total_s": round(total, 3),
        "stages": stages.found,
        "compile": compiled,
        "verdict": to_data(verdict),
    }


if __name__ == "__main__":
    sys.exit(main("residual_speed", whole, part))

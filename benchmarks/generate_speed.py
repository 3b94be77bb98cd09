"""Seconds from a PyTorch module to a written project, and how time and memory grow with the non-zero weights."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from common import Stages, claim, main, ratio, run_part

SIZES = (784, 128, 128, 10)
GROWTH = {  # 10 % of the weights are left: about 10 k, 100 k and 1 M
    "10k": (256, 256, 128, 10),
    "100k": (1024, 768, 272, 10),
    "1M": (4096, 2048, 768, 10),
}
QUICK = (16, 12, 4)
SPARSITY = 0.9
SAMPLES = 64
REPEATS = 3
BOARD = "pynq-z2"

SPIED = {
    "fpgaprune.quantise.api:capture": "capture",
    "fpgaprune.capture.api:exported": "torch.export",
    "fpgaprune.quantise.api:make_plan": "formats",
    "fpgaprune.quantise.api:freeze": "freeze",
    "fpgaprune.quantise.api:sparsity_of": "sparsity",
    "fpgaprune.quantise.api:evaluate_metric": "metric",
    "fpgaprune.frontend.convert:convert": "convert",
    "fpgaprune.frontend.convert:layer_list": "layer list",
    "fpgaprune.frontend.convert:model_graph": "hls4ml ModelGraph",
    "fpgaprune.frontend.convert:snapshot": "snapshot",
    "fpgaprune.frontend.convert:verify": "verify",
    "fpgaprune.frontend.convert:check": "check",
    "fpgaprune.flow:describe": "describe",
}
GRAPH_SPIED = {
    "fpgaprune.flow:schedule": "schedule",
    "fpgaprune.schedule.design:verify": "verify",
    "fpgaprune.schedule.design:optimise": "passes",
    "fpgaprune.flow:lower": "lower",
    "fpgaprune.flow:emit": "emit",
}


def whole(quick: bool) -> dict[str, Any]:
    """Return the claim's network, several times, and the growth on both paths."""
    claimed = [
        run_part(__file__, path="torch", sizes=QUICK if quick else SIZES, sparsity=SPARSITY)
        for _ in range(1 if quick else REPEATS)
    ]
    median = statistics.median(each["total_s"] for each in claimed)
    growth = {"quick": QUICK} if quick else GROWTH
    results: dict[str, Any] = {
        "median_s": median,
        "median_cpu_s": statistics.median(each["total_cpu_s"] for each in claimed),
        "median_imports_s": statistics.median(each["imports_s"] for each in claimed),
        "runs": claimed,
    }
    for path in ("graph",) if quick else ("graph", "torch"):
        runs = {name: run_part(__file__, path=path, sizes=sizes, sparsity=SPARSITY) for name, sizes in growth.items()}
        results[f"growth_{path}"] = {"runs": runs, "ratios": _ratios(list(runs.values()))}
    return {
        "settings": {"sparsity": SPARSITY, "samples": SAMPLES, "board": BOARD, "repeats": len(claimed)},
        "results": results,
        "claims": [claim("from PyTorch to a written project in at most 5 s, imports aside", median, at_most=5.0)],
    }


def _ratios(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return how each run's cost compares with the run before it; CPU time/non-zeros of 1 is linear growth."""
    return [
        {
            "nonzeros": ratio(large["nonzeros"], small["nonzeros"]),
            "cpu": ratio(large["total_cpu_s"], small["total_cpu_s"]),
            "cpu/nonzeros": ratio(large["cpu_us_per_nonzero"], small["cpu_us_per_nonzero"]),
            "stage_cpu/nonzeros": {
                name: ratio(stage["cpu_s"] / large["nonzeros"], small["stages"][name]["cpu_s"] / small["nonzeros"])
                for name, stage in large["stages"].items()
                if name in small["stages"]
            },
        }
        for small, large in pairwise(runs)
    ]


def part(path: str, sizes: tuple[int, ...], sparsity: float) -> dict[str, Any]:
    """Generate one project, stage by stage."""
    return (_from_torch if path == "torch" else _from_graph)(tuple(sizes), sparsity)


def _from_torch(sizes: tuple[int, ...], sparsity: float) -> dict[str, Any]:
    start = time.perf_counter()
    import numpy as np
    import torch.fx.experimental.symbolic_shapes  # noqa: F401  # a capture loads it
    from networks import data, module, nonzeros

    import fpgaprune.frontend.convert  # noqa: F401  # generate loads it
    from fpgaprune import board
    from fpgaprune.flow import generate
    from fpgaprune.quantise import QuantiseRecipe, quantise
    from fpgaprune.serialise import graph_from_text

    imports_s = time.perf_counter() - start
    model, given = module(sizes, sparsity), data(sizes[:1], sizes[-1], SAMPLES)
    samples, _ = given.test_arrays()
    stages = Stages()
    with tempfile.TemporaryDirectory() as scratch, stages.spied(SPIED | GRAPH_SPIED):
        start, start_cpu = time.perf_counter(), time.process_time()
        with stages.stage("quantise"):
            quantised = quantise(model, given, QuantiseRecipe(fine_tune=None), progress=False)
        with stages.stage("generate"):
            project = generate(quantised, board.load(BOARD), samples.astype(np.float64))
        with stages.stage("write"):
            project.write(Path(scratch) / "project")
        total = time.perf_counter() - start, time.process_time() - start_cpu
    return _result(nonzeros(graph_from_text(project.files["graph.json"])), total, stages, project) | {
        "imports_s": round(imports_s, 3)
    }


def _from_graph(sizes: tuple[int, ...], sparsity: float) -> dict[str, Any]:
    start = time.perf_counter()
    from networks import graph, nonzeros

    from fpgaprune import board
    from fpgaprune.emit import emit
    from fpgaprune.lower import lower
    from fpgaprune.schedule import schedule

    imports_s = time.perf_counter() - start
    net = graph(sizes, sparsity)
    stages = Stages()
    inner = {target: name for target, name in GRAPH_SPIED.items() if not target.startswith("fpgaprune.flow")}
    with tempfile.TemporaryDirectory() as scratch, stages.spied(inner):
        start, start_cpu = time.perf_counter(), time.process_time()
        with stages.stage("schedule"):
            design = schedule(net, board.load(BOARD))
        with stages.stage("lower"):
            lowered = lower(design)
        with stages.stage("emit"):
            project = emit(lowered)
        with stages.stage("write"):
            project.write(Path(scratch) / "project")
        total = time.perf_counter() - start, time.process_time() - start_cpu
    return _result(nonzeros(net), total, stages, project) | {"imports_s": round(imports_s, 3)}


def _result(count: int, total: tuple[float, float], stages: Stages, project: Any) -> dict[str, Any]:  # noqa: ANN401  # imported late
    return {
        "nonzeros": count,
        "total_s": round(total[0], 3),
        "total_cpu_s": round(total[1], 3),
        "cpu_us_per_nonzero": round(total[1] / count * 1e6, 2),
        "project_mb": round(sum(map(len, project.files.values())) / 1e6, 2),
        "stages": stages.found,
    }


if __name__ == "__main__":
    sys.exit(main("generate_speed", whole, part))

"""Inferences a second of `evaluate`, the definition that every design is compared with."""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from common import claim, main, run_part

SIZES, QUICK_SIZES = (784, 128, 128, 10), (32, 16, 10)
SPARSITY = 0.9


def whole(quick: bool) -> dict[str, Any]:
    """Return the rate of each repetition and the median."""
    settings: dict[str, Any] = {
        "sizes": QUICK_SIZES if quick else SIZES,
        "sparsity": SPARSITY,
        "samples": 200 if quick else 20_000,
        "repeats": 5,
    }
    found = run_part(__file__, **settings)
    rate = found["median_per_s"]
    return {
        "settings": settings | {"weight_bits": 8, "activation_bits": "8, unsigned"},
        "results": {key: found[key] for key in ("nonzeros", "per_s", "median_per_s", "median_per_cpu_s", "process")},
        "claims": [claim("at least 50,000 inferences a second", rate, at_least=50_000)],
    }


def part(sizes: tuple[int, ...], sparsity: float, samples: int, repeats: int) -> dict[str, Any]:
    """Time `evaluate` on one batch again and again, after one small call that is not counted."""
    from networks import graph, nonzeros

    from fpgaprune.emit.vectors import random_inputs
    from fpgaprune.evaluate import evaluate

    net = graph(sizes, sparsity)
    inputs = random_inputs(net, samples)
    evaluate(net, *(values[:10] for values in inputs))
    wall, cpu = [], []
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        evaluate(net, *inputs)
        wall.append(round(samples / (time.perf_counter() - start)))
        cpu.append(round(samples / (time.process_time() - start_cpu)))
    return {
        "nonzeros": nonzeros(net),
        "per_s": wall,
        "median_per_s": statistics.median(wall),
        "median_per_cpu_s": statistics.median(cpu),
    }


if __name__ == "__main__":
    sys.exit(main("evaluate_speed", whole, part))

"""What Yosys counts of the Verilog of each strategy, dense to 95 % sparse, beside the estimate; a large network too."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from common import claim, main, ratio, run_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.schedule import Planner

NETWORKS = ((16, 32, 16, 5), (16, 64, 32, 32, 5))
SPARSITIES = (0.0, 0.5, 0.8, 0.9, 0.95)
STRATEGIES = ("multiply", "adders", "folded 8")
LARGE: dict[str, Any] = {"sizes": (784, 128, 128, 10), "sparsity": 0.9}
QUICK: dict[str, Any] = {"sizes": (4, 3, 2), "sparsity": 0.5}
BOARD = "pynq-z2"
AMOUNTS = ("lut", "ff", "dsp")
COUNTED = (*AMOUNTS, "bram_18k", "carry", "muxf")
MOST_MB = 4096.0
"""Memory of one process; two run at a time."""


def whole(quick: bool) -> dict[str, Any]:
    """Return what each design takes, its ratio to the dense one of its strategy, and the error of its estimate."""
    cases = [_case(QUICK["sizes"], QUICK["sparsity"], "adders")] if quick else list(_cases())
    large = [] if quick else [run_part(__file__, strategy=each, fresh=True, **LARGE) for each in STRATEGIES[:2]]
    every = [*cases, *large]
    return {
        "settings": {"networks": NETWORKS, "board": BOARD, "kind": "open-synthesis", "bits": 8, "large": LARGE},
        "results": {"cases": cases, "large": large},
        "claims": [
            claim("designs whose Verilog is not exact", sum(not each["exact"] for each in every), at_most=0),
            claim("median error of the estimate of LUT", _median(every, "lut"), at_most=0.05),
            claim("median error of the estimate of FF", _median(every, "ff"), at_most=0.1),
            claim("largest error of the estimate of DSP", max(each["error"]["dsp"] for each in every), at_most=0.05),
            claim("cycles by which the estimate of latency is off", max(each["late"] for each in every), at_most=0.0),
            *(
                claim(f"seconds to prove and synthesise the large network, {each['strategy']}", seconds, at_most=600.0)
                for each in large
                for seconds in [round(each["simulate_s"] + each["s"], 2)]
            ),
            *(
                claim(
                    f"MB of the largest process of it, {each['strategy']}", each["process"]["peak_mb"], at_most=MOST_MB
                )
                for each in large
            ),
        ],
    }


def _cases() -> Sequence[dict[str, Any]]:
    found = []
    for sizes in NETWORKS:
        for strategy in STRATEGIES:
            levels = [_case(sizes, sparsity, strategy) for sparsity in SPARSITIES]
            dense = levels[0]["total"]
            found += [
                level | {"x dense": {name: ratio(level["total"][name], dense[name]) for name in AMOUNTS}}
                for level in levels
            ]
    return found


def _case(sizes: Sequence[int], sparsity: float, strategy: str) -> dict[str, Any]:
    return run_part(__file__, sizes=sizes, sparsity=sparsity, strategy=strategy)


def _median(cases: Sequence[dict[str, Any]], name: str) -> float:
    errors = sorted(case["error"][name] for case in cases)
    return round((errors[len(errors) // 2] + errors[(len(errors) - 1) // 2]) / 2, 4)


def part(sizes: Sequence[int], sparsity: float, strategy: str, fresh: bool = False) -> dict[str, Any]:
    """Synthesise one network, kernel by kernel, two at a time; where ``fresh``, without the results of earlier runs."""
    import os
    import tempfile

    from networks import graph, nonzeros

    from fpgaprune import board
    from fpgaprune.emit.vectors import random_inputs
    from fpgaprune.lower import lower
    from fpgaprune.passes import optimise
    from fpgaprune.resources import estimate
    from fpgaprune.rtl import print_rtl
    from fpgaprune.schedule import schedule
    from fpgaprune.sim.rtl import rtlsim
    from fpgaprune.yosys import Cells, open_synthesis

    of = optimise(graph(sizes, sparsity))
    lowered = lower(schedule(of, board.load(BOARD), planner=_planner(strategy)))
    texts = print_rtl(lowered)
    begin = time.perf_counter()
    (run,) = rtlsim([lowered], [random_inputs(of, 8)], files=[texts])
    simulate_s = time.perf_counter() - begin
    with tempfile.TemporaryDirectory() as scratch:
        if fresh:
            os.environ["FPGAPRUNE_CACHE"] = scratch
        start = time.perf_counter()
        cells = sum(open_synthesis(lowered, texts).values(), Cells())
        seconds = time.perf_counter() - start
    resources = estimate(lowered)
    total = {name: getattr(cells, name) for name in COUNTED}
    told = {name: resources.total(name) for name in AMOUNTS}
    return {
        "sizes": list(sizes),
        "sparsity": sparsity,
        "strategy": strategy,
        "nonzeros": nonzeros(of),
        "exact": run.verdict.exact,
        "total": total,
        "estimate": told | {"bounds": {name: resources.bounds(name) for name in ("lut", "ff")}},
        "error": {name: _off(told[name], total[name]) for name in AMOUNTS},
        "latency_cycles": run.latency,
        "late": abs(run.latency - resources.latency_cycles),
        "simulate_s": round(simulate_s, 2),
        "s": round(seconds, 2),
    }


def _off(estimate: int, counted: int) -> float:
    return round(abs(estimate - counted) / max(counted, 1), 4)


def _planner(strategy: str) -> Planner:
    from fpgaprune import board
    from fpgaprune.fit import planner
    from fpgaprune.schedule import Strategy

    name, *reuse = strategy.split()
    return planner(Strategy(name), board=board.load(BOARD), reuse=int(reuse[0]) if reuse else None)


if __name__ == "__main__":
    sys.exit(main("open_synthesis", whole, part))

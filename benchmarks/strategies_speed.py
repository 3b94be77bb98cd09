"""Generation and C-simulation of every strategy: 20,000 non-zeros simulated, one million generated."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import claim, main, measured, run_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from fpgaprune.schedule import Planner

SIMULATED: dict[str, Any] = {"sizes": (784, 256, 10), "sparsity": 0.9, "samples": 2000}
GENERATED: dict[str, Any] = {"sizes": (1024, 1024, 10), "sparsity": 0.05, "samples": 2}
QUICK_SIMULATED: dict[str, Any] = {"sizes": (12, 8, 3), "sparsity": 0.5, "samples": 20}
QUICK_GENERATED: dict[str, Any] = {"sizes": (12, 8, 3), "sparsity": 0.05, "samples": 2}
STRATEGIES = ("multiply", "adders", "registers 10", "registers 100", "memories 100", "memories 200")
LARGE = ("registers 16", "registers 1024", "memories 4096")
"""Strategies, lanes with the slots that they aim at."""
BOARD = "pynq-z2"


def whole(quick: bool) -> dict[str, Any]:
    """Return what each strategy took."""
    simulated, generated = (QUICK_SIMULATED, QUICK_GENERATED) if quick else (SIMULATED, GENERATED)
    cases = [run_part(__file__, strategy=each, simulate=True, **simulated) for each in STRATEGIES]
    large = [run_part(__file__, strategy=each, simulate=False, **generated) for each in LARGE]
    return {
        "settings": {"simulated": simulated, "generated": generated, "board": BOARD, "bits": 8},
        "results": {"simulated": cases, "generated": large},
        "claims": [
            claim("output words that differ", sum(case["differ"] for case in cases), at_most=0.0),
            claim("CPU seconds to compile 20,000 non-zeros", _most(cases, "cpu_s"), at_most=60.0),
            claim("MB to compile them", _most(cases, "peak_mb"), at_most=2048.0),
            claim("inferences a second", min(case["inferences_per_s"] for case in cases), at_least=2000.0),
            claim("seconds to generate a million non-zeros", max(each["generate_s"] for each in large), at_most=60.0),
            claim("MB to generate them", max(each["process"]["peak_mb"] for each in large), at_most=3072.0),
        ],
    }


def _most(cases: list[dict[str, Any]], key: str) -> float:
    return max(case["compile"][key] for case in cases)


def part(sizes: tuple[int, ...], sparsity: float, samples: int, strategy: str, simulate: bool) -> dict[str, Any]:
    """Generate one network with one strategy, and simulate it."""
    from networks import graph, nonzeros

    from fpgaprune import board
    from fpgaprune.emit import Vectors, emit
    from fpgaprune.emit.vectors import random_inputs
    from fpgaprune.lower import lower
    from fpgaprune.schedule import schedule

    of = graph(sizes, sparsity)
    start = time.perf_counter()
    lowered = lower(schedule(of, board.load(BOARD), planner=_planner(strategy)))
    project = emit(lowered, Vectors.of(of, *random_inputs(of, 2)))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        project.write(folder)
        found = {
            "nonzeros": nonzeros(of),
            "interval_cycles": lowered.interval,
            "generate_s": round(time.perf_counter() - start, 3),
            "project_mb": round(sum(map(len, project.files.values())) / 1e6, 2),
        }
        return found | (_simulated(of, folder, samples) if simulate else {})


def _planner(strategy: str) -> Planner:
    from fpgaprune.schedule import Access, Folded, multiply
    from fpgaprune.schedule.adders import adders_planner

    unrolled: dict[str, Planner] = {"multiply": multiply, "adders": adders_planner}
    if strategy in unrolled:
        return unrolled[strategy]
    access, slots = Access(strategy.split()[0]), int(strategy.split()[1])

    def planner(op: Any, _source: Any) -> Folded:  # noqa: ANN401  # MatVec and Tensor
        lanes = -(-op.weights.nonzeros // slots)
        banks = 1 if access is Access.REGISTERS else min(8, op.weights.shape[1])
        return Folded(-(-lanes // banks) * banks, access, banks)

    return planner


def _simulated(of: Any, folder: Path, samples: int) -> dict[str, Any]:  # noqa: ANN401  # a Graph
    """Compile, run on ``samples`` random vectors, and compare with `evaluate`."""
    import numpy as np

    from fpgaprune.emit.vectors import from_text, random_inputs, to_text
    from fpgaprune.evaluate import evaluate

    compiled = measured(["make", "-j", str(os.cpu_count() or 1), "build/testbench"], cwd=folder / "sim")
    inputs = random_inputs(of, samples)
    expected = evaluate(of, *inputs)[0]
    given, got = folder / "input.dat", folder / "output.dat"
    run: Callable[..., dict[str, float]] = lambda: measured(  # noqa: E731  # one command, twice
        [folder / "sim" / "build" / "testbench", "--write", given, got]
    )
    given.write_text(to_text(tuple(each[:1] for each in inputs)), encoding="ascii")
    start = run()
    given.write_text(to_text(inputs), encoding="ascii")
    whole_run = run()
    (words,) = from_text(got.read_text(encoding="ascii"), (expected.shape[1],))
    seconds = max(whole_run["wall_s"] - start["wall_s"], 1e-6)
    return {
        "compile": compiled,
        "inferences_per_s": round((samples - 1) / seconds, 1),
        "differ": int(np.count_nonzero(words != expected)),
    }


if __name__ == "__main__":
    sys.exit(main("strategies_speed", whole, part))

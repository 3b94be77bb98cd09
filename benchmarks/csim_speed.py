"""C-simulation of fpgaprune beside that of stock hls4ml, from the same ModelGraph: compile time, memory, speed."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import claim, main, measured, ratio, run_part

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[Any], tuple[Any, dict[str, float]]]
    """Mantissas (samples, inputs) → real outputs (samples, outputs), and what the process took."""

NETS = {"16-64-32-32-5": (16, 64, 32, 32, 5), "784-128-128-10": (784, 128, 128, 10)}
QUICK = {"6-4-3": (6, 4, 3)}
SPARSITIES = (0.0, 0.8, 0.95)
BOARD = "pynq-z2"
COMPARED = 64
"""Samples of which every output is compared."""
LEAST_S = 0.3
"""Seconds that a timed batch takes at least, on top of those of a single sample."""
MOST_SAMPLES = 1 << 18
REPEATS = 3


def whole(quick: bool) -> dict[str, Any]:
    """Return both simulators on every network and sparsity."""
    nets, sparsities = (QUICK, (0.5,)) if quick else (NETS, SPARSITIES)
    effort: dict[str, Any] = {"least_s": 0.0, "repeats": 1} if quick else {"least_s": LEAST_S, "repeats": REPEATS}
    cases = [
        run_part(__file__, net=net, sizes=sizes, sparsity=sparsity, **effort)
        for net, sizes in nets.items()
        for sparsity in sparsities
    ]
    equal = [all(case["equal"].values()) for case in cases]
    return {
        "settings": {
            "nets": nets,
            "sparsities": sparsities,
            **effort,
            "weight_bits": 8,
            "activation_bits": 8,
            "compared_samples": COMPARED,
            "fpgaprune": f"make -j {os.cpu_count()} in sim/, -O1",
            "hls4ml": "build_lib.sh as hls4ml writes it",
        },
        "results": {"cases": cases},
        "claims": [claim("share of cases with equal outputs of both", sum(equal) / len(equal), at_least=1.0)],
    }


def part(net: str, sizes: tuple[int, ...], sparsity: float, least_s: float, repeats: int) -> dict[str, Any]:  # noqa: ARG001  # a label
    """Write, compile and run both projects of one network."""
    import numpy as np
    from networks import data, module, nonzeros

    from fpgaprune import board
    from fpgaprune.emit import Vectors, emit
    from fpgaprune.emit.vectors import random_inputs
    from fpgaprune.evaluate import evaluate
    from fpgaprune.fixed import to_float
    from fpgaprune.frontend import convert, write_baseline
    from fpgaprune.lower import lower
    from fpgaprune.quantise import QuantiseRecipe, quantise
    from fpgaprune.schedule import schedule

    given = data(sizes, COMPARED)
    samples = given.test_arrays()[0].astype(np.float64)
    quantised = quantise(module(sizes, sparsity), given, QuantiseRecipe(fine_tune=None), progress=False)
    on = board.load(BOARD)
    converted = convert(quantised, on.part, on.clock_ns, samples)
    design = schedule(converted.graph, on)
    (source,) = (op.output for op in converted.graph.inputs)
    result = converted.graph.tensors[converted.graph.outputs[0]]
    (mantissas,) = random_inputs(converted.graph, COMPARED)
    expected = to_float(evaluate(converted.graph, mantissas)[0], result.format.fraction)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        emit(lower(design), Vectors.of(converted.graph, mantissas)).write(folder / "ours")
        write_baseline(converted.model_graph, folder / "stock")
        jobs = str(os.cpu_count() or 1)
        compiled = {
            "fpgaprune": measured(["make", "-j", jobs, "build/testbench"], cwd=folder / "ours" / "sim"),
            "hls4ml": measured(["bash", "build_lib.sh"], cwd=folder / "stock"),
        }
        runs = {
            "fpgaprune": _ours(folder / "ours" / "sim" / "build" / "testbench", folder, result),
            "hls4ml": _stock(folder / "stock", folder, source, result),
        }
        outputs = {name: run(mantissas)[0] for name, run in runs.items()}
        speeds = {name: _speed(run, mantissas, least_s, repeats) for name, run in runs.items()}
    ours, stock = ({"compile": compiled[name], **speeds[name]} for name in ("fpgaprune", "hls4ml"))
    return {
        "nonzeros": nonzeros(converted.graph),
        "nonzeros_after_passes": nonzeros(design.graph),
        "fpgaprune": ours,
        "hls4ml": stock,
        "equal": {f"{name} and evaluate": bool(np.array_equal(got, expected)) for name, got in outputs.items()},
        "hls4ml/fpgaprune": {key: ratio(stock["compile"][key], ours["compile"][key]) for key in ours["compile"]},
        "fpgaprune/hls4ml": {key: ratio(ours[key], stock[key]) for key in ("inferences_per_s", "inferences_per_cpu_s")},
    }


def _ours(program: Path, folder: Path, result: Any) -> Run:  # noqa: ANN401  # a Tensor
    """Return mantissas → real outputs and seconds of the testbench, which reads and writes text."""
    from fpgaprune.emit.vectors import from_text, to_text
    from fpgaprune.fixed import to_float

    def run(mantissas: Any) -> tuple[Any, dict[str, float]]:  # noqa: ANN401  # an array
        given, got = folder / "input.dat", folder / "output.dat"
        given.write_text(to_text((mantissas,)), encoding="ascii")
        cost = measured([program, "--write", given, got])
        (words,) = from_text(got.read_text(encoding="ascii"), (result.size,))
        return to_float(words, result.format.fraction), cost

    return run


def _stock(project: Path, folder: Path, source: Any, result: Any) -> Run:  # noqa: ANN401
    """Return mantissas → real outputs and seconds of the stock library, called on doubles sample by sample."""
    import numpy as np

    from fpgaprune.fixed import to_float
    from fpgaprune.frontend import baseline_runner
    from fpgaprune.frontend.layer_list import PROJECT

    (library,) = (project / "firmware").glob(f"{PROJECT}-*.so")

    def run(mantissas: Any) -> tuple[Any, dict[str, float]]:  # noqa: ANN401  # an array
        given, got = folder / "inputs.npy", folder / "outputs.npy"
        np.save(given, to_float(mantissas, source.format.fraction).astype(np.float64))
        np.save(got, np.zeros((len(mantissas), result.size)))
        words = [sys.executable, baseline_runner.__file__, library, f"{PROJECT}_double", given, got]
        cost = measured(words)
        return np.load(got), cost

    return run


def _speed(run: Run, mantissas: Any, least_s: float, repeats: int) -> dict[str, Any]:  # noqa: ANN401
    """Return inferences a second: of a batch large enough, less the time of one sample, which is that of the start."""
    start = _medians([run(mantissas[:1])[1] for _ in range(repeats)])
    samples = len(mantissas)
    while True:
        batch = _batch(mantissas, samples)
        first = run(batch)[1]
        if first["wall_s"] - start["wall_s"] >= least_s or samples >= MOST_SAMPLES or not least_s:
            break
        samples *= 4
    whole_run = _medians([first, *(run(batch)[1] for _ in range(repeats - 1))])
    wall, cpu = (whole_run[key] - start[key] for key in ("wall_s", "cpu_s"))
    return {
        "samples": samples,
        "run": whole_run,
        "start": start,
        "inferences_per_s": round((samples - 1) / wall) if wall > 0 else 0,
        "inferences_per_cpu_s": round((samples - 1) / cpu) if cpu > 0 else 0,
    }


def _medians(costs: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(cost[key] for cost in costs), 4) for key in costs[0]}


def _batch(mantissas: Any, samples: int) -> Any:  # noqa: ANN401  # arrays
    import numpy as np

    return np.tile(mantissas, (-(-samples // len(mantissas)), 1))[:samples]


if __name__ == "__main__":
    sys.exit(main("csim_speed", whole, part))

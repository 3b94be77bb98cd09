"""Compiled C-simulations, ours and stock hls4ml's, and how fast they are."""

from __future__ import annotations

import os
import statistics
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from common import measured, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import nn

    from fpgaprune.capture.records import FloatArray
    from fpgaprune.emit import Project
    from fpgaprune.fixed import IntArray
    from fpgaprune.frontend import Converted
    from fpgaprune.ir import Tensor
    from fpgaprune.prune import Data
    from fpgaprune.quantise import QuantisedModel
    from fpgaprune.schedule import Design, Interface

    Cost = dict[str, float]
    """wall_s, cpu_s and peak_mb of a process."""
    Run = Callable[[IntArray], tuple[FloatArray, Cost]]
    """Mantissas (samples, *input) → real outputs (samples, outputs), and what the process took."""

OURS = "fpgaprune"
COMMANDS = {OURS: f"make -j {os.cpu_count() or 1} in sim/, -O1", "hls4ml": "build_lib.sh as hls4ml writes it"}
BITS = {"weight_bits": 8, "activation_bits": 8}
MOST_SAMPLES = 1 << 18
RATES = ("inferences_per_s", "inferences_per_cpu_s")


@dataclass(frozen=True)
class Effort:
    """The seconds that a timed batch takes at least, on top of those of a single sample, and how often it is run."""

    least_s: float
    repeats: int


EFFORT, QUICK_EFFORT = Effort(0.3, 3), Effort(0.0, 1)


@dataclass(frozen=True)
class Made:
    """All stages of a network, random words of its input (samples, *shape), and the real outputs of `evaluate`."""

    quantised: QuantisedModel
    converted: Converted
    design: Design
    project: Project
    mantissas: IntArray
    expected: FloatArray

    @property
    def source(self) -> Tensor:
        """The input."""
        return self.converted.graph.inputs[0].output

    @property
    def result(self) -> Tensor:
        """The output."""
        return self.converted.graph.tensors[self.converted.graph.outputs[0]]


def made(model: nn.Module, data: Data, board_name: str, interface: Interface, samples: int) -> Made:
    """Return a model as a project, quantised as it is to 8 bits, with ``samples`` random inputs."""
    from fpgaprune import board
    from fpgaprune.emit import Vectors, emit
    from fpgaprune.emit.vectors import random_inputs
    from fpgaprune.evaluate import evaluate
    from fpgaprune.fixed import to_float
    from fpgaprune.frontend import convert
    from fpgaprune.lower import lower
    from fpgaprune.quantise import QuantiseRecipe, quantise
    from fpgaprune.schedule import schedule

    on = board.load(board_name)
    quantised = quantise(model, data, QuantiseRecipe(fine_tune=None), progress=False)
    converted = convert(quantised, on.part, on.clock_ns, data.test_arrays()[0].astype(np.float64))
    design = schedule(converted.graph, on, interface=interface)
    (mantissas,) = random_inputs(converted.graph, samples)
    project = emit(lower(design), Vectors.of(converted.graph, mantissas))
    (outputs,) = evaluate(converted.graph, mantissas)
    fraction = converted.graph.tensors[converted.graph.outputs[0]].format.fraction
    return Made(quantised, converted, design, project, mantissas, to_float(outputs, fraction))


@dataclass(frozen=True)
class Simulator:
    """A compiled C-simulation and what compiling it took."""

    compiled: Cost
    run: Run


def ours(of: Made, folder: Path) -> Simulator:
    """Write our project into the new ``folder`` and build its testbench, which reads and writes text."""
    from fpgaprune.emit.vectors import from_text, to_text
    from fpgaprune.fixed import to_float

    of.project.write(folder)
    compiled = measured(["make", "-j", str(os.cpu_count() or 1), "build/testbench"], cwd=folder / "sim")
    program = folder / "sim" / "build" / "testbench"

    def run(mantissas: IntArray) -> tuple[FloatArray, Cost]:
        given, got = folder / "input.dat", folder / "output.dat"
        given.write_text(to_text((mantissas,)), encoding="ascii")
        cost = measured([program, "--write", given, got])
        (words,) = from_text(got.read_text(encoding="ascii"), (of.result.size,))
        return to_float(words, of.result.format.fraction), cost

    return Simulator(compiled, run)


def stock(of: Made, model_graph: Any, folder: Path) -> Simulator:  # noqa: ANN401  # hls4ml has no types
    """Write the stock project of a ModelGraph into the new ``folder`` and build its library, called on doubles."""
    from fpgaprune.fixed import to_float
    from fpgaprune.frontend import baseline_runner, write_baseline
    from fpgaprune.frontend.layer_list import PROJECT

    write_baseline(model_graph, folder)
    compiled = measured(["bash", "build_lib.sh"], cwd=folder)
    (library,) = (folder / "firmware").glob(f"{PROJECT}-*.so")

    def run(mantissas: IntArray) -> tuple[FloatArray, Cost]:
        given, got = folder / "inputs.npy", folder / "outputs.npy"
        real = to_float(mantissas, of.source.format.fraction).astype(np.float64)
        np.save(given, real.reshape(len(real), -1))  # channels last, as in the graph
        np.save(got, np.zeros((len(real), of.result.size)))
        cost = measured([sys.executable, baseline_runner.__file__, library, f"{PROJECT}_double", given, got])
        return np.load(got), cost

    return Simulator(compiled, run)


def side_by_side(of: Made, simulators: Mapping[str, Simulator], effort: Effort) -> dict[str, Any]:
    """Return cost and speed of each, whether its outputs are those of `evaluate`, and each peer's ratios to ours."""
    found, equal = {}, {}
    for name, each in simulators.items():
        outputs, _ = each.run(of.mantissas)
        equal[f"{name} and evaluate"] = bool(np.array_equal(outputs, of.expected))
        found[name] = {"compile": each.compiled, **_speed(each.run, of.mantissas, effort)}
    mine, ratios = found[OURS], {}
    for name, peer in found.items():
        if name == OURS:
            continue
        ratios[f"{name}/{OURS}"] = {key: ratio(peer["compile"][key], mine["compile"][key]) for key in mine["compile"]}
        ratios[f"{OURS}/{name}"] = {key: ratio(mine[key], peer[key]) for key in RATES}
    return {**found, "equal": equal, **ratios}


def _speed(run: Run, mantissas: IntArray, effort: Effort) -> dict[str, Any]:
    """Return inferences a second: of a batch large enough, less the time of one sample, which is that of the start."""
    start = _medians([run(mantissas[:1])[1] for _ in range(effort.repeats)])
    samples = len(mantissas)
    while True:
        batch = _batch(mantissas, samples)
        first = run(batch)[1]
        if first["wall_s"] - start["wall_s"] >= effort.least_s or samples >= MOST_SAMPLES or not effort.least_s:
            break
        samples *= 4
    whole_run = _medians([first, *(run(batch)[1] for _ in range(effort.repeats - 1))])
    wall, cpu = (whole_run[key] - start[key] for key in ("wall_s", "cpu_s"))
    return {
        "samples": samples,
        "run": whole_run,
        "start": start,
        "inferences_per_s": _rate(samples - 1, wall),
        "inferences_per_cpu_s": _rate(samples - 1, cpu),
    }


def _rate(samples: int, seconds: float) -> float:
    return round(samples / seconds, 1) if seconds > 0 else 0.0


def _medians(costs: list[Cost]) -> Cost:
    return {key: round(statistics.median(cost[key] for cost in costs), 4) for key in costs[0]}


def _batch(mantissas: IntArray, samples: int) -> IntArray:
    return np.concatenate([mantissas] * -(-samples // len(mantissas)))[:samples]

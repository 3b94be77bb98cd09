"""Synthesise a few hundred kernels of ours with Yosys, and keep what the estimate knows of each beside what it took.

    python -m calibration.own.measure [--most N]

writes kernels.json beside this file. What is in the cache of open synthesis is not synthesised again, so that a run can
be interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaprune import board
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import analyse
from fpgaprune.ir import Graph, Input, MatVec, Requantise, Tensor
from fpgaprune.lower import ForkKernel, MatVecKernel, ScanKernel, WireKernel, lower
from fpgaprune.passes.propagate_constants import propagate_constants
from fpgaprune.paths import write_text
from fpgaprune.resources.calibration import OTHERS, class_of
from fpgaprune.resources.costs import physics
from fpgaprune.rtl import print_kernel, timing
from fpgaprune.schedule import Access, Folded, Interface, multiply, schedule
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sparse import SparseMatrix
from fpgaprune.yosys import synthesise
from tests.graphs import random_network_graph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fpgaprune.lower import Kernel, Lowered
    from fpgaprune.schedule import Planner

HERE = Path(__file__).parent
BOARDS = ("pynq-z2", "zcu104")
SHAPES = ((4, 8), (8, 8), (16, 12), (16, 32), (32, 16), (32, 32), (64, 24), (64, 48))
SPARSITIES = (0.0, 0.5, 0.8, 0.9)
BITS = (4, 6, 8, 10)
FEATURES = ("nonzeros", "adder_bits", "multipliers", "lut", "ff", "dsp", "bram_18k", "latency_cycles")
SEEDS = range(120)
LEAST = 10
"""Look-up tables and flip-flops of a kernel below which there is nothing to learn."""

MOST_TERMS = 700
"""Non-zeros of a kernel from which on there is nothing more to learn for the time that it takes."""


@dataclass(frozen=True)
class Case:
    """One kernel: its matrix, its widths, the board, how it is built; cases of one matrix have one ``network``."""

    network: str
    shape: tuple[int, int]
    sparsity: float
    bits: int
    board: str
    strategy: str
    seed: int


def cases() -> Iterator[Case]:
    """Yield all cases in an order in which the first of them are of every sort."""
    rng = np.random.default_rng(2)
    grid = [(shape, sparsity, bits) for shape in SHAPES for sparsity in SPARSITIES for bits in BITS]
    small = [place for place in rng.permutation(len(grid)).tolist() if nonzeros_of(grid[place]) <= MOST_TERMS]
    for place, (shape, sparsity, bits) in enumerate(grid[index] for index in small):
        on = BOARDS[place // 2 % len(BOARDS)]  # half of each board's kernels have a finish, as seeds say
        network = f"{shape[0]}x{shape[1]} {sparsity:g} {bits} bits"
        yield Case(network, shape, sparsity, bits, on, "multiply", place)
        yield Case(network, shape, sparsity, bits, on, "adders", place)
        if nonzeros_of((shape, sparsity, bits)) >= 32:
            yield Case(network, shape, sparsity, bits, on, f"registers {(4, 8, 16)[place % 3]}", place)
            yield Case(network, shape, sparsity, bits, on, f"memories {(16, 32)[place % 2]}", place)


def nonzeros_of(point: tuple[tuple[int, int], float, int]) -> float:
    """Return about how many weights of a point of the grid are not zero."""
    (columns, rows), sparsity, _ = point
    return columns * rows * (1 - sparsity)


def graph(case: Case) -> Graph:
    """Return one dense layer; half of them round and saturate, the others leave their sums."""
    rng = np.random.default_rng(case.seed)
    columns, rows = case.shape
    most = 2 ** (case.bits - 1)
    weights = np.clip(np.rint(rng.normal(0, most / 3, (rows, columns))), 1 - most, most - 1).astype(int)
    weights[rng.random((rows, columns)) < case.sparsity] = 0
    element = Fixed(False, case.bits, case.bits, Rounding.RND, Overflow.SAT)
    fmt = Fixed(True, case.bits, case.bits - 1)
    entry = Input(Tensor("x", (columns,), element))
    wide = Fixed(True, 200, element.fraction + fmt.fraction)
    bias = rng.integers(-most, most, rows)
    op = MatVec(Tensor("fc", (rows,), wide), "x", SparseMatrix.from_dense(weights), fmt, bias)
    exact = wide.with_range(*analyse(Graph((entry, op), ("fc",)))["fc"].bounds)
    op = MatVec(Tensor("fc", (rows,), exact), "x", op.weights, fmt, bias)
    if case.seed % 2:
        return Graph((entry, op), ("fc",))
    return propagate_constants(Graph((entry, op, Requantise(Tensor("act", (rows,), element), "fc", 0)), ("act",)))


def planner(strategy: str) -> Planner:
    """Return the planner of a strategy; of lanes by the slots that they aim at."""
    if strategy == "multiply":
        return multiply
    if strategy == "adders":
        return adders_planner
    access, slots = strategy.split()

    def folded(op: MatVec, _source: Tensor) -> Folded:
        lanes = -(-op.weights.nonzeros // int(slots))
        if access == "registers":
            return Folded(lanes)
        banks = max(1, min(4, lanes, op.weights.shape[1]))
        return Folded(-(-lanes // banks) * banks, Access.MEMORIES, banks)

    return folded


def measured(case: Case) -> list[dict[str, Any]]:
    """Return a case with what the estimate counts by physics and what Yosys counts; none where nothing is left."""
    lowered = lower(schedule(graph(case), board.load(case.board), planner=planner(case.strategy)))
    kernels = [kernel for kernel in lowered.kernels if isinstance(kernel, MatVecKernel)]
    if not kernels or not kernels[0].weights.nonzeros:
        return []
    return [asdict(case) | {"class": class_of(kernels[0].plan)} | counted(lowered, kernels[0])]


def counted(lowered: Lowered, kernel: Kernel) -> dict[str, Any]:
    """Return what the estimate counts of a kernel and what Yosys counts."""
    fabric, budget = timing(lowered)
    found = physics(kernel, fabric, budget)
    cells = synthesise(print_kernel(kernel, fabric, budget, "kernel"), "kernel", lowered.design.board.family)
    features = {name: getattr(found.layer, name) for name in FEATURES}
    features |= {"adders": found.adders, "choices": found.choices}
    return {"estimate": features, "measured": asdict(cells)}


def others(seed: int) -> list[dict[str, Any]]:
    """Return the kernels of a random network that are no matrices, as of a pipeline and as of streams."""
    of, on = random_network_graph(seed), BOARDS[seed % len(BOARDS)]
    found = []
    for interface in Interface:
        lowered = lower(schedule(of, board.load(on), interface=interface))
        for kernel in lowered.kernels:
            if isinstance(kernel, (MatVecKernel, ScanKernel, WireKernel, ForkKernel)):
                continue
            layer = physics(kernel, *timing(lowered)).layer
            if layer.lut + layer.ff >= LEAST:
                named = {"network": f"random {seed}", "board": on, "kernel": type(kernel).__name__, "class": OTHERS}
                found.append(named | {"interface": interface.value} | counted(lowered, kernel))
    return found


def main() -> None:
    """Measure all cases, two at a time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--most", type=int, default=None, help="so many cases")
    most = parser.parse_args().most
    jobs = [
        *(partial(measured, case) for case in islice(cases(), most)),
        *(partial(others, seed) for seed in SEEDS[:most]),
    ]
    with ThreadPoolExecutor(2) as pool:
        found: list[dict[str, Any]] = []
        for number, each in enumerate(pool.map(lambda job: job(), jobs), start=1):
            found += each
            print(f"\r{number} of {len(jobs)}", end="", file=sys.stderr, flush=True)
    write_text(HERE / "kernels.json", "[\n" + ",\n".join(json.dumps(each) for each in found) + "\n]\n")


if __name__ == "__main__":
    main()

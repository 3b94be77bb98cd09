"""Synthesise a few hundred kernels of ours with Yosys, and keep what the estimate knows of each beside what it took.

    python calibration/own/measure.py [--most N]

writes kernels.json beside this file. What is in the cache of open synthesis is not synthesised again, so that a run can
be interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaprune import board
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import analyse
from fpgaprune.ir import Graph, Input, MatVec, Requantise, Tensor
from fpgaprune.lower import MatVecKernel, lower
from fpgaprune.paths import write_text
from fpgaprune.resources.calibration import class_of
from fpgaprune.resources.costs import physics
from fpgaprune.rtl import print_kernel, timing
from fpgaprune.schedule import Access, Folded, multiply, schedule
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sparse import SparseMatrix
from fpgaprune.yosys import synthesise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fpgaprune.schedule import Planner

HERE = Path(__file__).parent
BOARDS = ("pynq-z2", "zcu104")
SHAPES = ((4, 8), (8, 8), (16, 12), (16, 32), (32, 16), (32, 32), (64, 24), (64, 48))
SPARSITIES = (0.0, 0.5, 0.8, 0.9)
BITS = (4, 6, 8, 10)
FEATURES = ("nonzeros", "adder_bits", "multipliers", "lut", "ff", "dsp", "bram_18k", "latency_cycles")
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
    for place in rng.permutation(len(grid)).tolist():
        shape, sparsity, bits = grid[place]
        if shape[0] * shape[1] * (1 - sparsity) > MOST_TERMS:
            continue
        on = BOARDS[place % len(BOARDS)]
        network = f"{shape[0]}x{shape[1]} {sparsity:g} {bits} bits"
        nonzeros = shape[0] * shape[1] * (1 - sparsity)
        yield Case(network, shape, sparsity, bits, on, "multiply", place)
        yield Case(network, shape, sparsity, bits, on, "adders", place)
        if nonzeros >= 32:
            yield Case(network, shape, sparsity, bits, on, f"registers {(4, 8, 16)[place % 3]}", place)
            yield Case(network, shape, sparsity, bits, on, f"memories {(16, 32)[place % 2]}", place)


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
    return Graph((entry, op, Requantise(Tensor("act", (rows,), element), "fc", 0)), ("act",))


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


def measured(case: Case) -> dict[str, Any] | None:
    """Return a case with what the estimate counts by physics and what Yosys counts; None where nothing is left."""
    lowered = lower(schedule(graph(case), board.load(case.board), planner=planner(case.strategy)))
    kernels = [kernel for kernel in lowered.kernels if isinstance(kernel, MatVecKernel)]
    if not kernels or not kernels[0].weights.nonzeros:
        return None
    fabric, budget = timing(lowered)
    found = physics(kernels[0], fabric, budget)
    cells = synthesise(print_kernel(kernels[0], fabric, budget, "kernel"), "kernel", lowered.design.board.family)
    features = {name: getattr(found.layer, name) for name in FEATURES} | {"adders": found.adders}
    return asdict(case) | {"class": class_of(kernels[0].plan), "estimate": features, "measured": asdict(cells)}


def main() -> None:
    """Measure all cases, two at a time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--most", type=int, default=None, help="so many cases")
    wanted = list(islice(cases(), parser.parse_args().most))
    with ThreadPoolExecutor(2) as pool:
        found = []
        for number, each in enumerate(pool.map(measured, wanted), start=1):
            found += [each] if each else []
            print(f"\r{number} of {len(wanted)}", end="", file=sys.stderr, flush=True)
    write_text(HERE / "kernels.json", "[\n" + ",\n".join(json.dumps(each) for each in found) + "\n]\n")


if __name__ == "__main__":
    main()

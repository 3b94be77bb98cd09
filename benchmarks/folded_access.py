"""What lanes take that choose among registers, beside lanes that read banks of memories, by the estimate."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from common import claim, main, run_part

if TYPE_CHECKING:
    from fpgaprune.schedule import Folded

MATRICES: dict[str, dict[str, Any]] = {
    "784 to 128, 90 % sparse": {"shape": (784, 128), "sparsity": 0.9, "slots": (25, 50, 100, 500)},
    "576 to 64, 90 % sparse": {"shape": (576, 64), "sparsity": 0.9, "slots": (25, 50, 100, 250)},
    "64 to 32, 50 % sparse": {"shape": (64, 32), "sparsity": 0.5, "slots": (4, 8, 16, 64)},
}
QUICK = {"12 to 8": {"shape": (12, 8), "sparsity": 0.5, "slots": (4,)}}
BANKS = (1, 2, 4, 8, 16, 32, 64)
BOARD = "pynq-z2"


def whole(quick: bool) -> dict[str, Any]:
    """Return the cost of every organisation."""
    matrices = QUICK if quick else MATRICES
    cases = {name: run_part(__file__, **each) for name, each in matrices.items()}
    over = [
        row["slots"] - math.ceil(case["nonzeros"] / row["lanes"])
        for case in cases.values()
        for row in case["registers"]
    ]
    return {
        "settings": {"matrices": matrices, "banks": BANKS, "board": BOARD, "bits": 8, "kind": "estimate"},
        "results": cases,
        "claims": [claim("slots above the non-zeros over the lanes, with registers", max(over), at_most=0.0)],
    }


def part(shape: tuple[int, int], sparsity: float, slots: tuple[int, ...]) -> dict[str, Any]:
    """Price one matrix, its input and its weights of 8 bits."""
    from networks import nonzeros

    from fpgaprune.schedule import Access, Folded
    from fpgaprune.schedule.lanes import START_UP

    count = nonzeros(_graph(shape, sparsity))
    registers, memories = [], []
    for wanted in slots:
        lanes = math.ceil(count / wanted)
        registers.append(_priced(shape, sparsity, Folded(lanes)))
        tried = [
            _priced(shape, sparsity, Folded(math.ceil(lanes / banks) * banks, Access.MEMORIES, banks))
            for lanes in (math.ceil(count / max(wanted - START_UP, 1)),)
            for banks in BANKS
            if banks <= lanes and math.ceil(shape[0] / banks) <= wanted - START_UP
        ]
        memories += sorted(tried, key=lambda row: row["lut"])[:1]
    return {"nonzeros": count, "registers": registers, "memories": memories}


def _graph(shape: tuple[int, int], sparsity: float) -> Any:  # noqa: ANN401  # a Graph
    from networks import graph

    return graph(shape, sparsity)


def _priced(shape: tuple[int, int], sparsity: float, plan: Folded) -> dict[str, Any]:
    from fpgaprune import board
    from fpgaprune.lower import MatVecKernel, lower
    from fpgaprune.resources import estimate
    from fpgaprune.schedule import schedule

    lowered = lower(schedule(_graph(shape, sparsity), board.load(BOARD), planner=lambda _op, _source: plan))
    (kernel,) = (each for each in lowered.kernels if isinstance(each, MatVecKernel))
    (layer,) = (each for each in estimate(lowered).layers if each.tensor == kernel.name)
    counts = {name: getattr(layer, name) for name in ("lut", "ff", "dsp", "bram_18k", "latency_cycles")}
    lanes = kernel.program.lanes
    return {"lanes": lanes, "banks": plan.banks, "slots": kernel.program.slots, "interval": kernel.interval, **counts}


if __name__ == "__main__":
    sys.exit(main("folded_access", whole, part))

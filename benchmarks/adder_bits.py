"""Adder bits of the `adders` strategy beside those of alkaid's own graphs, given the same weights."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from common import claim, main, ratio, run_part

if TYPE_CHECKING:
    from fpgaprune.lower import Lowered, MatVecKernel

NETS = {"16-32-16-5": (16, 32, 16, 5), "16-64-32-32-5": (16, 64, 32, 32, 5)}
QUICK = {"6-4-3": (6, 4, 3)}
SPARSITIES = (0.0, 0.5, 0.8, 0.9, 0.95)
SEEDS = (0, 1, 2)
BOARD = "pynq-z2"


def whole(quick: bool) -> dict[str, Any]:
    """Return the bits of every network at every sparsity."""
    nets, sparsities, seeds = (QUICK, (0.5,), SEEDS[:1]) if quick else (NETS, SPARSITIES, SEEDS)
    cases = [
        run_part(__file__, net=net, sizes=sizes, sparsity=sparsity, seed=seed)
        for net, sizes in nets.items()
        for sparsity in sparsities
        for seed in seeds
    ]
    worst = max(case["ours/alkaid"] for case in cases)
    return {
        "settings": {"nets": nets, "sparsities": sparsities, "seeds": seeds, "weight_bits": 8, "activation_bits": 8},
        "results": {"cases": cases},
        "claims": [claim("adder bits at most those of alkaid, in every case", worst, at_most=1.0)],
    }


def part(net: str, sizes: tuple[int, ...], sparsity: float, seed: int) -> dict[str, Any]:  # noqa: ARG001  # a label
    """Count the adder bits of one network: alkaid's for the weights as they are, ours after all passes."""
    from networks import graph, nonzeros

    from fpgaprune import board
    from fpgaprune.ir import MatVec
    from fpgaprune.lower import MatVecKernel, lower
    from fpgaprune.schedule import schedule
    from fpgaprune.schedule.adders import adders_planner

    of = graph(sizes, sparsity, seed)
    peer = sum(_alkaid(op.weights.dense(), of.tensors[op.input].format) for op in of.ops if isinstance(op, MatVec))
    lowered = lower(schedule(of, board.load(BOARD), planner=adders_planner))
    ours = sum(_bits(kernel) for kernel in lowered.kernels if isinstance(kernel, MatVecKernel))
    unrolled = {"adders": lowered, "multiply": lower(schedule(of, board.load(BOARD)))}
    return {
        "nonzeros": nonzeros(of),
        "alkaid": peer,
        "ours": ours,
        "ours/alkaid": ratio(ours, peer) or 0.0,
        "estimate": {name: _counts(each) for name, each in unrolled.items()},
    }


def _counts(lowered: Lowered) -> dict[str, int]:
    from fpgaprune.resources import estimate

    resources = estimate(lowered)
    counts = {name: resources.total(name) for name in ("lut", "ff", "dsp")}
    return counts | {"latency_cycles": resources.latency_cycles}


def _bits(kernel: MatVecKernel) -> int:
    """Return the adder bits of a matrix without its bias, which the peer is not given either."""
    import numpy as np

    from fpgaprune.fixed import add
    from fpgaprune.intervals import Interval
    from fpgaprune.lower.operations import operations
    from fpgaprune.lower.pipeline import adder_bits

    sums = Interval(add(kernel.sums.low, -kernel.bias), add(kernel.sums.high, -kernel.bias))
    return adder_bits(operations(replace(kernel, bias=np.zeros_like(kernel.bias), sums=sums)))


def _alkaid(weights: Any, source: Any) -> int:  # noqa: ANN401  # an array and a format
    """Return the cost in adder bits that alkaid states for a matrix (outputs, inputs), solved in one piece."""
    import numpy as np
    from alkaid.cmvm import cmvm_solve

    interval = (float(source.low), float(source.high), 1.0)
    stages = cmvm_solve(weights.T.astype(np.float32), qintervals=[interval] * weights.shape[1])
    return round(sum(stage.cost for stage in stages))


if __name__ == "__main__":
    sys.exit(main("adder_bits", whole, part))

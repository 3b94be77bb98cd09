"""C-simulation of fpgaprune beside that of stock hls4ml, from the same ModelGraph: compile time, memory, speed."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from common import claim, main, run_part
from simulators import BITS, COMMANDS, EFFORT, QUICK_EFFORT, made, ours, side_by_side, stock

NETS = {"16-64-32-32-5": (16, 64, 32, 32, 5), "784-128-128-10": (784, 128, 128, 10)}
QUICK = {"6-4-3": (6, 4, 3)}
SPARSITIES = (0.0, 0.8, 0.95)
BOARD = "pynq-z2"
COMPARED = 64
"""Samples of which every output is compared."""


def whole(quick: bool) -> dict[str, Any]:
    """Return both simulators on every network and sparsity."""
    nets, sparsities = (QUICK, (0.5,)) if quick else (NETS, SPARSITIES)
    cases = [
        run_part(__file__, net=net, sizes=sizes, sparsity=sparsity, quick=quick)
        for net, sizes in nets.items()
        for sparsity in sparsities
    ]
    equal = [all(case["equal"].values()) for case in cases]
    effort = asdict(QUICK_EFFORT if quick else EFFORT)
    compared = {"compared_samples": COMPARED}
    return {
        "settings": {"nets": nets, "sparsities": sparsities, **effort, **BITS, **compared, **COMMANDS},
        "results": {"cases": cases},
        "claims": [claim("share of cases with equal outputs of both", sum(equal) / len(equal), at_least=1.0)],
    }


def part(net: str, sizes: tuple[int, ...], sparsity: float, quick: bool) -> dict[str, Any]:  # noqa: ARG001  # a label
    """Write, compile and run both projects of one network."""
    from networks import data, module, nonzeros

    from fpgaprune.schedule import Interface

    given = data(sizes[:1], sizes[-1], COMPARED)
    net_made = made(module(sizes, sparsity), given, BOARD, Interface.PARALLEL, COMPARED)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        simulators = {
            "fpgaprune": ours(net_made, folder / "ours"),
            "hls4ml": stock(net_made, net_made.converted.model_graph, folder / "stock"),
        }
        found = side_by_side(net_made, simulators, QUICK_EFFORT if quick else EFFORT)
    return {
        "nonzeros": nonzeros(net_made.converted.graph),
        "nonzeros_after_passes": nonzeros(net_made.design.graph),
        **found,
    }


if __name__ == "__main__":
    sys.exit(main("csim_speed", whole, part))

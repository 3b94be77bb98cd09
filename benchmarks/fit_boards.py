"""Designs that `fit` finds for boards that an unrolled network outgrows, beside what stock hls4ml could reach."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from common import claim, main, ratio, run_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.fit import Fitted
    from fpgaprune.ir import Graph

MLP: dict[str, Any] = {"sizes": (784, 128, 128, 10), "sparsity": 0.9, "boards": ("pynq-z2",)}
CNN: dict[str, Any] = {
    "side": 32,
    "channels": (16, 32, 64),
    "classes": 10,
    "sparsity": 0.9,
    "boards": ("zcu104", "pynq-z2"),
}
QUICK_MLP: dict[str, Any] = {"sizes": (64, 64, 10), "sparsity": 0.2, "boards": ("basys3",)}
QUICK_CNN: dict[str, Any] = {"side": 6, "channels": (4, 5), "classes": 3, "sparsity": 0.5, "boards": ("pynq-z2",)}
FASTER = 5.0
CHECKED = 16


def whole(quick: bool) -> dict[str, Any]:
    """Return the design of each network on each board."""
    mlp, cnn = (QUICK_MLP, QUICK_CNN) if quick else (MLP, CNN)
    dense = [run_part(__file__, kind="mlp", **{**mlp, "boards": [board]}) for board in mlp["boards"]]
    images = [run_part(__file__, kind="cnn", **{**cnn, "boards": [board]}) for board in cnn["boards"]]
    gain = min(each["stock_interval/ours"] for each in dense)
    return {
        "settings": {"mlp": mlp, "cnn": cnn, "weight_bits": 8, "activation_bits": 8, "kind": "estimate"},
        "results": {"mlp": dense, "cnn": images},
        "claims": [
            claim(
                "the shortest interval that stock reuse factors allow with as many multipliers, over ours",
                gain,
                at_least=FASTER,
            ),
            claim(
                "designs within the budget of their board",
                sum(each["fits"] for each in (*dense, *images)) / len([*dense, *images]),
                at_least=1.0,
            ),
        ],
    }


def part(kind: str, boards: Sequence[str], **net: Any) -> dict[str, Any]:  # noqa: ANN401  # the settings above
    """Fit one network to one board."""
    from networks import nonzeros

    from fpgaprune import board
    from fpgaprune.fit import fit
    from fpgaprune.schedule import Interface

    of = _mlp(**net) if kind == "mlp" else _cnn(board=boards[0], **net)
    interface = Interface.PARALLEL if kind == "mlp" else Interface.STREAM
    start = time.perf_counter()
    found = fit(of, board.load(boards[0]), interface=interface)
    result = {"nonzeros": nonzeros(of), "fit_s": round(time.perf_counter() - start, 2), **_told(found)}
    return result | _stock(net["sizes"], result) if kind == "mlp" else result


def _mlp(sizes: Sequence[int], sparsity: float) -> Graph:
    from networks import graph

    return graph(sizes, sparsity)


def _cnn(board: str, side: int, channels: Sequence[int], classes: int, sparsity: float) -> Graph:
    """Return the graph of the residual network, pruned by magnitude, with random weights."""
    import numpy as np
    from networks import data, residual

    from fpgaprune import board as boards
    from fpgaprune.frontend import convert
    from fpgaprune.prune import PruneRecipe, TrainSettings, prune
    from fpgaprune.quantise import QuantiseRecipe, quantise

    on, given = boards.load(board), data((3, side, side), classes, CHECKED)
    recipe = PruneRecipe(sparsity=sparsity, fine_tune=TrainSettings(epochs=0))
    pruned = prune(residual(channels, classes), None, recipe, progress=False)
    quantised = quantise(pruned, given, QuantiseRecipe(fine_tune=None), progress=False)
    return convert(quantised, on.part, on.clock_ns, given.test_arrays()[0].astype(np.float64)).graph


def _told(found: Fitted) -> dict[str, Any]:
    from fpgaprune.fit import chosen_to_data
    from fpgaprune.lower import lower
    from fpgaprune.resources import AMOUNTS

    board, resources = found.design.board, found.resources
    return {
        "multipliers": sum(layer.multipliers for layer in resources.layers),
        "interval_cycles": resources.interval_cycles,
        "latency_cycles": resources.latency_cycles,
        "kind": resources.kind.value,
        "total": {amount: resources.total(amount) for amount in AMOUNTS},
        "shares": {amount: round(share, 4) for amount, share in resources.utilisation(board).items() if share < 1e9},
        "proven": found.proven,
        "fits": all(
            used <= limit for used, limit in zip(map(resources.total, AMOUNTS), found.budget.limits(board), strict=True)
        ),
        "chosen": chosen_to_data(lower(found.design), resources)["chosen"],
    }


def _stock(sizes: Sequence[int], ours: dict[str, Any]) -> dict[str, Any]:
    """Return the shortest interval of stock `resource` and `resource_unrolled` layers with our number of multipliers.

    Both build inputs * outputs / reuse multipliers a layer; their interval is the largest reuse factor. The reuse
    factors are those that hls4ml's own check accepts.
    """
    from hls4ml.backends import get_backend

    backend = get_backend("Vitis")
    valid = {pair: backend.get_valid_reuse_factors(*pair) for pair in pairwise(sizes)}
    for interval in sorted({reuse for each in valid.values() for reuse in each}):
        chosen = [max(reuse for reuse in each if reuse <= interval) for each in valid.values()]
        multipliers = sum(one * other // reuse for (one, other), reuse in zip(valid, chosen, strict=True))
        if multipliers <= ours["multipliers"]:
            found = {"reuse": chosen, "multipliers": multipliers, "interval_cycles": interval}
            return {"stock": found, "stock_interval/ours": ratio(interval, ours["interval_cycles"])}
    msg = "no reuse factors are as frugal as ours"
    raise RuntimeError(msg)


if __name__ == "__main__":
    sys.exit(main("fit_boards", whole, part))

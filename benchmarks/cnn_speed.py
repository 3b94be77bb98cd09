"""C-simulation of a convolutional network: fpgaprune, streaming, beside stock hls4ml, parallel and streaming."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import claim, main, run_part
from simulators import BITS, COMMANDS, EFFORT, OURS, QUICK_EFFORT, Made, Simulator, made, ours, side_by_side, stock

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS: dict[str, Any] = {"side": 28, "channels": (16, 36), "classes": 10}  # 14,390 parameters
QUICK: dict[str, Any] = {"side": 6, "channels": (2,), "classes": 3}
SPARSITIES = (0.0, 0.8)
STOCK = ("io_parallel", "io_stream")
BOARD = "pynq-z2"
COMPARED = 64
"""Samples of which every output is compared."""
MOST_COMPILE = 3.0
LEAST_RATE = 10.0
"""How many times as long stock compiles, and how many times as fast ours runs, at least, on the sparsest network."""


def whole(quick: bool) -> dict[str, Any]:
    """Return the simulators at every sparsity, and the claims on the last."""
    net, sparsities, stock_forms = (QUICK, (0.5,), STOCK[1:]) if quick else (SETTINGS, SPARSITIES, STOCK)
    cases = [run_part(__file__, **net, sparsity=each, io_types=stock_forms, quick=quick) for each in sparsities]
    effort = asdict(QUICK_EFFORT if quick else EFFORT)
    return {
        "settings": {**net, "sparsities": sparsities, **effort, **BITS, "compared_samples": COMPARED, **COMMANDS},
        "results": {"cases": cases},
        "claims": list(_claims(cases)),
    }


def _claims(cases: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    equal = [same for case in cases for same in case["equal"].values()]
    yield claim("share of the simulators whose outputs equal those of evaluate", sum(equal) / len(equal), at_least=1.0)
    last = cases[-1]
    percent = f"at {last['sparsity']:.0%} sparsity"
    for name in (f"hls4ml {io_type}" for io_type in last["io_types"]):
        if name in last["failures"]:
            continue  # told in the results; there is nothing to compare with
        compile_s, rate = last[f"{name}/{OURS}"]["wall_s"], last[f"{OURS}/{name}"]["inferences_per_s"]
        yield claim(f"{name} takes at least 3 times as long to compile, {percent}", compile_s, at_least=MOST_COMPILE)
        yield claim(f"at least 10 times the inferences a second of {name}, {percent}", rate or 0.0, at_least=LEAST_RATE)


def part(
    side: int, channels: list[int], classes: int, sparsity: float, io_types: list[str], quick: bool
) -> dict[str, Any]:
    """Write, compile and run our project and those of stock hls4ml."""
    from networks import cnn, data, nonzeros, parameters

    from fpgaprune.schedule import Interface

    model = cnn(side, channels, classes, sparsity)
    net = made(model, data((1, side, side), classes, COMPARED), BOARD, Interface.STREAM, COMPARED)
    with tempfile.TemporaryDirectory() as scratch:
        mine = ours(net, Path(scratch) / "ours")
        peers = {f"hls4ml {io_type}": _stock(net, io_type, Path(scratch) / io_type) for io_type in io_types}
        running = {name: peer for name, peer in peers.items() if isinstance(peer, Simulator)}
        found = side_by_side(net, {OURS: mine, **running}, QUICK_EFFORT if quick else EFFORT)
    return {
        "parameters": parameters(model),
        "nonzeros": nonzeros(net.converted.graph),
        "nonzeros_after_passes": nonzeros(net.design.graph),
        **found,
        "failures": {name: peer for name, peer in peers.items() if isinstance(peer, str)},
    }


def _stock(net: Made, io_type: Any, folder: Path) -> Simulator | str:  # noqa: ANN401  # one of STOCK
    """Return the stock simulator of the same layer list, or why there is none."""
    from fpgaprune.errors import UnsupportedError
    from fpgaprune.frontend import layer_list, model_graph

    board = net.design.board
    try:
        graph = model_graph(layer_list(net.quantised), board.part, board.clock_ns, io_type=io_type)
        simulator = stock(net, graph, folder)
        simulator.run(net.mantissas[:1])
    except (RuntimeError, UnsupportedError) as error:
        return str(error)
    return simulator


if __name__ == "__main__":
    sys.exit(main("cnn_speed", whole, part))

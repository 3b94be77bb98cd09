"""The energy of an inference of one network on real digits, dense to 95 % sparse, in every strategy (estimates)."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from common import claim, main, ratio, run_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from fpgaprune.energy import EnergyEstimate
    from fpgaprune.prune import Data
    from fpgaprune.schedule import Planner

SPARSITIES = (0.0, 0.5, 0.8, 0.9, 0.95)
STRATEGIES = ("multiply", "adders", "folded 8")
FULL: dict[str, Any] = {"hidden": (32, 16), "sparsities": SPARSITIES, "strategies": STRATEGIES, "epochs": 20}
QUICK: dict[str, Any] = {"hidden": (4,), "sparsities": (0.0, 0.5), "strategies": ("adders",), "epochs": 1}
BOARD = "pynq-z2"
SAMPLES = 64


def whole(quick: bool) -> dict[str, Any]:
    """Return the energies of every level, and their ratios to the dense one of the same strategy."""
    found = run_part(__file__, **(QUICK if quick else FULL))
    cases = [case | {"x dense": _against(case, found["cases"])} for case in found["cases"]]
    steps = [
        sparser["energy"]["dynamic_pj"] / denser["energy"]["dynamic_pj"]
        for denser, sparser in pairwise(cases)
        if denser["strategy"] == sparser["strategy"]
    ]
    sparsest = {case["strategy"]: case["x dense"]["dynamic_pj"] for case in cases}
    return {
        "settings": {
            "board": BOARD,
            "kind": "estimate",
            "unit": "pJ",
            "inputs": f"{SAMPLES} test images of scikit-learn's digits, 8 x 8",
            "bits": 8,
        },
        "results": found | {"cases": cases},
        "claims": [
            claim("energy over that of the next denser level, the most", round(max(steps), 3), at_most=1.0),
            *(claim(f"energy of the sparsest over dense, {name}", sparsest[name], at_most=0.25) for name in sparsest),
        ],
    }


def _against(case: dict[str, Any], cases: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Return what a level takes over what the dense one of its strategy takes, in all and by part."""
    dense = next(each for each in cases if each["strategy"] == case["strategy"] and each["sparsity"] == 0)
    parts = {name: ratio(energy, dense["energy"]["parts"][name]) for name, energy in case["energy"]["parts"].items()}
    return {
        "nonzeros": ratio(case["nonzeros"], dense["nonzeros"]),
        "dynamic_pj": ratio(case["energy"]["dynamic_pj"], dense["energy"]["dynamic_pj"]),
        "dynamic_and_static_pj": ratio(_with_static(case["energy"]), _with_static(dense["energy"])),
        **parts,
    }


def _with_static(energy: dict[str, Any]) -> float:
    return float(energy["dynamic_pj"] + energy["static"]["energy_pj"])


def part(hidden: Sequence[int], sparsities: Sequence[float], strategies: Sequence[str], epochs: int) -> dict[str, Any]:
    """Train once, prune and quantise to each level, and measure the switching of each strategy in C-simulation."""
    from fpgaprune.energy import to_data
    from fpgaprune.prune import PruneRecipe, TrainSettings, prune, train
    from fpgaprune.quantise import QuantiseRecipe, quantise

    data = _digits()
    model = _mlp((64, *hidden, 10))
    train(model, data, TrainSettings(epochs=2 * epochs), progress=False)
    cases = []
    for sparsity in sparsities:
        fine_tune = TrainSettings(epochs=epochs if sparsity else 0)
        pruned = prune(model, data, PruneRecipe(sparsity=sparsity, fine_tune=fine_tune), progress=False)
        quantised = quantise(pruned, data, QuantiseRecipe(weight_bits=8, activation_bits=8, input_bits=8))
        for strategy in strategies:
            energy, nonzeros = _measured(quantised, data, strategy)
            told = {key: value for key, value in to_data(energy).items() if key != "layers"}
            accuracy = quantised.report.metric_after
            case = {"strategy": strategy, "sparsity": sparsity, "nonzeros": nonzeros, "accuracy": accuracy}
            cases.append(case | {"energy": told})
    return {"cases": sorted(cases, key=lambda case: (strategies.index(case["strategy"]), case["sparsity"]))}


def _measured(quantised: Any, data: Data, strategy: str) -> tuple[EnergyEstimate, int]:  # noqa: ANN401  # a QuantisedModel
    import tempfile
    from pathlib import Path

    from fpgaprune import board
    from fpgaprune.energy import energy
    from fpgaprune.flow import Options, generate
    from fpgaprune.sim import ProjectFolder

    images, _ = data.test_arrays()
    options = Options(plan=_planner(strategy), stored_samples=SAMPLES)
    project = generate(quantised, board.load(BOARD), images, options)
    with tempfile.TemporaryDirectory() as scratch:
        folder = ProjectFolder.load(project.write(Path(scratch) / "net"))
        return energy(folder), folder.manifest["nonzeros"]


def _planner(strategy: str) -> Planner:
    from fpgaprune import board
    from fpgaprune.fit import planner
    from fpgaprune.schedule import Strategy

    name, *reuse = strategy.split()
    return planner(Strategy(name), board=board.load(BOARD), reuse=int(reuse[0]) if reuse else None)


def _digits() -> Data:
    import numpy as np
    from sklearn.datasets import load_digits

    from fpgaprune.prune import Data

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x, y = (images[order] / 16).astype(np.float32), labels[order]
    return Data.from_arrays(x[:1400], y[:1400], x[1400:], y[1400:], batch_size=64)


def _mlp(sizes: Sequence[int]) -> nn.Sequential:
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = nn.Sequential()
    for place, (columns, rows) in enumerate(pairwise(sizes), start=1):
        model.add_module(f"fc{place}", nn.Linear(columns, rows))
        if place < len(sizes) - 1:
            model.add_module(f"relu{place}", nn.ReLU())
    return model


if __name__ == "__main__":
    sys.exit(main("energy_sparsity", whole, part))

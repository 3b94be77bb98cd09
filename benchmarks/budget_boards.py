"""The convolutional network of the examples, pruned by one command to the budget of each board, with its accuracy."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import claim, main, run_part

if TYPE_CHECKING:
    from torch import nn

    from fpgaprune.prune import Data

ROOT = Path(__file__).parent
BOARDS = ("pynq-z2", "arty-a7-35t", "kv260")
SEEDS = (0, 1, 2)
SMALL = dict.fromkeys(("--max-lut", "--max-ff", "--max-dsp", "--max-bram"), 0.3)
FULL: dict[str, Any] = {
    "model": "mnist_cnn:network",
    "data": "images:images",
    "training": {"epochs": 5, "learning_rate": 5e-3},
    "speed": {"--io": "stream", "--max-interval-cycles": 900},
}
QUICK: dict[str, Any] = {
    "model": "budget_boards:tiny",
    "data": "budget_boards:blobs",
    "training": {"epochs": 2, "learning_rate": 1e-2},
    "speed": {"--io": "stream", "--max-interval-cycles": 60},
}
RECIPE = """
[prune]
sparsity = 0.0          # the least: the rest is the budget's
schedule = "cubic"
steps = 3
seed = {seed}
[prune.fine_tune]
epochs = {epochs}
learning_rate = 3e-3
[quantise]
weight_bits = 4
activation_bits = 6
input_bits = 6
seed = {seed}
[quantise.fine_tune]
epochs = {epochs}
"""


def whole(quick: bool) -> dict[str, Any]:
    """Return what came of the usual budget of each board, and of 30 % of one, where the dense network does not fit."""
    net, boards = (QUICK, BOARDS[:1]) if quick else (FULL, BOARDS)
    lut = {"--max-lut": 0.012, "--max-dsp": 0.0} if quick else SMALL
    epochs = 1 if quick else 2
    budgets: dict[str, tuple[dict[str, float], tuple[str, ...]]]
    budgets = {"usual": ({}, boards), "little" if quick else "30 %": (lut, boards[:1])}
    runs = [
        {"budget": name, **run_part(__file__, board=board, shares=shares, seed=seed, epochs=epochs, **net)}
        for name, (shares, own) in budgets.items()
        for board in own
        for seed in (SEEDS[:1] if quick else SEEDS)
    ]
    return {
        "settings": {
            "recipe": RECIPE,
            "kind": "estimate",
            "budgets": {name: each[0] for name, each in budgets.items()},
        },
        "results": {"runs": runs, "accuracy": _accuracy(runs)},
        "claims": [
            claim("commands after which the next one writes a design within the budget", _share(runs), at_least=1.0)
        ],
    }


def _share(runs: list[dict[str, Any]]) -> float:
    return sum(run["fits"] for run in runs) / len(runs)


def _accuracy(runs: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return mean and spread of accuracies as integers, dense and pruned, and of the sparsity, by budget and board."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for run in runs:
        same = [other for other in runs if (other["budget"], other["board"]) == (run["budget"], run["board"])]
        found.setdefault(run["budget"], {})[run["board"]] = {
            f"{what}_{kind}": round(of([other[what] for other in same]), 4)
            for what in ("dense_accuracy", "accuracy", "sparsity")
            for kind, of in (("mean", statistics.fmean), ("spread", statistics.pstdev))
        }
    return found


def part(
    board: str,
    shares: dict[str, float],
    seed: int,
    epochs: int,
    **net: Any,  # noqa: ANN401  # the settings above
) -> dict[str, Any]:
    """Train the network, prune it to the board by one command, and let `fit` write the design."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _train(net, seed, folder / "weights.pt")
        (folder / "recipe.toml").write_text(RECIPE.format(seed=seed, epochs=epochs), encoding="utf-8")
        given = ["--board", board, *(str(word) for option in (shares | net["speed"]).items() for word in option)]
        source = ["--model", net["model"], "--data", net["data"], "--weights", "weights.pt", "--recipe", "recipe.toml"]
        command = ["fpgaprune", "prune", *source, "--out", "model", *given]
        said = _run(command, folder)
        outcome = json.loads((folder / "model" / "budget.json").read_text(encoding="utf-8"))
        design = json.loads(_run(["fpgaprune", "fit", "model", "--out", "net", "--json", *given], folder))
    metrics, limits = outcome["metrics"], outcome["limits"]
    return {
        "command": " ".join(command),
        "fits": all(design["total"][name] <= limits[name] for name in design["total"] if name in limits)
        and (limits["interval_cycles"] is None or design["interval_cycles"] <= limits["interval_cycles"]),
        "dense_accuracy": metrics["dense_integers"],
        "accuracy": metrics["pruned_integers"],
        "sparsity": outcome["sparsity"],
        "said": said.splitlines(),
        "outcome": outcome,
        "design": {
            name: design[name] for name in ("total", "utilisation", "interval_cycles", "latency_cycles", "kind")
        },
    }


def _train(net: dict[str, Any], seed: int, path: Path) -> None:
    import torch

    from fpgaprune.prune import TrainSettings, build_data, build_model, train

    sys.path[:0] = [str(ROOT), str(ROOT.parent / "examples")]
    torch.set_num_threads(1)
    model, data = build_model(net["model"]), build_data(net["data"])
    torch.manual_seed(seed)
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    train(model, data, TrainSettings(seed=seed, **net["training"]), progress=False)
    torch.save(model.state_dict(), path)


def _run(command: list[str], folder: Path) -> str:
    """Run a command of fpgaprune, which finds the models of the examples and of this file, and return what it says."""
    paths = os.pathsep.join(map(str, (ROOT, ROOT.parent / "examples", ROOT.parent)))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    words = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
        raise RuntimeError(msg)
    return done.stdout


def tiny() -> nn.Module:
    """Return a convolution and a linear layer, for a quick run."""
    from torch import nn

    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 4, 3))


def blobs() -> Data:
    """Return images of 6x6 of three classes, each with a bright corner, for a quick run."""
    import numpy as np

    from fpgaprune.prune import Data

    random = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = random.random((120, 1, 6, 6))
    for place, (row, column) in enumerate(((0, 0), (0, 3), (3, 0))):
        x[y == place, :, row : row + 3, column : column + 3] += 1.0
    return Data.from_arrays(x[:80], y[:80], x[80:], y[80:], batch_size=20)


if __name__ == "__main__":
    sys.exit(main("budget_boards", whole, part))

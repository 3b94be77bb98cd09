"""Accuracy of pruned networks without any fine-tuning, for every criterion, on 8 x 8 digits: an MLP and a CNN."""

from __future__ import annotations

import statistics
import sys
import time
from itertools import product
from typing import TYPE_CHECKING, Any

from common import claim, main, run_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from fpgaprune.prune import Data

NETWORKS = ("mlp", "cnn")
APPROXIMATIONS = ("sensitivity-first", "sensitivity-second")
SEEDS = (0, 1, 2)
FULL: dict[str, Any] = {"at_once": (0.5, 0.8, 0.9, 0.95), "step_by_step": (0.9, 0.95), "epochs": 30, "width": 48}
QUICK: dict[str, Any] = {"at_once": (0.5,), "step_by_step": (0.5,), "epochs": 1, "width": 4}
STEPS = 5


def whole(quick: bool) -> dict[str, Any]:
    """Return the accuracies of every case, their means and spreads over the seeds, and what they show."""
    settings, seeds = (QUICK, SEEDS[:2]) if quick else (FULL, SEEDS)
    parts = [run_part(__file__, network=network, seed=seed, **settings) for network, seed in product(NETWORKS, seeds)]
    cases = _cases(parts)
    return {
        "settings": {
            "data": "scikit-learn's digits, 8 x 8, split anew for each seed: 1400 for training and 397 for test",
            "metric": "accuracy on the test images; nothing is trained after pruning, and biases stay",
            "scope": "global",
            "steps": f"1, or {STEPS} by the cubic schedule, with new scores in each",
            "samples": 1024,
            "seeds": seeds,
            **settings,
        },
        "results": {
            "dense": {network: _spread(_of(parts, network, "dense")) for network in NETWORKS},
            "weights": {network: _of(parts, network, "weights")[0] for network in NETWORKS},
            "rank correlation with the exact sensitivity": {
                f"{name}, {network}": _spread([found[name] for found in _of(parts, network, "ranks")])
                for name, network in product(APPROXIMATIONS, NETWORKS)
            },
            "cases": cases,
            "runs": parts,
        },
        "claims": _claims(parts, cases),
    }


def _of(parts: Sequence[Mapping[str, Any]], network: str, key: str) -> list[Any]:
    return [part[key] for part in parts if part["network"] == network]


def _cases(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one case for each network, sparsity, number of steps and criterion, over all seeds."""
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for part in parts:
        for run in part["runs"]:
            found.setdefault((part["network"], run["steps"], run["sparsity"], run["criterion"]), []).append(run)
    return [
        {
            **dict(zip(("network", "steps", "sparsity", "criterion"), key, strict=True)),
            **_spread([run["accuracy"] for run in runs]),
            "cpu_s": round(statistics.mean(run["cpu_s"] for run in runs), 3),
        }
        for key, runs in found.items()
    ]


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "mean": round(statistics.mean(values), 4),
        "lowest": round(min(values), 4),
        "highest": round(max(values), 4),
    }


def _claims(parts: Sequence[Mapping[str, Any]], cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    ranks = [part["ranks"]["sensitivity-second"] for part in parts]
    sparsity = 0.9 if any(case["sparsity"] == 0.9 for case in cases) else cases[0]["sparsity"]
    exact, curved = (
        [_over_magnitude(cases, network, steps, sparsity, criterion) for network in NETWORKS]
        for steps, criterion in ((1, "sensitivity"), (STEPS, "obd"))
    )
    return [
        claim("rank correlation of sensitivity-second with sensitivity, the least", min(ranks), at_least=0.85),
        claim(f"accuracy of obd over magnitude at {sparsity:.0%}, {STEPS} steps, the least", min(curved), at_least=0.0),
        claim(f"accuracy of sensitivity over magnitude at {sparsity:.0%}, at once, the most", max(exact), at_most=0.0),
    ]


def _over_magnitude(
    cases: Sequence[Mapping[str, Any]], network: str, steps: int, sparsity: float, criterion: str
) -> float:
    """Return how much more accurate a criterion is than magnitude, in the mean over the seeds."""
    mean = {
        case["criterion"]: case["mean"]
        for case in cases
        if (case["network"], case["steps"], case["sparsity"]) == (network, steps, sparsity)
    }
    return round(mean[criterion] - mean["magnitude"], 4)


def part(
    network: str, seed: int, at_once: Sequence[float], step_by_step: Sequence[float], epochs: int, width: int
) -> dict[str, Any]:
    """Train one network and prune copies of it by every criterion, at once and step by step."""
    import torch

    from fpgaprune.prune import CRITERIA, TrainSettings, evaluate_metric, prunable, train

    torch.set_num_threads(1)
    data = _digits(network, seed)
    model = _network(network, seed, width)
    train(model, data, TrainSettings(epochs=epochs, learning_rate=3e-3, seed=seed), progress=False)
    scores, seconds = {}, {}
    for criterion in CRITERIA:
        start = time.process_time()
        scores[criterion] = _scores(model, data, criterion, seed)
        seconds[criterion] = round(time.process_time() - start, 4)
    cases = product(step_by_step, CRITERIA)
    return {
        "weights": sum(weight.numel() for weight in prunable(model).values()),
        "dense": evaluate_metric(model, data),
        "ranks": {name: _rank_correlation(scores[name], scores["sensitivity"]) for name in APPROXIMATIONS},
        "runs": [
            *_at_once(model, data, scores, seconds, at_once),
            *(_step_by_step(model, data, sparsity, criterion, seed) for sparsity, criterion in cases),
        ],
    }


def _scores(model: nn.Module, data: Data, criterion: str, seed: int) -> dict[str, Tensor]:
    from fpgaprune.prune import CRITERIA, Context, default_loss, prunable

    return CRITERIA[criterion](prunable(model), Context(model, data, default_loss, seed))


def _rank_correlation(one: Mapping[str, Tensor], two: Mapping[str, Tensor]) -> float:
    """Return Spearman's coefficient over all weights."""
    import torch
    from scipy.stats import spearmanr

    flat = [torch.cat([score.flatten() for score in scores.values()]).tolist() for scores in (one, two)]
    return round(float(spearmanr(*flat).statistic), 4)


def _at_once(
    model: nn.Module,
    data: Data,
    scores: Mapping[str, Mapping[str, Tensor]],
    seconds: Mapping[str, float],
    sparsities: Sequence[float],
) -> Iterator[dict[str, Any]]:
    from copy import deepcopy

    from fpgaprune.prune import evaluate_metric, select

    for sparsity, criterion in product(sparsities, scores):
        pruned = deepcopy(model)
        select(scores[criterion], sparsity).apply_(pruned)
        yield _run(1, sparsity, criterion, evaluate_metric(pruned, data), seconds[criterion])


def _step_by_step(model: nn.Module, data: Data, sparsity: float, criterion: str, seed: int) -> dict[str, Any]:
    from fpgaprune.prune import DeadBias, PruneRecipe, Schedule, TrainSettings, prune

    recipe = PruneRecipe(
        sparsity,
        criterion,
        schedule=Schedule.CUBIC,
        steps=STEPS,
        fine_tune=TrainSettings(epochs=0),
        seed=seed,
        dead_bias=DeadBias.KEEP,
    )
    start = time.process_time()
    pruned = prune(model, data, recipe, progress=False)
    return _run(STEPS, sparsity, criterion, pruned.history.records[-1].metric, time.process_time() - start)


def _run(steps: int, sparsity: float, criterion: str, accuracy: float, cpu_s: float) -> dict[str, Any]:
    return {
        "steps": steps,
        "sparsity": sparsity,
        "criterion": criterion,
        "accuracy": round(accuracy, 4),
        "cpu_s": round(cpu_s, 4),
    }


def _digits(network: str, seed: int) -> Data:
    import numpy as np
    from sklearn.datasets import load_digits

    from fpgaprune.prune import Data

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(images))
    x, y = (images[order] / 16).astype(np.float32), labels[order]
    x = x.reshape(-1, 1, 8, 8) if network == "cnn" else x
    return Data.from_arrays(x[:1400], y[:1400], x[1400:], y[1400:], batch_size=64, seed=seed)


def _network(name: str, seed: int, width: int) -> nn.Sequential:
    """Return 64 - 2·width - width - 10, or convolutions of width/4 and width/2 channels and a linear layer."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    if name == "mlp":
        return nn.Sequential(
            nn.Linear(64, 2 * width), nn.ReLU(), nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 10)
        )
    return nn.Sequential(
        nn.Conv2d(1, width // 4, 3, padding=1), nn.BatchNorm2d(width // 4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width // 4, width // 2, 3, padding=1), nn.BatchNorm2d(width // 2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2 * width, 10),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main("criteria", whole, part))

"""What training costs beside a plain torch loop of the same model, data and optimiser, and as many epochs.

Under masks, on 8 x 8 digits; in fixed point and while digits or widths are saved, there and on MNIST.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

from common import claim, main, ratio, run_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from fpgaprune.prune import Data

NETWORKS = ("mlp", "cnn")
OPTIMISERS = ("adam", "sgd")
FIXED: dict[str, int] = {"196-64-32-10": 26, "mlp": 72, "cnn": 36}
"""Epochs of each network that is trained in fixed point; prices are found every 16 steps, every 7 of the CNN."""

SAVING: dict[str, dict[str, Any] | None] = {
    "fixed point": None,
    "digits": {"strength": 1e-3},
    "widths, weight": {"saving": "widths", "cost": "ebops", "strength": 1e-6},
    "widths, channel": {"saving": "widths", "cost": "ebops", "strength": 1e-6, "granularity": "channel"},
    "widths, layer": {"saving": "widths", "cost": "ebops", "strength": 1e-6, "granularity": "layer"},
}
SETTLE = 5
MOST = 2.0
"""Times of a plain loop that training widths may take."""

FULL: dict[str, Any] = {"epochs": 20, "repeats": 7, "width": 64, "sparsity": 0.9, "batch_size": 64}
QUICK: dict[str, Any] = {"epochs": 1, "repeats": 1, "width": 4, "sparsity": 0.5, "batch_size": 64}
FIXED_REPEATS = 3
LEARNING_RATE, MOMENTUM = 1e-3, 0.9


def whole(quick: bool) -> dict[str, Any]:
    """Return the times of both loops, run in turn, and their ratios."""
    settings = QUICK if quick else FULL
    cases = [
        run_part(__file__, network=network, optimiser=optimiser, settings=settings)
        for network in NETWORKS
        for optimiser in OPTIMISERS
    ]
    fixed = [
        run_part(
            __file__,
            network=network,
            epochs=SETTLE + 1 if quick else epochs,
            repeats=1 if quick else FIXED_REPEATS,
            settings=settings,
        )
        for network, epochs in FIXED.items()
    ]
    worst = max(case["ratio"]["with masks"] for case in cases)
    return {
        "settings": {
            "data": "scikit-learn's digits, 8 x 8: 1400 for training and 397 for test, whose accuracy both measure "
            "after each epoch",
            "threads": 1,
            "plain": "torch.optim's Adam as it is by default, as tutorials have it; fpgaprune asks for fused=True, so "
            "cpu_ratio_to_fused is that to a plain loop that asks for it as well",
            **settings,
        },
        "results": {"cases": cases, "fixed": fixed},
        "claims": [
            claim("training under magnitude masks takes at most 1.3 times a plain loop", worst, at_most=1.3),
            *(_fixed_claim(case) for case in fixed),
        ],
    }


def _fixed_claim(case: dict[str, Any]) -> dict[str, Any]:
    widths = max(ratio for name, ratio in case["cpu_ratio"].items() if name.startswith("widths"))
    return claim(f"{case['network']}: training widths takes at most {MOST} times a plain loop", widths, at_most=MOST)


def part(network: str, settings: dict[str, Any], **rest: Any) -> dict[str, Any]:  # noqa: ANN401  # of either kind
    """Time loops in turn, on one thread; ratios are of the shortest of each."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)  # numpy's libraries, whose idle threads take CPU time
    return _masked(network, settings=settings, **rest) if "optimiser" in rest else _saving(network, settings, **rest)


def _saving(network: str, settings: dict[str, Any], epochs: int, repeats: int) -> dict[str, Any]:
    """Time a plain loop, and our training in fixed point, without what comes before and after it."""
    from frontier import mnist

    data = mnist() if network == "196-64-32-10" else _digits(settings["batch_size"])
    runs: dict[str, Callable[[nn.Module], list[tuple[float, float]]]] = {
        "plain": lambda model: [_seconds(lambda each: _plain(each, data, "adam", epochs), model)],
        "plain, fused": lambda model: [_seconds(lambda each: _plain(each, data, "fused adam", epochs), model)],
    }
    runs |= {
        name: partial(_quantised, data=data, epochs=epochs, compress=compress) for name, compress in SAVING.items()
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            parts = run(_network(network, settings["width"]))
            times[name].append((sum(wall for wall, _ in parts), sum(cpu for _, cpu in parts)))
    return {"steps": epochs * len(data.train), **_compared(times)}  # type: ignore[arg-type]  # arrays have a length


def _quantised(model: nn.Module, data: Data, epochs: int, compress: dict[str, Any] | None) -> list[tuple[float, float]]:
    """Return the wall and CPU seconds of each training within a quantisation."""
    from fpgaprune.prune import TrainSettings
    from fpgaprune.prune.training import train
    from fpgaprune.quantise import Compression, QuantiseRecipe, course, quantise

    found: list[tuple[float, float]] = []

    def timed(module: nn.Module, *positional: Any, **named: Any) -> Any:  # noqa: ANN401  # as train
        kept: list[Any] = []
        found.append(_seconds(lambda each: kept.append(train(each, *positional, **named)), module))
        return kept[0]

    recipe = QuantiseRecipe(
        activation_bits=6,
        input_bits=4,
        fine_tune=TrainSettings(epochs if compress is None else epochs - SETTLE, LEARNING_RATE),
        compress=None if compress is None else Compression(**compress, settle=SETTLE),
    )
    with mock.patch.object(course, "train", timed):
        quantise(model, data, recipe, progress=False)
    return found


def _compared(times: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    """Return wall and CPU seconds, and the ratios of the shortest to the shortest plain loop."""
    best = {name: [min(column) for column in zip(*found, strict=True)] for name, found in times.items()}
    ratios = {name: [ratio(*pair) for pair in zip(best[name], best["plain"], strict=True)] for name in times}
    return {
        "seconds": {name: [round(wall, 3) for wall, _ in found] for name, found in times.items()},
        "cpu_seconds": {name: [round(cpu, 3) for _, cpu in found] for name, found in times.items()},
        "ratio": {name: found[0] for name, found in ratios.items()},
        "cpu_ratio": {name: found[1] for name, found in ratios.items()},
        "cpu_ratio_to_fused": {name: ratio(cpu, best["plain, fused"][1]) for name, (_, cpu) in best.items()}
        if "plain, fused" in best
        else {},
    }


def _masked(network: str, optimiser: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Time a plain loop, training without masks and training with them."""
    epochs, width, sparsity = settings["epochs"], settings["width"], settings["sparsity"]
    data = _digits(settings["batch_size"])
    runs = {
        "plain": lambda model: _plain(model, data, optimiser, epochs),
        "without masks": lambda model: _ours(model, data, optimiser, epochs, None),
        "with masks": lambda model: _ours(model, data, optimiser, epochs, sparsity),
    }
    if optimiser == "adam":
        runs["plain, fused"] = lambda model: _plain(model, data, "fused adam", epochs)
    for run in runs.values():  # once that is not counted
        run(_network(network, width))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(settings["repeats"]):
        for name, run in runs.items():
            times[name].append(_seconds(run, _network(network, width)))
    return {"steps": epochs * len(data.train), **_compared(times)}  # type: ignore[arg-type]  # arrays have a length


def _seconds(run: Callable[[nn.Module], None], model: nn.Module) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    start, start_cpu = time.perf_counter(), time.process_time()
    run(model)
    return time.perf_counter() - start, time.process_time() - start_cpu


def _plain(model: nn.Module, data: Data, optimiser: str, epochs: int) -> None:
    """Train as a torch tutorial does: shuffled batches, a cosine rate, the accuracy on the test images each epoch."""
    import torch
    from torch import nn

    train, test = data.train, data.test
    x, y, test_x, test_y = train.x, train.y, test.x, test.y  # type: ignore[attr-defined]  # the tensors of arrays
    kinds = {
        "adam": lambda: torch.optim.Adam(model.parameters(), lr=LEARNING_RATE),
        "fused adam": lambda: torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True),
        "sgd": lambda: torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM),
    }
    steps = kinds[optimiser]()
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(steps, epochs * len(train))  # type: ignore[arg-type]  # as above
    for _ in range(epochs):
        model.train()
        for chosen in torch.randperm(len(x)).split(train.batch_size):  # type: ignore[attr-defined]  # as above
            steps.zero_grad()
            loss = nn.functional.cross_entropy(model(x[chosen]), y[chosen])
            loss.backward()
            steps.step()
            rate.step()
        _accuracy(model, test_x, test_y, test.batch_size)  # type: ignore[attr-defined]  # as above


def _accuracy(model: nn.Module, x: Tensor, y: Tensor, batch_size: int) -> float:
    import torch

    model.eval()
    with torch.no_grad():
        right = sum(
            int((model(a).argmax(1) == b).sum()) for a, b in zip(x.split(batch_size), y.split(batch_size), strict=True)
        )
    return right / len(y)


def _ours(model: nn.Module, data: Data, optimiser: str, epochs: int, sparsity: float | None) -> None:
    from fpgaprune.prune import TrainSettings, prunable, select, train

    scores = {name: weight.detach().abs() for name, weight in prunable(model).items()}
    masks = None if sparsity is None else select(scores, sparsity)
    settings = TrainSettings(epochs, LEARNING_RATE, optimiser, momentum=MOMENTUM)  # type: ignore[arg-type]  # a word
    train(model, data, settings, masks=masks, progress=False)


def _digits(batch_size: int) -> Data:
    import numpy as np
    from sklearn.datasets import load_digits

    from fpgaprune.prune import Data

    x, y = load_digits(return_X_y=True)
    images = (x / 16).astype(np.float32)
    return Data.from_arrays(images[:1400], y[:1400], images[1400:], y[1400:], batch_size=batch_size)


def _network(name: str, width: int) -> nn.Module:
    import torch
    from torch import nn

    torch.manual_seed(0)
    if name == "196-64-32-10":
        return nn.Sequential(nn.Linear(196, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    if name == "mlp":
        return nn.Sequential(
            nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, 10)
        )
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, width // 4, 3, padding=1),
        nn.BatchNorm2d(width // 4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width // 4, width // 2, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * width, 10),
    )


if __name__ == "__main__":
    sys.exit(main("train_overhead", whole, part))

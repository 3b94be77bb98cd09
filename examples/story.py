"""What every example does with its network: train it, build it dense and pruned, simulate both, compare them.

Each example is run as ``python examples/NAME.py OUT``, from any folder; it needs g++, make and
``pip install 'fpgaprune[examples]'``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console

from fpgaprune.api import (
    Options,
    ProjectFolder,
    PruneRecipe,
    QuantiseRecipe,
    TrainSettings,
    compare,
    csim,
    estimate,
    generate,
    load_board,
    prune,
    quantise,
    store_verdict,
    train,
    write_report,
)
from fpgaprune.report import print_comparison
from fpgaprune.schedule import Interface

if TYPE_CHECKING:
    from torch import nn

    from fpgaprune.api import Comparison, Data


@dataclass(frozen=True)
class Plan:
    """How one network is trained, pruned, quantised and built."""

    name: str
    board: str
    training: TrainSettings
    pruning: PruneRecipe
    quantising: QuantiseRecipe
    interface: Interface = Interface.STREAM


def tell(model: nn.Module, data: Data, plan: Plan, out: Path) -> Comparison:
    """Train a network, build it at 0 % and at the plan's sparsity, and write the report of both into a folder."""
    torch.set_num_threads(1)  # faster for small networks, and no sum depends on the number of cores
    train(model, data, plan.training, progress=False)
    dense = PruneRecipe(sparsity=0.0, fine_tune=TrainSettings(epochs=0))
    folders = [_built(model, data, plan, recipe, out) for recipe in (dense, plan.pruning)]
    comparison = compare(folders)
    print_comparison(comparison, Console())
    write_report(comparison, out)
    return comparison


def _built(model: nn.Module, data: Data, plan: Plan, recipe: PruneRecipe, out: Path) -> ProjectFolder:
    """Return the project of the pruned and quantised network, simulated on all test samples."""
    percent = round(100 * recipe.sparsity)
    name = f"{plan.name}_{percent}"
    samples, _ = data.test_arrays()
    pruned = prune(model, data, recipe, progress=False)
    quantised = quantise(pruned, data, plan.quantising, progress=False)
    options = Options(name=name, interface=plan.interface)
    project = generate(quantised, load_board(plan.board), samples, options, label=f"{percent} %")
    folder = ProjectFolder.load(project.write(out / name))

    verdict = csim(folder, (quantised.quantise_input(samples),))
    store_verdict(verdict, folder.path)
    resources = estimate(folder)
    print(f"{name}: {verdict.sentence()}")
    print(f"{name}: {resources.total('lut'):,} LUT ({resources.kind.value})")
    return folder


def out_folder(name: str) -> Path:
    """Return the folder that the command line names, or one named after the example."""
    return Path(sys.argv[1] if len(sys.argv) > 1 else f"{name}-example")

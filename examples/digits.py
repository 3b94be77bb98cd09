"""The digits MLP as a script: prune, quantise, generate, simulate, estimate, compare.

Run it from any folder: ``python examples/digits.py OUT``. It needs ``pip install 'fpgaprune[demo]'`` and g++.
"""

from __future__ import annotations

import sys
from pathlib import Path

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
from fpgaprune.demo import digits, mlp
from fpgaprune.report import print_comparison


def main(out: Path) -> None:
    """Build the network dense and at 90 % sparsity, and compare the two."""
    data = digits()
    model = mlp(hidden=(32, 16))
    train(model, data, TrainSettings(epochs=10, learning_rate=2e-3))
    samples, _ = data.test_arrays()
    board = load_board("pynq-z2")

    folders = []
    for sparsity in (0.0, 0.9):
        recipe = PruneRecipe(sparsity=sparsity, schedule="cubic", steps=4, fine_tune=TrainSettings(epochs=2))
        pruned = prune(model, data, recipe)
        quantised = quantise(pruned, data, QuantiseRecipe(fine_tune=TrainSettings(epochs=3)))

        name = f"digits_{round(100 * sparsity)}"
        project = generate(quantised, board, samples, Options(name=name), label=f"{100 * sparsity:.0f} %")
        folder = ProjectFolder.load(project.write(out / name))

        verdict = csim(folder, (quantised.quantise_input(samples),))
        store_verdict(verdict, folder.path)
        print(f"{name}: {verdict.sentence()}")
        print(f"{name}: {estimate(folder).total('lut'):,} LUT ({estimate(folder).kind.value})")
        folders.append(folder)

    comparison = compare(folders)
    print_comparison(comparison, Console())
    write_report(comparison, out)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "digits-example"))

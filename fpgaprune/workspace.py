"""A pruned and quantised model on disk, with the samples that check it: what `prune` writes and `generate` reads."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaprune import prune as pruning
from fpgaprune import quantise as quantising
from fpgaprune.errors import InputError
from fpgaprune.paths import fresh_folder
from fpgaprune.several import OneOrMore, as_tuple, one_or_more

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from fpgaprune.prune import PrunedModel
    from fpgaprune.quantise import QuantisedModel

    FloatArray = npt.NDArray[np.float64]

SCHEMA = "fpgaprune-workspace-2"
_NAME = "workspace.json"
_SAMPLES = "samples_"
MOST_SAMPLES = 1000
"""Test samples kept with a model."""


@dataclass(frozen=True)
class Workspace:
    """A quantised model, the label that names it in comparisons, and real test inputs (samples, *shape).

    Samples of several inputs are a tuple.
    """

    quantised: QuantisedModel
    label: str
    samples: OneOrMore[FloatArray]


def save(
    workspace: Workspace,
    pruned: PrunedModel,
    folder: Path,
    *,
    force: bool = False,
    extras: Mapping[str, str] | None = None,
) -> None:
    """Write the pruned and the quantised model and the samples into a new folder, in one step.

    ``extras`` are more files, name → text, which only people read.

    Raises:
        InputError: the folder exists and ``force`` is not set, or it cannot be written.
    """
    with fresh_folder(folder, force=force) as staging:
        pruning.save(pruned, staging / "pruned")
        quantising.save(workspace.quantised, staging / "quantised")
        save_samples(workspace.samples, staging)
        _write_manifest(staging, workspace.label)
        for name, text in (extras or {}).items():
            (staging / name).write_text(text, encoding="utf-8")


def assemble(folder: Path, pruned: Path, quantised: Path, samples: Path, label: str) -> None:
    """Write a new folder as `save` does, from folders that hold its parts.

    Raises:
        InputError: the folder exists, or it cannot be written.
    """
    with fresh_folder(folder) as staging:
        shutil.copytree(pruned, staging / "pruned")
        shutil.copytree(quantised, staging / "quantised")
        for path in samples.glob(f"{_SAMPLES}*.npy"):
            shutil.copy(path, staging / path.name)
        _write_manifest(staging, label)


def _write_manifest(folder: Path, label: str) -> None:
    data = {"schema": SCHEMA, "label": label}
    (folder / _NAME).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> Workspace:
    """Read what `save` wrote.

    Raises:
        InputError: the folder is none of ours, of another schema, damaged or incomplete.
    """
    label = str(_manifest(folder)["label"])
    quantised = quantising.load(folder / "quantised")
    return Workspace(quantised, label, load_samples(folder, len(quantised.inputs)))


def save_samples(samples: OneOrMore[FloatArray], folder: Path) -> None:
    """Write the first real inputs (samples, *shape), a tuple where there are several, into a folder."""
    for place, values in enumerate(as_tuple(samples)):
        np.save(_samples_path(folder, place), values[:MOST_SAMPLES].astype(np.float64), allow_pickle=False)


def load_samples(folder: Path, inputs: int) -> OneOrMore[FloatArray]:
    """Read what `save_samples` wrote for so many inputs.

    Raises:
        InputError: a file is missing or damaged.
    """
    return one_or_more([_load_samples(_samples_path(folder, place)) for place in range(inputs)])


def _samples_path(folder: Path, place: int) -> Path:
    """Return the file of the samples of an input, whose place counts from 0."""
    return folder / f"{_SAMPLES}{place}.npy"


def _load_samples(path: Path) -> FloatArray:
    try:
        values = np.load(path, allow_pickle=False)
        samples: FloatArray = values.astype(np.float64)
    except (OSError, ValueError, EOFError, AttributeError) as error:
        msg = f"{path} cannot be read: {error}"
        raise InputError(msg) from error
    return samples


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / _NAME
    if not path.is_file():
        msg = f"{folder} holds no pruned model: it has no {_NAME}; make one with `fpgaprune prune`"
        raise InputError(msg)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        known = data["schema"] == SCHEMA and "label" in data
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path} is damaged: {error}"
        raise InputError(msg) from error
    if not known:
        msg = f"{path} must have schema {SCHEMA!r}, not {data['schema']!r}; run `fpgaprune prune` again"
        raise InputError(msg)
    return dict(data)

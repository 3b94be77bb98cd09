"""Ready projects of finished points: copies that may be built and edited, apart from the store."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

from fpgaprune import workspace
from fpgaprune.paths import fresh_folder, identifier
from fpgaprune.report import point_of
from fpgaprune.resources import Kind
from fpgaprune.sim import ProjectFolder
from fpgaprune.store import key_of
from fpgaprune.sweep.stages import ENERGY, INFEASIBLE, MODEL, PROJECT, REPORTS, VERDICT
from fpgaprune.sweep.state import report_of
from fpgaprune.sweep.table import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fpgaprune.store import Store
    from fpgaprune.sweep.executors import Workers
    from fpgaprune.sweep.plan import Planned
    from fpgaprune.sweep.worker import Report

DESIGNS, MODELS = "designs", "models"


def outcomes(
    planned: Sequence[Planned],
    called: Sequence[str],
    store: Store,
    designs: Path,
    failed: Mapping[str, Report],
    workers: Workers,
) -> list[Outcome]:
    """Return what became of points, designs being written into the folder ``designs``, their networks beside it.

    Raises:
        InputError: the folder cannot be written, or a result has gone from the store.
    """
    made = partial(_outcome, store=store, designs=designs, failed=failed)
    return workers.each(made, list(zip(planned, called, strict=True)))


def _outcome(point: tuple[Planned, str], store: Store, designs: Path, failed: Mapping[str, Report]) -> Outcome:
    planned, name = point
    settings, report = planned.point.settings, report_of(planned, failed)
    if report is not None:
        return Outcome(name, settings, said=f"failed: {report.error}")
    found = {stage: store.get(task.key) for stage, task in planned.tasks.items()}
    made = found["generate"]
    if made is None:
        return Outcome(name, settings, said="not made")
    if not (made / PROJECT).is_dir():
        return Outcome(name, settings, said=(made / INFEASIBLE).read_text(encoding="utf-8").strip())
    _copy_model(planned, found, designs.parent / MODELS, store)
    extras = {VERDICT: found.get("simulate"), ENERGY: found.get("energy"), REPORTS: found.get("synthesise")}
    there = {part: path for part, path in extras.items() if path is not None}
    key = key_of({"name": name, "project": made.name, "extras": {part: path.name for part, path in there.items()}})
    folder = designs / f"{identifier(name)}-{key[:8]}"
    with store.lock(key):  # another sweep may copy it, too
        _copy(made / PROJECT, folder, {part: path / part for part, path in there.items()})
    kind = Kind.ESTIMATE if planned.point.recipe.synth is None else _KINDS[planned.point.recipe.synth.tool]
    return Outcome(name, settings, folder, point_of(ProjectFolder.load(folder), kind))


def _copy_model(planned: Planned, found: Mapping[str, Path | None], models: Path, store: Store) -> None:
    """Copy the network of a point, for `fpgaprune generate` and `fit`, unless another design of it did."""
    pruned, quantised, samples = (found[stage] for stage in ("prune", "quantise", "samples"))
    if pruned is None or quantised is None or samples is None:
        return  # they were damaged after the design was made, and it no longer needs them
    settings = {name: value for name, value in planned.point.settings.items() if not name.startswith("generate.")}
    called = identifier("_".join(f"{name.rpartition('.')[2]}_{value}" for name, value in settings.items()) or "model")
    folder = models / f"{called}-{quantised.name[:8]}"
    if folder.exists():
        return
    with store.lock(quantised.name):  # designs of one network may be copied at once
        if not folder.exists():
            label = str(planned.tasks["generate"].inputs["label"])
            workspace.assemble(folder, pruned / MODEL, quantised / MODEL, samples, label)


_KINDS = {"yosys": Kind.OPEN_SYNTHESIS, "vitis": Kind.CSYNTH, "vivado": Kind.POST_ROUTE}


def _copy(project: Path, folder: Path, extras: Mapping[str, Path]) -> None:
    """Copy a project and what is known of it, unless all is there: its name has the digest of where all is from."""
    if all((folder / part).exists() for part in ("fpgaprune.json", *extras)):
        return
    with fresh_folder(folder, force=True) as staging:
        shutil.copytree(project, staging, dirs_exist_ok=True)
        for part, path in extras.items():
            (shutil.copytree if path.is_dir() else shutil.copy)(path, staging / part)

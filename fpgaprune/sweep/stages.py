"""What each stage of a point does: results that it needs and plain values → files of its own result."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from threadpoolctl import threadpool_limits

from fpgaprune import board as boards
from fpgaprune import energy, flow, sim, vendor, workspace, yosys
from fpgaprune import prune as pruning
from fpgaprune import quantise as quantising
from fpgaprune.errors import InputError
from fpgaprune.fit import InfeasibleError
from fpgaprune.paths import fresh_folder
from fpgaprune.prune.checkpoint import CheckpointError
from fpgaprune.several import as_tuple, mapped
from fpgaprune.store import key_of
from fpgaprune.sweep import counters
from fpgaprune.sweep.building import Building
from fpgaprune.sweep.sources import data_of, model_of
from fpgaprune.vendor.measurement import FOLDER
from fpgaprune.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import nn

    from fpgaprune.prune import Data
    from fpgaprune.store import Store
    from fpgaprune.sweep.task import Task

MODEL, PROJECT, VERDICT, INFEASIBLE, TRACE = "model", "project", "csim.json", "infeasible.txt", "trace.dat"
ENERGY = energy.NAME
REPORTS = FOLDER


def perform(task: Task, store: Store, root: str) -> Path:
    """Return the result of a task, made where the store has none; what it needs must be there.

    ``root`` is the folder that imports of the user's begin at.

    Raises:
        InputError: and every other error of the stage.
    """
    if not store.is_there():
        msg = f"{store.folder} is not seen from {platform.node()}; give --out a folder that all workers share"
        raise InputError(msg)
    if root not in sys.path:
        sys.path.insert(0, root)
    torch.set_num_threads(1)  # the same sums whatever the number of cores and workers

    def make(staging: Path) -> None:
        needs = {stage: _needed(store, stage, key) for stage, key in task.needs.items()}
        work = _Work(task, needs, store, staging)
        try:
            _STAGES[task.stage](work)
        except CheckpointError:  # it is damaged, or of another kind of device
            shutil.rmtree(work.checkpoint)
            _STAGES[task.stage](work)

    with threadpool_limits(1):  # of numpy
        found = store.made(task.key, make, {"stage": task.stage, "inputs": task.inputs, "needs": task.needs})
    shutil.rmtree(_checkpoint(store, task.key), ignore_errors=True)
    return found


def _checkpoint(store: Store, key: str) -> Path:
    return store.folder / "training" / key


def _needed(store: Store, stage: str, key: str) -> Path:
    found = store.get(key)
    if found is None:
        msg = f"the result of the stage {stage!r} is gone from {store.folder}; run the same command again"
        raise InputError(msg)
    return found


class _Work:
    """What a stage works with: its task, the folders that it reads and the one that it fills."""

    inputs: Mapping[str, Any]

    def __init__(self, task: Task, needs: Mapping[str, Path], store: Store, out: Path) -> None:
        self.key, self.code, self.inputs = task.key, task.code, task.inputs
        self.means: Mapping[str, Any] = task.means
        self.needs, self.store, self.out = needs, store, out

    @property
    def checkpoint(self) -> Path:
        """The folder in which a training keeps how far it is, to go on from there when it was killed."""
        return _checkpoint(self.store, self.key)

    @property
    def training(self) -> dict[str, Any]:
        """How anything is trained here."""
        return {"device": self.inputs["device"], "progress": False, "checkpoint": self.checkpoint}

    @property
    def data(self) -> Data:
        """The data, checked to be those that were planned with."""
        found, digest = data_of(self.means["data"])
        self._refuse_other("data", digest)
        return found

    @property
    def model(self) -> nn.Module:
        """The model before it was trained here, checked to be the one that was planned with."""
        found, digest = model_of(self.means["model"], self.means["weights"], self.inputs["model_seed"])
        self._refuse_other("model", digest)
        return found

    def _refuse_other(self, what: str, digest: str) -> None:
        if digest != self.inputs[what]:
            msg = f"{self.means[what]!r} returned another {what} than before; let it return the same each time"
            raise InputError(msg)

    def quantised(self) -> Workspace:
        """Return the quantised network with the real inputs that designs are checked with."""
        model = quantising.load(self.needs["quantise"] / MODEL)
        return Workspace(model, self.inputs["label"], workspace.load_samples(self.needs["samples"], len(model.inputs)))


def _samples(work: _Work) -> None:
    inputs, _ = work.data.test_arrays()
    workspace.save_samples(inputs, work.out)


def _train(work: _Work) -> None:
    model, settings = work.model, pruning.TrainSettings(**work.inputs["settings"])
    history = pruning.train(model, work.data, settings, **work.training)
    dense = replace(pruning.from_torch_prune(model), history=history)
    pruning.save(dense, work.out / MODEL)


def _prune(work: _Work) -> None:
    model = work.model
    if "train" in work.needs:
        model = pruning.load(work.needs["train"] / MODEL, model).module
    recipe = pruning.PruneRecipe.from_dict(work.inputs["recipe"])
    levels = pruning.SENSITIVITY_LEVELS if work.inputs["sensitivity"] else ()
    pruned = pruning.prune(model, work.data, recipe, explain=levels, **work.training)
    pruning.save(pruned, work.out / MODEL)


def _quantise(work: _Work) -> None:
    pruned = pruning.load(work.needs["prune"] / MODEL, work.model)
    recipe = quantising.QuantiseRecipe.from_dict(work.inputs["recipe"])
    model = quantising.quantise(pruned, work.data, recipe, **work.training)
    quantising.save(model, work.out / MODEL)


def _generate(work: _Work) -> None:
    """A design that does not fit its board is a result, too: it is not tried again."""
    model = work.quantised()
    board, building = boards.from_data(work.inputs["board"]), Building(**work.inputs["building"])
    try:
        project = flow.generate(model.quantised, board, model.samples, building.options(board), label=model.label)
    except InfeasibleError as error:
        (work.out / INFEASIBLE).write_text(f"{error}\n", encoding="utf-8")
        return
    project.write(work.out / PROJECT)


def _of_project(do: Callable[[_Work, Path], None]) -> Callable[[_Work], None]:
    """Return the stage that does something with a project; where there is none, its result is the reason."""

    def stage(work: _Work) -> None:
        source = work.needs["generate"] / PROJECT
        if source.is_dir():
            do(work, source)
        else:
            shutil.copy(work.needs["generate"] / INFEASIBLE, work.out / INFEASIBLE)

    return stage


@contextmanager
def _copied(source: Path) -> Iterator[sim.ProjectFolder]:
    """Yield a copy of a project that may be built, which is removed then."""
    with tempfile.TemporaryDirectory(prefix="fpgaprune-") as scratch:
        yield sim.ProjectFolder.load(Path(shutil.copytree(source, Path(scratch) / PROJECT)))


def _simulate(work: _Work, source: Path) -> None:
    same = {stage: work.needs[stage].name for stage in ("quantise", "samples")}
    read = {"samples": work.inputs["samples"], "needs": same}
    found = _once(work, source, "program", read, lambda out: _simulated(work, source, out))
    shutil.copy(found / VERDICT, work.out / VERDICT)


def _once(work: _Work, source: Path, stage: str, read: Mapping[str, object], make: Callable[[Path], None]) -> Path:
    """Return what designs have in common whose C++ differs in nothing but comments, as for several boards."""
    key = key_of({"stage": stage, "program": _program_digests(source), "code": work.code, **read})
    return work.store.made(key, make, {"stage": stage})


def _program_digests(source: Path) -> dict[str, str]:
    """Return the digest of each file that a simulation is built from, without lines of comments."""
    paths = [path for part in ("src", "include", "tb", "sim") for path in sorted((source / part).rglob("*"))]
    return {
        path.relative_to(source).as_posix(): key_of({"lines": _code_lines(path)}) for path in paths if path.is_file()
    } | {"graph": key_of({"lines": _code_lines(source / "graph.json")})}


def _code_lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("//")]


def _simulated(work: _Work, source: Path, out: Path) -> None:
    with _copied(source) as folder:
        model, count = work.quantised(), work.inputs["samples"]
        mantissas = model.quantised.quantise_input(mapped(lambda values: values[:count], model.samples))
        verdict = sim.csim(folder, as_tuple(mantissas), timeout_s=work.means["timeout_s"], jobs=1)
        sim.store_verdict(verdict, out)


def _energy(work: _Work, source: Path) -> None:
    found = _once(work, source, "trace", {}, lambda out: _traced(work, source, out))
    energy.store_energy(energy.energy(sim.ProjectFolder.load(source), trace=found / TRACE), work.out)


def _traced(work: _Work, source: Path, out: Path) -> None:
    with _copied(source) as folder:
        energy.keep_trace(folder, sim.stored_inputs(folder), out / TRACE, work.means["timeout_s"], jobs=1)


def _synthesise(work: _Work, source: Path) -> None:
    """Run where a run that was killed left its files: tools that take hours go on stage by stage."""
    tool = work.inputs["tool"]
    counters.refuse_other(tool, tuple(work.inputs["versions"]))
    running = work.store.folder / "running" / work.key
    if not running.is_dir():
        with fresh_folder(running) as staging:
            shutil.copytree(source, staging, dirs_exist_ok=True)
    project = sim.ProjectFolder.load(running)
    if tool == "yosys":
        yosys.synth(project, timeout_s=work.means["timeout_s"])
    else:
        vendor.synth(project, vendor.Maker(tool), timeout_s=work.means["timeout_s"])
    shutil.copytree(running / REPORTS, work.out / REPORTS)
    shutil.rmtree(running)


_STAGES: Mapping[str, Callable[[_Work], None]] = {
    "samples": _samples,
    "train": _train,
    "prune": _prune,
    "quantise": _quantise,
    "generate": _generate,
    "simulate": _of_project(_simulate),
    "energy": _of_project(_energy),
    "synthesise": _of_project(_synthesise),
}

"""Points → tasks: each stage once, however many points go through it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fpgaprune import board as boards
from fpgaprune.errors import InputError
from fpgaprune.prune.checks import plain
from fpgaprune.recipe import Recipe as TrainRecipe
from fpgaprune.sweep.counters import versions
from fpgaprune.sweep.sources import data_of, model_of
from fpgaprune.sweep.task import Task
from fpgaprune.vendor import DEFAULT_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fpgaprune.sweep.recipe import Point, Recipe, Source


@dataclass(frozen=True)
class Planned:
    """A point with its tasks by stage, in the order in which they follow each other."""

    point: Point
    tasks: Mapping[str, Task]


def plan(points: Sequence[Point]) -> tuple[Planned, ...]:
    """Return the tasks of each point; the models and the data are built once for their digests.

    Raises:
        InputError: a model, its weights or the data cannot be had, or a recipe names layers that the model has not.
    """
    digests: dict[Source, str] = {}
    checked: set[str] = set()
    found = []
    for point in points:
        source, recipe = point.recipe.model, point.recipe
        named = repr((source, recipe.data, _named_layers(recipe)))
        if source not in digests or named not in checked:
            model, digests[source] = model_of(source.factory, source.weights, source.seed)
            checked.add(named)
            if any(_named_layers(recipe)):
                TrainRecipe(recipe.prune, recipe.quantise).check(model, data_of(recipe.data)[0])
        found.append(Planned(point, _tasks(recipe, digests[source], data_of(recipe.data)[1])))
    return tuple(found)


def _named_layers(recipe: Recipe) -> tuple[tuple[str, ...], ...]:
    """Return the layers that each stage of pruning, and quantisation, treat in a way of their own."""
    return (*(tuple(stage.layers) for stage in recipe.prune.stages), tuple(recipe.quantise.layers))


def _tasks(recipe: Recipe, model: str, data: str) -> Mapping[str, Task]:
    source, found = recipe.model, _Tasks()
    weights = None if source.weights is None else str(Path(source.weights).resolve())
    means = {"model": source.factory, "weights": weights, "data": recipe.data}
    common = {"model": model, "model_seed": source.seed, "data": data, "device": source.device}
    found.add(Task("samples", {"data": data}, means=means))
    if recipe.train is not None:
        found.add(Task("train", common | {"settings": plain(asdict(recipe.train))}, means=means))
    pruned = common | {"recipe": recipe.prune.to_dict(), "sensitivity": recipe.report.sensitivity}
    found.add(Task("prune", pruned, found.keys("train"), means))
    found.add(Task("quantise", common | {"recipe": recipe.quantise.to_dict()}, found.keys("prune"), means))
    label = _label(recipe)
    built = {"board": boards.to_data(boards.load(recipe.board)), "building": recipe.building.to_dict(), "label": label}
    found.add(Task("generate", built, found.keys("quantise", "samples")))
    checked = {"samples": recipe.csim.samples, "label": label}
    limit: dict[str, object] = {"timeout_s": recipe.csim.timeout_s}
    found.add(Task("simulate", checked, found.keys("generate", "quantise", "samples"), limit))
    if recipe.csim.energy:
        found.add(Task("energy", {}, found.keys("generate", "quantise"), limit))
    if recipe.synth is not None:
        tool = recipe.synth
        limit = {"timeout_s": tool.timeout_s or DEFAULT_TIMEOUT_S}
        found.add(
            Task(
                "synthesise",
                {"tool": tool.tool, "versions": list(versions(tool.tool))},
                found.keys("generate"),
                limit,
                tool.resources,
            )
        )
    return found.by_stage


class _Tasks:
    """The tasks of a point so far."""

    def __init__(self) -> None:
        self.by_stage: dict[str, Task] = {}

    def add(self, task: Task) -> None:
        self.by_stage[task.stage] = task

    def keys(self, *stages: str) -> dict[str, str]:
        """Return the keys of those stages that the point goes through."""
        return {stage: self.by_stage[stage].key for stage in stages if stage in self.by_stage}


def _label(recipe: Recipe) -> str:
    """Return the name of a design in comparisons, the same for every sweep that it is a point of."""
    sparsity = recipe.prune.sparsity
    return recipe.prune.criterion if sparsity is None else f"{sparsity:.4g}"


def names(points: Sequence[Point], axes: Sequence[str]) -> tuple[str, ...]:
    """Return a name for each point, of what differs between them, such as ``sparsity 0.9, board kv260``."""
    varied = [axis for axis in axes if len({repr(point.settings.get(axis)) for point in points}) > 1]
    short = short_names(varied)
    found = [
        ", ".join(f"{short[axis]} {_shown(point.settings[axis])}" for axis in varied if axis in point.settings)
        or "design"
        for point in points
    ]
    if len(set(found)) < len(found):
        msg = "two points of the sweep have one name; give values that differ in what they print"
        raise InputError(msg)
    return tuple(found)


def short_names(axes: Sequence[str]) -> Mapping[str, str]:
    """Return the last part of each dotted name, and the whole name where others end alike."""
    last = [axis.rpartition(".")[2] for axis in axes]
    return {axis: end if last.count(end) == 1 else axis for axis, end in zip(axes, last, strict=True)}


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

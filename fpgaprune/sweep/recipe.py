"""A recipe of the whole flow: one TOML file from the model to the report, for one design or for many."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import torch

from fpgaprune import board as boards
from fpgaprune import errors
from fpgaprune.errors import InputError, suggest
from fpgaprune.prune import PruneRecipe, TrainSettings
from fpgaprune.prune.checks import flag, integer, known_keys, number, one_line, table, word
from fpgaprune.quantise import QuantiseRecipe
from fpgaprune.sweep.building import Building
from fpgaprune.sweep.lines import located
from fpgaprune.toml import tables_of
from fpgaprune.workspace import MOST_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

TOOLS = ("yosys", "vitis", "vivado")


@dataclass(frozen=True)
class Source:
    """The tables ``[model]`` and ``[data]``: import strings, weights of a file, the seed of the first weights.

    Raises:
        InputError: a field is missing or has the wrong type.
    """

    factory: str = ""
    weights: str | None = None
    device: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.factory, str) or ":" not in self.factory:
            msg = f"factory must be an import string such as 'package.module:function', not {self.factory!r}"
            raise InputError(msg)
        for name in ("weights", "device"):
            if not isinstance(getattr(self, name), str | None):
                msg = f"{name} must be a text, not {getattr(self, name)!r}"
                raise InputError(msg)
        if self.device not in (None, "auto"):
            _check_device(str(self.device))
        integer("seed", self.seed, low=0)


def _check_device(name: str) -> None:
    """Refuse what is no device; whether there is one like that is for each worker to say."""
    try:
        torch.device(name)
    except RuntimeError as error:
        msg = f"device {name!r} is none: {one_line(error)}"
        raise InputError(msg) from error


@dataclass(frozen=True)
class Simulation:
    """The table ``[csim]``: how many test samples C-simulation runs on, and its limit of time.

    With ``energy``, that of an inference is estimated from switching as well.

    Raises:
        InputError: a field has the wrong type or is out of its range.
    """

    samples: int = MOST_SAMPLES
    timeout_s: float = 1800.0
    energy: bool = False

    def __post_init__(self) -> None:
        if integer("samples", self.samples, low=1) > MOST_SAMPLES:
            msg = f"samples must be at most {MOST_SAMPLES}, not {self.samples}"
            raise InputError(msg)
        number("timeout_s", self.timeout_s, low=1)
        flag("energy", self.energy)


@dataclass(frozen=True)
class Synthesis:
    """The table ``[synth]``: the tool that counts each design, and what one run of it takes of a machine.

    ``resources`` are counts by name, such as licences or gigabytes, of which `Sweep.limits` or the workers of a
    cluster have so many.

    Raises:
        InputError: a field has the wrong type or is out of its range.
    """

    tool: str = "yosys"
    timeout_s: float | None = None
    resources: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        word("tool", self.tool, TOOLS)
        if self.timeout_s is not None:
            number("timeout_s", self.timeout_s, low=1)
        for name, count in table("resources", self.resources).items():
            number(f"resources.{name}", count, low=0)


@dataclass(frozen=True)
class Reporting:
    """The table ``[report]``: with ``sensitivity``, the accuracy with each layer pruned alone is measured for it.

    Raises:
        InputError: the field has the wrong type.
    """

    sensitivity: bool = False

    def __post_init__(self) -> None:
        flag("sensitivity", self.sensitivity)


@dataclass(frozen=True)
class Recipe:
    """Everything that one design comes from; ``board`` is the name or the TOML file of a board.

    ``train`` of None starts from the model as it is.
    """

    model: Source
    data: str
    prune: PruneRecipe
    quantise: QuantiseRecipe
    board: str
    building: Building
    train: TrainSettings | None = None
    csim: Simulation = field(default_factory=Simulation)
    synth: Synthesis | None = None
    report: Reporting = field(default_factory=Reporting)


@dataclass(frozen=True)
class Point:
    """One design of a sweep: what is set for it by dotted names, and its recipe."""

    settings: Mapping[str, Any]
    recipe: Recipe


@dataclass(frozen=True)
class Sweep:
    """The points of a recipe file, each once, in the order of its grid, explicit ones last.

    ``limits`` are how much of each resource tasks of this machine may take at once; ``path`` is the file, where it was
    read from one.
    """

    points: tuple[Point, ...]
    axes: tuple[str, ...]
    limits: Mapping[str, float]
    tables: Mapping[str, Any]
    path: Path | None = None


_TABLES = ("model", "data", "train", "prune", "quantise", "generate", "csim", "synth", "report", "sweep", "search")
_NEEDED = ("model", "data", "prune", "generate")
_SEED = "seed"
"""An axis of its own: the seeds of the first weights, of training, pruning and quantisation together."""

_MOST_POINTS = 100_000


def read(path: Path) -> Sweep:
    """Return the designs that a recipe file asks for: those of its table ``[sweep]``, or the one without it.

    Raises:
        InputError: the file cannot be read, or a table or field is missing, unknown or unusable; the message has the
            line where that is known.
    """
    with tables_of(path) as tables, located(path):
        check_tables(tables)
        return replace(_sweep(tables), path=path)


def check_tables(tables: Mapping[str, Any]) -> None:
    """Refuse tables of a file that are unknown or missing.

    Raises:
        InputError: there is such a table.
    """
    for name, value in tables.items():
        if name not in _TABLES:
            msg = f"[{name}] is no table of a recipe{suggest(name, _TABLES)}; there are {', '.join(_TABLES)}"
            raise InputError(msg)
        with errors.located(f"[{name}]"):
            table("the value", value)
    for name in _NEEDED:
        if name not in tables:
            msg = f"the table [{name}] is missing; `fpgaprune init` writes a recipe with all of them"
            raise InputError(msg)


def _sweep(tables: Mapping[str, Any]) -> Sweep:
    asked = table("sweep", tables.get("sweep", {}))
    with errors.located("[sweep]"):
        known_keys("the table", asked, ("grid", "points", "limits"))
        grid = {name: _values(name, values) for name, values in flat(table("grid", asked.get("grid", {}))).items()}
        limits = {
            name: number(f"limits.{name}", value, low=0)
            for name, value in table("limits", asked.get("limits", {})).items()
        }
        chosen = list(_settings(grid, asked.get("points", [])))
    base = recipe_of(tables, {})  # wrong without any setting is told once, and as that
    with errors.located("[sweep]"):
        points = tuple(
            Point(settings, set_in(tables, settings, place) if settings else base) for place, settings in chosen
        )
    axes = tuple(dict.fromkeys(name for point in points for name in point.settings))
    return Sweep(points, axes, limits, tables)


def _settings(grid: Mapping[str, list[Any]], points: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the settings of each point once, behind where they are in the table ``[sweep]``."""
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        msg = f"points must be a list of tables ([[sweep.points]]), not {points!r}"
        raise InputError(msg)
    count = math.prod(map(len, grid.values())) + len(points)
    if count > _MOST_POINTS:
        msg = f"grid has {count:,} points, more than {_MOST_POINTS:,}; `fpgaprune search` looks at some of so many"
        raise InputError(msg)
    gridded = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())] if grid or not points else []
    alone = [(f"points[{number}]", flat(point)) for number, point in enumerate(points)]
    seen: set[str] = set()
    for place, settings in (*(("grid", each) for each in gridded), *alone):
        text = repr(sorted(settings.items()))
        if text not in seen:
            seen.add(text)
            yield place, settings


def _values(name: str, values: object) -> list[Any]:
    if not isinstance(values, list) or not values:
        msg = f"grid.{name} must be a list of at least one value, not {values!r}"
        raise InputError(msg)
    return values


def flat(
    values: Mapping[str, Any], prefix: str = "", is_leaf: Callable[[Mapping[str, Any]], bool] = lambda _: False
) -> dict[str, Any]:
    """Return nested tables, but for leaves, as one with dotted names: ``prune.sparsity`` needs no quotes in TOML."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = isinstance(value, dict) and not is_leaf(value)
        found |= flat(value, f"{prefix}{name}.", is_leaf) if inner else {f"{prefix}{name}": value}
    return found


def set_in(tables: Mapping[str, Any], settings: Mapping[str, Any], place: str) -> Recipe:
    """Return the recipe with some fields set; an error is told of the first setting with which there is one.

    ``place`` is where the settings are in their table.

    Raises:
        InputError: as `recipe_of`.
    """
    so_far: dict[str, Any] = {}
    try:
        return recipe_of(tables, settings)
    except InputError:
        for name, value in settings.items():
            so_far[name] = value
            try:
                recipe_of(tables, so_far)
            except InputError as error:
                msg = f"{place}.{name} = {value!r}: {error}"
                raise InputError(msg) from error
        raise


def recipe_of(tables: Mapping[str, Any], settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe of the tables of a file with some of their fields set by dotted names.

    Raises:
        InputError: a table or field is missing, unknown or unusable; the message begins with it.
    """
    given = {name: dict(value) if isinstance(value, dict) else value for name, value in tables.items()}
    for name, value in settings.items():
        _set(given, name, value)
    parts = {name: table(name, given.get(name, {})) for name in _TABLES}
    with errors.located("[model]"):
        model = _built(Source, parts["model"])
    with errors.located("[data]"):
        known_keys("the table", parts["data"], ("factory",))
        data = _built(Source, parts["data"]).factory
    with errors.located("[train]"):
        train = _built(TrainSettings, parts["train"]) if "train" in given else None
    with errors.located("[prune]"):
        prune = PruneRecipe.from_dict(parts["prune"])
    with errors.located("[quantise]"):
        quantise = QuantiseRecipe.from_dict(parts["quantise"])
    with errors.located("[generate]"):
        board, building = _building(parts["generate"])
    with errors.located("[csim]"):
        csim = _built(Simulation, parts["csim"])
    with errors.located("[synth]"):
        synth = _built(Synthesis, parts["synth"]) if "synth" in given else None
    with errors.located("[report]"):
        report = _built(Reporting, parts["report"])
    return Recipe(model, data, prune, quantise, board, building, train, csim, synth, report)


def _set(tables: dict[str, Any], name: str, value: object) -> None:
    if name == _SEED:
        for part in ("model", "train", "prune", "quantise"):
            if part in tables or part != "train":
                tables[part] = {**tables.get(part, {}), _SEED: value}
        return
    first, *inner = name.split(".")
    settable = [each for each in _TABLES if each not in ("sweep", "search", "data")]
    if first not in settable or not inner:
        msg = f"{name!r} names no field{suggest(first, settable)}; write table.field, such as prune.sparsity, or seed"
        raise InputError(msg)
    place = tables
    for part in (first, *inner[:-1]):
        place[part] = dict(table(part, place.get(part, {})))
        place = place[part]
    place[inner[-1]] = value


def _building(values: Mapping[str, object]) -> tuple[str, Building]:
    given = dict(values)
    board = given.pop("board", None)
    if not isinstance(board, str):
        msg = f"board must be the name of a board or a TOML file, not {board!r}; `fpgaprune boards` lists them"
        raise InputError(msg)
    building = _built(Building, given, "board")
    building.options(_loaded(board))
    return board, building


def _loaded(board: str) -> boards.Board:
    try:
        return boards.load(board)
    except InputError as error:
        msg = f"board: {error}"
        raise InputError(msg) from error


def _built(kind: type[Any], values: Mapping[str, object], *others: str) -> Any:  # noqa: ANN401  # of this kind
    known_keys("the table", values, [*others, *(item.name for item in fields(kind))])
    return kind(**values)

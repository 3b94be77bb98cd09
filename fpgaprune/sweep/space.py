"""The table ``[search]`` of a recipe: what may vary, what is wanted, and what a design may take."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from fpgaprune import errors
from fpgaprune.errors import InputError
from fpgaprune.prune.checks import choice, flag, integer, known_keys, number, table, word
from fpgaprune.resources import AMOUNTS
from fpgaprune.sweep.lines import located
from fpgaprune.sweep.recipe import check_tables, flat, set_in
from fpgaprune.toml import tables_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fpgaprune.report import Point as Design
    from fpgaprune.sweep.table import Outcome


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, whole ones where both are; in steps, or evenly in their logarithm.

    Raises:
        InputError: the ends are no numbers or in the wrong order, or a step or a logarithm is not possible.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if number("high", self.high) < number("low", self.low):
            msg = f"high must be at least low ({self.low:g}), not {self.high:g}"
            raise InputError(msg)
        if self.step is not None and number("step", self.step) <= 0:
            msg = f"step must be more than 0, not {self.step:g}"
            raise InputError(msg)
        if flag("log", self.log) and (self.step is not None or self.low <= 0):
            msg = "log must be false where there is a step or low is not above 0"
            raise InputError(msg)

    @property
    def is_whole(self) -> bool:
        """Whether all numbers are whole."""
        return all(isinstance(each, int) for each in (self.low, self.high, self.step or 1))


Axis: TypeAlias = Range | tuple[Any, ...]
"""A range, or one of several values."""


class Sampler(Enum):
    """How trials are chosen."""

    TPE = "tpe"  # Bergstra et al. 2011, for several objectives Ozaki et al. 2020
    NSGA2 = "nsga2"  # Deb et al. 2002
    RANDOM = "random"


def _accuracy(design: Design) -> float | None:
    return design.accuracy


def _board(design: Design) -> float:
    return max(design.resources.utilisation(design.board).values())


def _latency(design: Design) -> float:
    return design.resources.latency_ns


def _interval(design: Design) -> float:
    return design.resources.interval_cycles


def _energy(design: Design) -> float | None:
    return design.energy_pj


_OF_DESIGN: Mapping[str, Callable[[Design], float | None]] = {
    "accuracy": _accuracy,
    "board": _board,
    "latency_ns": _latency,
    "interval_cycles": _interval,
    "energy_pj": _energy,
}

OBJECTIVES = (*_OF_DESIGN, *AMOUNTS)
"""What can be wanted: as much accuracy as can be, as little of all else; ``board`` is the share of what is scarcest."""


def value_of(objective: str, outcome: Outcome) -> float | None:
    """Return the value of an objective, None where a design has none."""
    if outcome.design is None:
        return None
    if objective in AMOUNTS:
        return outcome.design.resources.total(objective)
    return _OF_DESIGN[objective](outcome.design)


@dataclass(frozen=True)
class Search:
    """How many trials look for what, in which space, with which tables of a recipe otherwise.

    ``limits`` are the most shares of the board that a design may take; a trial of which the estimate before training
    is above one of them by more than its own uncertainty is not trained. ``path`` is the file it was read from.

    Raises:
        InputError: a field has the wrong type or is out of its range.
    """

    tables: Mapping[str, Any]
    space: Mapping[str, Axis]
    objectives: tuple[str, ...] = ("accuracy", "board")
    trials: int = 50
    sampler: Sampler = Sampler.TPE
    seed: int = 0
    at_once: int | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    path: Path | None = None

    def __post_init__(self) -> None:
        if not self.space:
            msg = "space is empty: name what may vary, such as space.prune.sparsity = { low = 0.5, high = 0.98 }"
            raise InputError(msg)
        names = self.objectives if isinstance(self.objectives, tuple) else ()
        for name in names:
            word("objectives", name, OBJECTIVES)
        if not names or len(set(names)) < len(names):
            msg = "objectives must be a list of different names, such as ['accuracy', 'lut']"
            raise InputError(msg)
        integer("trials", self.trials, low=1)
        object.__setattr__(self, "sampler", choice("sampler", self.sampler, Sampler))
        integer("seed", self.seed, low=0)
        if self.at_once is not None:
            integer("at_once", self.at_once, low=1)
        known_keys("limits", self.limits, AMOUNTS)
        for name, value in self.limits.items():
            number(f"limits.{name}", value, low=0, high=1)
        self._check_space()

    @property
    def shares(self) -> Mapping[str, float]:
        """The most share of each resource, all of it where no limit is given."""
        return dict.fromkeys(AMOUNTS, 1.0) | dict(self.limits)

    @property
    def first(self) -> dict[str, Any]:
        """The first value of each axis."""
        return {name: axis.low if isinstance(axis, Range) else axis[0] for name, axis in self.space.items()}

    def _check_space(self) -> None:
        """Refuse a space of which an end makes no recipe."""
        ends = {name: (axis.low, axis.high) if isinstance(axis, Range) else axis for name, axis in self.space.items()}
        first = self.first
        for name, values in ends.items():
            for value in values:
                set_in(self.tables, first | {name: value}, "space")
        if "energy_pj" in self.objectives and not set_in(self.tables, first, "space").csim.energy:
            msg = "objectives has 'energy_pj', which needs csim.energy = true"
            raise InputError(msg)


_FIELDS = ("space", "objectives", "trials", "sampler", "seed", "at_once", "limits")


def read_search(path: Path) -> Search:
    """Return what the table ``[search]`` of a recipe file asks for.

    Raises:
        InputError: as `read`, or there is no such table.
    """
    with tables_of(path) as tables, located(path):
        check_tables(tables)
        if "search" not in tables:
            msg = "the table [search] is missing; `fpgaprune init` writes a recipe that has one in comments"
            raise InputError(msg)
        with errors.located("[search]"):
            asked = table("search", tables["search"])
            known_keys("the table", asked, _FIELDS)
            given: dict[str, Any] = dict(asked)
            if isinstance(given.get("objectives"), list):
                given["objectives"] = tuple(given["objectives"])
            space = flat(table("space", given.pop("space", {})), is_leaf=_is_range)
            axes = {name: _axis(name, value) for name, value in space.items()}
            return Search(tables, axes, path=path, **given)


def _is_range(value: Mapping[str, Any]) -> bool:
    """Return whether a table is a range, perhaps with other keys than it has, and no tables of axes within."""
    return not any(isinstance(each, dict | list) for each in value.values())


def _axis(name: str, value: object) -> Axis:
    if isinstance(value, list) and value:
        return tuple(value)
    if not isinstance(value, dict):
        msg = f"space.{name} must be a list of values or a table with low and high, not {value!r}"
        raise InputError(msg)
    known_keys(f"space.{name}", value, ("low", "high", "step", "log"))
    if lacking := [end for end in ("low", "high") if end not in value]:
        msg = f"space.{name} lacks {lacking[0]}"
        raise InputError(msg)
    try:
        return Range(**value)
    except InputError as error:
        msg = f"space.{name}: {error}"
        raise InputError(msg) from error

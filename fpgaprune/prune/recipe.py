"""The recipe of a pruning run, in Python or in TOML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import choice, flag, integer, table
from fpgaprune.prune.dead import DeadBias
from fpgaprune.prune.schedule import check_order
from fpgaprune.prune.stage import Stage, given_fields
from fpgaprune.toml import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class PruneRecipe(Stage):
    """The last stage of a run with those that come ``first``, and what holds for all of them.

    With ``keep_pruned``, weights that are zero beforehand stay pruned and count.

    Raises:
        InputError: a field has the wrong type or is out of its range; the message names it.
    """

    first: tuple[Stage, ...] = ()
    seed: int = 0
    dead_bias: DeadBias = DeadBias.ZERO
    keep_pruned: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "first", tuple(self.first))
        for number, stage in enumerate(self.first):
            if type(stage) is not Stage:
                msg = f"first[{number}] must be a Stage, not {stage!r}"
                raise InputError(msg)
        check_order(self.stages)
        object.__setattr__(self, "dead_bias", choice("dead_bias", self.dead_bias, DeadBias))
        integer("seed", self.seed, low=0)
        flag("keep_pruned", self.keep_pruned)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages in the order in which they are run."""
        return (*self.first, self)

    @classmethod
    def from_toml(cls, path: Path) -> PruneRecipe:
        """Return the recipe in a TOML file: the fields above, with tables ``[fine_tune]``, ``[layers]``, ``[[first]]``.

        Raises:
            InputError: the file cannot be read, is no TOML, or a field is unknown or unusable.
        """
        with tables_of(path) as tables:
            return cls.from_dict(tables)

    @classmethod
    def from_dict(cls, values: Mapping[str, object], where: str = "the recipe") -> PruneRecipe:
        """Return the recipe with these fields, each as TOML or JSON gives it.

        Raises:
            InputError: a field is missing, unknown or unusable.
        """
        given = given_fields(cls, values, where)
        if "first" in given:
            given["first"] = _stages(given["first"])
        return cls(**given)  # type: ignore[arg-type]  # __post_init__ checks each value

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain values for JSON or TOML; ``from_dict`` reads them back."""
        return super().to_dict() | {"first": [stage.to_dict() for stage in self.first]}


def _stages(values: object) -> tuple[Stage, ...]:
    if not isinstance(values, (list, tuple)):
        msg = f"first must be a list of tables, not {values!r}"
        raise InputError(msg)
    return tuple(
        Stage.from_dict(table(f"first[{number}]", value), f"first[{number}]") for number, value in enumerate(values)
    )

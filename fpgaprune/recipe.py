"""A recipe file: how to prune and how to quantise, in two tables of one TOML file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError, located, suggest
from fpgaprune.prune import PruneRecipe, check_stages
from fpgaprune.quantise import QuantiseRecipe, check_layers
from fpgaprune.toml import tables_of

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from fpgaprune.prune import Data


@dataclass(frozen=True)
class Recipe:
    """Tables ``[prune]`` and ``[quantise]``; the second may be left out for its defaults."""

    prune: PruneRecipe
    quantise: QuantiseRecipe

    @classmethod
    def of(cls, recipe: Recipe | PruneRecipe) -> Recipe:
        """Return a whole recipe as it is, and one of pruning with the defaults of quantisation."""
        return recipe if isinstance(recipe, Recipe) else cls(recipe, QuantiseRecipe())

    @classmethod
    def from_toml(cls, path: Path) -> Recipe:
        """Read a recipe file.

        Raises:
            InputError: it cannot be read, is no TOML, or a table or field is missing, unknown or unusable.
        """
        with tables_of(path) as tables:
            for name, table in tables.items():
                _check_table(name, table)
            prune, quantise = tables.get("prune", {}), tables.get("quantise", {})
            return cls(PruneRecipe.from_dict(prune), QuantiseRecipe.from_dict(quantise))

    def check(self, model: nn.Module, data: Data) -> None:
        """Refuse a recipe that does not fit the model, before anything is trained.

        Raises:
            InputError: a stage cannot prune the model, or a table names a layer that the model has not; the message
                says in which table.
            UnsupportedError: the model holds an operation that cannot be translated exactly.
        """
        for number, stage in enumerate(self.prune.stages):
            is_last = stage is self.prune
            with located("[prune]" if is_last else f"[prune] first[{number}]"):
                check_stages(model, data, (stage,))
        with located("[quantise]"):
            check_layers(model, data, self.quantise)


def _check_table(name: str, table: object) -> None:
    if name not in ("prune", "quantise"):
        owners = {"prune": PruneRecipe, "quantise": QuantiseRecipe}
        of = [owner for owner, kind in owners.items() if name in (item.name for item in fields(kind))]
        hint = f": it belongs into [{of[0]}], as {of[0]}.{name}" if of else suggest(name, owners)
        what = f"table [{name}]" if isinstance(table, dict) else f"field {name!r}"
        msg = f"unknown {what}{hint}; a recipe takes [prune] and [quantise]"
        raise InputError(msg)
    if not isinstance(table, dict):
        msg = f"{name} must be a table, not {table!r}"
        raise InputError(msg)

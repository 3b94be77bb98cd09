"""A recipe file: how to prune and how to quantise, in two tables of one TOML file."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError, suggest
from fpgaprune.prune import PruneRecipe
from fpgaprune.quantise import QuantiseRecipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Recipe:
    """Tables ``[prune]`` and ``[quantise]``; the second may be left out for its defaults."""

    prune: PruneRecipe
    quantise: QuantiseRecipe

    @classmethod
    def from_toml(cls, path: Path) -> Recipe:
        """Read a recipe file.

        Raises:
            InputError: it cannot be read, is no TOML, or a table or field is missing, unknown or unusable.
        """
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            msg = f"{path} cannot be read: {error.strerror}"
            raise InputError(msg) from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            msg = f"{path} is no TOML: {error}"
            raise InputError(msg) from error
        for name, table in tables.items():
            if name not in ("prune", "quantise"):
                hint = suggest(name, ("prune", "quantise"))
                msg = f"{path}: unknown table [{name}]{hint}; a recipe takes [prune] and [quantise]"
                raise InputError(msg)
            if not isinstance(table, dict):
                msg = f"{path}: {name} must be a table, not {table!r}"
                raise InputError(msg)
        try:
            return cls(
                PruneRecipe.from_dict(tables.get("prune", {})), QuantiseRecipe.from_dict(tables.get("quantise", {}))
            )
        except InputError as error:
            msg = f"{path}: {error}"
            raise InputError(msg) from error

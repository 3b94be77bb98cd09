"""The recipe of a pruning run, in Python or in TOML."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import built, choice, flag, fraction, integer, known_keys, plain, table, word
from fpgaprune.prune.criteria import CRITERIA
from fpgaprune.prune.dead import DeadBias
from fpgaprune.prune.schedule import Schedule, check_steps
from fpgaprune.prune.select import Scope
from fpgaprune.prune.settings import TrainSettings
from fpgaprune.toml import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class PruneRecipe:
    """How to prune; strings are accepted where a field is an enum.

    ``layers`` maps tensors or modules to a sparsity of their own. ``fine_tune`` is run after each of the ``steps``.
    With ``keep_pruned``, weights that are zero beforehand stay pruned and count.

    Raises:
        InputError: a field has the wrong type or is out of its range; the message names it.
    """

    sparsity: float
    criterion: str = "magnitude"
    scope: Scope = Scope.GLOBAL
    schedule: Schedule = Schedule.ONE_SHOT
    steps: int = 1
    fine_tune: TrainSettings = field(default_factory=TrainSettings)
    layers: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    dead_bias: DeadBias = DeadBias.ZERO
    keep_pruned: bool = True

    def __post_init__(self) -> None:
        fraction("sparsity", self.sparsity)
        word("criterion", self.criterion, CRITERIA)
        for name, kind in (("scope", Scope), ("schedule", Schedule), ("dead_bias", DeadBias)):
            object.__setattr__(self, name, choice(name, getattr(self, name), kind))
        check_steps(self.schedule, self.steps)
        fine_tune: object = self.fine_tune
        if not isinstance(fine_tune, TrainSettings):
            msg = f"fine_tune must be TrainSettings, not {fine_tune!r}"
            raise InputError(msg)
        entries = table("layers", self.layers).items()
        object.__setattr__(self, "layers", {name: fraction(f"layers.{name}", value) for name, value in entries})
        integer("seed", self.seed, low=0)
        flag("keep_pruned", self.keep_pruned)

    @classmethod
    def from_toml(cls, path: Path) -> PruneRecipe:
        """Return the recipe in a TOML file: the fields above, with tables ``[fine_tune]`` and ``[layers]``.

        Raises:
            InputError: the file cannot be read, is no TOML, or a field is unknown or unusable.
        """
        with tables_of(path) as tables:
            return cls.from_dict(tables)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> PruneRecipe:
        """Return the recipe with these fields, each as TOML or JSON gives it.

        Raises:
            InputError: a field is missing, unknown or unusable.
        """
        known_keys("the recipe", values, [item.name for item in fields(cls)])
        if "sparsity" not in values:
            msg = "the recipe lacks the field 'sparsity'"
            raise InputError(msg)
        given = dict(values)
        if "fine_tune" in given:
            given["fine_tune"] = built(TrainSettings, "fine_tune", table("fine_tune", given["fine_tune"]))
        if "layers" in given:
            given["layers"] = _dotted(table("layers", given["layers"]))
        return cls(**given)  # type: ignore[arg-type]  # __post_init__ checks each value

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain values for JSON or TOML; ``from_dict`` reads them back."""
        return plain(asdict(self))


def _dotted(values: dict[str, object]) -> dict[str, object]:
    """Return nested tables as one with dotted names: ``encoder.fc1 = 0.5`` needs no quotes in TOML."""
    flat: dict[str, object] = {}
    for name, value in values.items():
        inner = _dotted(value) if isinstance(value, dict) else None
        entries = {name: value} if inner is None else {f"{name}.{key}": item for key, item in inner.items()}
        if twice := sorted(flat.keys() & entries):
            msg = f"layers names {twice[0]!r} twice"
            raise InputError(msg)
        flat |= entries
    return flat

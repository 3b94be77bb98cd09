"""One stage of a recipe: what is pruned by which scores, in how many steps, with what training after each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import built, choice, fraction, integer, known_keys, number, plain, table, word
from fpgaprune.prune.criteria import CRITERIA
from fpgaprune.prune.schedule import Schedule, check_stage, check_steps
from fpgaprune.prune.select import Scope
from fpgaprune.prune.settings import RigL, TrainSettings
from fpgaprune.prune.structures import GroupScore, Structure, Weights, structure_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Stage:
    """How to prune; strings are accepted where a field is an enum or a structure.

    ``sparsity`` is the share of what the ``structure`` counts, weights or groups, and left out where that fixes it, or
    where a ``threshold`` is given for the weights whose score is at most so much. ``samples`` bounds the training data
    that a criterion looks at. ``layers`` maps tensors or modules to a sparsity of their own. ``fine_tune`` is run after
    each of the ``steps``. ``rewind_epoch`` is for the schedule 'lottery', ``rigl`` for 'rigl'.

    Raises:
        InputError: a field has the wrong type or is out of its range; the message names it.
    """

    sparsity: float | None = None
    criterion: str = "magnitude"
    scope: Scope = Scope.GLOBAL
    schedule: Schedule = Schedule.ONE_SHOT
    steps: int = 1
    fine_tune: TrainSettings = field(default_factory=TrainSettings)
    layers: Mapping[str, float] = field(default_factory=dict)
    structure: Structure = field(default_factory=Weights)
    group_score: GroupScore = GroupScore.MEAN
    rewind_epoch: int = 0
    rigl: RigL = field(default_factory=RigL)
    threshold: float | None = None
    samples: int = 1024

    def __post_init__(self) -> None:
        word("criterion", self.criterion, CRITERIA)
        for name, kind in (("scope", Scope), ("schedule", Schedule), ("group_score", GroupScore)):
            object.__setattr__(self, name, choice(name, getattr(self, name), kind))
        check_steps(self.schedule, self.steps)
        for name, wanted in (("fine_tune", TrainSettings), ("rigl", RigL)):
            if not isinstance(getattr(self, name), wanted):
                msg = f"{name} must be {wanted.__name__}, not {getattr(self, name)!r}"
                raise InputError(msg)
        entries = table("layers", self.layers).items()
        object.__setattr__(self, "layers", {name: fraction(f"layers.{name}", value) for name, value in entries})
        object.__setattr__(self, "structure", structure_of(self.structure))
        if self.threshold is None:
            object.__setattr__(self, "sparsity", self.structure.settled(self.sparsity, self.layers))
        else:
            self._check_threshold(self.threshold)
        integer("samples", self.samples, low=1)
        check_stage(self)

    def _check_threshold(self, threshold: float) -> None:
        object.__setattr__(self, "threshold", number("threshold", threshold))
        others = {
            "sparsity": self.sparsity is not None,
            "layers": bool(self.layers),
            "scope": self.scope is not Scope.GLOBAL,
            "schedule": self.schedule is not Schedule.ONE_SHOT,
            "structure": self.structure != Weights(),
        }
        if given := [name for name, is_given in others.items() if is_given]:
            msg = f"threshold prunes every weight that scores at most so much, at once; leave out {', '.join(given)}"
            raise InputError(msg)

    @property
    def final_sparsity(self) -> float:
        """The sparsity after the last step, given or fixed by the structure.

        Raises:
            InputError: there is none, as with a threshold.
        """
        return fraction("sparsity", self.sparsity)

    @classmethod
    def from_dict(cls, values: Mapping[str, object], where: str = "the stage") -> Stage:
        """Return the stage with these fields, each as TOML or JSON gives it.

        Raises:
            InputError: a field is missing, unknown or unusable; the message begins with ``where``.
        """
        given = given_fields(cls, values, where)
        try:
            return cls(**given)  # type: ignore[arg-type]  # __post_init__ checks each value
        except InputError as error:
            msg = f"{where}: {error}"
            raise InputError(msg) from error

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain values for JSON or TOML; ``from_dict`` reads them back."""
        own = {item.name: getattr(self, item.name) for item in fields(self)}
        inner = {"fine_tune": asdict(self.fine_tune), "structure": str(self.structure), "rigl": asdict(self.rigl)}
        return plain(own | inner)


def given_fields(kind: type[Stage], values: Mapping[str, object], where: str) -> dict[str, object]:
    """Return the fields of a stage, or of a recipe, with its inner tables built.

    Raises:
        InputError: a field is unknown, the sparsity is missing, or an inner table is unusable.
    """
    known_keys(where, values, [item.name for item in fields(kind)])
    if not values.keys() & {"sparsity", "structure", "threshold"}:
        msg = f"{where} lacks the field 'sparsity'"
        raise InputError(msg)
    given = dict(values)
    if "fine_tune" in given:
        given["fine_tune"] = built(TrainSettings, "fine_tune", table("fine_tune", given["fine_tune"]))
    if "rigl" in given:
        given["rigl"] = built(RigL, "rigl", table("rigl", given["rigl"]))
    if "layers" in given:
        given["layers"] = _dotted(table("layers", given["layers"]))
    return given


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

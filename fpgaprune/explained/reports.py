"""What pruning and quantisation say of what they did, as values that need neither of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

from fpgaprune.checks import flag, integer, number, table
from fpgaprune.explained.curves import SensitivityCurves
from fpgaprune.explained.histograms import Histograms
from fpgaprune.explained.history import History
from fpgaprune.explained.values import entries, listed, words

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class PruneReport:
    """How weights were chosen and what came of it; ``scores`` are those of the last stage, by the ``criterion``.

    A weight counts in the histogram with the score that it had when it was pruned, or, if it was kept, with its last.
    ``curves`` are of the model before it was pruned, None where nobody asked for them. ``kept_biases`` counts, by bias,
    the dead neurons that keep one that is not zero; ``unbaked`` names the tensors that came with masks or
    parametrizations, ``emptied`` those without a weight that is left, and ``all_empty`` tells that these are all.

    Raises:
        InputError: a field is of another kind.
    """

    criterion: str = ""
    schedule: str = ""
    structure: str = ""
    history: History = field(default_factory=History)
    scores: Histograms = field(default_factory=Histograms)
    curves: SensitivityCurves | None = None
    kept_biases: Mapping[str, int] = field(default_factory=dict)
    unbaked: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    all_empty: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("criterion", "schedule", "structure"):
            words(name, getattr(self, name))
        for name, count in table("kept_biases", self.kept_biases).items():
            integer(f"kept_biases.{name}", count, low=1)
        for field_name in ("unbaked", "emptied"):
            for name in getattr(self, field_name):
                words(field_name, name)
        flag("all_empty", self.all_empty)
        if self.seed is not None:
            integer("seed", self.seed, low=0)

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain values for JSON; ``from_dict`` reads them back."""
        return {
            "criterion": self.criterion,
            "schedule": self.schedule,
            "structure": self.structure,
            "history": self.history.to_dict(),
            "scores": self.scores.to_dict(),
            "curves": None if self.curves is None else self.curves.to_dict(),
            "kept_biases": dict(self.kept_biases),
            "unbaked": list(self.unbaked),
            "emptied": list(self.emptied),
            "all_empty": self.all_empty,
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, values: object) -> PruneReport:
        """Return the report that ``to_dict`` made.

        Raises:
            InputError: a field is missing, unknown or unusable.
        """
        earlier: dict[str, object] = {"kept_biases": {}, "unbaked": [], "emptied": [], "all_empty": False}
        values = earlier | table("pruning", values)  # earlier versions did not say them
        given = entries("pruning", values, [item.name for item in fields(cls)])
        return cls(
            words("criterion", given["criterion"]),
            words("schedule", given["schedule"]),
            words("structure", given["structure"]),
            History.from_dict(given["history"]),
            Histograms.from_dict(given["scores"]),
            None if given["curves"] is None else SensitivityCurves.from_dict(given["curves"]),
            table("kept_biases", given["kept_biases"]),  # type: ignore[arg-type]  # checked by __post_init__
            tuple(words("unbaked", name) for name in listed("unbaked", given["unbaked"])),
            tuple(words("emptied", name) for name in listed("emptied", given["emptied"])),
            flag("all_empty", given["all_empty"]),
            given["seed"],  # type: ignore[arg-type]  # checked by __post_init__
        )


@dataclass(frozen=True)
class FoldReport:
    """What folding ``batch_norm`` into ``layer`` did to its non-zero weights and non-zero biases.

    Raises:
        InputError: a field is of another kind.
    """

    layer: str
    batch_norm: str
    nonzeros_before: int
    nonzeros_after: int
    biases_before: int
    biases_after: int

    def __post_init__(self) -> None:
        for name in ("layer", "batch_norm"):
            words(name, getattr(self, name))
        for name in ("nonzeros_before", "nonzeros_after", "biases_before", "biases_after"):
            integer(name, getattr(self, name), low=0)

    @property
    def changes_sparsity(self) -> bool:
        """Whether there are more or fewer zeros than before: a zero gamma makes zeros, a shift unmakes zero biases."""
        return self.nonzeros_before != self.nonzeros_after or self.biases_before != self.biases_after


@dataclass(frozen=True)
class CostSaved:
    """The cost of the weights, expected by training in fixed point, before and after it, in ``unit``.

    Raises:
        InputError: a field is of another kind.
    """

    unit: str
    before: float
    after: float

    def __post_init__(self) -> None:
        words("unit", self.unit)
        number("before", self.before, low=0)
        number("after", self.after, low=0)


@dataclass(frozen=True)
class FixedPointReport:
    """What quantisation did: training in fixed point, folded batch norms, signed digits of each layer's integers.

    Raises:
        InputError: a field is of another kind.
    """

    history: History = field(default_factory=History)
    folds: tuple[FoldReport, ...] = ()
    digits: Mapping[str, int] = field(default_factory=dict)
    saved: CostSaved | None = None

    def __post_init__(self) -> None:
        for name, count in table("digits", self.digits).items():
            integer(f"digits.{name}", count, low=0)

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain values for JSON; ``from_dict`` reads them back."""
        return asdict(self) | {"history": self.history.to_dict(), "folds": [asdict(fold) for fold in self.folds]}

    @classmethod
    def from_dict(cls, values: object) -> FixedPointReport:
        """Return the report that ``to_dict`` made.

        Raises:
            InputError: a field is missing, unknown or unusable.
        """
        given = entries("quantising", values, [item.name for item in fields(cls)])
        folds, saved = listed("folds", given["folds"]), given["saved"]
        return cls(
            History.from_dict(given["history"]),
            tuple(FoldReport(**entries("folds", fold, _names(FoldReport))) for fold in folds),  # type: ignore[arg-type]  # checked by it
            table("digits", given["digits"]),  # type: ignore[arg-type]  # checked by __post_init__
            None if saved is None else CostSaved(**entries("saved", saved, _names(CostSaved))),  # type: ignore[arg-type]  # checked by it
        )


def _names(kind: type) -> list[str]:
    return [item.name for item in fields(kind)]


@dataclass(frozen=True)
class Explained:
    """What was pruned and why, beside a design; ``pruning`` is None of a model that was quantised without it."""

    pruning: PruneReport | None = None
    quantising: FixedPointReport = field(default_factory=FixedPointReport)

"""Accuracy against sparsity, one tensor at a time, as a value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from fpgaprune.checks import fraction, number, table
from fpgaprune.errors import InputError
from fpgaprune.explained.values import entries, numbers, rising, words

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class SensitivityCurves:
    """The metric when one tensor alone is pruned and nothing is trained.

    ``curves`` maps each prunable tensor to its metric at each of the ``sparsities``, which rise; ``unpruned`` is the
    metric of the model as it was given.

    Raises:
        InputError: a sparsity is outside [0, 1], the sparsities do not rise, a metric is not finite, or a curve has
            not one value for each sparsity.
    """

    criterion: str
    sparsities: tuple[float, ...]
    unpruned: float
    curves: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        words("criterion", self.criterion)
        object.__setattr__(self, "sparsities", rising_sparsities(self.sparsities))
        number("unpruned", self.unpruned)
        curves = {name: numbers(f"curves.{name}", curve) for name, curve in table("curves", self.curves).items()}
        for name, curve in curves.items():
            if len(curve) != len(self.sparsities):
                msg = f"curves.{name} has {len(curve)} values for {len(self.sparsities)} sparsities"
                raise InputError(msg)
        object.__setattr__(self, "curves", curves)

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain values for JSON; ``from_dict`` reads them back."""
        curves = {name: list(curve) for name, curve in self.curves.items()}
        return asdict(self) | {"sparsities": list(self.sparsities), "curves": curves}

    @classmethod
    def from_dict(cls, values: object) -> SensitivityCurves:
        """Return the curves that ``to_dict`` made.

        Raises:
            InputError: a field is missing, unknown or unusable.
        """
        given = entries("sensitivity curves", values, [field.name for field in fields(cls)])
        return cls(**given)  # type: ignore[arg-type]  # __post_init__ checks each value


def rising_sparsities(values: object) -> tuple[float, ...]:
    """Return sparsities that rise, each in [0, 1].

    Raises:
        InputError: they do not.
    """
    return tuple(fraction("sparsities", each) for each in rising("sparsities", values))

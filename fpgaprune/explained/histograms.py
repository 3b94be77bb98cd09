"""How the scores of kept and of pruned weights are spread, as values."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from fpgaprune.checks import table
from fpgaprune.errors import InputError
from fpgaprune.explained.values import counts, entries, rising

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Histogram:
    """How many scores of one tensor lie in [edges[i], edges[i+1]) for each i, the last bin with its upper edge.

    Raises:
        InputError: the edges do not rise, or there is not one count of each kind a bin.
    """

    edges: tuple[float, ...]
    kept: tuple[int, ...]
    pruned: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", rising("edges", self.edges))
        for name in ("kept", "pruned"):
            found = counts(name, getattr(self, name))
            if len(found) + 1 != len(self.edges):
                msg = f"{name} has {len(found)} counts for {len(self.edges)} edges"
                raise InputError(msg)
            object.__setattr__(self, name, found)


@dataclass(frozen=True)
class Histograms:
    """Tensor name → histogram of its scores.

    Raises:
        InputError: an entry is no histogram.
    """

    tensors: Mapping[str, Histogram] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, histogram in table("tensors", self.tensors).items():
            if not isinstance(histogram, Histogram):
                msg = f"tensors.{name} must be a Histogram, not {histogram!r}"
                raise InputError(msg)

    def to_dict(self) -> dict[str, object]:
        """Return name → lists of edges and counts for JSON; ``from_dict`` reads them back."""
        names = [field.name for field in fields(Histogram)]
        return {name: {part: list(getattr(each, part)) for part in names} for name, each in self.tensors.items()}

    @classmethod
    def from_dict(cls, values: object) -> Histograms:
        """Return the histograms that ``to_dict`` made.

        Raises:
            InputError: a field is missing, unknown or unusable; the message names the tensor.
        """
        return cls({name: _histogram(name, value) for name, value in table("histograms", values).items()})


def _histogram(name: str, value: object) -> Histogram:
    try:
        given = entries(name, value, [field.name for field in fields(Histogram)])
        return Histogram(**given)  # type: ignore[arg-type]  # __post_init__ checks each value
    except InputError as error:
        msg = f"histograms.{name}: {error}"
        raise InputError(msg) from error

"""What happened while a model was pruned and trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import fraction, integer, known_keys, number, table


@dataclass(frozen=True)
class Record:
    """The state after one epoch: epoch 0 of a pruning step is before its training, step 0 before any pruning.

    ``loss`` is the mean training loss of the epoch (None before training), ``metric`` is of the test data.

    Raises:
        InputError: a field is out of its range.
    """

    step: int
    epoch: int
    sparsity: float
    loss: float | None
    metric: float

    def __post_init__(self) -> None:
        integer("step", self.step, low=0)
        integer("epoch", self.epoch, low=0)
        fraction("sparsity", self.sparsity)
        number("metric", self.metric)
        if self.loss is not None:
            number("loss", self.loss)


@dataclass(frozen=True)
class History:
    """The records of a run in their order."""

    records: tuple[Record, ...] = ()

    def __add__(self, other: History) -> History:
        return History(self.records + other.records)

    def at_step(self, step: int) -> History:
        """Return the same records as those of pruning step ``step``."""
        return History(tuple(replace(record, step=step) for record in self.records))

    def to_list(self) -> list[dict[str, object]]:
        """Return the records as plain values for JSON."""
        return [asdict(record) for record in self.records]

    @classmethod
    def from_list(cls, values: object) -> History:
        """Return the history that ``to_list`` made.

        Raises:
            InputError: a record lacks a field, has an unknown one, or a value out of range.
        """
        if not isinstance(values, list):
            msg = f"history must be a list, not {values!r}"
            raise InputError(msg)
        return cls(tuple(_record(index, value) for index, value in enumerate(values)))


def _record(index: int, value: object) -> Record:
    where = f"history[{index}]"
    given = table(where, value)
    names = [field.name for field in fields(Record)]
    known_keys(where, given, names)
    if missing := [name for name in names if name not in given]:
        msg = f"{where} lacks {', '.join(missing)}"
        raise InputError(msg)
    return Record(**given)  # type: ignore[arg-type]  # Record checks each value

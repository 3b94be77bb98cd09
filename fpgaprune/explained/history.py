"""What happened while a model was pruned and trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from fpgaprune.checks import choice, fraction, integer, known_keys, number, plain, table
from fpgaprune.errors import InputError
from fpgaprune.explained.values import words

if TYPE_CHECKING:
    from collections.abc import Iterator

_Entry = TypeVar("_Entry", "Record", "Event")


@dataclass(frozen=True)
class Record:
    """The state after one epoch: epoch 0 of a pruning step is before its training, step 0 before any pruning.

    ``loss`` is the mean training loss of the epoch (None before training), ``metric`` is of the test data and
    ``validation`` of the validation part (None where there is none); both are better when higher.

    Raises:
        InputError: a field is out of its range.
    """

    step: int
    epoch: int
    sparsity: float
    loss: float | None
    metric: float
    validation: float | None = None

    def __post_init__(self) -> None:
        integer("step", self.step, low=0)
        integer("epoch", self.epoch, low=0)
        fraction("sparsity", self.sparsity)
        number("metric", self.metric)
        for name in ("loss", "validation"):
            if getattr(self, name) is not None:
                number(name, getattr(self, name))


class EventKind(Enum):
    """What may happen in training besides another epoch."""

    RESTORED = "restored"
    REWOUND = "rewound"
    STOPPED_EARLY = "stopped-early"
    STOPPED_BY_HOOK = "stopped-by-hook"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Event:
    """What happened in ``epoch`` of a pruning step; ``to_epoch`` is that of the weights that were put back, if any.

    Raises:
        InputError: a field is out of its range.
    """

    step: int
    epoch: int
    kind: EventKind
    text: str
    to_epoch: int | None = None

    def __post_init__(self) -> None:
        integer("step", self.step, low=0)
        integer("epoch", self.epoch, low=0)
        object.__setattr__(self, "kind", choice("kind", self.kind, EventKind))
        words("text", self.text)
        if self.to_epoch is not None:
            integer("to_epoch", self.to_epoch, low=0)


@dataclass(frozen=True)
class History:
    """The records of a run and its events, each in their order."""

    records: tuple[Record, ...] = ()
    events: tuple[Event, ...] = ()

    def __add__(self, other: History) -> History:
        return History(self.records + other.records, self.events + other.events)

    def at_step(self, step: int) -> History:
        """Return the same history as that of pruning step ``step``."""
        records = tuple(replace(record, step=step) for record in self.records)
        return History(records, tuple(replace(event, step=step) for event in self.events))

    @property
    def final(self) -> Record | None:
        """The record of the weights at the end: the last one, or that of an earlier epoch which was restored."""
        if not self.records:
            return None
        last = self.records[-1]
        restored = [event for event in self.events if event.kind is EventKind.RESTORED and event.step == last.step]
        epoch = restored[-1].to_epoch if restored else last.epoch
        found = [record for record in self.records if (record.step, record.epoch) == (last.step, epoch)]
        return found[-1] if found else last

    def to_dict(self) -> dict[str, object]:
        """Return the history as plain values for JSON."""
        return {
            "records": [asdict(record) for record in self.records],
            "events": [plain(asdict(event)) for event in self.events],
        }

    @classmethod
    def from_dict(cls, values: object) -> History:
        """Return the history that ``to_dict`` made.

        Raises:
            InputError: an entry lacks a field, has an unknown one, or a value out of range.
        """
        given = table("history", values)
        known_keys("history", given, [item.name for item in fields(cls)])
        return cls(
            tuple(_entries(Record, "history.records", given.get("records"))),
            tuple(_entries(Event, "history.events", given.get("events"))),
        )


def _entries(kind: type[_Entry], where: str, values: object) -> Iterator[_Entry]:
    if not isinstance(values, list):
        msg = f"{where} must be a list, not {values!r}"
        raise InputError(msg)
    return (_entry(kind, f"{where}[{index}]", value) for index, value in enumerate(values))


def _entry(kind: type[_Entry], where: str, value: object) -> _Entry:
    given = table(where, value)
    names = [item.name for item in fields(kind)]
    known_keys(where, given, names)
    if missing := [name for name in names if name not in given]:
        msg = f"{where} lacks {', '.join(missing)}"
        raise InputError(msg)
    return kind(**given)  # type: ignore[arg-type]  # the kind checks each value

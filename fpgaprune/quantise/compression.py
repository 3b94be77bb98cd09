"""How training in fixed point makes weights cheaper: what is saved, how finely, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import choice, flag, fraction, integer, number


class Saving(Enum):
    """What becomes fewer while the network is trained."""

    DIGITS = "digits"  # signed digits of each weight: 9 = 8 + 1 becomes 8; no digit is left of a pruned weight
    WIDTHS = "widths"  # bits of the weights and of the results, by gradients; no bit is left of a pruned weight


class Granularity(Enum):
    """What weights share one trainable width."""

    LAYER = "layer"
    CHANNEL = "channel"
    WEIGHT = "weight"


class Cost(Enum):
    """What a budget is counted in."""

    ADDER_BITS = "adder-bits"  # expected: signed digits, each an adder as wide as the sums
    EBOPS = "ebops"  # effective bit operations: bits of each weight times bits of what it multiplies


@dataclass(frozen=True)
class Compression:
    """How to make weights cheaper while training in fixed point; strings are accepted where a field is an enum.

    Either ``budget`` is the cost to reach, in the unit of ``cost``, or ``strength`` says what one unit of it is worth:
    in loss for widths, and for digits in squared error of the weights, relative to their mean square. The cost falls
    while the share from ``start`` to ``end`` of the training runs; ``settle`` epochs then train what is left at a
    tenth of the learning rate. ``granularity`` and ``results``, whether results have trainable widths as well, serve
    widths alone.

    Raises:
        InputError: a field has the wrong type or is out of its range, or two contradict each other.
    """

    saving: Saving = Saving.DIGITS
    cost: Cost = Cost.ADDER_BITS
    budget: float | None = None
    strength: float | None = None
    granularity: Granularity = Granularity.WEIGHT
    results: bool = True
    start: float = 0.1
    end: float = 0.7
    settle: int = 5

    def __post_init__(self) -> None:
        for name, kind in (("saving", Saving), ("cost", Cost), ("granularity", Granularity)):
            object.__setattr__(self, name, choice(name, getattr(self, name), kind))
        self._check_aim()
        flag("results", self.results)
        fraction("start", self.start)
        if fraction("end", self.end) < self.start:
            msg = f"end must be at least start ({self.start:g}), not {self.end:g}"
            raise InputError(msg)
        integer("settle", self.settle, low=0)
        self._check_digits()

    def _check_aim(self) -> None:
        given = {name: getattr(self, name) for name in ("budget", "strength") if getattr(self, name) is not None}
        if len(given) != 1:
            msg = "budget must be given, or strength in its place, and not both"
            raise InputError(msg)
        for name, value in given.items():
            if number(name, value, low=0) == 0:
                msg = f"{name} must be greater than 0"
                raise InputError(msg)

    def _check_digits(self) -> None:
        if self.saving is not Saving.DIGITS:
            return
        if self.cost is not Cost.ADDER_BITS:
            msg = f"cost must be 'adder-bits' where digits are saved, not {self.cost.value!r}; save widths instead"
            raise InputError(msg)
        if self.granularity is not Granularity.WEIGHT:
            msg = f"granularity must be 'weight' where digits are saved, not {self.granularity.value!r}"
            raise InputError(msg)


@dataclass(frozen=True)
class Saved:
    """The expected cost of the weights before and after a training, in the unit of ``cost``.

    Raises:
        InputError: a field is unusable.
    """

    cost: Cost
    before: float
    after: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "cost", choice("cost", self.cost, Cost))
        for name in ("before", "after"):
            number(name, getattr(self, name), low=0)

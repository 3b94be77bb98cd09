"""The table ``[generate]`` of a recipe: how a design is built for a board."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.fit import Aim, Budget, Goal
from fpgaprune.flow import FitRequest, Options, plan_of
from fpgaprune.heads import Head
from fpgaprune.prune.checks import choice, integer, number, plain, word
from fpgaprune.schedule import Interface, Strategy

if TYPE_CHECKING:
    from fpgaprune.board import Board

AUTO = "auto"


@dataclass(frozen=True)
class Building:
    """The options of ``fpgaprune generate`` and ``fit``, under the same names; words are accepted for enums.

    With the strategy 'auto', strategy, lanes and reuse of each matrix are chosen for the ``goal`` within the limits;
    with another, shares of the board and the goal say nothing and are refused.

    Raises:
        InputError: a field has the wrong type or is out of its range; the message names it.
    """

    strategy: str = AUTO
    reuse: int | None = None
    lanes: int | None = None
    io: Interface = Interface.PARALLEL
    clock_ns: float | None = None
    head: Head = Head.LOGITS
    goal: Aim = Aim.INTERVAL
    max_lut: float = Budget.lut
    max_ff: float = Budget.ff
    max_dsp: float = Budget.dsp
    max_bram: float = Budget.bram_18k
    max_uram: float = Budget.uram
    max_latency_ns: float | None = None
    max_interval_cycles: int | None = None
    name: str = "net"

    def __post_init__(self) -> None:
        word("strategy", self.strategy, [AUTO, *(strategy.value for strategy in Strategy)])
        for name, kind in (("io", Interface), ("head", Head), ("goal", Aim)):
            object.__setattr__(self, name, choice(name, getattr(self, name), kind))
        for name in ("reuse", "lanes", "max_interval_cycles"):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name), low=1)
        for name in ("clock_ns", "max_latency_ns"):
            if getattr(self, name) is not None:
                number(name, getattr(self, name), low=1e-3)
        for name in _SHARES:
            number(name, getattr(self, name), low=0, high=1)
        self._check_lanes()
        if self.strategy != AUTO:
            self._refuse_choices()
        elif self.goal is Aim.AREA:
            _ = self.request

    def _check_lanes(self) -> None:
        given = [name for name in ("reuse", "lanes") if getattr(self, name) is not None]
        if given and self.strategy != Strategy.FOLDED.value:
            msg = f"{given[0]} is for the strategy 'folded'; leave it out with {self.strategy!r}"
            raise InputError(msg)
        if len(given) != 1 and self.strategy == Strategy.FOLDED.value:
            msg = "strategy 'folded' takes either reuse or lanes: give one of them"
            raise InputError(msg)

    def _refuse_choices(self) -> None:
        usual = Building()
        for name in ("goal", *_SHARES, "max_latency_ns", "max_interval_cycles"):
            if getattr(self, name) != getattr(usual, name):
                msg = f"{name} is for the strategy 'auto', which chooses; leave it out with {self.strategy!r}"
                raise InputError(msg)

    @property
    def request(self) -> FitRequest:
        """What is asked of the choice of strategies."""
        shares = [getattr(self, name) for name in _SHARES]
        return FitRequest(Goal(self.goal, self.max_latency_ns, self.max_interval_cycles), Budget(*shares))

    def options(self, board: Board) -> Options:
        """Return the options of `flow.generate`."""
        strategy = None if self.strategy == AUTO else Strategy(self.strategy)
        plan = plan_of(strategy, board, clock_ns=self.clock_ns, reuse=self.reuse, lanes=self.lanes)
        chosen = self.request if isinstance(plan, FitRequest) else plan
        return Options(self.name, self.clock_ns, self.io, chosen, head=self.head)

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain values."""
        return plain(asdict(self))


_SHARES = ("max_lut", "max_ff", "max_dsp", "max_bram", "max_uram")

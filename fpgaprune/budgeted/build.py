"""How designs are built while a network is pruned to a budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fpgaprune import fit as fitting
from fpgaprune.fit import Budget, Goal, Memory, Situation
from fpgaprune.flow import FitRequest, Options, plan_of
from fpgaprune.frontend import convert
from fpgaprune.heads import Head
from fpgaprune.quantise.head import with_head
from fpgaprune.schedule import Interface, Strategy

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from fpgaprune.board import Board
    from fpgaprune.quantise import QuantisedModel
    from fpgaprune.schedule import Planner
    from fpgaprune.several import OneOrMore

    FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Build:
    """What ``fit`` and ``generate`` take beside a budget: a clock of None is the board's.

    Without a ``strategy`` all matrices are chosen together, for the ``goal``; with one, only its limits of time count.
    """

    goal: Goal = field(default_factory=Goal)
    interface: Interface = Interface.PARALLEL
    clock_ns: float | None = None
    strategy: Strategy | None = None
    reuse: int | None = None
    lanes: int | None = None
    head: Head = Head.LOGITS
    name: str = "net"


@dataclass(frozen=True)
class Site:
    """A board with the budget of it, and how designs are built there.

    Raises:
        InputError: the budget names no board, or the numbers of lanes or reuse do not go with the strategy.
    """

    budget: Budget
    build: Build

    def __post_init__(self) -> None:
        _ = self.plan

    @property
    def board(self) -> Board:
        """The board of the budget."""
        return self.budget.require_board()

    @property
    def goal(self) -> Goal:
        """The goal with all limits of time."""
        return self.build.goal.within(self.budget)

    @property
    def clock_ns(self) -> float:
        """The clock period."""
        return self.board.clock_ns if self.build.clock_ns is None else self.build.clock_ns

    @cached_property
    def plan(self) -> Planner | FitRequest:
        """How matrices are planned."""
        build = self.build
        plan = plan_of(build.strategy, self.board, clock_ns=build.clock_ns, reuse=build.reuse, lanes=build.lanes)
        return FitRequest(build.goal, self.budget) if isinstance(plan, FitRequest) else plan

    @property
    def options(self) -> Options:
        """The options of ``generate``."""
        build = self.build
        return Options(build.name, build.clock_ns, build.interface, self.plan, head=build.head)

    def situations(
        self, quantised: QuantisedModel, samples: OneOrMore[FloatArray], memory: Memory | None = None
    ) -> tuple[Situation, ...]:
        """Return what can be chosen from to build a network, which is checked on samples, within the budget.

        With a ``memory``, for many networks, what would be too slow is left out.

        Raises:
            InputError: a network too large for the interface.
            UnsupportedError: a layer without an exact counterpart.
        """
        quantised = with_head(quantised, self.build.head)
        graph = convert(quantised, self.board.part, self.clock_ns, samples).graph
        plan = self.plan
        settings: dict[str, Any] = {"interface": self.build.interface, "clock_ns": self.build.clock_ns}
        return fitting.situations(
            graph,
            self.board,
            goal=self.goal,
            budget=self.budget,
            planner=None if isinstance(plan, FitRequest) else plan,
            memory=memory,
            quick=memory is not None,
            **settings,
        )

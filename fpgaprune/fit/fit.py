"""Strategy, lanes and reuse of every matrix, chosen together for a board."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from fpgaprune.errors import InputError
from fpgaprune.fit.budget import Aim, Budget, Goal
from fpgaprune.fit.explain import InfeasibleError, Situation, explain
from fpgaprune.fit.memory import Memory
from fpgaprune.fit.optimise import optimise
from fpgaprune.fit.points import COARSE_STEP, STEP, Pricer, Pricing, finer, points, priced, unrolled_points
from fpgaprune.fit.problem import INTERVAL, LATENCY, Problem
from fpgaprune.fit.timing import timing
from fpgaprune.lower import MatVecKernel, lower
from fpgaprune.resources import AMOUNTS, Resources, estimate
from fpgaprune.schedule import Folded, Interface, matrices, schedule
from fpgaprune.schedule.design import is_foldable_by_position

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fpgaprune.board import Board
    from fpgaprune.fit.budget import Amounts
    from fpgaprune.fit.optimise import Choice
    from fpgaprune.fit.problem import Point
    from fpgaprune.ir import Graph, MatVec, Tensor
    from fpgaprune.lower import Lowered
    from fpgaprune.schedule import Design, Plan, Planner

_ROUNDS = 8
"""Times that the budget is tightened by what FIFOs and processes turned out to take."""

Progress: TypeAlias = Callable[[str], None]
"""Is told what is being worked on."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A design within its budget: ``resources`` is the estimate of all of it.

    ``proven`` is whether the search for the best choice went to its end. ``problem`` is what was chosen from.
    """

    design: Design
    resources: Resources
    goal: Goal
    budget: Budget
    proven: bool
    problem: Problem = field(repr=False)

    @property
    def chosen(self) -> Mapping[str, Plan]:
        """The plan of each matrix, by its tensor's name."""
        return self.design.plans


def silent(_text: str) -> None:
    """Say nothing."""


def fit(
    graph: Graph,
    board: Board,
    *,
    goal: Goal | None = None,
    budget: Budget | None = None,
    interface: Interface = Interface.PARALLEL,
    clock_ns: float | None = None,
    name: str = "net",
    progress: Progress = silent,
) -> Fitted:
    """Return the design that is best at its goal, by default the shortest interval, among those within the budget.

    Raises:
        InfeasibleError: nothing fits; the message says what binds and which settings are the nearest that fit.
        GraphError: a format that does not hold what reaches it.
        InputError: a network too large for the interface, a bad clock, a budget of another board.
    """
    search = _Search.of(board, goal, budget, progress)
    shaped = partial(schedule, graph, board, name=name, clock_ns=clock_ns, interface=interface)
    if interface is Interface.STREAM:
        return search.best([_Fit(shaped(), search).choose(points)])
    tried = [_Fit(base, search).choose(unrolled_points) for base in _pipelines(graph, shaped)]
    if not any(isinstance(each, Fitted) for each in tried) or search.goal.aim is not Aim.INTERVAL:
        tried.append(_Fit(shaped(planner=_one_lane), search).choose(points))
    return search.best(tried)


def situations(
    graph: Graph,
    board: Board,
    *,
    goal: Goal | None = None,
    budget: Budget | None = None,
    interface: Interface = Interface.PARALLEL,
    clock_ns: float | None = None,
    planner: Planner | None = None,
    memory: Memory | None = None,
    quick: bool = False,
    progress: Progress = silent,
) -> tuple[Situation, ...]:
    """Return what ``fit`` chooses from, for each way to build the graph; with a planner, its plan of each matrix alone.

    A ``memory`` that serves several graphs prices their equal matrices once. What is ``quick`` leaves out matrices that
    alone would be slower than the goal allows, with which nothing could be said of other goals, and tries fewer lanes.

    Raises:
        GraphError: a format that does not hold what reaches it.
        InputError: a network too large for the interface, a bad clock, a budget of another board.
    """
    search = _Search.of(board, goal, budget, progress)
    shaped = partial(schedule, graph, board, clock_ns=clock_ns, interface=interface)
    memory = memory or Memory()
    of = memory.of
    if planner is not None:
        return (_Fit(shaped(planner=memory.planned(planner)), search).situation(priced),)
    if interface is Interface.STREAM:
        return (_Fit(shaped(), search, quick=quick).situation(of(points)),)
    unfolded = [_Fit(base, search).situation(of(unrolled_points)) for base in _pipelines(graph, shaped)]
    return (*unfolded, _Fit(shaped(planner=_one_lane), search, quick=quick).situation(of(points)))


def _one_lane(_op: MatVec, _source: Tensor) -> Plan:
    return Folded(1)


def _pipelines(graph: Graph, shaped: Callable[[], Design]) -> Iterator[Design]:
    """Yield the design of vectors, unless it is too large and one that is folded by position need not be."""
    try:
        yield shaped()
    except InputError:
        if not is_foldable_by_position(graph):
            raise


@dataclass(frozen=True)
class _Search:
    """What is looked for."""

    goal: Goal
    budget: Budget
    progress: Progress

    @classmethod
    def of(cls, board: Board, goal: Goal | None, budget: Budget | None, progress: Progress) -> _Search:
        wanted = budget or Budget()
        wanted.refuse_other(board)
        return cls((goal or Goal()).within(wanted), wanted, progress)

    def best(self, tried: Sequence[Fitted | Situation]) -> Fitted:
        fitted = [each for each in tried if isinstance(each, Fitted)]
        if fitted:
            return min(fitted, key=self._merit)
        left = [each for each in tried if isinstance(each, Situation)]
        raise InfeasibleError(explain(left), tuple(each.problem for each in left))

    def _merit(self, fitted: Fitted) -> tuple[float, float]:
        price = prices(fitted.design.board)
        area = sum(each * count for each, count in zip(price, totals(fitted.resources), strict=True))
        match self.goal.aim:
            case Aim.INTERVAL:
                return fitted.resources.interval_cycles, area
            case Aim.LATENCY:
                return fitted.resources.latency_cycles, area
            case Aim.AREA:
                return area, fitted.resources.interval_cycles


class _Fit:
    """The search among the designs of one graph as it is built: that of ``base``."""

    def __init__(self, base: Design, search: _Search, *, quick: bool = False) -> None:
        self._base = base
        self._goal = search.goal
        self._budget = search.budget
        self._progress = search.progress
        self._limits = search.budget.limits(base.board)
        self._room = tuple(int(getattr(base.board.resources, name)) for name in AMOUNTS)
        longest = min(self._most().values(), default=math.inf) if quick else math.inf
        self._pricing = Pricing.of(base.board, base.clock_ns, longest, COARSE_STEP if quick else STEP)

    def choose(self, of: Pricer) -> Fitted | Situation:
        return self._settle(self._base.plans, self._choices(lower(self._base), of))

    def situation(self, of: Pricer) -> Situation:
        """Return what is chosen from first, before any of it is."""
        lowered = lower(self._base)
        resources = estimate(lowered)
        choices, fixed = self._choices(lowered, of), self._fixed(lowered, resources)
        return Situation(self._problem(lowered, resources, choices, fixed, self._most()), lowered, self._budget)

    def _choices(self, lowered: Lowered, of: Pricer) -> dict[str, tuple[Point, ...]]:
        kernels = kernels_of(lowered)
        choices = {}
        for place, (name, kernel) in enumerate(kernels.items(), start=1):
            self._progress(f"{kernel.layer}: what each strategy takes ({place} of {len(kernels)})")
            choices[name] = of(kernel, self._pricing, self._room)
        return choices

    def _settle(self, plans: Mapping[str, Plan], choices: Mapping[str, tuple[Point, ...]]) -> Fitted | Situation:
        """Choose with what is no matrix as it was in the design before, until a design is within the budget."""
        lowered = lower(replace(self._base, plans=plans))
        resources = estimate(lowered)
        fixed = self._fixed(lowered, resources)
        most = self._most()
        for number in range(_ROUNDS):
            self._progress("choosing strategies and lanes")
            problem = self._problem(lowered, resources, choices, fixed, most)
            choice = optimise(problem)
            if choice is None:
                return Situation(problem, lowered, self._budget)
            if number == 0:
                choices = self._finer(lowered, choice, choices)
                choice = optimise(replace(problem, choices=choices)) or choice
            lowered = lower(self._design(choice))
            resources = estimate(lowered)
            over = self._over(resources)
            if not over and all(used <= limit for used, limit in zip(totals(resources), self._limits, strict=True)):
                return Fitted(lowered.design, resources, self._goal, self._budget, choice.proven, problem)
            most = {name: value - over.get(name, 0) for name, value in most.items()}
            fixed = tuple(map(max, fixed, self._fixed(lowered, resources)))
        msg = (
            f"{self._base.name}: no design settled within the budget in {_ROUNDS} rounds; allow a little more of the "
            "board or of time"
        )
        raise InfeasibleError(msg, (problem,))

    def _finer(
        self, lowered: Lowered, choice: Choice, choices: Mapping[str, tuple[Point, ...]]
    ) -> dict[str, tuple[Point, ...]]:
        """Return more ways to fold each matrix that was folded, near the interval that it may have."""
        found = dict(choices)
        for name, kernel in kernels_of(lowered).items():
            point = choice.points[name]
            if isinstance(point.plan, Folded):
                self._progress(f"{kernel.layer}: more numbers of lanes")
                for longest in self._near(choice, point, kernel.result.beats):
                    found[name] = finer(kernel, longest, found[name], self._pricing)
        return found

    def _near(self, choice: Choice, point: Point, beats: int) -> tuple[float, ...]:
        """Return the intervals near which more numbers of lanes are tried: the one chosen, and the most allowed."""
        if self._goal.aim is Aim.INTERVAL:
            return (choice.interval / beats,)
        allowed = self._goal.interval_cycles
        return (point.interval,) if allowed is None else (point.interval, allowed / beats)

    def _design(self, choice: Choice) -> Design:
        return replace(self._base, plans={name: point.plan for name, point in choice.points.items()})

    def _problem(
        self,
        lowered: Lowered,
        resources: Resources,
        choices: Mapping[str, tuple[Point, ...]],
        fixed: Amounts,
        most: Mapping[str, float],
    ) -> Problem:
        latencies = {layer.tensor: layer.latency_cycles for layer in resources.layers}
        layers = {kernel.name: name for name, kernel in kernels_of(lowered).items()}
        bounds = timing(lowered, latencies, layers)
        return Problem(choices, bounds, fixed, self._limits, prices(self._base.board), self._goal.aim, most)

    def _most(self) -> dict[str, float]:
        most = {LATENCY: self._goal.latency_cycles(self._base.clock_ns), INTERVAL: self._goal.interval_cycles}
        return {name: value for name, value in most.items() if value is not None}

    def _over(self, resources: Resources) -> dict[str, int]:
        """Return by how many cycles a design is slower than required."""
        measured = {LATENCY: resources.latency_cycles, INTERVAL: resources.interval_cycles}
        return {name: math.ceil(measured[name] - most) for name, most in self._most().items() if measured[name] > most}

    def _fixed(self, lowered: Lowered, resources: Resources) -> Amounts:
        """Return what all that is no matrix takes."""
        own = [self._pricing.point(kernel).amounts for kernel in kernels_of(lowered).values()]
        return tuple(total - sum(each) for total, *each in zip(totals(resources), *own, strict=True))


def prices(board: Board) -> tuple[float, ...]:
    """Return what one of each of `AMOUNTS` is worth: its share of what the board has."""
    have = board.resources
    return tuple(1 / getattr(have, name) if getattr(have, name) else 0.0 for name in AMOUNTS)


def totals(resources: Resources) -> Amounts:
    """Return what a design takes in all, in the order of `AMOUNTS`."""
    return tuple(resources.total(name) for name in AMOUNTS)


def kernels_of(lowered: Lowered) -> dict[str, MatVecKernel]:
    """Return the kernel of each matrix that has weights, by its tensor's name; both are in the order of the graph."""
    names = [op.output.name for op in matrices(lowered.design.graph) if op.weights.nonzeros]
    kernels = [kernel for kernel in lowered.every_kernel if isinstance(kernel, MatVecKernel)]
    return dict(zip(names, kernels, strict=True))

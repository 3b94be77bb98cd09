"""Why nothing fits, and the nearest settings with which something would."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fpgaprune import board as boards
from fpgaprune.errors import FpgapruneError, InputError
from fpgaprune.fit.budget import Aim
from fpgaprune.fit.optimise import nearest, optimise
from fpgaprune.fit.problem import INTERVAL
from fpgaprune.lower import lower
from fpgaprune.resources import AMOUNTS, estimate
from fpgaprune.schedule import Folded, Interface, schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fpgaprune.board import Board
    from fpgaprune.fit.budget import Amounts, Budget
    from fpgaprune.fit.optimise import Choice
    from fpgaprune.fit.problem import Point, Problem
    from fpgaprune.lower import Lowered

_TITLES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM_18K", "uram": "URAM"}

_NEXT_TO_ONE = 0.99
"""What of the non-zeros is left where nearly all of them fit."""


class InfeasibleError(InputError):
    """No choice of plans fits the budget; the message says what binds and which settings are the nearest that fit.

    ``problems`` are those that have no solution.
    """

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


@dataclass(frozen=True, eq=False)
class Situation:
    """A problem and where it comes from: a design as it is before the choice among its points."""

    problem: Problem
    lowered: Lowered
    budget: Budget

    @property
    def board(self) -> Board:
        """The board that the points are chosen for."""
        return self.lowered.design.board


def explain(situations: Sequence[Situation], *, pruned: str = "") -> str:
    """Return which resource binds where least is missing, or that time does, and the nearest settings that fit.

    ``pruned`` says how far the network is pruned, where that cannot be any further.
    """
    found = [(each, choice) for each in situations if (choice := nearest(each.problem)) is not None]
    if not found:
        return f"{_too_slow(situations)}{', ' if pruned else ''}{pruned}"
    situation, choice = min(found, key=lambda each: _ratio(each[0].problem, each[1]))
    problem, used = situation.problem, situation.problem.amounts(choice.points)
    speed = " at the required speed" if problem.most else ""
    told = ", ".join(_excess(place, used, situation) for place in _binding(problem, used)) or "hardly more than allowed"
    smaller = _smaller(situation, used, sparsest=bool(pruned))
    share = _larger_share(situation, used, "prune" if pruned else "fit")
    remedies = (*smaller, *_more_time(situations), *share)
    boards = tuple(_bigger_board(situations, situation, used))
    settings = "; ".join((*remedies, *boards)) or "none: no board that fpgaprune knows is big enough"
    return (
        f"{situation.lowered.design.name} does not fit the budget on {situation.board.name}{speed}"
        f"{', ' if pruned else ''}{pruned}: the choice that comes nearest takes {told} (estimate). Nearest settings, "
        f"by the same estimate: {settings}"
    )


def _too_slow(situations: Sequence[Situation]) -> str:
    unlimited = [replace(each, problem=_unlimited(each.problem)) for each in situations]
    told = " or ".join(_more_time(unlimited)) or f"allow {' and '.join(_all_times(unlimited))}"
    return f"no choice of strategies, of whatever size, is fast enough; nearest setting: {told}"


def _all_times(situations: Sequence[Situation]) -> Iterator[str]:
    """Yield the limits that have to be loosened together, as no one of them is enough."""
    clock_ns = situations[0].lowered.design.clock_ns
    free = [replace(each.problem, most={}, aim=Aim.LATENCY) for each in situations]
    choice = min((choice for each in free if (choice := optimise(each))), key=lambda choice: choice.latency)
    for name in situations[0].problem.most:
        yield _allowing(name, _time(choice, name), clock_ns)


def _ratio(problem: Problem, choice: Choice) -> float:
    used = problem.amounts(choice.points)
    return max(count / max(limit, 1) for count, limit in zip(used, problem.limits, strict=True))


def _unlimited(problem: Problem) -> Problem:
    """Return the problem without limits of resources."""
    return replace(
        problem, limits=tuple(problem.amounts(_largest(problem, place))[place] for place in range(len(AMOUNTS)))
    )


def _largest(problem: Problem, place: int) -> dict[str, Point]:
    return {layer: max(points, key=lambda point: point.amounts[place]) for layer, points in problem.choices.items()}


def _binding(problem: Problem, used: Amounts) -> list[int]:
    return [place for place, limit in enumerate(problem.limits) if used[place] > limit]


def _excess(place: int, used: Amounts, situation: Situation) -> str:
    problem, name = situation.problem, AMOUNTS[place]
    text = f"{used[place]:,} {_TITLES[name]}"
    if not getattr(situation.board.resources, name):
        return f"{text}, of which the board has none"
    limit, fixed, share = problem.limits[place], problem.fixed[place], getattr(situation.budget, name)
    if limit == 0:
        return f"{text}, of which the budget allows none (--max-{_OPTIONS[name]} {share:g})"
    text = f"{text} of {limit:,} allowed ({100 * share:.3g} % of the board)"
    return f"{text}, {fixed:,} of them for everything else than matrices" if fixed > limit else text


def _smaller(situation: Situation, used: Amounts, *, sparsest: bool) -> Iterator[str]:
    """Yield how the network could become smaller, as long as a weight is left of it."""
    share = _affordable(situation.problem, used)
    nonzeros = situation.lowered.nonzeros
    left = math.floor(share * nonzeros)
    if left > 0:
        if not sparsest:
            yield f"prune to about {left:,} of the {nonzeros:,} non-zeros ({_percent(share)})"
        yield from _fewer_bits(situation.lowered, share)
    elif _outside(situation.problem.fixed, situation.problem.limits) and _fits_as_stream(situation):
        yield "stream the positions of images and sequences (--io stream)"


def _percent(share: float) -> str:
    return f"{100 * share:.{0 if share >= 0.01 else 2}f} %"


def _outside(fixed: Amounts, limits: Amounts) -> bool:
    """Whether what is no matrix alone is too much."""
    return any(count > limit for count, limit in zip(fixed, limits, strict=True))


def _fits_as_stream(situation: Situation) -> bool:
    """Whether there are positions to be streamed, and what is no matrix fits then."""
    design = situation.lowered.design
    positions = any(len(op.output.shape) > 1 for op in design.graph.ops)
    if design.interface is Interface.STREAM or not positions:
        return False
    try:
        streamed = schedule(
            design.graph,
            design.board,
            name=design.name,
            clock_ns=design.clock_ns,
            interface=Interface.STREAM,
            planner=lambda _op, _source: Folded(1),
        )
        resources = estimate(lower(streamed))
    except FpgapruneError:  # a network that cannot be streamed
        return False
    others = [layer for layer in resources.layers if not layer.nonzeros]
    fixed = tuple(sum(int(getattr(layer, name)) for layer in others) for name in AMOUNTS)
    return not _outside(fixed, situation.problem.limits)


def _affordable(problem: Problem, used: Amounts) -> float:
    """Return the share of what the matrices take that the budget leaves them, in the scarcest resource."""
    shares = [
        (problem.limits[place] - problem.fixed[place]) / max(used[place] - problem.fixed[place], 1)
        for place in _binding(problem, used)
    ]
    return min(shares, default=_NEXT_TO_ONE)


def _fewer_bits(lowered: Lowered, share: float) -> Iterator[str]:
    """Adders and memories are as wide as the words; multipliers shrink faster.

    Words of less than half the bits would be another network and no near setting.
    """
    bits = max((word.word.width for kernel in lowered.every_kernel for word in kernel.sources), default=1)
    fewer = math.floor(bits * share)
    if bits <= 2 * fewer < 2 * bits:
        yield f"quantise to about {fewer} instead of {bits} bits"


def _more_time(situations: Sequence[Situation]) -> Iterator[str]:
    clock_ns = situations[0].lowered.design.clock_ns
    for name in situations[0].problem.most:
        reached = [choice for each in situations if (choice := _fastest(each.problem, name)) is not None]
        if reached:
            yield f"allow {_allowing(name, min(_time(choice, name) for choice in reached), clock_ns)}"


def _fastest(problem: Problem, name: str) -> Choice | None:
    """Return the choice of which one time is the shortest, with no limit on that time."""
    free = {other: most for other, most in problem.most.items() if other != name}
    return optimise(replace(problem, aim=Aim.INTERVAL if name == INTERVAL else Aim.LATENCY, most=free))


def _time(choice: Choice, name: str) -> int:
    return math.ceil(choice.interval if name == INTERVAL else choice.latency)


def _allowing(name: str, cycles: int, clock_ns: float) -> str:
    if name == INTERVAL:
        return f"an interval of {cycles} cycles (--max-interval-cycles)"
    return f"a latency of {cycles * clock_ns:g} ns, {cycles} cycles (--max-latency-ns)"


def _larger_share(situation: Situation, used: Amounts, command: str) -> Iterator[str]:
    have = situation.board.resources
    needed = {
        name: used[place] / getattr(have, name) if getattr(have, name) else math.inf
        for place, name in ((place, AMOUNTS[place]) for place in _binding(situation.problem, used))
    }
    if needed and max(needed.values()) <= 1:
        options = " ".join(f"--max-{_OPTIONS[name]} {math.ceil(share * 100) / 100:g}" for name, share in needed.items())
        yield f"a larger share of this board (fpgaprune {command} {options})"


_OPTIONS = {"lut": "lut", "ff": "ff", "dsp": "dsp", "bram_18k": "bram", "uram": "uram"}


def _bigger_board(situations: Sequence[Situation], situation: Situation, used: Amounts) -> Iterator[str]:
    """Yield the smallest board on which the same points fit, one that has more of what binds.

    Where the budget allows none of it, no board is big enough, and there is nothing to say of boards.
    """
    binding = [AMOUNTS[place] for place in _binding(situation.problem, used)]
    if any(getattr(situation.budget, name) == 0 for name in binding):
        return
    have = situation.board.resources
    larger = [
        one for one in boards.load_all() if all(getattr(one.resources, name) > getattr(have, name) for name in binding)
    ]
    for one in sorted(larger, key=lambda one: (one.resources.lut, one.name)):
        if any(_fits(each, one) for each in situations):
            yield f"a bigger board: {one.name}"
            return
    yield "no board that fpgaprune knows is big enough"


def _fits(situation: Situation, board: Board) -> bool:
    problem = replace(situation.problem, limits=situation.budget.limits(board), aim=Aim.AREA)
    return optimise(problem) is not None

"""Why nothing fits, and the nearest settings with which something would."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fpgaprune import board as boards
from fpgaprune.errors import InputError
from fpgaprune.fit.budget import Aim
from fpgaprune.fit.optimise import least_excess, optimise
from fpgaprune.fit.problem import INTERVAL
from fpgaprune.resources import AMOUNTS
from fpgaprune.schedule import Interface

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
    """No choice of plans fits the budget; the message says what binds and which settings are the nearest that fit."""


@dataclass(frozen=True, eq=False)
class Situation:
    """A problem without a solution, and where it comes from."""

    problem: Problem
    lowered: Lowered
    budget: Budget

    @property
    def board(self) -> Board:
        """The board that nothing fits on."""
        return self.lowered.design.board


def explain(situations: Sequence[Situation]) -> str:
    """Return which resource binds where least is missing, or that time does, and the nearest settings that fit."""
    nearest = [(each, choice) for each in situations if (choice := least_excess(each.problem)) is not None]
    if not nearest:
        return _too_slow(situations)
    situation, choice = min(nearest, key=lambda each: _ratio(each[0].problem, each[1]))
    problem, used = situation.problem, situation.problem.amounts(choice.points)
    speed = " at the required speed" if problem.most else ""
    told = ", ".join(_excess(place, used, situation) for place in _binding(problem, used)) or "hardly more than allowed"
    remedies = "; ".join(
        (*_smaller(situation, used), *_more_time(situations), *_more_room(situations, situation, used))
    )
    return (
        f"{situation.lowered.design.name} does not fit the budget on {situation.board.name}{speed}: the choice that "
        f"comes nearest takes {told} (estimate). Nearest settings, by the same estimate: {remedies}"
    )


def _too_slow(situations: Sequence[Situation]) -> str:
    unlimited = [replace(each, problem=_unlimited(each.problem)) for each in situations]
    told = " or ".join(_more_time(unlimited)) or "give the network fewer layers"
    return f"no choice of strategies, of whatever size, is fast enough; nearest setting: {told}"


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
    share = 100 * getattr(situation.budget, name)
    text = f"{used[place]:,} {_TITLES[name]} of {problem.limits[place]:,} allowed ({share:.3g} % of the board)"
    fixed = problem.fixed[place]
    return f"{text}, {fixed:,} of them outside matrices" if fixed > problem.limits[place] else text


def _smaller(situation: Situation, used: Amounts) -> Iterator[str]:
    share = _affordable(situation.problem, used)
    if share > 0:
        yield f"prune to about {100 * share:.0f} % of the present non-zeros"
        yield from _fewer_bits(situation.lowered, share)
    elif _outside(situation) and situation.lowered.design.interface is Interface.PARALLEL:
        yield "stream the positions of images and sequences (--io stream)"


def _more_room(situations: Sequence[Situation], situation: Situation, used: Amounts) -> Iterator[str]:
    yield from _larger_share(situation, used)
    larger = _bigger_board(situations)
    yield f"a bigger board: {larger.name}" if larger else "no board that fpgaprune knows is big enough"


def _outside(situation: Situation) -> bool:
    """Whether what is no matrix alone is too much."""
    return any(fixed > limit for fixed, limit in zip(situation.problem.fixed, situation.problem.limits, strict=True))


def _affordable(problem: Problem, used: Amounts) -> float:
    """Return the share of what the matrices take that the budget leaves them, in the scarcest resource."""
    shares = [
        (problem.limits[place] - problem.fixed[place]) / max(used[place] - problem.fixed[place], 1)
        for place in _binding(problem, used)
    ]
    return min(shares, default=_NEXT_TO_ONE)


def _fewer_bits(lowered: Lowered, share: float) -> Iterator[str]:
    """Adders and memories are as wide as the words; multipliers shrink faster."""
    bits = max((word.word.width for kernel in lowered.every_kernel for word in kernel.sources), default=1)
    fewer = math.floor(bits * share)
    if 1 < fewer < bits:
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


def _larger_share(situation: Situation, used: Amounts) -> Iterator[str]:
    have = situation.board.resources
    needed = {
        name: used[place] / getattr(have, name) if getattr(have, name) else math.inf
        for place, name in ((place, AMOUNTS[place]) for place in _binding(situation.problem, used))
    }
    if needed and max(needed.values()) <= 1:
        options = " ".join(f"--max-{_OPTIONS[name]} {math.ceil(share * 100) / 100:g}" for name, share in needed.items())
        yield f"a larger share of this board ({options})"


_OPTIONS = {"lut": "lut", "ff": "ff", "dsp": "dsp", "bram_18k": "bram", "uram": "uram"}


def _bigger_board(situations: Sequence[Situation]) -> Board | None:
    """Return the smallest board on which the same points fit."""
    larger = [one for one in boards.load_all() if one.resources.lut > situations[0].board.resources.lut]
    for one in sorted(larger, key=lambda one: (one.resources.lut, one.name)):
        if any(_fits(each, one) for each in situations):
            return one
    return None


def _fits(situation: Situation, board: Board) -> bool:
    problem = replace(situation.problem, limits=situation.budget.limits(board), aim=Aim.AREA)
    return optimise(problem) is not None

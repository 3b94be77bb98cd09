"""How sparsity rises from step to step."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import fraction, integer

if TYPE_CHECKING:
    from collections.abc import Iterator


class Schedule(Enum):
    """The ways from no sparsity to the final one."""

    ONE_SHOT = "one-shot"
    CUBIC = "cubic"


def targets(schedule: Schedule, final: float, steps: int, initial: float = 0.0) -> Iterator[tuple[int, float]]:
    """Yield (step, target sparsity) for each pruning step, from 1 to ``steps``; the last target is ``final``.

    Raises:
        InputError: a sparsity is outside [0, 1], ``initial`` is above ``final``, or the steps do not fit the schedule.
    """
    if schedule is Schedule.ONE_SHOT:
        return one_shot(final, steps)
    if schedule is Schedule.CUBIC:
        return cubic(final, steps, initial)
    assert_never(schedule)


def check_steps(schedule: Schedule, steps: int) -> None:
    """Refuse a number of steps that the schedule cannot have.

    Raises:
        InputError: a one-shot schedule has several steps, or a cubic one has fewer than two.
    """
    integer("steps", steps, low=1)
    if schedule is Schedule.ONE_SHOT and steps != 1:
        msg = f"steps must be 1 for the schedule 'one-shot', not {steps}; use 'cubic' for several steps"
        raise InputError(msg)
    if schedule is Schedule.CUBIC and steps < 2:
        msg = "steps must be at least 2 for the schedule 'cubic'; use 'one-shot' for a single step"
        raise InputError(msg)


def one_shot(final: float, steps: int = 1) -> Iterator[tuple[int, float]]:
    """Yield one step with the final sparsity.

    Raises:
        InputError: the sparsity is outside [0, 1], or there is not exactly one step.
    """
    fraction("sparsity", final)
    check_steps(Schedule.ONE_SHOT, steps)
    return iter([(1, final)])


def cubic(final: float, steps: int, initial: float = 0.0) -> Iterator[tuple[int, float]]:
    """Yield sparsities that rise fast at first and slowly at last (Zhu & Gupta 2017, "To prune, or not to prune").

    Step t of n has the target ``final + (initial - final) * (1 - t/n)**3``.

    Raises:
        InputError: a sparsity is outside [0, 1], ``initial`` is above ``final``, or there are fewer than two steps.
    """
    fraction("sparsity", final)
    check_steps(Schedule.CUBIC, steps)
    if fraction("initial sparsity", initial) > final:
        msg = f"the initial sparsity {initial:g} is above the final one {final:g}"
        raise InputError(msg)
    return ((step, final + (initial - final) * (1 - step / steps) ** 3) for step in range(1, steps + 1))

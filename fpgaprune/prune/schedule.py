"""How sparsity rises from step to step."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import fraction, integer
from fpgaprune.prune.select import Scope
from fpgaprune.prune.settings import RigL
from fpgaprune.prune.structures import Weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fpgaprune.prune.stage import Stage


class Schedule(Enum):
    """The ways from no sparsity to the final one."""

    ONE_SHOT = "one-shot"
    CUBIC = "cubic"
    LOTTERY = "lottery"  # rounds of training, pruning and rewinding of the weights that are left
    RIGL = "rigl"  # sparse from the start, with a pattern that moves while the weights are trained


def targets(schedule: Schedule, final: float, steps: int, initial: float = 0.0) -> Iterator[tuple[int, float]]:
    """Yield (step, target sparsity) for each pruning step, from 1 to ``steps``; the last target is ``final``.

    Raises:
        InputError: a sparsity is outside [0, 1], ``initial`` is above ``final``, or the steps do not fit the schedule.
    """
    fraction("sparsity", final)
    check_steps(schedule, steps)
    if fraction("initial sparsity", initial) > final:
        msg = f"the initial sparsity {initial:g} is above the final one {final:g}"
        raise InputError(msg)
    return ((step, _target(schedule, final, step / steps, initial)) for step in range(1, steps + 1))


def check_steps(schedule: Schedule, steps: int) -> None:
    """Refuse a number of steps that the schedule cannot have.

    Raises:
        InputError: a one-shot schedule or 'rigl' has several steps, or a cubic one has fewer than two.
    """
    integer("steps", steps, low=1)
    if schedule in (Schedule.ONE_SHOT, Schedule.RIGL) and steps != 1:
        msg = f"steps must be 1 for the schedule {schedule.value!r}, not {steps}; use 'cubic' for several steps"
        raise InputError(msg)
    if schedule is Schedule.CUBIC and steps < 2:
        msg = "steps must be at least 2 for the schedule 'cubic'; use 'one-shot' for a single step"
        raise InputError(msg)


def check_stage(stage: Stage) -> None:
    """Refuse fields of a stage that its schedule has no use for, or cannot do without.

    Raises:
        InputError: a field does not go with the schedule; the message names it.
    """
    schedule, epochs = stage.schedule, stage.fine_tune.epochs
    if integer("rewind_epoch", stage.rewind_epoch, low=0) and schedule is not Schedule.LOTTERY:
        msg = f"rewind_epoch is for the schedule 'lottery', not {schedule.value!r}"
        raise InputError(msg)
    if stage.rigl != RigL() and schedule is not Schedule.RIGL:
        msg = f"rigl is for the schedule 'rigl', not {schedule.value!r}"
        raise InputError(msg)
    if schedule in (Schedule.LOTTERY, Schedule.RIGL) and not epochs:
        msg = f"the schedule {schedule.value!r} trains the weights it is given; fine_tune.epochs must be at least 1"
        raise InputError(msg)
    if schedule is Schedule.LOTTERY and stage.rewind_epoch >= epochs:
        msg = f"rewind_epoch must be less than the {epochs} epochs of training, not {stage.rewind_epoch}"
        raise InputError(msg)
    if schedule is Schedule.RIGL:
        _check_rigl(stage)


def check_order(stages: Iterable[Stage]) -> None:
    """Refuse a lottery that is not the first of the ``stages``: it rewinds to the weights that the model came with.

    Raises:
        InputError: it comes after another stage.
    """
    if any(stage.schedule is Schedule.LOTTERY for stage in list(stages)[1:]):
        msg = "the schedule 'lottery' is for the first stage alone: it rewinds to the weights that the model came with"
        raise InputError(msg)


def _check_rigl(stage: Stage) -> None:
    if stage.criterion != "magnitude":
        msg = f"the schedule 'rigl' drops weights by magnitude and grows them by gradient, not by {stage.criterion!r}"
        raise InputError(msg)
    if stage.scope is not Scope.GLOBAL:
        msg = "scope is not for the schedule 'rigl': rigl.distribution says how many weights each tensor keeps"
        raise InputError(msg)
    if stage.structure != Weights():
        msg = f"the schedule 'rigl' moves single weights; the structure {str(stage.structure)!r} is for another stage"
        raise InputError(msg)


def _target(schedule: Schedule, final: float, done: float, initial: float) -> float:
    """Return the sparsity when the fraction ``done`` of the steps is over.

    Cubic: fast at first and slow at last (Zhu & Gupta 2017, "To prune, or not to prune", eq. 1). Lottery: each round
    prunes the same share of what is left (Frankle & Carbin 2019, section 2).
    """
    if done == 1 or schedule is Schedule.ONE_SHOT or schedule is Schedule.RIGL:
        return final
    if schedule is Schedule.CUBIC:
        return float(final + (initial - final) * (1 - done) ** 3)
    if schedule is Schedule.LOTTERY:
        return min(max(float(1 - (1 - initial) ** (1 - done) * (1 - final) ** done), initial), final)
    assert_never(schedule)

"""The trials of a search, kept in a file by Optuna; those that were interrupted are asked for again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError, ToolError
from fpgaprune.prune.seeding import mix
from fpgaprune.store import key_of
from fpgaprune.sweep.space import Range, Sampler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fpgaprune.sweep.space import Axis, Search

_NAME, _IDENTITY, _WHY = "fpgaprune", "identity", "why"


@dataclass(frozen=True)
class Trial:
    """A trial: its number and what is set for it; why it ended early, where it did; whether no other is better."""

    number: int
    settings: Mapping[str, Any]
    why: str = ""
    is_best: bool = False

    @property
    def name(self) -> str:
        """The trial's name in tables."""
        return f"trial {self.number}"


class Study:
    """The trials in a file.

    Raises:
        InputError: the file holds a search of another recipe.
        ToolError: Optuna is not installed.
    """

    def __init__(self, asked: Search, path: Path) -> None:
        self._optuna, self._asked = _optuna(), asked
        self._open: dict[int, Any] = {}
        directions = ["maximize" if name == "accuracy" else "minimize" for name in asked.objectives]
        where = {"storage": f"sqlite:///{path}", "study_name": _NAME}
        self._study = self._optuna.create_study(directions=directions, load_if_exists=True, **where)
        identity = key_of({"recipe": repr((asked.tables, asked.space, asked.objectives))})
        if self._study.user_attrs.get(_IDENTITY, identity) != identity:
            msg = f"{path.parent} holds a search of another recipe; choose another folder"
            raise InputError(msg)
        self._study.set_user_attr(_IDENTITY, identity)
        self._again()

    def _again(self) -> None:
        """Have trials that an interrupted search left open asked for first."""
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self._study.tell(trial.number, state=states.FAIL)
            self._study.enqueue_trial(trial.params)

    def ask(self, count: int) -> list[Trial]:
        """Return so many new trials."""
        self._study.sampler = self._sampler()
        asked = [self._study.ask() for _ in range(count)]
        self._open |= {trial.number: trial for trial in asked}
        return [Trial(trial.number, _suggested(trial, self._asked.space)) for trial in asked]

    def _sampler(self) -> Any:  # noqa: ANN401  # of Optuna
        """Return the sampler, seeded anew by the number of trials, so that an interruption changes nothing."""
        samplers = self._optuna.samplers
        kinds = {Sampler.TPE: samplers.TPESampler, Sampler.NSGA2: samplers.NSGAIISampler}
        kind = kinds.get(self._asked.sampler, samplers.RandomSampler)
        return kind(seed=mix(self._asked.seed, len(self.done())) % 2**32)

    def tell(self, trial: Trial, values: Sequence[float]) -> None:
        """End a trial with the value of each objective."""
        self._study.tell(trial.number, list(values))

    def end(self, trial: Trial, why: str) -> None:
        """End a trial for a reason, without values."""
        self._open[trial.number].set_user_attr(_WHY, why)
        self._study.tell(trial.number, state=self._optuna.trial.TrialState.PRUNED)

    def done(self) -> list[Trial]:
        """Return the trials that are over; of those that were interrupted, the ones that came again."""
        states = self._optuna.trial.TrialState
        found = self._study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED))
        best = {trial.number for trial in self._study.best_trials}
        return [Trial(each.number, each.params, each.user_attrs.get(_WHY, ""), each.number in best) for each in found]


def _optuna() -> Any:  # noqa: ANN401  # it is imported where it is used
    try:
        import optuna
    except ImportError as error:
        msg = "a search needs Optuna; pip install 'fpgaprune[search]'"
        raise ToolError(msg) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _suggested(trial: Any, space: Mapping[str, Axis]) -> dict[str, Any]:  # noqa: ANN401  # a trial of Optuna
    return {name: _one(trial, name, axis) for name, axis in space.items()}


def _one(trial: Any, name: str, axis: Axis) -> Any:  # noqa: ANN401  # as above, and a value of the axis
    if not isinstance(axis, Range):
        return trial.suggest_categorical(name, axis)
    if axis.is_whole:
        return trial.suggest_int(name, int(axis.low), int(axis.high), step=int(axis.step or 1), log=axis.log)
    return trial.suggest_float(name, axis.low, axis.high, step=axis.step, log=axis.log)

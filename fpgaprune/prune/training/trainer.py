"""A run over epochs: it measures, remembers the best, stops in time, and returns from where it went astray."""

from __future__ import annotations

import math
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch

from fpgaprune.errors import InputError
from fpgaprune.explained.history import Event, EventKind, History, Record
from fpgaprune.prune.batches import batch_count
from fpgaprune.prune.forward import device_of, mode
from fpgaprune.prune.objectives import default_loss, evaluate_metric
from fpgaprune.prune.progress import progress_bar
from fpgaprune.prune.seeding import local_seed, put_back_random, random_state
from fpgaprune.prune.snapshot import put_back, tensors_of
from fpgaprune.prune.training.diverged import DivergedError, TrainingWarning
from fpgaprune.prune.training.environment import repeatable
from fpgaprune.prune.training.hooks import Hooks
from fpgaprune.prune.training.loop import Loop
from fpgaprune.prune.training.moment import Best, Course, Moment
from fpgaprune.prune.training.optimisers import make_optimiser, restore_state, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

    from fpgaprune.prune.data import Data
    from fpgaprune.prune.objectives import Loss, Metric, TrainStep
    from fpgaprune.prune.settings import TrainSettings
    from fpgaprune.prune.training.wiring import Wiring


@dataclass(frozen=True, eq=False)
class Means:
    """What a caller may bring along to every training run, and whether a bar shows how it goes on."""

    loss: Loss | None = None
    metric: Metric | None = None
    train_step: TrainStep | None = None
    hooks: Hooks = field(default_factory=Hooks)
    progress: bool = True


@dataclass(frozen=True, eq=False)
class Trainer:
    """One training run: epochs ``first`` to ``settings.epochs``; after each, ``keep`` may take the moment.

    ``step`` is the pruning step that it belongs to in the history.

    Raises:
        InputError: patience is asked for where nothing is validated.
    """

    model: nn.Module
    data: Data
    settings: TrainSettings
    wiring: Wiring
    means: Means
    label: str = "training"
    first: int = 0
    step: int = 0
    keep: Callable[[int, Callable[[], Moment]], None] | None = None

    def __post_init__(self) -> None:
        if self.settings.patience and self.data.validation is None:
            msg = "patience needs a validation part; set validation to a share, or give Data(train, test, validation)"
            raise InputError(msg)

    def run(self, resumed: Moment | None = None) -> History:
        """Train the model in place, from the beginning or from a moment on, and return what happened since `first`.

        Raises:
            DivergedError: the loss or a weight became NaN, infinite or far too large, and no epoch before was of use.
            InputError: the model, the loss or the metric does not run on the data, or there is nothing to train.
        """
        if self.first >= self.settings.epochs:
            return History()
        with self._surroundings() as advance:
            loop = self._loop()
            course = self._begun() if resumed is None else _resumed(loop, resumed)
            return self._all_epochs(loop, course, advance)

    @contextmanager
    def _surroundings(self) -> Iterator[Callable[[], None]]:
        steps = (self.settings.epochs - self.first) * (batch_count(self.data.train) or 1)
        with ExitStack() as stack:
            stack.callback(self.model.zero_grad, set_to_none=True)
            stack.enter_context(mode(self.model, training=True))
            stack.enter_context(local_seed(self.settings.seed))
            stack.enter_context(torch.enable_grad())
            stack.enter_context(repeatable(device_of(self.model), on=self.settings.deterministic))
            yield stack.enter_context(progress_bar(self.label, steps, show=self.means.progress))

    def _loop(self) -> Loop:
        means = self.means
        return Loop(
            self.model,
            self.settings,
            self.wiring,
            make_optimiser(self.model, self.settings),
            means.loss or default_loss,
            means.train_step,
            means.hooks,
            device_of(self.model),
            batch_count(self.data.train),
        )

    def _begun(self) -> Course:
        value = self._validated()
        best = Best(self.first, tensors_of(self.model), self.wiring.masks, -math.inf if value is None else value)
        return Course(self.first, best)

    def _validated(self) -> float | None:
        if self.data.validation is None:
            return None
        return evaluate_metric(self.model, self.data, self.means.metric, part="validation")

    def _all_epochs(self, loop: Loop, course: Course, advance: Callable[[], None]) -> History:
        while not course.over:
            try:
                course = self._epoch(loop, course, advance)
            except DivergedError as error:
                return self._astray(course, error)
            if self.keep is not None:
                self.keep(course.epochs, partial(_moment, loop, course))
        if self.data.validation is None or course.best.epoch == course.epochs:
            return course.history
        return course.history + self._back(course.best, course.epochs, "the best by the validation metric")

    def _epoch(self, loop: Loop, course: Course, advance: Callable[[], None]) -> Course:
        number = course.epochs + 1
        mean, asked = loop.epoch(course.epochs, self.data, advance)
        metric = evaluate_metric(self.model, self.data, self.means.metric)
        record = Record(self.step, number, self.wiring.sparsity, mean, metric, self._validated())
        hook = self.means.hooks.on_epoch_end
        asked = (hook is not None and bool(hook(self.model, record))) or asked
        best = self._better(course.best, record)
        events = self._ended(number, best, asked=asked)
        over = bool(events) or number == self.settings.epochs
        return Course(number, best, over, course.history + History((record,), events))

    def _better(self, best: Best, record: Record) -> Best:
        """Return the better of two moments: by the validation metric, or by the training loss where there is none."""
        value = record.validation if record.validation is not None else -(record.loss or 0.0)
        if value <= best.value:
            return best
        return Best(record.epoch, tensors_of(self.model), self.wiring.masks, value)

    def _ended(self, epoch: int, best: Best, *, asked: bool) -> tuple[Event, ...]:
        if asked:
            return (Event(self.step, epoch, EventKind.STOPPED_BY_HOOK, "a hook asked to stop"),)
        patience = self.settings.patience
        if patience and epoch - best.epoch >= patience and epoch < self.settings.epochs:
            text = f"no epoch after {best.epoch} had a better validation metric than its {best.value:.6g}"
            return (Event(self.step, epoch, EventKind.STOPPED_EARLY, text),)
        return ()

    def _astray(self, course: Course, error: DivergedError) -> History:
        best, epoch = course.best, course.epochs + 1
        back = self._back(best, epoch, "the best before training diverged")
        if best.epoch == self.first:
            raise error
        warnings.warn(f"{error}; went back to epoch {best.epoch}", TrainingWarning, stacklevel=2)
        return course.history + History(events=(Event(self.step, epoch, EventKind.DIVERGED, str(error)),)) + back

    def _back(self, best: Best, epoch: int, why: str) -> History:
        put_back(self.model, best.tensors)
        self.wiring.set_masks(best.masks)
        text = f"the weights are those of epoch {best.epoch}, {why}"
        return History(events=(Event(self.step, epoch, EventKind.RESTORED, text, best.epoch),))


def _moment(loop: Loop, course: Course) -> Moment:
    tensors = tensors_of(loop.model), state_of(loop.optimiser), random_state()
    return Moment(course, loop.steps, loop.wiring.masks, *tensors, loop.start)


def _resumed(loop: Loop, moment: Moment) -> Course:
    put_back(loop.model, moment.model)
    loop.wiring.set_masks(moment.masks)
    restore_state(loop.optimiser, moment.optimiser)
    put_back_random(moment.random)
    loop.steps, loop.start = moment.steps, moment.start
    return moment.course

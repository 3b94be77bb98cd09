"""Tasks in the order that their needs allow, as many at once as there is room for, until nothing is left to do."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Protocol

from fpgaprune.errors import InputError
from fpgaprune.sweep.executors import LOST
from fpgaprune.sweep.order import Order
from fpgaprune.sweep.worker import Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fpgaprune.store import Store
    from fpgaprune.sweep.executors import Workers
    from fpgaprune.sweep.plan import Planned
    from fpgaprune.sweep.task import Task

_MOST_LOSSES = 3
"""How often a worker may die of one task, by memory that runs out for instance, before it is the task's fault."""

_PATIENCE_S = 30.0
"""How often it is looked for what a task waits for that is not there."""

LAST = ("generate", "simulate", "energy", "synthesise")
"""The stages of which a design has all results."""


class Watch(Protocol):
    """What is told how far it is."""

    def planned(self, tasks: Sequence[Task], workers: int) -> None:
        """What is to be done."""

    def started(self, task: Task) -> None:
        """A task was given to a worker."""

    def ended(self, task: Task, report: Report) -> None:
        """A task ended, well or not."""

    def waits(self, why: str) -> None:
        """A task waits for something that is not there."""


def wanted(planned: Iterable[Planned], store: Store, stages: Iterable[str] = LAST) -> dict[str, Task]:
    """Return the tasks by key whose results are missing and needed for some stages, each after what it needs."""
    found: dict[str, Task] = {}
    for each in planned:
        by_key = {task.key: task for task in each.tasks.values()}
        for stage in stages:
            if stage in each.tasks:
                _add(each.tasks[stage], by_key, store, found)
    return found


def _add(task: Task, by_key: Mapping[str, Task], store: Store, found: dict[str, Task]) -> None:
    if task.key in found or store.get(task.key) is not None:
        return
    for key in task.needs.values():
        _add(by_key[key], by_key, store, found)
    found[task.key] = task


class Scheduler:
    """What is to be done, what runs, and what failed; ``keep_going`` goes on with what does not need a failed task."""

    def __init__(self, tasks: Mapping[str, Task], workers: Workers, watch: Watch, *, keep_going: bool) -> None:
        self._waiting = dict(tasks)
        self._workers, self._watch, self._keep_going = workers, watch, keep_going
        self._order = Order(tasks.values())
        self._running: dict[Future[Report], Task] = {}
        self._losses: dict[str, int] = {}
        self._suspects: set[str] = set()
        self._waits: set[str] = set()
        self._looked = time.monotonic()
        self.failed: dict[str, Report] = {}

    def run(self) -> dict[str, Report]:
        """Do everything and return the reports of tasks that failed, and of those that needed one, by key.

        Raises:
            InputError: a task asks for more of a resource than there is.
        """
        self._watch.planned(tuple(self._waiting.values()), self._workers.count)
        while self._waiting or self._running:
            self._start_all()
            if not self._running:
                break
            done, _ = wait(self._running, timeout=_PATIENCE_S, return_when=FIRST_COMPLETED)
            self._look()
            for future in done:
                self._end(self._running.pop(future), future)
        return self.failed

    def _start_all(self) -> None:
        if self.failed and not self._keep_going:
            return
        most = self._most()
        if len(self._running) >= most:
            return
        for task in self._order.ranked(self._waiting):
            if self._is_ready(task) and self._fits(task) and self._may_join(task):
                del self._waiting[task.key]
                self._order.begin(task)
                self._watch.started(task)
                self._running[self._workers.start(task)] = task
                if len(self._running) >= most:
                    return

    def _most(self) -> int:
        """Return how many tasks may run now: one at a time, where a worker died that may have died of one of them."""
        return 1 if self._suspects else self._workers.most

    def _may_join(self, task: Task) -> bool:
        """Return whether a task may run now: while there are suspects, none but they."""
        return not self._suspects or task.key in self._suspects

    def _is_ready(self, task: Task) -> bool:
        """Return whether all that a task needs is there, and none runs that it would only wait for."""
        if task.turn is not None and any(task.turn == each.turn for each in self._running.values()):
            return False
        return not any(key in self._waiting or self._runs(key) for key in task.needs.values())

    def _runs(self, key: str) -> bool:
        return any(task.key == key for task in self._running.values())

    def _fits(self, task: Task) -> bool:
        for name, limit in self._workers.limits.items():
            wanted = task.resources.get(name, 0)
            if wanted > limit:
                msg = f"the stage {task.stage!r} takes {wanted:g} {name}, but sweep.limits.{name} is {limit:g}"
                raise InputError(msg)
            if wanted + sum(each.resources.get(name, 0) for each in self._running.values()) > limit:
                return False
        return True

    def _end(self, task: Task, future: Future[Report]) -> None:
        try:
            report = future.result()
        except LOST as error:
            self._lost(task, error)
            return
        self._suspects.discard(task.key)
        self._order.end(task, report.seconds)
        if report.error:
            self._fail(task, report)
        self._watch.ended(task, report)

    def _lost(self, task: Task, error: Exception) -> None:
        """Give the task of a worker that died to another one.

        All tasks of a pool are lost together, whosever worker died: they run one at a time then, to see of which.
        """
        if task.key not in self._suspects and self._workers.most > 1:
            self._suspects.add(task.key)
            self._waiting[task.key] = task
            return
        losses = self._losses[task.key] = self._losses.get(task.key, 0) + 1
        if losses <= _MOST_LOSSES:
            self._waiting[task.key] = task
            return
        said = f"its worker died {losses} times, perhaps for want of memory: {error}"
        report = Report(task.key, 0.0, said, said)
        self._fail(task, report)
        self._watch.ended(task, report)

    def _look(self) -> None:
        """Tell, once in a while, what tasks wait for that is not there."""
        if time.monotonic() - self._looked < _PATIENCE_S:
            return
        for why in filter(None, map(self._workers.lacking, tuple(self._running.values()))):
            if why not in self._waits:
                self._waits.add(why)
                self._watch.waits(why)
        self._looked = time.monotonic()

    def _fail(self, task: Task, report: Report) -> None:
        """Fail a task and all that need it."""
        self._suspects.discard(task.key)
        self.failed[task.key] = report
        for other in [each for each in self._waiting.values() if task.key in each.needs.values()]:
            if self._waiting.pop(other.key, None) is not None:
                self._fail(other, report)

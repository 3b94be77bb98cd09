"""How far a sweep is and how long it will take, in a terminal or in lines."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from rich.console import Console

    from fpgaprune.sweep.task import Task
    from fpgaprune.sweep.worker import Report

_EVERY_S = 30.0
"""The least time between two lines where there is no terminal."""


class Watching:
    """A bar with the time that is left, as the tasks of each stage have taken so far."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._left: Counter[str] = Counter()
        self._seconds: dict[str, list[float]] = {}
        self._workers, self._running = 1, Counter[str]()
        self._said = time.monotonic()
        self._total = 0
        self._id = self._bar.add_task("planning", total=None, left="")

    def __enter__(self) -> Watching:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def planned(self, tasks: Sequence[Task], workers: int) -> None:
        """Add what is to be done."""
        self._left.update(task.stage for task in tasks)
        self._total += len(tasks)
        self._workers = max(1, min(workers, len(tasks)))
        self._bar.update(self._id, total=self._total)

    def started(self, task: Task) -> None:
        """Show a task as running."""
        self._running[task.stage] += 1
        self._show()

    def ended(self, task: Task, report: Report) -> None:
        """Count a task as done."""
        self._running[task.stage] -= 1
        self._left[task.stage] -= 1
        self._seconds.setdefault(task.stage, []).append(report.seconds)
        self._bar.advance(self._id)
        self._show()
        if report.error:
            self._bar.console.print(f"{task.stage} failed: {report.error}", markup=False, soft_wrap=True)
        self._say()

    def waits(self, why: str) -> None:
        """Say what a task waits for that is not there."""
        self._bar.console.print(f"waiting: {why}", markup=False, soft_wrap=True)

    def _show(self) -> None:
        stages = ", ".join(f"{count} {stage}" for stage, count in self._running.items() if count)
        self._bar.update(self._id, description=stages or "sweep", left=self._time_left())

    def _say(self) -> None:
        done = self._total - sum(self._left.values())
        is_due = done == self._total or time.monotonic() - self._said > _EVERY_S
        if not self._console.is_terminal and is_due:
            self._said = time.monotonic()
            told = filter(None, (f"{done} of {self._total} steps", self._time_left()))
            self._console.print(", ".join(told), soft_wrap=True)

    def _time_left(self) -> str:
        """Return the time that is left in words, once a task of each stage has ended: they differ greatly."""
        known = {stage: sum(found) / len(found) for stage, found in self._seconds.items()}
        left = {stage: count for stage, count in self._left.items() if count}
        if not left or left.keys() - known.keys():
            return "" if left else "done"
        seconds = sum(known[stage] * count for stage, count in left.items()) / self._workers
        return f"about {_told(seconds)} left"


def _told(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"

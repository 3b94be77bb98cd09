"""In which order tasks begin: the first point first, for the times of its stages; then the longest way to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fpgaprune.sweep.task import Task

_Kind: TypeAlias = tuple[str, bool]
"""A stage, and whether a task of the same turn came before, which may have done the work already."""


class Order:
    """How long tasks take, as far as that is known, and what is to be done after them.

    Where there is room for few tasks, those with the longest way to the end come first (list scheduling by critical
    path, Graham 1969), so that no worker is left without work at the end; those that take resources come before them.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = tuple(sorted(tasks, key=lambda task: task.place))  # each after what it needs
        self._begun: set[str] = set()
        self._kinds: dict[str, _Kind] = {}
        self._seconds: dict[_Kind, list[float]] = {}

    def begin(self, task: Task) -> None:
        """Note that a task begins."""
        self._kinds.setdefault(task.key, (task.stage, task.turn in self._begun))
        self._begun |= {task.turn} if task.turn else set()

    def end(self, task: Task, seconds: float) -> None:
        """Note how long a task took that began before."""
        self._seconds.setdefault(self._kinds[task.key], []).append(seconds)

    def ranked(self, waiting: Mapping[str, Task]) -> list[Task]:
        """Return tasks that wait, by key, in the order in which they had best begin."""
        known = {stage for stage, _ in self._seconds}
        if any(task.stage not in known for task in waiting.values()):
            return sorted(waiting.values(), key=lambda task: -task.place)  # errors of late stages are seen early
        left = self._left(waiting)
        return sorted(waiting.values(), key=lambda task: (not task.resources, -left[task.key]))

    def _left(self, waiting: Mapping[str, Task]) -> Mapping[str, float]:
        """Return the seconds from the beginning of each task to the end of the last one that needs it, by key."""
        longest: dict[str, float] = {}
        before = set(self._begun)
        alone = {}
        for task in self._tasks:
            if task.key in waiting:
                alone[task.key] = self._expected((task.stage, task.turn in before))
                before |= {task.turn} if task.turn else set()
        for task in reversed(self._tasks):
            if task.key in waiting:
                whole = alone[task.key] + longest.get(task.key, 0.0)
                alone[task.key] = whole
                for key in task.needs.values():
                    longest[key] = max(longest.get(key, 0.0), whole)
        return alone

    def _expected(self, kind: _Kind) -> float:
        """Return the mean seconds of a kind of tasks, or of the other kind of their stage."""
        found = self._seconds[kind if kind in self._seconds else (kind[0], not kind[1])]
        return sum(found) / len(found)

"""Where tasks run: what workers do, and processes of this machine that are such."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

from fpgaprune import tools
from fpgaprune.processes import end_pool, pool
from fpgaprune.sweep.worker import Code, Report, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future, ProcessPoolExecutor
    from pathlib import Path

    from fpgaprune.store import Store
    from fpgaprune.sweep.task import Task

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")

LOST = (BrokenProcessPool,)
"""What a future raises whose worker is gone; the task is given to another."""


class Workers(Protocol):
    """What runs tasks: ``most`` at once, of resources so much as ``limits`` says."""

    @property
    def most(self) -> int:
        """The most tasks at once."""

    @property
    def count(self) -> int:
        """How many may run at once with the workers that are there now, as far as that is known."""

    def lacking(self, task: Task) -> str:
        """Return in words what is missing for a task that may run, so that it waits; empty where nothing is."""

    @property
    def limits(self) -> Mapping[str, float]:
        """How much of each resource tasks may take at once; what is not named is not bounded."""

    def start(self, task: Task) -> Future[Report]:
        """Begin a task; the future has its report, or raises one of `LOST` where its worker died."""

    def each(self, function: Callable[[_Given], _Found], values: Sequence[_Given]) -> list[_Found]:
        """Return what a function makes of each value with files that this machine sees, by its processes if it has."""

    def close(self, *, kill: bool = False) -> None:
        """Wait for what runs, or end it."""


@contextmanager
def working(workers: Workers) -> Iterator[Workers]:
    """Close workers at the end of the block; what runs is ended where it ends with an error."""
    try:
        yield workers
    except BaseException:
        workers.close(kill=True)
        raise
    workers.close()


class LocalWorkers:
    """Processes of this machine, each of which computes on one thread.

    ``limits`` bound what tasks take of named resources at once; what is not named is not bounded.
    """

    def __init__(self, store: Store, root: Path, jobs: int, limits: Mapping[str, float]) -> None:
        self.most = self.count = jobs
        self.limits = limits
        self._store, self._root = store, root
        self._pool: ProcessPoolExecutor | None = None

    def lacking(self, _task: Task) -> str:
        """Return nothing: tasks begin where there is room for them."""
        return ""

    def start(self, task: Task) -> Future[Report]:
        """Begin a task in a process, in new ones where one of the old ones died."""
        if self._pool is None:
            self._pool = pool(self.most, tools.end_all)
        try:
            return self._pool.submit(run, task, self._store, str(self._root), Code.of(task))
        except BrokenProcessPool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
            return self.start(task)

    def each(self, function: Callable[[_Given], _Found], values: Sequence[_Given]) -> list[_Found]:
        """Return what a function makes of each value, by processes where they run already."""
        if self._pool is not None:
            with suppress(BrokenProcessPool):
                return list(self._pool.map(function, values))
        return list(map(function, values))

    def close(self, *, kill: bool = False) -> None:
        """Wait for what runs, or end it."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if kill:
            end_pool(pool)
        pool.shutdown(wait=True, cancel_futures=True)

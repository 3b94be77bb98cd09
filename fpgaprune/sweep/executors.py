"""Where tasks run: processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fpgaprune.errors import InputError, ToolError
from fpgaprune.processes import pool
from fpgaprune.sweep.worker import Report, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor, Future, ProcessPoolExecutor
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
        self.most, self.limits = jobs, limits
        self._store, self._root = store, root
        self._pool: ProcessPoolExecutor | None = None

    def start(self, task: Task) -> Future[Report]:
        """Begin a task in a process, in new ones where one of the old ones died."""
        if self._pool is None:
            self._pool = pool(self.most)
        try:
            return self._pool.submit(run, task, self._store, str(self._root))
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
            for process in list((pool._processes or {}).values()):  # public from Python 3.14 on
                process.kill()
        pool.shutdown(wait=True, cancel_futures=True)


class DaskWorkers:
    """The workers of a Dask cluster, which see the store under the same path; resources are those of its workers."""

    def __init__(self, store: Store, root: Path, address: str, timeout_s: float = 30.0) -> None:
        self._client = _client(address, timeout_s)
        self.most = 1 << 30  # the scheduler of the cluster knows what fits
        self.limits: Mapping[str, float] = {}
        self._store, self._root = store, root
        self._executors: dict[frozenset[tuple[str, float]], Executor] = {}

    def start(self, task: Task) -> Future[Report]:
        """Hand a task to the scheduler, which gives it to another worker where one is lost."""
        wanted = frozenset(task.resources.items())
        if wanted not in self._executors:
            settings: dict[str, Any] = {"pure": False, "retries": 3}
            self._executors[wanted] = self._client.get_executor(resources=dict(wanted) or None, **settings)
        future: Future[Report] = self._executors[wanted].submit(run, task, self._store, str(self._root))
        return future

    def each(self, function: Callable[[_Given], _Found], values: Sequence[_Given]) -> list[_Found]:
        """Return what a function makes of each value, here: the cluster need not see all files."""
        return list(map(function, values))

    def close(self, *, kill: bool = False) -> None:
        """Leave the cluster; what runs there is cancelled."""
        for executor in self._executors.values():
            executor.shutdown(wait=not kill)  # without waiting, it cancels
        self._client.close()


def _client(address: str, timeout_s: float) -> Any:  # noqa: ANN401  # distributed has no types
    try:
        import distributed
    except ImportError as error:
        msg = "--dask needs Dask; pip install 'fpgaprune[cluster]'"
        raise ToolError(msg) from error
    try:
        client: Any = distributed.Client(address, timeout=timeout_s)  # type: ignore[no-untyped-call]  # it has no types
    except (OSError, ValueError, TimeoutError) as error:
        msg = f"no Dask scheduler answers at {address!r}: {error or type(error).__name__}; start one: dask scheduler"
        raise InputError(msg) from error
    return client

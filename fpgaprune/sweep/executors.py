"""Where tasks run: processes of this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from fpgaprune.errors import InputError, ToolError
from fpgaprune.sweep.worker import Report, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fpgaprune.store import Store
    from fpgaprune.sweep.task import Task

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
            self._pool = ProcessPoolExecutor(self.most, multiprocessing.get_context("spawn"), initializer=_begin)
        try:
            return self._pool.submit(run, task, self._store, str(self._root))
        except BrokenProcessPool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
            return self.start(task)

    def close(self, *, kill: bool = False) -> None:
        """Wait for what runs, or end it."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if kill:
            for process in list((pool._processes or {}).values()):  # public from Python 3.14 on
                process.kill()
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """End this process when its parent ends, however that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101  # a pool starts it

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


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

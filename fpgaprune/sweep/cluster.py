"""The workers of a Dask cluster."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from fpgaprune.errors import InputError, ToolError
from fpgaprune.sweep.worker import Code, Report, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from fpgaprune.store import Store
    from fpgaprune.sweep.task import Task

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")

_REMEDY = "start one (dask scheduler) with its workers, and run the same command again; what is finished is kept"


class DaskWorkers:
    """The workers of a Dask cluster, which see the store under the same path; resources are those of its workers.

    Raises:
        InputError: no scheduler answers.
        ToolError: Dask is not installed.
    """

    def __init__(self, store: Store, root: Path, address: str, timeout_s: float = 30.0) -> None:
        self._client, self._address = _client(address, timeout_s), address
        self.most = 1 << 30  # the scheduler of the cluster knows what fits
        self.limits: Mapping[str, float] = {}
        self._store, self._root = store, root
        self._executors: dict[frozenset[tuple[str, float]], Executor] = {}

    @property
    def count(self) -> int:
        """How many tasks may run at once on the workers that are there now: one for each."""
        return len(self._workers())

    def lacking(self, task: Task) -> str:
        """Return in words what no worker has that a task takes, empty where one has it all."""
        workers = self._workers().values()
        if not workers:
            return f"no worker is there yet; start one: dask worker {self._address} --nthreads 1"
        if any(all(has.get(name, 0) >= count for name, count in task.resources.items()) for has in workers):
            return ""
        wanted = ",".join(f"{name}={count:g}" for name, count in task.resources.items())
        return f"no worker has {wanted}; start one: dask worker {self._address} --nthreads 1 --resources {wanted!r}"

    def _workers(self) -> Mapping[str, Mapping[str, float]]:
        """Return the resources of each worker that the scheduler knows."""
        if self._client.status != "running":
            return {}
        known = self._client.scheduler_info(n_workers=-1)["workers"]
        return {address: worker["resources"] for address, worker in known.items()}

    def start(self, task: Task) -> Future[Report]:
        """Hand a task to the scheduler, which gives it to another worker where one is lost, but not for ever."""
        if self._client.status != "running":
            raise self._lost()
        wanted = frozenset(task.resources.items())
        if wanted not in self._executors:
            settings: dict[str, Any] = {"pure": False, "retries": 3}
            self._executors[wanted] = self._client.get_executor(resources=dict(wanted) or None, **settings)
        theirs = self._executors[wanted].submit(run, task, self._store, str(self._root), Code.of(task))
        ours: Future[Report] = Future()
        theirs.add_done_callback(lambda _: self._settle(task, theirs, ours))
        return ours

    def _settle(self, task: Task, theirs: Future[Report], ours: Future[Report]) -> None:
        """Hand on what became of a task: a report of its own where it killed all workers that it was given to."""
        from distributed import KilledWorker

        try:
            ours.set_result(theirs.result())
        except KilledWorker as error:
            said = f"the workers that it was given to died, perhaps for want of memory: {error}"
            ours.set_result(Report(task.key, 0.0, said, said))
        except CancelledError:
            ours.set_exception(self._lost())
        except Exception as error:  # the task could not begin there: the worker lacks a package, for instance
            said = f"its worker failed: {type(error).__name__}: {error}"
            ours.set_result(Report(task.key, 0.0, said, said))

    def _lost(self) -> InputError:
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # it tells of it with a traceback of its own
        return InputError(f"the Dask scheduler at {self._address!r} is lost; {_REMEDY}")

    def each(self, function: Callable[[_Given], _Found], values: Sequence[_Given]) -> list[_Found]:
        """Return what a function makes of each value, here: the cluster need not see all files."""
        return list(map(function, values))

    def close(self, *, kill: bool = False) -> None:
        """Leave the cluster; what runs there is cancelled."""
        for executor in self._executors.values():
            executor.shutdown(wait=not kill)  # without waiting, it cancels
        with suppress(OSError, TimeoutError):  # its scheduler may be gone
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

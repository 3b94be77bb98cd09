"""Designs of a recipe, made by workers through a store, and what came of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.rows import html_table
from fpgaprune.store import Store, room
from fpgaprune.sweep.cluster import DaskWorkers
from fpgaprune.sweep.designs import DESIGNS, outcomes
from fpgaprune.sweep.executors import LocalWorkers, working
from fpgaprune.sweep.lines import told_of
from fpgaprune.sweep.pages import keep_recipe, load_plots, pages_in, pages_of, with_command, write_pages
from fpgaprune.sweep.plan import names, plan
from fpgaprune.sweep.schedule import Scheduler, wanted
from fpgaprune.sweep.state import STORE, WORK, begun, is_finished, write_logs, write_state
from fpgaprune.sweep.table import Table, table_of, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.sweep.executors import Workers
    from fpgaprune.sweep.recipe import Sweep
    from fpgaprune.sweep.schedule import Watch
    from fpgaprune.sweep.worker import Report

TABLE = "table"


@dataclass(frozen=True)
class Where:
    """What does the work: so many processes here, or the Dask cluster at an address.

    Raises:
        InputError: no process at all.
    """

    jobs: int = 1
    dask: str | None = None

    def __post_init__(self) -> None:
        if self.jobs < 1:
            msg = f"jobs must be at least 1, not {self.jobs}"
            raise InputError(msg)

    def workers(self, store: Store, limits: Mapping[str, float]) -> Workers:
        """Return the workers, for a store.

        Raises:
            InputError: no scheduler answers.
            ToolError: Dask is not installed.
        """
        root = Path.cwd()
        return DaskWorkers(store, root, self.dask) if self.dask else LocalWorkers(store, root, self.jobs, limits)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Swept:
    """The table of all points, the logs of those that failed, by name, and the report pages of designs."""

    table: Table
    failed: Mapping[str, Path]
    pages: tuple[Path, ...]

    def _repr_html_(self) -> str:
        """Return the table, the logs of what failed and the places of the pages for a notebook."""
        failed = html_table(("failed", "log"), self.failed.items()) if self.failed else ""
        pages = html_table(("report",), ((page,) for page in self.pages)) if self.pages else ""
        return self.table.to_html() + failed + pages


def sweep(asked: Sweep, out: Path, where: Where, watch: Watch, *, keep_going: bool = False) -> Swept:
    """Make every design that is not there yet, and write the table of all into ``out``.

    A call with the same folder goes on where an interrupted one stopped; several at once share the work. Without
    ``keep_going`` nothing is begun after a failure.

    Raises:
        InputError: a stage failed and ``keep_going`` is not set, the folder is another's, or it cannot be written.
    """
    with told_of(asked.path):
        planned, called = plan(asked.points), names(asked.points, asked.axes)  # before anything is written
    store = Store.open(begun(out).resolve() / STORE)
    store.tidy(*WORK)
    path = out / f"{TABLE}.json"
    if is_finished(out, planned, called) and path.is_file():
        table, pages = Table.from_json(path.read_text(encoding="utf-8")), pages_in(out)
        if len(pages) >= pages_of(table):  # others were deleted: they are written again
            return Swept(table, {}, pages)
    tasks = wanted(planned, store)
    place = where if tasks else Where()  # nothing need answer where nothing is left to do
    with room(out), working(place.workers(store, asked.limits)) as workers:
        write_state(out, planned, called, finished=False)
        recipe = keep_recipe(asked.path, out)
        load_plots()
        failed = Scheduler(tasks, workers, watch, keep_going=keep_going).run() if tasks else {}
        logs = write_logs(out, planned, called, failed)
        if failed and not keep_going:
            raise InputError(_told(failed, logs))
        found = outcomes(planned, called, store, out / DESIGNS, failed, workers)
        table = table_of(found, asked.axes)
        write_table(table, out, TABLE)
        write_pages(with_command(found, "run" if len(planned) == 1 else "sweep", recipe, out), out, workers)
        if not failed:
            write_state(out, planned, called, finished=True)
    return Swept(table, logs, pages_in(out))


def _told(failed: Mapping[str, Report], logs: Mapping[str, Path]) -> str:
    report = next(iter(failed.values()))
    log = next(iter(logs.values()), None)
    return f"{report.error} (log: {log}; --keep-going makes the other designs all the same)"

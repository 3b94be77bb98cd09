"""One task in a process of its own: what became of it, without an exception that a worker's loss could be taken for."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.errors import FpgapruneError

if TYPE_CHECKING:
    from fpgaprune.store import Store
    from fpgaprune.sweep.task import Task


@dataclass(frozen=True)
class Report:
    """What became of a task: an error in one line and its log, both empty where it succeeded, and the seconds it took.

    ``is_fault`` tells a mistake in this program from what the user can mend.
    """

    key: str
    seconds: float
    error: str = ""
    log: str = ""
    is_fault: bool = False


def run(task: Task, store: Store, root: str) -> Report:
    """Perform a task and return what became of it."""
    from fpgaprune.sweep.stages import perform  # the parent process need not load torch for its workers

    start = time.perf_counter()
    try:
        perform(task, store, root)
    except FpgapruneError as error:
        return Report(task.key, time.perf_counter() - start, str(error), traceback.format_exc())
    except Exception as error:  # whatever a user's model, data or loss raises
        text = f"{type(error).__name__}: {error}"
        return Report(task.key, time.perf_counter() - start, text, traceback.format_exc(), is_fault=True)
    return Report(task.key, time.perf_counter() - start)

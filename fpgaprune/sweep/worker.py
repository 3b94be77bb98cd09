"""One task in a process of its own: what became of it, without an exception that a worker's loss could be taken for."""

from __future__ import annotations

import platform
import threading
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.errors import FpgapruneError, InputError
from fpgaprune.sweep.code import versions

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@dataclass(frozen=True)
class Code:
    """The code that the key of a task was made for: the digest of its sources, and the versions of packages."""

    digest: str
    versions: Mapping[str, str]

    @classmethod
    def of(cls, task: Task) -> Code:
        """Return the code of a task in this process."""
        return cls(task.code, versions())

    def refuse_other(self, task: Task) -> None:
        """Refuse to work with other code, whose result would be taken for that of this one.

        Raises:
            InputError: this process has other code, or other versions of packages.
        """
        here = Code.of(task)
        if here == self:
            return
        other = [
            f"{name} {here.versions[name]} in place of {version}"
            for name, version in self.versions.items()
            if here.versions[name] != version
        ]
        what = ", ".join(other) or "other sources of fpgaprune than the sweep"
        msg = f"the worker on {platform.node()} has {what}; give all workers the same packages, and start them anew"
        raise InputError(msg)


_ALONE = threading.Lock()
"""Seeds, the number of threads and the folder of imports are those of the whole process: a task has it for itself."""


def run(task: Task, store: Store, root: str, code: Code) -> Report:
    """Perform a task, when no other does in this process, and return what became of it."""
    with _ALONE:
        return _run(task, store, root, code)


def _run(task: Task, store: Store, root: str, code: Code) -> Report:
    from fpgaprune.sweep.stages import perform  # the parent process need not load torch for its workers

    start = time.perf_counter()
    try:
        code.refuse_other(task)
        perform(task, store, root)
    except FpgapruneError as error:
        return Report(task.key, time.perf_counter() - start, str(error), traceback.format_exc())
    except Exception as error:  # whatever a user's model, data or loss raises
        text = f"{type(error).__name__}: {error}"
        return Report(task.key, time.perf_counter() - start, text, traceback.format_exc(), is_fault=True)
    return Report(task.key, time.perf_counter() - start)

"""Processes that work: copies of a server that has loaded what they need, where the system has such (Linux)."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_HAS_SERVER = sys.platform == "linux"  # elsewhere, libraries of the system do not bear a fork
_LOADED = [
    "fpgaprune.sweep.stages",
    "fpgaprune.frontend.convert",
    "torch.fx.experimental.symbolic_shapes",
    "fpgaprune.report.plots",
]
"""What the server loads, also of what is loaded when it is needed elsewhere: torch and hls4ml take seconds."""


def warm_up() -> None:
    """Begin to load what processes need, in the background; nothing where there is no server for it."""
    if _HAS_SERVER:
        from multiprocessing import forkserver

        forkserver.set_forkserver_preload(_LOADED)
        forkserver.ensure_running()


def pool(count: int, ending: Callable[[], None]) -> ProcessPoolExecutor:
    """Return a pool of so many processes, which end with this one, however it ends, and have its environment.

    They do what ``ending`` does before they end by this process or by SIGTERM.
    """
    warm_up()
    context = multiprocessing.get_context("forkserver" if _HAS_SERVER else "spawn")
    return ProcessPoolExecutor(count, context, initializer=_begin, initargs=(dict(os.environ), ending))


def _begin(environment: dict[str, str], ending: Callable[[], None]) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101  # a pool starts it
    os.environ.clear()  # it is that of the server, which may be older
    os.environ.update(environment)

    def end(*_signal: object) -> None:
        ending()
        os._exit(1)

    def follow() -> None:
        parent.join()
        end()

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=follow, daemon=True).start()


def end_pool(pool: ProcessPoolExecutor, grace_s: float = 5.0) -> None:
    """End the processes of a pool at once: ask them to, and kill those that have not ended after a time."""
    processes = list((pool._processes or {}).values())  # public from Python 3.14 on
    for process in processes:
        process.terminate()
    waiting = {process.sentinel: process for process in processes}
    deadline = time.monotonic() + grace_s
    while waiting and (left := deadline - time.monotonic()) > 0:
        for sentinel in connection.wait(list(waiting), left):
            del waiting[sentinel]  # type: ignore[arg-type]  # what was given comes back
    for process in waiting.values():
        process.kill()

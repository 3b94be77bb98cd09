"""Processes that work: copies of a server that has loaded what they need, where the system has such (Linux)."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

_HAS_SERVER = sys.platform == "linux"  # elsewhere, libraries of the system do not bear a fork
_LOADED = ["fpgaprune.sweep.stages", "fpgaprune.frontend.convert", "torch.fx.experimental.symbolic_shapes"]
"""What the server loads, also of what is loaded when it is needed elsewhere: torch and hls4ml take seconds."""


def warm_up() -> None:
    """Begin to load what processes need, in the background; nothing where there is no server for it."""
    if _HAS_SERVER:
        from multiprocessing import forkserver

        forkserver.set_forkserver_preload(_LOADED)
        forkserver.ensure_running()


def pool(count: int) -> ProcessPoolExecutor:
    """Return a pool of so many processes, which end with this one, however it ends, and have its environment."""
    warm_up()
    context = multiprocessing.get_context("forkserver" if _HAS_SERVER else "spawn")
    return ProcessPoolExecutor(count, context, initializer=_begin, initargs=(dict(os.environ),))


def _begin(environment: dict[str, str]) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101  # a pool starts it
    os.environ.clear()  # it is that of the server, which may be older
    os.environ.update(environment)

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()

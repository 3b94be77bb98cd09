"""Workers that work in the process of the test, so that it may be forked and killed without a start to wait for."""

from __future__ import annotations

import time
from concurrent.futures import Future

from fpgaprune.sweep.worker import Code, run


class Inline:
    most = count = 1

    def __init__(self, store, root, limits=None):
        self.store, self.root, self.limits, self.ran = store, root, limits or {}, []

    def start(self, task):
        future = Future()
        future.set_result(run(task, self.store, str(self.root), Code.of(task)))
        self.ran.append(task)
        return future

    def lacking(self, _task):
        return ""

    def each(self, function, values):
        return [function(value) for value in values]

    def close(self, *, kill=False):
        self.killed = kill


class Quiet:
    """Watches nothing but what was planned."""

    def __init__(self):
        self.stages = []

    def planned(self, tasks, _workers):
        self.stages += [task.stage for task in tasks]

    def started(self, task):
        pass

    def ended(self, task, report):
        pass

    def waits(self, why):
        pass


class Here:
    """Says that the work is done in this process."""

    def workers(self, store, limits):
        from pathlib import Path

        return Inline(store, Path.cwd(), limits)


def until(fact):
    """Wait for something to become true, which it does on a busy machine as well."""
    deadline = time.monotonic() + 120
    while not fact() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert fact()

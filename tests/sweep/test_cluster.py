"""A Dask cluster of processes that die, that lack something, or whose scheduler is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from fpgaprune.errors import InputError
from fpgaprune.store import Store
from fpgaprune.sweep.schedule import Scheduler
from fpgaprune.sweep.task import Task
from tests.sweep.inline import Quiet, until

distributed = pytest.importorskip("distributed")

DEADLY = """
import os
import time
from pathlib import Path


def deadly():
    os._exit(1)


def endless():
    Path("begun").touch()
    time.sleep(600)
"""


def _task(name):
    return Task("samples", {"data": name}, means={"data": f"deadly:{name}"}, resources={})


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def cluster(place, monkeypatch):
    """The workers of a cluster of one, and the process of its scheduler."""
    from fpgaprune.sweep.cluster import DaskWorkers

    (place / "deadly.py").write_text(DEADLY)
    address = f"tcp://127.0.0.1:{_free_port()}"
    begin = [[sys.executable, "-m", f"distributed.cli.dask_{what}"] for what in ("scheduler", "worker")]
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": place, "start_new_session": True}
    scheduler = subprocess.Popen([*begin[0], "--port", address.rpartition(":")[2], "--no-dashboard"], **quiet)
    worker = subprocess.Popen([*begin[1], address, "--nthreads", "1", "--no-dashboard"], **quiet)
    workers = DaskWorkers(Store.open(place / "store"), place, address)
    yield workers, scheduler
    workers.close(kill=True)
    for process in (worker, scheduler):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def test_task_that_kills_its_workers_fails_alone(cluster):
    workers, _ = cluster
    until(lambda: workers.count)
    task = _task("deadly")
    assert workers.lacking(Task("synthesise", {}, resources={"licences": 1})).startswith("no worker has licences=1;")
    assert workers.lacking(task) == ""
    failed = Scheduler({task.key: task}, workers, Quiet(), keep_going=True).run()
    assert "the workers that it was given to died" in failed[task.key].error


def test_scheduler_that_is_lost_is_told(cluster, place):
    workers, scheduler = cluster
    task = _task("endless")
    future = workers.start(task)
    until((place / "begun").exists)
    scheduler.kill()
    with pytest.raises(InputError, match=r"is lost; start one .* what is finished is kept"):
        future.result(60)
    with pytest.raises(InputError, match="is lost"):
        Scheduler({task.key: task}, workers, Quiet(), keep_going=True).run()
    assert Store.open(place / "store").get(task.key) is None

"""Processes that work end with what they have begun, and a sweep of such survives the end of any of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from fpgaprune import tools
from fpgaprune.processes import end_pool, pool
from fpgaprune.sweep import Where, read, sweep
from tests.sweep.conftest import RECIPE
from tests.sweep.inline import Here, Quiet, until

COMMAND = [sys.executable, "-c", "import sys; from fpgaprune.cli import main; sys.argv[0] = 'fpgaprune'; main()"]


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_tools_end_with_the_processes_that_run_them(tmp_path):
    workers = pool(1, tools.end_all)
    script = "echo $$ > pid.new; mv pid.new pid; sleep 300"
    workers.submit(tools.run, ["bash", "-c", script], cwd=tmp_path, timeout_s=600)
    until((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    assert _is_alive(pid)
    end_pool(workers)
    workers.shutdown(wait=True, cancel_futures=True)
    until(lambda: not _is_alive(pid))


def test_tools_end_with_processes_that_are_killed(tmp_path):
    script = "sleep 300 & echo $! > pid.new; mv pid.new pid; wait"
    run = f"from pathlib import Path; from fpgaprune import tools; tools.run(['bash', '-c', {script!r}], "
    worker = subprocess.Popen([sys.executable, "-c", f"{run} cwd=Path({str(tmp_path)!r}), timeout_s=600)"])
    until((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    assert _is_alive(pid)
    worker.kill()
    worker.wait()
    until(lambda: not _is_alive(pid))


@pytest.mark.needs("g++", "make")
def test_sweep_survives_the_end_of_its_processes_and_its_own(recipe, place):
    path = recipe()
    whole = sweep(read(path), place / "whole", Here(), Quiet()).table

    class Killing(Quiet):
        def ended(self, _task, report):
            assert report.error == ""
            if "killed" not in self.stages:
                self.stages.append("killed")
                for process in multiprocessing.active_children():
                    process.kill()

    watch = Killing()
    assert sweep(read(path), place / "worker", Where(jobs=2), watch).table == whole
    assert "killed" in watch.stages

    command = [*COMMAND, "sweep", "recipe.toml", "--out", "own", "--jobs", "2"]
    entries = place / "own" / "store" / "entries"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    until(lambda: len(list(entries.glob("*/*"))) >= 2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there = {entry: entry.stat().st_mtime_ns for entry in entries.glob("*/*")}
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert {entry: entry.stat().st_mtime_ns for entry in there} == there
    assert (place / "own" / "table.json").read_text() == (place / "whole" / "table.json").read_text()
    assert not list((place / "own" / "store" / "making").iterdir())


_FULL = """
mount -t tmpfs -o size=200k tmpfs small
code=0; "$@" 2>&1 || code=$?
test $code = 2
test -f small/out/store/store.json
mount -o remount,size=64m small
"$@"
cat small/out/table.json > table.json
"""


@pytest.mark.needs("unshare", "mount", "g++", "make")
def test_full_disk_ends_a_sweep_which_goes_on_where_there_is_room(recipe, place):
    recipe(base=RECIPE)
    (place / "small").mkdir()
    command = ["bash", "-euc", _FULL, "-", *COMMAND, "sweep", "recipe.toml", "--out", "small/out", "--jobs", "1"]
    for own in (["unshare", "--user", "--map-root-user", "--mount"], ["unshare", "--mount"]):
        found = subprocess.run([*own, *command], capture_output=True, text=True, timeout=300, check=False)
        if found.returncode == 0:
            break
    assert found.returncode == 0, found.stdout + found.stderr
    assert "the disk is full; what is finished is kept" in found.stdout
    assert "Traceback" not in found.stdout + found.stderr
    assert "exact on 20" in (place / "table.json").read_text()

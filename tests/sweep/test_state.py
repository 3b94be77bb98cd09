"""The folder of a sweep or of a search: logs that no other point overwrites, versions, and one search at a time."""

from __future__ import annotations

import json

import pytest
from filelock import FileLock

from fpgaprune.errors import InputError
from fpgaprune.sweep import read, read_search, search, status
from fpgaprune.sweep.plan import Planned
from fpgaprune.sweep.state import SCHEMA, STATE, begun, write_logs, write_state
from fpgaprune.sweep.task import Task
from fpgaprune.sweep.worker import Report
from tests.sweep.inline import Here, Quiet

LONG = "sparsity 0.5, weight_bits 4, strategy multiply, board a-board-with-a-long-name, seed"


def test_each_point_has_a_log_of_its_own(recipe, place):
    (point,) = read(recipe()).points
    tasks = [Task("train", {"n": n}) for n in range(3)]
    planned = [Planned(point, {"train": task}) for task in tasks]
    called = (f"{LONG} 0", f"{LONG} 1", f"{LONG} -1")
    failed = {task.key: Report(task.key, 0.0, "no", f"log {n}") for n, task in enumerate(tasks[:2])}
    out = begun(place / "out")
    write_state(out, planned, called, finished=False)
    logs = write_logs(out, planned, called, failed)
    assert [logs[name].read_text().splitlines()[-1] for name in called[:2]] == ["log 0", "log 1"]
    assert status(out).failed == called[:2]


def test_state_of_another_version_is_kept(place):
    out = begun(place / "out")
    newer = (out / STATE).read_text().replace(SCHEMA, "fpgaprune-sweep-state-9")
    (out / STATE).write_text(newer)
    with pytest.raises(InputError, match="has schema 'fpgaprune-sweep-state-9'"):
        begun(out)
    assert (out / STATE).read_text() == newer
    (out / STATE).write_text(json.dumps({}))
    assert begun(out) == out  # it is damaged, and written anew


def test_second_search_in_a_folder_is_refused(recipe, place):
    pytest.importorskip("optuna")
    path = recipe('\n[search]\ntrials = 1\nobjectives = ["lut"]\n[search.space]\nprune.sparsity = [0.5]\n')
    begun(place / "out")
    with FileLock(place / "out" / "search.db.lock"), pytest.raises(InputError, match="another search works in"):
        search(read_search(path), place / "out", Here(), Quiet())

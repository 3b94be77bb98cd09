"""Tasks wait for their needs and for resources; workers that die are replaced, but not for ever."""

from __future__ import annotations

import io
import re
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

from fpgaprune.errors import InputError
from fpgaprune.sweep.executors import working
from fpgaprune.sweep.schedule import Scheduler
from fpgaprune.sweep.task import Task
from fpgaprune.sweep.worker import Report
from tests.sweep.inline import Quiet


class Fake:
    """Workers that end in the order in which they began, with what is said for each stage."""

    def __init__(self, most=1, limits=None, said=None, deaths=0):
        self.count, self.most, self.limits, self.said, self.deaths = most, most, limits or {}, said or {}, deaths
        self.began, self.open, self.together = [], [], 0

    def start(self, task):
        future = Future()
        self.began.append(task.stage)
        if self.deaths:
            self.deaths -= 1
            future.set_exception(BrokenProcessPool("died"))
        else:
            future.set_result(Report(task.key, 0.1, self.said.get(task.stage, "")))
        return future

    def close(self, *, kill=False):
        self.killed = kill


def _tasks():
    first = Task("train", {"n": 1})
    second = Task("prune", {"n": 2}, {"train": first.key})
    third = Task("quantise", {"n": 3}, {"prune": second.key})
    other = Task("prune", {"n": 4})
    return {task.key: task for task in (third, second, other, first)}


def test_needs_come_first_and_points_are_finished_before_others_begin():
    workers = Fake()
    assert Scheduler(_tasks(), workers, Quiet(), keep_going=False).run() == {}
    assert workers.began.index("train") < workers.began.index("quantise")
    assert sorted(workers.began) == ["prune", "prune", "quantise", "train"]


def test_failure_takes_along_what_needs_it_and_nothing_else():
    workers = Fake(said={"train": "no"})
    failed = Scheduler(_tasks(), workers, Quiet(), keep_going=True).run()
    assert {_tasks()[key].stage for key in failed} == {"train", "prune", "quantise"}
    assert workers.began.count("prune") == 1


def test_without_keep_going_nothing_is_begun_after_a_failure():
    workers = Fake(said={"prune": "no", "train": "no"})
    failed = Scheduler(_tasks(), workers, Quiet(), keep_going=False).run()
    assert failed
    assert len(workers.began) == 1


def test_dead_workers_are_replaced_but_not_for_ever():
    assert Scheduler(_tasks(), Fake(deaths=3), Quiet(), keep_going=False).run() == {}
    task = Task("train", {})
    workers = Fake(deaths=100)
    (report,) = Scheduler({task.key: task}, workers, Quiet(), keep_going=True).run().values()
    assert "its worker died 4 times" in report.error
    assert workers.began == ["train"] * 4


def test_resources_bound_what_runs_at_once():
    tasks = [Task("synthesise", {"n": n}, resources={"licences": 1}) for n in range(4)]

    class Counting(Fake):
        def start(self, task):
            future = Future()
            self.open.append(future)
            self.together = max(self.together, len(self.open))
            if len(self.open) == 2:
                for each in self.open:
                    each.set_result(Report(task.key, 0.1))
                self.open = []
            return future

    workers = Counting(most=4, limits={"licences": 2})
    Scheduler({task.key: task for task in tasks}, workers, Quiet(), keep_going=False).run()
    assert workers.together == 2


def test_simulations_of_one_network_take_turns():
    class Watching(Fake):
        def start(self, task):
            self.open.append(task.turn)
            assert len(set(self.open)) == len(self.open)
            if len(self.open) == 2:
                self.together, self.open = 2, []
            return super().start(task)

    tasks = [Task("simulate", {"n": n}, {"quantise": str(n % 2) * 64}) for n in range(6)]
    workers = Watching(most=2)
    assert Scheduler({task.key: task for task in tasks}, workers, Quiet(), keep_going=False).run() == {}
    assert workers.together == 2
    assert workers.began == ["simulate"] * 6


def test_more_than_there_is_of_a_resource_is_refused():
    task = Task("synthesise", {}, resources={"licences": 3})
    workers = Fake(limits={"licences": 2})
    refused = pytest.raises(InputError, match=r"takes 3 licences, but sweep\.limits\.licences is 2")
    with refused, working(workers):
        Scheduler({task.key: task}, workers, Quiet(), keep_going=False).run()
    assert workers.killed is True


def test_workers_end_with_what_they_are_used_for():
    with working(Fake()) as workers:
        pass
    assert workers.killed is False


def test_code_digest_depends_on_what_is_imported_alone():
    from fpgaprune.sweep.code import _reached

    names = {path.name for path in _reached(("fpgaprune.prune",))}
    assert "masks.py" in names
    assert "page.py" not in names
    assert {"fold.py"} <= {path.name for path in _reached(("fpgaprune.quantise",))}


def test_time_left_is_told_once_every_stage_was_seen():
    from rich.console import Console

    from fpgaprune.sweep import Watching

    text = io.StringIO()
    tasks = list(_tasks().values())
    with Watching(Console(file=text)) as watch:
        watch.planned(tasks, 1)
        assert watch._time_left() == ""
        for task in tasks:
            watch.started(task)
            watch.ended(task, Report(task.key, 90.0))
            if task is not tasks[-1]:
                assert watch._time_left() in ("", "about 3.0 min left", "about 1.5 min left")
    assert text.getvalue().splitlines() == ["4 of 4 steps, done"]


def test_code_digest_depends_on_the_stages_themselves(monkeypatch):
    from fpgaprune.sweep import code

    before = code.code_digest.__wrapped__("fpgaprune.prune")
    monkeypatch.setattr(code, "_STAGES", ("stages.py",))
    assert code.code_digest.__wrapped__("fpgaprune.prune") != before


def _points(count, networks):
    """Return tasks of points: training once, one network each for so many points, whose simulations share a turn."""
    train = Task("train", {})
    found = {train.key: train}
    for n in range(networks):
        prune = Task("prune", {"n": n}, {"train": train.key})
        quantise = Task("quantise", {"n": n}, {"prune": prune.key})
        found |= {task.key: task for task in (prune, quantise)}
        for m in range(count):
            generate = Task("generate", {"n": n, "m": m}, {"quantise": quantise.key})
            simulate = Task("simulate", {"n": n, "m": m}, {"generate": generate.key, "quantise": quantise.key})
            found |= {task.key: task for task in (generate, simulate)}
    return found


SECONDS = {"train": 5.0, "prune": 5.0, "quantise": 3.0, "generate": 0.5, "simulate": 3.0}
AGAIN = 0.05


class Clock:
    """Workers whose tasks take the seconds of their stage, simulations of a network that was simulated hardly any."""

    def __init__(self, most):
        self.count, self.most, self.limits = most, most, {}
        self.now, self.busy, self.simulated, self.open, self.began = 0.0, 0.0, set(), [], []

    def start(self, task):
        seconds = AGAIN if task.turn in self.simulated else SECONDS[task.stage]
        self.simulated |= {task.turn} if task.turn else set()
        self.busy += seconds
        self.began.append(task)
        future = Future()
        self.open.append((self.now + seconds, future, Report(task.key, seconds)))
        return future

    def wait(self, _futures, **_):
        first = min(self.open, key=lambda each: each[0])
        self.open.remove(first)
        self.now = first[0]
        first[1].set_result(first[2])
        return {first[1]}, set()


@pytest.fixture
def clocked(monkeypatch):
    """Run tasks by a clock that is not that of the wall, and return the workers."""

    def run(tasks, most):
        from fpgaprune.sweep import schedule

        clock = Clock(most)
        monkeypatch.setattr(schedule, "wait", clock.wait)
        assert Scheduler(tasks, clock, Quiet(), keep_going=False).run() == {}
        return clock

    return run


def test_no_worker_is_idle_once_the_first_training_is_done(clocked):
    tasks = _points(count=4, networks=5)
    clock = clocked(tasks, 2)
    assert len(clock.began) == len(tasks)
    shared = clock.busy - SECONDS["train"]
    assert clock.now < SECONDS["train"] + shared / 2 + SECONDS["simulate"] / 2  # one may end while the other works
    assert clocked(tasks, 1).now == pytest.approx(clock.busy)


def test_first_point_is_finished_before_all_trainings_are(clocked):
    began = [task.stage for task in clocked(_points(count=1, networks=6), 1).began]
    assert began[:5] == ["train", "prune", "quantise", "generate", "simulate"]
    assert began[5:10] == ["prune"] * 5  # the longest way to the end comes first


def test_what_takes_resources_comes_before_longer_ways(clocked, monkeypatch):
    monkeypatch.setitem(SECONDS, "synthesise", 1.0)
    trained = [Task("prune", {"n": n}) for n in range(3)]
    tool = [
        Task("synthesise", {"n": n}, {"generate": each.key}, resources={"licences": 1})
        for n, each in enumerate(trained)
    ]
    clock = clocked({task.key: task for task in (*trained, *tool)}, 1)
    assert [task.stage for task in clock.began] == ["prune", "synthesise"] * 3


def test_imports_are_found_as_a_parser_finds_them():
    import ast
    from pathlib import Path

    from fpgaprune.sweep.code import _files_of, _imported

    for path in sorted((Path(__file__).parents[2] / "fpgaprune").rglob("*.py")):
        names = set()
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        modules = {file for name in names if name.startswith("fpgaprune") for file in _files_of(name)}
        assert {file for name in _imported(path) for file in _files_of(name)} == modules, path


class Deadly:
    """Workers of one pool, of which all tasks are lost whenever one of a stage is among those that run together."""

    def __init__(self, most, stage):
        self.count, self.most, self.limits, self.stage = most, most, {}, stage
        self.open, self.began = [], []

    def lacking(self, _task):
        return ""

    def start(self, task):
        future = Future()
        self.open.append((task, future))
        self.began.append(task.stage)
        return future

    def wait(self, futures, **_):
        together, self.open = self.open, []
        for task, future in together:
            if any(each.stage == self.stage for each, _ in together):
                future.set_exception(BrokenProcessPool("died"))
            else:
                future.set_result(Report(task.key, 0.1))
        return set(futures), set()


def test_task_does_not_fail_for_its_neighbour(monkeypatch):
    from fpgaprune.sweep import schedule

    workers = Deadly(4, "prune")
    monkeypatch.setattr(schedule, "wait", workers.wait)
    tasks = [Task("prune", {"n": 0}), *(Task("train", {"n": n}) for n in range(5))]
    failed = Scheduler({task.key: task for task in tasks}, workers, Quiet(), keep_going=True).run()
    assert list(failed) == [tasks[0].key]
    assert "its worker died 4 times" in failed[tasks[0].key].error
    assert workers.began.count("train") <= 5 + 3  # those that ran beside it once more, alone


def test_what_tasks_wait_for_is_told_once(monkeypatch):
    from fpgaprune.sweep import schedule

    class Waiting(Fake):
        def lacking(self, task):
            return f"no worker has a licence for {task.stage}"

    class Told(Quiet):
        def waits(self, why):
            self.stages.append(why)

    monkeypatch.setattr(schedule, "_PATIENCE_S", 0.0)
    watch = Told()
    tasks = [Task("prune", {"n": n}) for n in range(3)]
    Scheduler({task.key: task for task in tasks}, Waiting(most=2), watch, keep_going=False).run()
    assert watch.stages.count("no worker has a licence for prune") == 1


def test_data_beside_modules_counts_in_the_digest_of_code(monkeypatch):
    from pathlib import Path

    from fpgaprune.sweep import code
    from fpgaprune.sweep.task import MODULES

    read = []
    whole = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or whole(path))
    for modules, data in ((MODULES["generate"], "calibration.json"), (["fpgaprune.sweep.api"], "coefficients.json")):
        read.clear()
        code.code_digest.__wrapped__(*modules)
        assert data in read


def test_worker_with_other_code_or_packages_is_refused(tmp_path):
    from dataclasses import replace

    from fpgaprune.store import Store
    from fpgaprune.sweep.worker import Code, run

    task, store = Task("samples", {}), Store.open(tmp_path / "store")
    here = Code.of(task)
    torch = run(task, store, str(tmp_path), replace(here, versions={**here.versions, "torch": "1.0"}))
    assert re.search(r"the worker on .* has torch \d.* in place of 1\.0; give all workers the same", torch.error)
    sources = run(task, store, str(tmp_path), replace(here, digest="0" * 64))
    assert "has other sources of fpgaprune than the sweep" in sources.error
    assert not store.has(task.key)


def test_tasks_in_threads_of_one_worker_take_turns(tmp_path, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    from fpgaprune.store import Store
    from fpgaprune.sweep import stages
    from fpgaprune.sweep.worker import Code, run

    running, most = [], []

    def perform(task, _store, _root):
        running.append(task)
        time.sleep(0.05)
        most.append(len(running))
        running.pop()

    monkeypatch.setattr(stages, "perform", perform)
    store, tasks = Store.open(tmp_path / "store"), [Task("samples", {"n": n}) for n in range(4)]
    with ThreadPoolExecutor(4) as threads:
        reports = list(threads.map(lambda task: run(task, store, str(tmp_path), Code.of(task)), tasks))
    assert [report.error for report in reports] == [""] * 4
    assert most == [1] * 4


def test_tools_of_another_version_are_refused():
    from fpgaprune.sweep import counters

    found = counters.versions("yosys")
    counters.refuse_other("yosys", found)
    counters.refuse_other("yosys", ())  # they were not known
    if found:
        with pytest.raises(InputError, match=r"has yosys .*, but the sweep was planned with yosys 0\.1"):
            counters.refuse_other("yosys", ("yosys 0.1",))

"""Tasks wait for their needs and for resources; workers that die are replaced, but not for ever."""

from __future__ import annotations

import io
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
        self.most, self.limits, self.said, self.deaths = most, limits or {}, said or {}, deaths
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
        self.most, self.limits = most, {}
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

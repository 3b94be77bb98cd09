"""Points → table: stages once, killed and resumed, damaged and mended, here and on a cluster, the same to the byte."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from fpgaprune import workspace
from fpgaprune.energy import energy, to_data
from fpgaprune.errors import InputError
from fpgaprune.prune.checkpoint import Checkpoint
from fpgaprune.sim import ProjectFolder, csim
from fpgaprune.store import Store, about
from fpgaprune.sweep import Where, read, stages, status, sweep
from fpgaprune.sweep.sources import model_of
from tests.sweep.conftest import GRID, MODULE, RECIPE, SEEDING
from tests.sweep.inline import Here, Quiet

FILES = ("table.json", "table.csv", "table.md")


def _swept(recipe, out, **more):
    watch = Quiet()
    return sweep(read(recipe), out, Here(), watch, **more), watch.stages


def _tables(out):
    return {name: (out / name).read_bytes() for name in FILES}


def _entries(out, stage):
    entries = Store.open(out / "store").folder.glob("entries/*/*")
    return [entry for entry in entries if about(entry)["stage"] == stage]


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A folder with the small network, its recipe with a grid, and the sweep of it in ``out``."""
    folder = tmp_path_factory.mktemp("grid")
    (folder / "small_net.py").write_text(MODULE)
    (folder / "recipe.toml").write_text(RECIPE + GRID)
    before = Path.cwd()
    os.chdir(folder)
    try:
        _, stages = _swept(folder / "recipe.toml", folder / "out")
    finally:
        os.chdir(before)
    return folder, stages


@pytest.fixture
def inside(grid, monkeypatch):
    monkeypatch.chdir(grid[0])
    return grid[0]


@pytest.mark.needs("g++", "make")
def test_stages_that_points_share_are_done_once(grid):
    counts = {stage: grid[1].count(stage) for stage in dict.fromkeys(grid[1])}
    assert counts == {"samples": 1, "train": 1, "prune": 2, "quantise": 2, "generate": 4, "simulate": 4}
    assert len(_entries(grid[0] / "out", "program")) == 2  # the C++ for both boards differs in comments alone


@pytest.mark.needs("g++", "make")
def test_energy_of_one_program_on_two_boards_is_counted_on_one_trace(recipe, place):
    text = RECIPE.replace("samples = 20", "samples = 20\nenergy = true")
    found, _ = _swept(recipe('[sweep.grid]\ngenerate.board = ["kv260", "pynq-z2"]\n', base=text), place / "out")
    assert len(_entries(place / "out", "trace")) == 1
    designs = sorted((place / "out" / "designs").iterdir())
    alone = tuple(to_data(energy(ProjectFolder.load(folder)))["dynamic_pj"] for folder in designs)
    assert found.table.column("energy, dynamic") == alone
    assert alone[0] != alone[1]


@pytest.mark.parametrize("limit", [1, 2])
def test_workers_compute_on_one_thread_whatever_the_process_does(recipe, place, monkeypatch, limit):
    seen = []

    def looked(work):
        seen.extend(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")
        samples(work)

    samples = stages._STAGES["samples"]
    monkeypatch.setattr(stages, "_STAGES", {**stages._STAGES, "samples": looked})
    with threadpool_limits(limit):
        _swept(recipe(), place / "out")
        assert limit in {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}
    assert set(seen) == {1}


@pytest.mark.needs("g++", "make")
def test_table_has_a_row_for_each_point_with_kinds_and_units(grid):
    data = json.loads((grid[0] / "out" / "table.json").read_text())
    titles = [column["name"] for column in data["columns"]]
    rows = [dict(zip(titles, row, strict=True)) for row in data["rows"]]
    assert [(row["prune.sparsity"], row["generate.board"]) for row in rows] == [
        (0.5, "pynq-z2"),
        (0.5, "kv260"),
        (0.75, "pynq-z2"),
        (0.75, "kv260"),
    ]
    assert {row["C-simulation"] for row in rows} == {"exact on 20"}
    assert rows[0]["lut"] > rows[2]["lut"] > 0
    assert rows[0]["latency"] > rows[1]["latency"]
    by_name = {column["name"]: column for column in data["columns"]}
    assert (by_name["latency"]["unit"], by_name["latency"]["kind"]) == ("ns", "estimate")


@pytest.mark.needs("g++", "make")
def test_designs_are_projects_that_may_be_simulated_again(grid):
    folders = sorted((grid[0] / "out" / "designs").iterdir())
    assert [folder.name.rpartition("-")[0] for folder in folders] == [
        f"sparsity_0_{share}_board_{board}" for share in (5, 75) for board in ("kv260", "pynq_z2")
    ]
    project = ProjectFolder.load(folders[0])
    assert project.edited() == ()
    assert csim(project).exact


@pytest.mark.needs("g++", "make")
def test_models_may_be_generated_from_again(grid):
    models = sorted((grid[0] / "out" / "models").iterdir())
    assert [folder.name.rpartition("-")[0] for folder in models] == ["sparsity_0_5", "sparsity_0_75"]
    found = workspace.load(models[1])
    assert found.label == "0.75"
    assert found.samples.shape == (50, 8)
    assert found.quantised.report.explained.pruning is not None


@pytest.mark.needs("g++", "make")
def test_vendor_tool_counts_in_place_of_estimates(recipe, place, monkeypatch):
    fakes = Path(__file__).parent.parent / "fakes"
    monkeypatch.setenv("FPGAPRUNE_VITIS", str(fakes / "vitis_hls"))
    monkeypatch.setenv("FAKE_CALLS", str(place / "calls"))
    path = recipe("\n[synth]\ntool = 'vitis'\n[synth.resources]\nlicences = 1\n[sweep.limits]\nlicences = 1\n")
    swept, stages = _swept(path, place / "out")
    assert stages[-1] == "synthesise"
    kinds = {column.name: column.kind for column in swept.table.columns}
    assert kinds["lut"] == "csynth"
    assert swept.table.column("lut")[0] > 0
    calls = (place / "calls").read_text()
    _swept(path, place / "out")
    assert (place / "calls").read_text() == calls
    assert not list((place / "out" / "store" / "running").iterdir())


@pytest.mark.needs("g++", "make")
def test_design_is_told_by_the_simulation_that_is_asked_for(recipe, place):
    for samples in (20, 10, 20):
        swept, _ = _swept(recipe(base=RECIPE.replace("samples = 20", f"samples = {samples}")), place / "out")
        assert swept.table.column("C-simulation") == (f"exact on {samples}",)
    verdicts = [json.loads(path.read_text()) for path in (place / "out" / "designs").glob("*/csim.json")]
    assert sorted(verdict["samples"] for verdict in verdicts) == [10, 20]


@pytest.mark.needs("g++", "make")
def test_repeated_sweep_does_nothing(inside):
    before = _tables(inside / "out")
    _, stages = _swept(inside / "recipe.toml", inside / "out")
    assert stages == []
    assert _tables(inside / "out") == before


@pytest.mark.needs("g++", "make")
def test_larger_grid_reuses_what_is_there(inside, tmp_path):
    recipe = tmp_path / "larger.toml"
    recipe.write_text((RECIPE + GRID).replace('"kv260"]', '"kv260", "zcu104"]'))
    swept, stages = _swept(recipe, inside / "out")
    assert sorted(stages) == ["generate", "generate", "simulate", "simulate"]
    assert len(swept.table.rows) == 6
    _swept(inside / "recipe.toml", inside / "out")


@pytest.mark.needs("g++", "make")
def test_damaged_entry_is_made_anew_to_the_same_bytes(inside):
    before = _tables(inside / "out")
    for entry in _entries(inside / "out", "generate"):
        with (entry / "project" / "graph.json").open("a") as stream:
            stream.write(" ")
    (inside / "out" / "sweep.json").write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        status(inside / "out")
    _, stages = _swept(inside / "recipe.toml", inside / "out")
    assert stages == ["generate"] * 4
    assert _tables(inside / "out") == before


@pytest.mark.needs("g++", "make")
def test_status_tells_how_far_it_is(inside):
    found = status(inside / "out")
    assert (found.points, found.done) == (4, 4)
    assert found.stages["quantise"] == (2, 2)
    assert found.running == found.failed == ()


@pytest.mark.needs("g++", "make")
def test_processes_and_a_cluster_give_the_same_bytes(inside, tmp_path):
    distributed = pytest.importorskip("distributed")
    code = "import sys; from fpgaprune.cli import main; sys.argv[0] = 'fpgaprune'; main()"
    command = [sys.executable, "-c", code, "sweep", "recipe.toml", "--out", str(tmp_path / "two"), "--jobs", "2"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert _tables(tmp_path / "two") == _tables(inside / "out")
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**settings, local_directory=tmp_path) as cluster:
        victim = next(iter(cluster.workers.values())).pid

        class Killing(Quiet):
            def ended(self, task, _report):
                if task.stage == "prune" and "killed" not in self.stages:
                    os.kill(victim, signal.SIGKILL)
                    self.stages.append("killed")

        watch = Killing()
        sweep(read(inside / "recipe.toml"), tmp_path / "dask", Where(dask=cluster.scheduler_address), watch)
    assert "killed" in watch.stages
    assert _tables(tmp_path / "dask") == _tables(inside / "out")


def _killed(recipe, out, seconds):
    """Run a sweep in a forked process that is killed after so many seconds."""
    process = multiprocessing.get_context("fork").Process(target=_swept, args=(recipe, out))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()


@pytest.mark.needs("g++", "make")
def test_killed_at_random_moments_it_loses_and_redoes_nothing(inside, tmp_path):
    start = time.monotonic()
    _swept(inside / "recipe.toml", tmp_path / "whole")
    seconds = time.monotonic() - start
    generator, out, finished = np.random.default_rng(0), tmp_path / "killed", {}
    for _ in range(20):
        _killed(inside / "recipe.toml", out, generator.uniform(0, seconds / 2))
        there = {path.name: (path / "entry.json").stat().st_mtime_ns for path in out.glob("store/entries/*/*")}
        assert finished.items() <= there.items()
        finished = there
    _swept(inside / "recipe.toml", out)
    assert _tables(out) == _tables(inside / "out")
    assert not list(out.glob("store/making/*/project"))


TRAINED = RECIPE.replace("epochs = 1", "epochs = 3") + "\n[quantise.fine_tune]\nepochs = 3\n"
"""Nine epochs, three in each stage that trains."""


def _counted(monkeypatch, end_after=None):
    """Count checkpoints of epochs, and kill this process after so many."""
    saved, save = [], Checkpoint.save

    def counting(self, *values):
        save(self, *values)
        saved.append(self.folder)
        if len(saved) == end_after:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(Checkpoint, "save", counting)
    return saved


@pytest.mark.needs("g++", "make")
def test_killed_within_a_training_it_goes_on_from_the_last_epoch(recipe, place, monkeypatch):
    path = recipe(base=TRAINED)
    with monkeypatch.context() as counting:
        whole = _counted(counting)
        _swept(path, place / "whole")
    assert len({folder.name for folder in whole}) == 3
    for end_after in (2, 5, 8):
        out = place / f"killed{end_after}"
        with monkeypatch.context() as killing:
            _counted(killing, end_after)
            _killed(path, out, 120)
        assert len(list((out / "store" / "training").iterdir())) == 1
        with monkeypatch.context() as counting:
            again = _counted(counting)
            _swept(path, out)
        assert len(again) == len(whole) - end_after
        assert _tables(out) == _tables(place / "whole")
        assert not list((out / "store" / "training").iterdir())


@pytest.mark.needs("g++", "make")
@pytest.mark.parametrize("damage", [lambda path: path.write_text("{"), Path.unlink])
def test_training_with_a_damaged_checkpoint_begins_anew(recipe, place, monkeypatch, damage):
    path = recipe(base=TRAINED)
    with monkeypatch.context() as counting:
        whole = _counted(counting)
        _swept(path, place / "whole")
    with monkeypatch.context() as killing:
        _counted(killing, 2)
        _killed(path, place / "killed", 120)
    (manifest,) = (place / "killed" / "store" / "training").glob("*/checkpoint.json")
    damage(manifest)
    again = _counted(monkeypatch)
    _swept(path, place / "killed")
    assert len(again) == len(whole)
    assert _tables(place / "killed") == _tables(place / "whole")


@pytest.mark.needs("g++", "make")
def test_two_sweeps_in_one_folder_share_the_work(inside, tmp_path):
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_swept, args=(inside / "recipe.toml", tmp_path / "both")) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(240)
    assert [process.exitcode for process in both] == [0, 0]
    assert _tables(tmp_path / "both") == _tables(inside / "out")
    assert len(_entries(tmp_path / "both", "prune")) == 2


WIDE = "activation_bits 32, weight_bits 32"
FAILING = """
[[sweep.points]]
quantise.activation_bits = 32
quantise.weight_bits = 32

[[sweep.points]]
prune.sparsity = 0.25
"""


@pytest.mark.needs("g++", "make")
def test_failure_ends_a_sweep_or_is_collected(recipe, place):
    path = recipe(FAILING)
    with pytest.raises(InputError, match=r"its sums may need.*activation_bits_32_weight_bits_32-[0-9a-f]{8}\.log"):
        _swept(path, place / "out")
    swept, _ = _swept(path, place / "out", keep_going=True)
    said = dict(zip(swept.table.column("design"), swept.table.column("said"), strict=True))
    assert said["sparsity 0.25"] == ""
    assert "failed: " in said[WIDE]
    log = swept.failed[WIDE].read_text()
    assert "Traceback" in log
    assert status(place / "out").failed == (WIDE,)


@pytest.mark.needs("g++", "make")
def test_design_that_does_not_fit_is_a_result(recipe, place):
    base = RECIPE.replace('strategy = "multiply"', "max_lut = 0.0001")
    swept, _ = _swept(recipe(base=base), place / "out")
    assert "lut" in swept.table.column("said")[0].lower()
    assert swept.failed == {}
    _, stages = _swept(recipe(base=base), place / "out")
    assert stages == []


def test_model_that_fails_is_told(recipe, place):
    with pytest.raises(InputError, match="no such luck"):
        _swept(recipe(base=RECIPE.replace("small_net:model", "small_net:broken")), place / "out")


def test_module_that_seeds_when_it_is_imported_gives_one_model(recipe, place, monkeypatch):
    (place / "seeding_net.py").write_text(SEEDING + MODULE)
    (point,) = read(recipe(base=RECIPE.replace("small_net", "seeding_net"))).points
    digests = []
    for _ in range(2):
        monkeypatch.delitem(sys.modules, "seeding_net", raising=False)
        digests += [model_of(point.recipe.model.factory, None, 3)[1] for _ in range(2)]
    assert len(set(digests)) == 1


def test_model_that_is_another_each_time_is_refused(recipe, place):
    with pytest.raises(InputError, match="returned another model than before"):
        _swept(recipe(base=RECIPE.replace("small_net:model", "small_net:other_each_time")), place / "out")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[quantise.layers.4]\nweight_bits = 2\n", r"recipe\.toml: line \d+: \[quantise\] layers\.4 names no layer"),
        ("[prune.layers]\n4 = 0.5\n", r"recipe\.toml: line \d+: \[prune\] layers\.4 names no prunable tensor"),
    ],
)
def test_misspelt_layers_are_told_before_anything_is_trained(recipe, place, more, message):
    watch = Quiet()
    with pytest.raises(InputError, match=message):
        sweep(read(recipe(more)), place / "out", Here(), watch)
    assert watch.stages == []


def test_folder_of_something_else_is_refused(recipe, place):
    with pytest.raises(InputError, match="no folder of a sweep"):
        _swept(recipe(), place)


def test_scheduler_that_does_not_answer_is_told(place):
    pytest.importorskip("distributed")
    from fpgaprune.sweep.cluster import DaskWorkers

    store = Store.open(place / "store")
    with pytest.raises(InputError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:1'"):
        DaskWorkers(store, place, "tcp://127.0.0.1:1", timeout_s=1)


def test_no_process_is_refused():
    with pytest.raises(InputError, match="jobs must be at least 1"):
        Where(0)

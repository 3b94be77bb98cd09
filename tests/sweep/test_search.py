"""A search: what is asked, trials that end before training, the Pareto set as projects, going on when interrupted."""

from __future__ import annotations

import csv
import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from fpgaprune.errors import InputError
from fpgaprune.sim import ProjectFolder
from fpgaprune.sweep import Range, read_search, search, status
from fpgaprune.sweep.study import Study
from tests.sweep.conftest import RECIPE
from tests.sweep.inline import Here, Inline, Quiet

SEARCH = """
[search]
trials = 5
objectives = ["accuracy", "lut"]

[search.space]
prune.sparsity = { low = 0.0, high = 0.95 }
quantise.weight_bits = [3, 5]
"""


def _searched(path, out, **changes):
    watch = Quiet()
    return search(replace(read_search(path), **changes), out, Here(), watch), watch.stages


def _rows(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_space_of_ranges_and_values(recipe):
    asked = read_search(recipe(SEARCH))
    assert asked.space == {"prune.sparsity": Range(0.0, 0.95), "quantise.weight_bits": (3, 5)}
    assert asked.objectives == ("accuracy", "lut")
    assert Range(1, 4).is_whole
    assert not Range(1, 4.5).is_whole


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("low = 0.0, high", "low = 1.0, high", r"space\.prune\.sparsity: high must be at least low"),
        ("low = 0.0, high = 0.95", "low = 0.0", r"space\.prune\.sparsity lacks high"),
        ("low = 0.0, high = 0.95", "low = 0.0, high = 1.95", r"prune\.sparsity = 1\.95: \[prune\] sparsity must be in"),
        ("low = 0.0, high = 0.95", "low = 0.0, high = 0.9, log = true", r"log must be false"),
        ("low = 0.0, high = 0.95", "low = 0.0, high = 0.9, step = 0", r"step must be more than 0"),
        ("low = 0.0, high = 0.95", "low = 0.0, high = 0.9, stp = 1", r"no field 'stp' \(did you mean 'step'"),
        ("[3, 5]", "[]", r"space\.quantise\.weight_bits must be a list of values or a table"),
        ("[3, 5]", '[3, "x"]', r"weight_bits = 'x': \[quantise\] weight_bits must be an integer"),
        ("trials = 5", "trials = 0", r"trials must be at least 1"),
        ("trials = 5", "trails = 5", r"no field 'trails' \(did you mean 'trials'"),
        ('"lut"]', '"luts"]', r"objectives must be one of .*did you mean 'lut'"),
        ('"lut"]', '"accuracy"]', r"objectives must be a list of different names"),
        ('["accuracy", "lut"]', '"lut"', r"objectives must be a list of different names"),
        ('["accuracy", "lut"]', '[["accuracy"], ["lut"]]', r"objectives must be one of .* not \['accuracy'\]"),
        ("low = 0.0, high", "lo = 0.0, hi", r"space\.prune\.sparsity has no field 'lo' \(did you mean 'low'"),
        ("trials = 5", "limits.lut = 70", r"limits\.lut must be in \[0, 1\], not 70"),
        ('"lut"]', '"energy_pj"]', r"needs csim\.energy = true"),
        ("trials = 5", 'sampler = "cma"', r"sampler must be one of"),
        ("trials = 5", "limits.luts = 1", r"limits has no field 'luts'"),
    ],
)
def test_wrong_search_is_told_with_its_line(recipe, old, new, said):
    assert old in SEARCH
    with pytest.raises(InputError, match=said) as caught:
        read_search(recipe(SEARCH.replace(old, new)))
    assert "recipe.toml: line " in str(caught.value)


def test_layer_that_does_not_exist_is_told_before_anything_is_written(recipe, place):
    path = recipe(SEARCH.replace("prune.sparsity =", "prune.layers.fc1 ="))
    with pytest.raises(
        InputError, match=r"recipe\.toml: .*layers\.fc1 names no prunable.*there are 0\.weight, 2\.weight"
    ):
        _searched(path, place / "out")
    assert not (place / "out").exists()


def test_recipe_without_a_search_is_told(recipe):
    with pytest.raises(InputError, match=r"\[search\] is missing"):
        read_search(recipe())


@pytest.mark.needs("g++", "make")
def test_front_has_the_designs_that_no_other_beats(recipe, place):
    pytest.importorskip("optuna")
    found, _ = _searched(recipe(SEARCH), place / "out")
    assert len(found.trials.rows) == 5
    pairs = list(zip(found.trials.column("accuracy, integers"), found.trials.column("lut"), strict=True))
    names = found.trials.column("design")
    best = [
        name
        for name, (accuracy, lut) in zip(names, pairs, strict=True)
        if not any(a >= accuracy and n <= lut and (a, n) != (accuracy, lut) for a, n in pairs)
    ]
    assert list(found.front.column("design")) == best
    folders = {folder.name.rpartition("-")[0].replace("_", " ") for folder in (place / "out" / "designs").iterdir()}
    assert folders == set(best)
    command = ["search", str(next((place / "out").glob("recipe-*.toml"))), "--out", str(place / "out"), "--trials", "5"]
    for folder in (place / "out" / "designs").iterdir():
        assert ProjectFolder.load(folder).edited() == ()
        assert json.loads((folder / "commands.json").read_text()) == [command]
    assert len(_rows(place / "out" / "front.csv")) == len(best)
    assert (place / "out" / "report.html").read_text().count('id="design-') == len(best)


@pytest.mark.needs("g++", "make")
def test_what_is_too_large_is_not_trained(recipe, place):
    pytest.importorskip("optuna")
    text = SEARCH + "\n[search.limits]\nlut = 0.013\n"
    found, stages = _searched(recipe(text), place / "out", trials=6)
    said = found.trials.column("said")
    ended = [reason for reason in said if reason.startswith("not trained: lut would be at least")]
    assert 0 < len(ended) < 6
    assert stages.count("simulate") == 6 - len(ended)
    assert all(lut is None for lut, reason in zip(found.trials.column("lut"), said, strict=True) if reason in ended)


@pytest.mark.needs("g++", "make")
def test_interrupted_search_goes_on_to_the_same_trials(recipe, place):
    pytest.importorskip("optuna")
    path = recipe(SEARCH.replace("trials = 5", "trials = 3\nat_once = 2"))
    whole, _ = _searched(path, place / "whole")
    for seconds in (1.0, 2.0):
        process = multiprocessing.get_context("fork").Process(target=_searched, args=(path, place / "out"))
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
    found, _ = _searched(path, place / "out")
    assert len(found.trials.rows) == 3
    assert status(place / "out").trials == (3, 3)
    assert {row[1:] for row in found.trials.rows} == {row[1:] for row in whole.trials.rows}
    longer, _ = _searched(path, place / "out", trials=4)
    assert longer.trials.rows[:3] == found.trials.rows
    assert len(longer.trials.rows) == 4


@pytest.mark.needs("g++", "make")
def test_energy_can_be_an_objective(recipe, place):
    pytest.importorskip("optuna")
    text = SEARCH.replace('"lut"', '"energy_pj"').replace("trials = 5", "trials = 2")
    base = RECIPE.replace("samples = 20", "samples = 20\nenergy = true")
    found, _ = _searched(recipe(text, base=base), place / "out")
    assert all(energy > 0 for energy in found.trials.column("energy, dynamic"))


def test_trials_that_fail_leave_a_log_each_and_the_search_goes_on(recipe, place, monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.setenv("FPGAPRUNE_CXX", "no-such-compiler")
    found, _ = _searched(recipe(SEARCH), place / "out", trials=3)
    assert [said.startswith("failed: g++ is needed") for said in found.trials.column("said")] == [True] * 3
    assert found.front.rows == ()
    logs = sorted((place / "out" / "failures").glob("trial_*.log"))
    assert [log.read_text().split("\n")[0] for log in logs] == ["trial 0", "trial 1", "trial 2"]
    assert all("Traceback" in log.read_text() and "ToolError" in log.read_text() for log in logs)


@pytest.mark.parametrize(("at_once", "batches"), [("", [2, 2, 1]), ("\nat_once = 3", [3, 2])])
def test_as_many_trials_at_once_as_there_are_workers(recipe, place, monkeypatch, at_once, batches):
    pytest.importorskip("optuna")
    asked = []

    class Two(Inline):
        most = count = 2

    class Both(Here):
        def workers(self, store, limits):
            return Two(store, Path.cwd(), limits)

    def ask(study, count):
        asked.append(count)
        if len(asked) > 1:
            told = status(place / "out")
            assert (told.trials, told.points) == ((sum(asked[:-2]), 5), asked[-2])
        return original(study, count)

    original = Study.ask
    monkeypatch.setattr(Study, "ask", ask)
    monkeypatch.setenv("FPGAPRUNE_CXX", "no-such-compiler")
    search(read_search(recipe(SEARCH.replace("trials = 5", f"trials = 5{at_once}"))), place / "out", Both(), Quiet())
    assert asked == batches


@pytest.mark.needs("g++", "make")
def test_search_of_another_recipe_is_refused(recipe, place):
    pytest.importorskip("optuna")
    _searched(recipe(SEARCH), place / "out", trials=1)
    with pytest.raises(InputError, match="holds a search of another recipe"):
        _searched(recipe(SEARCH.replace("0.95", "0.9")), place / "out")

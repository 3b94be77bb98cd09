"""The commands of whole recipes: files that they leave, exit codes, and errors in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fpgaprune.cli import main
from fpgaprune.sweep import read
from tests.sweep.conftest import RECIPE


def _run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["fpgaprune", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


@pytest.mark.needs("g++", "make")
def test_run_makes_a_project_a_table_and_a_report(recipe, place, monkeypatch, capsys):
    assert _run(monkeypatch, "run", recipe(), "--out", "run", "--jobs", 1) == 0
    said = capsys.readouterr().out
    assert "exact on 20" in said
    assert "report: run/report.html" in said
    (design,) = (place / "run" / "designs").iterdir()
    assert (design / "csim.json").is_file()
    assert (place / "run" / "report.html").stat().st_size > 10_000
    (kept,) = Path("run").glob("recipe-*.toml")
    command = ["run", str(kept), "--out", "run"]
    assert json.loads((design / "commands.json").read_text()) == [command]
    assert f"fpgaprune run {kept} --out run" in (place / "run" / "report.html").read_text()
    assert kept.read_bytes() == recipe().read_bytes()
    assert _run(monkeypatch, "sweep", "--status", "run") == 0
    assert "1 of 1 designs are done" in capsys.readouterr().out
    page = (place / "run" / "report.html").read_text()
    (place / "run" / "report.html").unlink()
    assert _run(monkeypatch, *command, "--jobs", 1) == 0  # the one that the page told
    assert "report: run/report.html" in capsys.readouterr().out
    assert (place / "run" / "report.html").read_text() == page


@pytest.mark.needs("g++", "make")
def test_designs_of_an_earlier_recipe_keep_the_command_that_makes_them(recipe, place, monkeypatch):
    for sparsity in ("0.5", "0.75"):
        text = RECIPE.replace("sparsity = 0.5", f"sparsity = {sparsity}")
        assert _run(monkeypatch, "run", recipe(base=text), "--out", "run", "--jobs", 1) == 0
    told = {}
    for design in (place / "run" / "designs").iterdir():
        ((_, kept, *_),) = json.loads((design / "commands.json").read_text())
        told[kept] = read(place / kept).points
    assert sorted(point.recipe.prune.sparsity for points in told.values() for point in points) == [0.5, 0.75]


@pytest.mark.needs("g++", "make")
def test_no_page_is_named_where_no_design_fits(recipe, place, monkeypatch, capsys):
    assert _run(monkeypatch, "run", recipe(), "--out", "run", "--jobs", 1) == 0
    none_fits = recipe(base=RECIPE.replace('strategy = "multiply"', "max_lut = 0.0001"))
    for _ in range(2):  # made, and found
        capsys.readouterr()
        assert _run(monkeypatch, "run", none_fits, "--out", "run", "--jobs", 1) == 0
        said = capsys.readouterr().out
        assert "no designs and no report: the column 'said' of the table tells why" in said
        assert "report.html" not in said
    assert not (place / "run" / "report.html").exists()


def test_run_refuses_a_grid(recipe, monkeypatch, capsys):
    path = recipe("\n[sweep.grid]\nprune.sparsity = [0.1, 0.2]\n")
    assert _run(monkeypatch, "run", path, "--out", "run") == 2
    assert "asks for 2 designs; make them with `fpgaprune sweep`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sweep"], "give a recipe and --out"),
        (["sweep", "recipe.toml"], "give a recipe and --out"),
        (["sweep", "none.toml", "--out", "out"], "none.toml cannot be read"),
        (["sweep", "recipe.toml", "--out", "out", "--dask", "tcp://x:1", "--jobs", "2"], "--jobs counts processes"),
        (["sweep", "--status", "nowhere"], "nowhere is no folder of a sweep"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(recipe, monkeypatch, capsys, arguments, said):
    recipe()
    assert _run(monkeypatch, *arguments) == 2
    captured = capsys.readouterr().err
    assert said in captured
    assert "Traceback" not in captured


def test_error_in_a_recipe_leaves_nothing_behind(recipe, place, monkeypatch, capsys):
    path = recipe(base=RECIPE.replace("sparsity = 0.5", "sparsity = 5"))
    assert _run(monkeypatch, "sweep", path, "--out", "out") == 2
    assert "recipe.toml: line 12: [prune] sparsity must be in [0, 1]" in capsys.readouterr().err
    assert not (place / "out").exists()


def test_init_writes_a_recipe_once(place, monkeypatch, capsys):
    assert _run(monkeypatch, "init") == 0
    assert "[sweep.grid]" in (place / "recipe.toml").read_text()
    assert _run(monkeypatch, "init") == 2
    assert "recipe.toml exists already" in capsys.readouterr().err

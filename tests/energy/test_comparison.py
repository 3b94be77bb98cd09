"""Energies side by side: the densest first, multiples of it, and what cannot be set beside it."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest
from rich.console import Console

from fpgaprune import board
from fpgaprune.cli import main
from fpgaprune.emit import emit
from fpgaprune.energy import energies
from fpgaprune.errors import InputError
from fpgaprune.lower import lower
from fpgaprune.report.energy import print_energies
from fpgaprune.schedule import schedule
from fpgaprune.sim import ProjectFolder
from tests.nets import PYNQ, folded, mlp

pytestmark = pytest.mark.needs("g++", "make")


def written(folder, sparsity, on=PYNQ, **options):
    graph = mlp((10, 8, 3), sparsity, seed=2)
    design = schedule(graph, on, name=folder.name, **options)
    layers = [{"layer": "fc1", "weights": 80, "nonzeros_quantised": round(80 * (1 - sparsity))}]
    emit(lower(design), None, extras={"point": {"label": f"{sparsity:.0%}", "layers": layers}}).write(folder)
    return ProjectFolder.load(folder)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    root = tmp_path_factory.mktemp("energies")
    return [written(root / name, sparsity) for name, sparsity in (("c", 0.8), ("a", 0.0), ("b", 0.5))]


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["fpgaprune", "energy", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0, capsys.readouterr()


def test_the_densest_comes_first_and_others_are_multiples_of_it(three, monkeypatch, capsys):
    code, said = run(monkeypatch, capsys, *(each.path for each in three), "--json")
    data = json.loads(said.out)
    assert code == 0
    assert [design["label"] for design in data["designs"]] == ["0%", "50%", "80%"]
    assert [design["sparsity"] for design in data["designs"]] == [0.0, 0.5, 0.8]
    first, *others = data["designs"]
    assert first["x_densest"]["dynamic_pj"] == 1.0
    for each in others:
        ratio = each["energy"]["dynamic_pj"] / first["energy"]["dynamic_pj"]
        assert each["x_densest"]["dynamic_pj"] == pytest.approx(ratio, abs=1e-3)
        assert 0 < each["x_densest"]["dynamic_pj"] < 1
        with_static = [one["energy"]["dynamic_pj"] + one["energy"]["static"]["energy_pj"] for one in (each, first)]
        found = each["x_densest"]["dynamic_and_static_pj"]
        assert found == pytest.approx(with_static[0] / with_static[1], abs=1e-3)
    assert (data["notes"], data["rises"]) == ([], [])


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_line_is_wider_than_the_console(three, width):
    stream = io.StringIO()
    print_energies(energies(three), {}, Console(file=stream, width=width))
    assert max(map(len, stream.getvalue().splitlines())) <= width
    assert "1.00x" in stream.getvalue()
    assert "static" in stream.getvalue()


def test_the_same_inputs_are_for_all(three, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((5, 10)))
    found = energies(three, tmp_path / "x.npy")
    assert {point.energy.samples for point in found.points} == {5}


def test_other_strategies_disturb_the_comparison(three, tmp_path):
    other = written(tmp_path / "other", 0.5, planner=folded(4))
    assert "not of one strategy" in energies([three[1], other]).notes[0]


def test_an_edited_project_is_told(three, tmp_path):
    project = written(tmp_path / "edited", 0.5)
    with (project.path / "README.md").open("a") as file:
        file.write("a note\n")
    found = energies([three[1], project])
    assert [point.energy.edited for point in found.points] == [(), ("README.md",)]
    stream = io.StringIO()
    print_energies(found, {}, Console(file=stream, width=200))
    assert "README.md" in stream.getvalue()


def test_what_cannot_be_compared_is_refused(three, tmp_path, monkeypatch, capsys):
    with pytest.raises(InputError, match="is given more than once"):
        energies([three[0], three[0]])
    with pytest.raises(InputError, match="must be of one board, not"):
        energies([three[0], written(tmp_path / "zcu", 0.5, board.load("zcu104"))])
    with pytest.raises(InputError, match="must be of one clock, not"):
        energies([three[0], written(tmp_path / "slow", 0.5, clock_ns=20.0)])
    code, said = run(monkeypatch, capsys, three[0].path, tmp_path / "nothing")
    assert code == 2
    assert "Traceback" not in said.err

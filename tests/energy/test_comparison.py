"""Energies side by side: the densest first, multiples of it, and what cannot be set beside it."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from fpgaprune import board
from fpgaprune.cli import main
from fpgaprune.emit import Vectors, emit
from fpgaprune.energy import energies
from fpgaprune.errors import InputError
from fpgaprune.lower import lower
from fpgaprune.report.energy import print_energies
from fpgaprune.schedule import schedule
from fpgaprune.sim import ProjectFolder
from tests.nets import PYNQ, folded, mlp

pytestmark = pytest.mark.needs("g++", "make")


def written(folder, sparsity, on=PYNQ, inputs=None, **options):
    graph = mlp((10, 8, 3), sparsity, seed=2)
    design = schedule(graph, on, name=folder.name, **options)
    layers = [{"layer": "fc1", "weights": 80, "nonzeros_quantised": round(80 * (1 - sparsity))}]
    vectors = None if inputs is None else Vectors.of(graph, inputs)
    emit(lower(design), vectors, extras={"point": {"label": f"{sparsity:.0%}", "layers": layers}}).write(folder)
    return ProjectFolder.load(folder)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    root = tmp_path_factory.mktemp("energies")
    return [written(root / name, sparsity) for name, sparsity in (("c", 0.8), ("a", 0.0), ("b", 0.5))]


def shown(comparison, width=200):
    stream = io.StringIO()
    print_energies(comparison, {}, Console(file=stream, width=width))
    return stream.getvalue()


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


def test_json_has_the_multiples_of_non_zeros_parts_and_layers(three, monkeypatch, capsys):
    data = json.loads(run(monkeypatch, capsys, *(each.path for each in three), "--json")[1].out)
    assert (data["schema"], data["board"], data["x_densest_of"]) == ("fpgaprune-energies-1", "pynq-z2", "0%")
    first, *others = data["designs"]
    assert first["energy"]["parts"]["logic_pj"] > 0
    assert {each["energy"]["kind"] for each in data["designs"]} == {"estimate"}
    assert {each["energy"]["static"]["power_w"] for each in data["designs"]} == {0.114}
    for each in (first, *others):
        found = each["x_densest"]
        assert found["nonzeros"] == round(each["nonzeros"] / first["nonzeros"], 4)
        assert found["parts"].keys() == first["energy"]["parts"].keys()
        for part, pj in first["energy"]["parts"].items():
            wanted = pytest.approx(each["energy"]["parts"][part] / pj, abs=1e-3) if pj else None
            assert found["parts"][part] == wanted
        for name in ("fc1", "fc2"):
            ours, densest = (
                sum(layer["dynamic_pj"] for layer in one["energy"]["layers"] if layer["layer"] == name)
                for one in (each, first)
            )
            assert found["layers"][name] == pytest.approx(ours / densest, abs=1e-3)
    assert all(each["x_densest"]["layers"]["fc1"] < 1 for each in others)


def test_the_text_has_the_numbers_of_the_json(three, monkeypatch, capsys):
    text = shown(energies(three))
    data = json.loads(run(monkeypatch, capsys, *(each.path for each in three), "--json")[1].out)
    for each in data["designs"]:
        assert f"{each['energy']['dynamic_pj']:,.1f}" in text
        assert f"{each['x_densest']['dynamic_pj']:.2f}x" in text
        assert f"{each['energy']['static']['energy_pj']:,.1f}" in text


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_line_is_wider_than_the_console(three, width):
    stream = io.StringIO()
    print_energies(energies(three), {}, Console(file=stream, width=width))
    assert max(map(len, stream.getvalue().splitlines())) <= width
    assert "1.00x" in stream.getvalue()
    assert "static" in stream.getvalue()


def test_equal_labels_become_names_of_folders_and_then_paths(tmp_path):
    one, two, three = (
        written(tmp_path / path, sparsity) for path, sparsity in (("x/a", 0.5), ("y/a", 0.5), ("b", 0.8))
    )
    labels = {point.label for point in energies([one, two, three]).points}
    assert labels == {str((tmp_path / "x/a").resolve()), str((tmp_path / "y/a").resolve()), "80%"}
    same = written(tmp_path / "c", 0.8)
    assert {point.label for point in energies([three, same]).points} == {"b", "c"}


def test_the_same_inputs_are_for_all(three, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((5, 10)))
    found = energies(three, tmp_path / "x.npy")
    assert {point.energy.samples for point in found.points} == {5}


def test_other_strategies_disturb_the_comparison(three, tmp_path):
    other = written(tmp_path / "other", 0.5, planner=folded(4))
    assert "not of one strategy" in energies([three[1], other]).notes[0]


def test_energy_that_does_not_fall_with_non_zeros_is_told(three, tmp_path):
    other = written(tmp_path / "other", 0.5, planner=folded(4))
    found = energies([three[1], other])
    assert [(denser.label, sparser.label) for denser, sparser in found.rises] == [("0%", "50%")]
    stream = io.StringIO()
    print_energies(found, {}, Console(file=stream, width=200))
    assert "energy does not fall from 0% to 50%, although non-zeros do" in stream.getvalue()
    assert "everything else" in stream.getvalue()


def test_stored_vectors_that_differ_disturb_the_comparison(three, tmp_path):
    still = written(tmp_path / "still", 0.5, inputs=np.zeros((32, 10), dtype=int))
    found = energies([three[1], still])
    assert [point.energy.samples for point in found.points] == [32, 32]
    assert found.notes == (
        "not of the same inputs (0%: 32 of its own; 50%: 32 of its own); give all the same --inputs",
    )
    assert "ratios are not of the same inputs" in shown(found)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((5, 10)))
    assert energies([three[1], still], tmp_path / "x.npy").notes == ()


@pytest.mark.parametrize("denser_has_it", [True, False])
def test_a_static_power_that_not_all_have_is_told(three, tmp_path, denser_has_it):
    sources = {name: said for name, said in PYNQ.sources.items() if name != "static_w"}
    bare = replace(PYNQ, static_w=None, sources=sources)
    pair = (
        [three[1], written(tmp_path / "bare", 0.5, bare)]
        if denser_has_it
        else [written(tmp_path / "bare", 0.0, bare), three[2]]
    )
    found = energies(pair)
    powers = "0%: 0.114 W; 50%: none" if denser_has_it else "0%: none; 50%: 0.114 W"
    assert found.notes == (f"not of one static power ({powers}); generate all with one board file",)
    text = shown(found)
    assert "static share" not in text
    assert "static: of the whole device" not in text
    assert "not published" not in text


def test_an_edited_project_is_told(three, tmp_path):
    project = written(tmp_path / "edited", 0.5)
    with (project.path / "README.md").open("a") as file:
        file.write("a note\n")
    found = energies([three[1], project])
    assert [point.energy.edited for point in found.points] == [(), ("README.md",)]
    stream = io.StringIO()
    print_energies(found, {}, Console(file=stream, width=200))
    assert "README.md" in stream.getvalue()


def test_what_cannot_be_compared_is_refused(three, tmp_path):
    with pytest.raises(InputError, match="is given more than once"):
        energies([three[0], three[0]])
    with pytest.raises(InputError, match="must be of one board, not"):
        energies([three[0], written(tmp_path / "zcu", 0.5, board.load("zcu104"))])
    with pytest.raises(InputError, match="must be of one clock, not"):
        energies([three[0], written(tmp_path / "slow", 0.5, clock_ns=20.0)])


@pytest.mark.parametrize("as_json", [False, True])
def test_a_folder_that_is_missing_or_has_no_vectors_ends_with_2_and_says_why(
    three, tmp_path, monkeypatch, capsys, as_json
):
    bare = written(tmp_path / "bare", 0.5)
    (bare.path / "tb" / "input.dat").unlink()
    for bad, message in (
        (tmp_path / "nothing", "nothing is not a generated project: it has no fpgaprune.json"),
        (bare.path, "input.dat cannot be read"),
    ):
        for folders in ([bad], [three[0].path, bad]):
            code, said = run(monkeypatch, capsys, *folders, *(["--json"] if as_json else []))
            assert (code, said.out) == (2, "")
            assert message in said.err
            assert "Traceback" not in said.err
    assert "give --inputs, or generate the project again" in said.err


def test_given_inputs_make_up_for_missing_vectors(three, tmp_path, monkeypatch, capsys):
    bare = written(tmp_path / "bare", 0.5)
    (bare.path / "tb" / "input.dat").unlink()
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((5, 10)))
    code, said = run(monkeypatch, capsys, three[1].path, bare.path, "--inputs", tmp_path / "x.npy", "--json")
    data = json.loads(said.out)
    assert (code, data["notes"]) == (0, [])
    assert [design["energy"]["edited"] for design in data["designs"]] == [[], ["tb/input.dat"]]

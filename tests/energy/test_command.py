"""`fpgaprune energy`: the table, the JSON, the static power of a board file, and what is refused."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from fpgaprune import board
from fpgaprune.cli import main
from fpgaprune.emit import emit
from fpgaprune.energy import EnergyEstimate, of_words, read_energy
from fpgaprune.energy.values import StaticEnergy
from fpgaprune.errors import InputError
from fpgaprune.lower import lower, run
from fpgaprune.paths import resource
from fpgaprune.report import compare, print_energy
from fpgaprune.report.html import page
from fpgaprune.schedule import schedule
from fpgaprune.sim.csim import build
from tests.graphs import random_inputs
from tests.nets import folded, mlp, project
from tests.report.made import project_of

GRAPH = mlp((6, 5, 3), 0.3, seed=4)
UNPUBLISHED = board.load("basys3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = project(GRAPH).write(tmp_path_factory.mktemp("built") / "net")
    build(path, "testbench_trace", 600)
    return path


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command in this process and return exit code, standard output and standard error."""

    def run_command(*words):
        monkeypatch.setattr(sys, "argv", ["fpgaprune", "energy", *map(str, words)])
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = capsys.readouterr()
        return leaving.value.code or 0, out, err

    return run_command


@pytest.mark.needs("g++", "make")
def test_the_command_labels_what_it_says(folder, call):
    code, out, _ = call(folder)
    text = " ".join(out.split())
    assert code == 0
    assert "energy of an inference [pJ], estimate" in text
    assert "counted on 32 successive inputs (the vectors that the project keeps)" in text
    assert "is that of the traced C-simulation, which equals the Python interpreter" in text
    assert "a factor of 3 either way" in text
    assert "Horowitz, ISSCC 2014" in text
    assert "static power, beside that: " in text
    assert "power_routed_mnist.txt" in text


@pytest.mark.needs("g++", "make")
def test_json_and_text_agree(folder, call):
    data = json.loads(call(folder, "--json")[1])
    assert (data["kind"], data["unit"], data["samples"], data["interval_cycles"]) == ("estimate", "pJ", 32, 1)
    assert data["bounds_pj"] == pytest.approx([data["dynamic_pj"] / 3, data["dynamic_pj"] * 3], rel=1e-4)
    assert data["dynamic_pj"] == pytest.approx(sum(data["parts"].values()), rel=1e-4)
    assert data["dynamic_pj"] == pytest.approx(sum(layer["dynamic_pj"] for layer in data["layers"]), rel=1e-4)
    assert (data["simulated"], data["edited"]) == (True, [])
    assert data["static"]["power_w"] == 0.114
    assert f"{data['dynamic_pj']:,.1f} pJ of switching" in call(folder)[1]


@pytest.mark.needs("g++", "make")
def test_inputs_are_numbers_or_mantissas_and_bad_ones_are_refused(folder, call, tmp_path):
    rng = np.random.default_rng(0)
    for name, values in (("real", rng.random((9, 6))), ("whole", rng.integers(0, 256, (9, 6)))):
        np.save(tmp_path / f"{name}.npy", values)
        code, out, _ = call(folder, "--inputs", tmp_path / f"{name}.npy", "--json")
        assert (code, json.loads(out)["samples"]) == (0, 9)
    bad = {
        "finite": np.full((3, 6), np.nan),
        r"must have shape \(samples, 6\)": np.zeros((3, 5)),
        "at least 2 samples, not 0": np.zeros((0, 6)),
        "at least 2 samples, not 1": np.zeros((1, 6)),
        "out of the range": np.full((3, 6), 256),
    }
    for message, values in bad.items():
        np.save(tmp_path / "bad.npy", values)
        code, out, err = call(folder, "--inputs", tmp_path / "bad.npy")
        assert (code, out) == (2, "")
        assert re.search(message, err)
        assert "Traceback" not in err


@pytest.mark.needs("g++", "make")
def test_edited_files_of_one_project_are_named(tmp_path, call):
    path = project(GRAPH).write(tmp_path / "net")
    with (path / "README.md").open("a") as file:
        file.write("a note\n")
    (path / "tb" / "expected.dat").unlink()
    edited = ["README.md", "tb/expected.dat"]
    assert json.loads(call(path, "--json")[1])["edited"] == edited
    assert f"edited since it was generated: {', '.join(edited)}" in " ".join(call(path)[1].split())


def test_what_is_no_project_is_refused(call, tmp_path):
    code, _, err = call(tmp_path)
    assert code == 2
    assert "is not a generated project" in err


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("static_w", [None, 0.1])
def test_no_line_is_wider_than_the_console(width, static_w):
    sources = {**UNPUBLISHED.sources, **({} if static_w is None else {"static_w": "my measurement"})}
    own = replace(UNPUBLISHED, static_w=static_w, sources=sources)
    lowered = lower(schedule(GRAPH, own, planner=folded(4)))
    found = of_words(lowered, run(lowered, *random_inputs(GRAPH, 5)), inputs="these")
    stream = io.StringIO()
    print_energy(found, own, "net", {}, Console(file=stream, width=width))
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert text.isascii()
    assert "x (port)" in text


# --- static power ---


def test_static_energy_is_power_times_the_interval():
    found = EnergyEstimate((), 2, "these", interval_cycles=8, clock_ns=5.0, static_w=0.1)
    assert found.static.energy_pj == pytest.approx(4000)  # 0.1 W for 40 ns
    assert found.static.bounds_pj == pytest.approx((2000, 8000))
    assert (found.static.share, found.static.share_bounds) == (1.0, (1.0, 1.0))
    assert replace(found, static_w=None).static is None
    assert found.dynamic_pj == 0
    assert found.activity == 0


def test_the_share_of_static_power_is_least_where_switching_is_most():
    static = StaticEnergy(energy_pj=300.0, dynamic_pj=100.0)
    assert static.share == pytest.approx(0.75)
    assert static.share_bounds == pytest.approx((150 / (150 + 300), 600 / (600 + 100 / 3)))


def test_packaged_boards_have_the_static_powers_that_are_published_and_their_sources():
    found = {each.name: each for each in board.load_all() if each.static_w is not None}
    assert {name: each.static_w for name, each in found.items()} == {"pynq-z2": 0.114, "zcu104": 0.694}
    assert all(re.search(r"github\.com/\S+ at [0-9a-f]{40}", each.sources["static_w"]) for each in found.values())
    assert all("static_w" not in board.to_data(each) for each in board.load_all() if each.name not in found)


@pytest.mark.needs("g++", "make")
def test_a_board_without_a_figure_has_none_in_its_energy(tmp_path, call):
    path = emit(lower(schedule(GRAPH, UNPUBLISHED))).write(tmp_path / "net")
    assert json.loads(call(path, "--json")[1])["static"] is None
    text = " ".join(call(path)[1].split())
    assert f"static power of the {UNPUBLISHED.title}: not published; to have it counted, add static_w" in text


def own_board(folder, lines, source='static_w = "XPE 2020.2, typical process, 25 C"'):
    text = (resource("boards") / "basys3.toml").read_text().replace('"basys3"', '"own"')
    text = text.replace("[resources]", f"{lines}\n[resources]", 1) + f"{source}\n"
    (folder / "own.toml").write_text(text)
    return str(folder / "own.toml")


def test_a_board_file_can_have_a_static_power_with_its_source(tmp_path):
    own = board.load(own_board(tmp_path, "static_w = 0.072"))
    assert own.static_w == 0.072
    assert own.sources["static_w"].startswith("XPE")
    assert board.from_data(json.loads(json.dumps(board.to_data(own)))) == own


@pytest.mark.parametrize(
    ("lines", "source", "message"),
    [
        ("static_w = 0.07", "", r"sources\.static_w is missing; name the document"),
        ("", 'static_w = "XPE"', r"sources\.static_w is not a field of a board"),
        ("static_w = 0", 'static_w = "XPE"', "static_w must be a number of watts above 0"),
        ("static_w = nan", 'static_w = "XPE"', "static_w must be a number of watts above 0"),
        ("static_w = inf", 'static_w = "XPE"', "static_w must be a number of watts above 0"),
        ("static_w = true", 'static_w = "XPE"', "static_w must be a number of watts above 0"),
        ('static_w = "1"', 'static_w = "XPE"', "static_w must be a number of watts above 0"),
        ("static_w = 0.07", 'static_w = ""', r"sources\.static_w must be one line of text"),
        ("static_W = 0.07", 'static_w = "XPE"', "did you mean 'static_w'"),
    ],
)
def test_a_static_power_that_is_none_is_refused(tmp_path, lines, source, message):
    with pytest.raises(InputError, match=message):
        board.load(own_board(tmp_path, lines, source))


@pytest.mark.needs("g++", "make")
def test_the_static_share_of_a_board_is_shown_apart(tmp_path, call):
    own = board.load(own_board(tmp_path, "static_w = 0.072"))
    path = emit(lower(schedule(GRAPH, own))).write(tmp_path / "net")
    data = json.loads(call(path, "--json")[1])
    static = data["static"]
    assert (static["power_w"], static["per"]) == (0.072, "interval")
    assert static["energy_pj"] == pytest.approx(0.072 * data["interval_ns"] * 1000)
    assert static["share"] == pytest.approx(static["energy_pj"] / (static["energy_pj"] + data["dynamic_pj"]), abs=1e-3)
    text = " ".join(call(path)[1].split())
    assert f"static power, beside that: {static['energy_pj']:,.1f} pJ in the interval from one inference" in text
    assert "0.072 W of the whole device: XPE 2020.2, typical process, 25 C" in text


@pytest.mark.needs("g++", "make")
def test_energy_is_kept_for_comparisons_with_its_kind_and_unit(tmp_path, call):
    made = project_of(tmp_path / "net", GRAPH, "0.7")
    assert compare([made], stock=False).points[0].energy is None
    assert "Energy of an inference" not in page(compare([made], stock=False))
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((9, 6)))
    said = json.loads(call(made.path, "--inputs", tmp_path / "x.npy", "--json")[1])
    found = compare([made], stock=False)
    assert found.points[0].energy_pj == said["dynamic_pj"]
    text = page(found)
    assert "Energy of an inference, pJ (estimate)" in text
    assert "Counted on 9 successive inputs (the inputs that were given)" in text
    assert not made.edited()


@pytest.mark.needs("g++", "make")
def test_energy_that_cannot_be_kept_is_told_all_the_same(folder, call):
    place = folder / "energy.json"
    place.unlink(missing_ok=True)
    place.mkdir()
    try:
        code, out, err = call(folder, "--json")
    finally:
        place.rmdir()
    assert code == 2
    assert str(place) in err
    assert json.loads(out)["dynamic_pj"] > 0


@pytest.mark.parametrize(
    "damage", [{"unit": "nJ"}, {"kind": "csynth"}, {"dynamic_pj": float("nan")}, {"dynamic_pj": None}]
)
def test_energy_of_another_unit_or_kind_is_refused(tmp_path, damage):
    data = {"kind": "estimate", "unit": "pJ", "dynamic_pj": 3.0, "switching": "counted"}
    (tmp_path / "energy.json").write_text(json.dumps(data))
    assert read_energy(tmp_path).dynamic_pj == 3.0
    (tmp_path / "energy.json").write_text(json.dumps(data | damage))
    with pytest.raises(InputError, match=r"energy\.json is no energy: .*; run `fpgaprune energy"):
        read_energy(tmp_path)

"""What designs are compared, under which labels, and which of them can tell whether pruning pays."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from fpgaprune.emit import emit
from fpgaprune.errors import InputError
from fpgaprune.fit import planner
from fpgaprune.lower import lower
from fpgaprune.report import Comparison, compare, comparison_to_data, layer_kinds, markdown, print_comparison, wording
from fpgaprune.report.html import page
from fpgaprune.report.notes import notes
from fpgaprune.schedule import Strategy, schedule
from fpgaprune.sim import ProjectFolder
from tests.nets import PYNQ, mlp
from tests.report.examples import (
    LEVELS,
    example_comparison,
    not_paying,
    one_point,
    point_of,
    with_layers,
)
from tests.report.pages import parse

NET = mlp((6, 4, 3), 0.5)
NONZEROS = {"fc1": 12, "fc2": 6}


def printed(comparison, width=120):
    stream = io.StringIO()
    print_comparison(comparison, Console(file=stream, width=width))
    return stream.getvalue()


def made(folder, label="50 %", strategy=Strategy.MULTIPLY, kind="Linear 6 to 4", on=PYNQ):
    """Write a project of one network and return its folder."""
    numbers = {"reuse": 4} if strategy is Strategy.FOLDED else {}
    design = schedule(NET, on, planner=planner(strategy, board=on, **numbers))
    counts = {"weights": 24, "nonzeros_pruned": 12, "nonzeros_quantised": 12}
    layers = [{"layer": name, **counts, "kind": kind, "picture": [[0.5]]} for name in NONZEROS]
    point = {"label": label, "float_accuracy": 0.9, "accuracy": 0.9, "layers": layers}
    emit(lower(design), None, extras={"point": point}).write(folder)
    return ProjectFolder.load(folder)


def built(point, strategy, lut=None):
    """Return a point whose layers are built by another strategy."""
    layers = [
        replace(each, resources=replace(each.resources, strategy=strategy, lut=lut or each.resources.lut))
        for each in point.layers
    ]
    return replace(with_layers(point, layers), label=f"{point.label} {strategy}")


@pytest.fixture
def strategies(tmp_path):
    """Return the projects of one model by three strategies."""
    return [made(tmp_path / strategy.value, strategy=strategy) for strategy in Strategy]


def test_designs_of_one_model_are_called_by_their_folders(strategies):
    comparison = compare(strategies)
    assert [point.label for point in comparison.points] == [strategy.value for strategy in Strategy]
    text = printed(comparison)
    row = next(line for line in text.splitlines() if line.startswith("strategy"))
    assert row.split() == ["strategy", *(strategy.value for strategy in Strategy)]


def test_a_label_that_only_one_design_has_stays(tmp_path, strategies):
    comparison = compare([*strategies, made(tmp_path / "other", label="mine")])
    assert [point.label for point in comparison.points] == [*(strategy.value for strategy in Strategy), "mine"]


def test_folders_of_one_name_are_called_by_their_paths(tmp_path):
    comparison = compare([made(tmp_path / name / "net") for name in ("a", "b")])
    assert [point.label for point in comparison.points] == [str(tmp_path / name / "net") for name in ("a", "b")]


def test_the_current_folder_has_a_name_too(tmp_path, monkeypatch):
    made(tmp_path / "a")
    made(tmp_path / "b")
    monkeypatch.chdir(tmp_path / "a")
    comparison = compare([ProjectFolder.load(path) for path in (tmp_path / "a" / ".." / "b", type(tmp_path)())])
    assert [point.label for point in comparison.points] == ["b", "a"]


def test_one_project_twice_is_refused(tmp_path):
    project = made(tmp_path / "net")
    with pytest.raises(InputError, match="is given more than once"):
        compare([project, ProjectFolder.load(tmp_path / "net" / ".." / "net")])


def test_equal_labels_are_refused():
    with pytest.raises(InputError, match="2 designs that are compared have the label '90 %'"):
        Comparison((point_of(LEVELS[3]), point_of(LEVELS[3])))


def test_without_a_denser_design_nothing_is_measured_against_one(strategies):
    comparison = compare(strategies, stock=False)
    assert comparison.reference is None
    for text in (printed(comparison), markdown(comparison), parse(page(comparison)).one("main").text):
        assert "1.00" not in text
        assert re.findall(r".{30}\bdense\b.{20}", text) == []
        assert "multiple" not in text
    assert "1.00x" not in printed(one_point())


def test_ratios_are_to_the_first_design_where_that_is_pruned_too():
    pruned = Comparison(example_comparison().points[1:])
    text = " ".join(printed(pruned).split())
    assert "x dense" not in text
    assert "'x first' is the multiple of the first design" in text
    assert "0.53x" in text
    assert "x dense" in printed(example_comparison())


def test_designs_by_other_strategies_tell_nothing_of_pruning():
    dense, sparse = point_of(LEVELS[0]), point_of(LEVELS[3])
    comparison = Comparison((dense, built(sparse, "adders", lut=10**6)))
    assert comparison.findings() == ()
    assert notes(comparison) == ()
    assert "these designs do not tell" in wording.pays(comparison)


def test_a_design_is_judged_beside_the_next_denser_one_by_its_strategy():
    dense, middle, sparse = point_of(LEVELS[0]), built(point_of(LEVELS[1]), "adders"), not_paying().points[1]
    found = Comparison((dense, middle, sparse)).findings()
    assert [(each.layer, each.denser, each.sparser) for each in found] == [("fc2", "0 %", "75 %")]


def test_layers_that_cannot_be_judged_are_named():
    dense, sparse = point_of(LEVELS[0]), point_of(LEVELS[3])
    first, *others = sparse.layers
    other = replace(first, resources=replace(first.resources, strategy="folded"))
    comparison = Comparison((dense, with_layers(sparse, (other, *others))))
    assert comparison.compared == ("fc2", "fc3")
    assert comparison.not_compared == ("fc1",)
    assert wording.pays(comparison).startswith("pruning pays in every layer but fc1, which no two")


def test_a_board_of_the_same_name_with_other_figures_is_another_board(tmp_path):
    larger = replace(PYNQ, resources=replace(PYNQ.resources, lut=60000))
    with pytest.raises(
        InputError, match=r"must have one board, but 'pynq-z2' is not the same in .*a and in .*b: .*60000"
    ):
        compare([made(tmp_path / "a"), made(tmp_path / "b", on=larger)])


def test_other_words_of_a_boards_sources_make_no_other_board(tmp_path):
    worded = replace(PYNQ, sources={**PYNQ.sources, "lut": "another table"})
    assert len(compare([made(tmp_path / "a"), made(tmp_path / "b", on=worded)]).points) == 2


def test_edited_files_are_told_and_the_rest_is_compared(tmp_path):
    project = made(tmp_path / "net")
    assert compare([project]).points[0].edited == ()
    source = next((tmp_path / "net" / "src" / "kernels").glob("*.cpp"))
    source.write_text(source.read_text() + "// by hand\n")
    (tmp_path / "net" / "src" / "top.h").unlink()
    comparison = compare([project])
    said = f"edited since it was generated: src/kernels/{source.name}, src/top.h"
    assert f"50 %: {said}" in printed(comparison)
    assert said in markdown(comparison).replace("\\_", "_")
    assert f"It was {said}." in parse(page(comparison)).one("main").text
    assert comparison_to_data(comparison)["points"][0]["edited"] == [f"src/kernels/{source.name}", "src/top.h"]


def test_layers_with_a_number_for_a_name_are_told_what_they_are():
    points = [point_of(level, ("0", "body.2", "fc")) for level in LEVELS[:2]]
    kinds = ("Linear 784 to 64", "Linear 64 to 32", "Linear 32 to 10")
    told = [
        replace(point, layers=tuple(replace(each, kind=kind) for each, kind in zip(point.layers, kinds, strict=True)))
        for point in points
    ]
    text = printed(Comparison(tuple(told)))
    for heading in ("layer 0 (Linear 784 to 64)", "body.2 (Linear 64 to 32)", "fc"):
        assert heading in [line.strip() for line in text.splitlines()]
    assert "layer 0" in [line.strip() for line in printed(Comparison(tuple(points))).splitlines()]


@pytest.mark.parametrize(
    ("name", "kind", "title"),
    [
        ("0", "", "layer 0"),
        ("0", "Linear 6 to 8", "layer 0 (Linear 6 to 8)"),
        ("body.2", "Conv2d 3 to 8, kernel 3x3", "body.2 (Conv2d 3 to 8, kernel 3x3)"),
        ("fc1", "Linear 6 to 8", "fc1"),
        ("", "", ""),
    ],
)
def test_layers_are_called_so_that_they_are_understood(name, kind, title):
    assert wording.layer(name, kind) == title


@pytest.mark.parametrize("manifest", [{}, {"point": None}, {"point": {"layers": [{"layer": "0"}]}}, {"point": []}])
def test_a_manifest_that_says_nothing_of_layers_is_no_fault(manifest):
    assert layer_kinds(manifest) == {}


def test_a_resource_that_the_board_lacks_is_no_number():
    lacking = replace(PYNQ, resources=replace(PYNQ.resources, dsp=0))
    points = [replace(point_of(level), board=lacking) for level in LEVELS[:2]]
    text = printed(Comparison(tuple(points)))
    assert "none there" in text
    assert "inf" not in text.replace("infer", "")
    assert "inf" not in page(Comparison(tuple(points))).split("<body")[1].split("<script")[0].replace("infer", "")

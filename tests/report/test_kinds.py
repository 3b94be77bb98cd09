"""Comparisons by what tools measured, with a threshold of the user's, and beside stock hls4ml."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from fpgaprune.cli import main
from fpgaprune.errors import InputError
from fpgaprune.report import compare, markdown
from fpgaprune.report.judge import Outcome, allowed
from fpgaprune.resources import Kind
from fpgaprune.schedule import Access, Folded, Interface
from fpgaprune.vendor import Measurement, store
from fpgaprune.vendor.layers import LayerCounts
from fpgaprune.vendor.tie import Identity
from fpgaprune.vendor.values import Counts, Cycles
from tests.report.made import nets, project_of

FULL = np.random.default_rng(0).choice((3, -5, 6, 7), (12, 16))
HALF = FULL * (np.add.outer(np.arange(12), np.arange(16)) % 2 == 0)


@pytest.fixture
def pair(tmp_path):
    """Return a dense and a pruned project."""
    return [project_of(tmp_path / name, nets([each]), name) for name, each in (("dense", FULL), ("half", HALF))]


def measure(project, lut, kind=Kind.OPEN_SYNTHESIS, digest=None):
    counts = Counts(lut, 300, 0, 0, 0)
    of_layer = LayerCounts("fc1", replace(counts, lut=lut - 10), 3)
    digest = digest or Identity.of(project).digest
    store(project, Measurement(kind, digest, "Yosys", counts=counts, cycles=Cycles(3, 3, 1, 1), layers=(of_layer,)))


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["fpgaprune", "compare", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr()


def test_measured_numbers_are_compared_where_all_projects_have_them(pair, monkeypatch, capsys):
    measure(pair[0], 1000)
    measure(pair[1], 400)
    code, said = run(monkeypatch, capsys, *(each.path for each in pair), "--kind", "open-synthesis", "--json")
    data = json.loads(said.out)
    assert (code, data["kind"], data["measured"]) == (0, "open-synthesis", [])
    assert [point["resources"]["total"]["lut"] for point in data["points"]] == [1000, 400]
    assert data["points"][1]["layers"][0]["cost"] == {
        "kind": "open-synthesis",
        "lut": 390,
        "ff": 300,
        "dsp": 0,
        "bram_18k": 0,
        "uram": 0,
    }
    assert "estimate" not in markdown(compare(pair, Kind.OPEN_SYNTHESIS, stock=False))


def test_the_comparison_of_estimates_tells_of_other_kinds(pair):
    assert compare(pair).measured == ()
    for each in pair:
        measure(each, 500)
    comparison = compare(pair)
    assert comparison.measured == (Kind.OPEN_SYNTHESIS,)
    assert "open-synthesis" in markdown(comparison)


def test_a_project_that_was_not_measured_is_named_with_the_command(pair, monkeypatch, capsys):
    measure(pair[0], 1000)
    code, said = run(monkeypatch, capsys, *(each.path for each in pair), "--kind", "open-synthesis")
    assert code == 2
    text = said.err.replace("\n", "")
    assert f"{pair[1].path} has no open-synthesis numbers" in text
    assert f"fpgaprune synth {pair[1].path} --tool yosys" in text
    assert str(pair[0].path) not in text


def test_numbers_of_other_weights_are_not_compared(pair):
    measure(pair[0], 1000)
    measure(pair[1], 400, digest="0" * 64)
    with pytest.raises(InputError, match=r"half has no (usable )?open-synthesis numbers"):
        compare(pair, Kind.OPEN_SYNTHESIS)


def test_a_cost_that_does_not_fall_is_a_finding_of_its_kind(pair, monkeypatch, capsys):
    measure(pair[0], 1000)
    measure(pair[1], 990)
    code, said = run(monkeypatch, capsys, *(each.path for each in pair), "--kind", "open-synthesis", "--json")
    (finding,) = json.loads(said.out)["findings"]
    assert (code, finding["layer"], finding["kind"], finding["lut"]) == (1, "fc1", "open-synthesis", [990, 980])
    assert finding["allowed"] == allowed(990, 0.5, (1, 1), 0.5)


@pytest.mark.parametrize(
    ("threshold", "most"),
    [(0.0, 1020), (0.5, 1020 - 250), (1.0, 1020 - 500)],
)
def test_the_threshold_is_the_share_of_the_fall_that_must_be_there(threshold, most):
    assert allowed(1000, 0.5, (1, 1), threshold) == most
    assert allowed(1000, 0.5, (8, 4), threshold) == 2 * most  # half the time may cost twice as much


@pytest.mark.parametrize(("lut", "threshold", "pays"), [(700, 0.5, True), (700, 0.8, False), (1000, 0.0, True)])
def test_the_threshold_decides(pair, monkeypatch, capsys, lut, threshold, pays):
    measure(pair[0], 1010)
    measure(pair[1], lut + 10)
    words = (*(each.path for each in pair), "--kind", "open-synthesis", "--threshold", threshold)
    code, said = run(monkeypatch, capsys, *words)
    assert code == (0 if pays else 1)
    assert ("pruning pays in every layer" in said.out) == pays
    comparison = compare(pair, Kind.OPEN_SYNTHESIS, threshold=threshold)
    sparser = comparison.points[1]
    assert comparison.outcome(sparser.layers[0], sparser) is (Outcome.PAYS if pays else Outcome.FAILS)


@pytest.mark.parametrize("threshold", ["-0.1", "1.01", "nan", "inf"])
def test_a_threshold_that_is_no_share_is_refused(pair, monkeypatch, capsys, threshold):
    code, said = run(monkeypatch, capsys, *(each.path for each in pair), "--threshold", threshold)
    assert code == 2
    assert "threshold" in said.err
    assert "Traceback" not in said.err


def test_a_finding_is_told_with_its_reason(tmp_path, monkeypatch, capsys):
    weights = np.ones((8, 40), dtype=int)
    kept = weights * (np.add.outer(np.arange(8), np.arange(40)) % 8 == 0)
    plan = Folded(4, Access.MEMORIES)
    folders = [
        project_of(tmp_path / name, nets([each]), name, planner=lambda *_: plan).path
        for name, each in (("dense", weights), ("pruned", kept))
    ]
    code, said = run(monkeypatch, capsys, *folders, "--no-stock", "--threshold", 1)
    assert code == 1
    assert "because: filling the banks takes 40 cycles" in " ".join(said.out.split())


def test_stock_stands_beside_the_designs_unless_it_is_not_wanted(pair, monkeypatch, capsys):
    folders = [each.path for each in pair]
    _, said = run(monkeypatch, capsys, *folders, "--json")
    stock = json.loads(said.out)["stock"]
    assert (stock["label"], stock["strategy"], stock["reuse_factor"], stock["refused"]) == ("dense", "latency", 1, None)
    (csynth,) = [target for target in stock["targets"] if target["kind"] == "csynth"]
    amounts = csynth["amounts"]
    assert amounts["lut"]["low"] <= amounts["lut"]["value"] <= amounts["lut"]["high"]
    lut = compare(pair).points[1].resources.total("lut")
    assert csynth["ratios"][1]["lut"] == pytest.approx(lut / amounts["lut"]["value"], rel=1e-3)
    _, said = run(monkeypatch, capsys, *folders, "--no-stock", "--json")
    assert json.loads(said.out)["stock"] is None


def test_folded_designs_are_set_against_stock_of_their_interval(tmp_path):
    folded = [
        project_of(tmp_path / name, nets([each]), name, planner=lambda *_: Folded(8), interface=Interface.STREAM)
        for name, each in (("dense", FULL), ("half", HALF))
    ]
    found = compare(folded)
    assert found.stock.strategy.value == "resource"
    assert found.stock.reuse == found.dense.resources.interval_cycles

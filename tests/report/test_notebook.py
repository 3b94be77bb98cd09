"""Values in a notebook: tables in which whatever is foreign is text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from fpgaprune.energy import EnergyEstimate, LayerEnergy
from fpgaprune.prune import PruneRecipe, TrainSettings, prune
from fpgaprune.report import Comparison, design_table
from fpgaprune.sweep import Searched, Swept
from fpgaprune.sweep.table import Column, Table
from tests.report.examples import EXACT, LEVELS, PYNQ, WRONG, example_comparison, point_of, several_boards
from tests.report.pages import parse, table


def shown(value):
    """Return the caption, the head and the rows of what a notebook shows."""
    root = parse(value._repr_html_())
    captions = root.all("caption")
    return (captions[0].text if captions else "", *table(root.one("table")))


def test_a_comparison_has_a_column_for_each_design():
    caption, head, rows = shown(example_comparison())
    assert caption.startswith("The 95 % design fits the TUL PYNQ-Z2")
    assert head == ["", "0 %", "50 %", "75 %", "90 %", "95 %"]
    (lut,) = (row for row in rows if row[0] == "LUT (estimate)")
    assert lut[1:] == ["807,537 (1.00x)", "430,448 (0.53x)", "226,034 (0.28x)", "84,035 (0.10x)", "29,387 (0.036x)"]


def test_several_boards_have_a_table_each():
    root = parse(several_boards()._repr_html_())
    captions = [each.text for each in root.all("caption")]
    assert [caption.partition(": ")[0] for caption in captions] == [each.site for each in several_boards().boards]
    heads = [table(each)[0] for each in root.all("table")]
    assert heads == [["", "75 %", "90 %", "95 %"], ["", "90 %", "95 %"]]


def test_energies_add_up_under_their_kind_and_unit():
    layers = tuple(LayerEnergy(f"t{at}", f"fc{at}", "folded", at, 0.5, 8.0, at, 2, 3, 4, 5) for at in (1, 2))
    caption, head, rows = shown(EnergyEstimate(layers, 9, "x", 1, 10.0))
    assert caption == "estimate, pJ of an inference: 31, taken to lie in 10.3333 … 93"
    assert head[-2:] == ["memories_pj", "dynamic_pj"]
    assert [row[0] for row in rows] == ["fc1", "fc2", "all"]
    assert rows[-1] == ["all", "", "3", "0.5", "3", "4", "6", "8", "10", "31"]


def test_sweeps_and_searches_show_their_tables():
    rows = Table((Column("design"), Column("lut", "", "estimate")), (("a<b", 1234), ("c", 5)))
    swept = parse(Swept(rows, {"d": Path("d.log")}, (Path("report.html"),))._repr_html_())
    tables = [table(each) for each in swept.all("table")]
    assert tables == [
        (["design", "lut (estimate)"], [["a<b", "1,234"], ["c", "5"]]),
        (["failed", "log"], [["d", "d.log"]]),
        (["report"], [["report.html"]]),
    ]
    assert len(parse(Swept(rows, {}, ())._repr_html_()).all("table")) == 1
    searched = parse(Searched(rows, replace(rows, rows=rows.rows[1:]))._repr_html_())
    assert [each.text for each in searched.all("caption")] == ["1 of 2 trials are the best", "all trials"]
    assert [len(table(each)[1]) for each in searched.all("table")] == [1, 2]


def test_resources_add_up():
    caption, head, rows = shown(point_of(LEVELS[4]).resources)
    assert caption == "estimate at 10 ns: latency 8 cycles, interval 1 cycles"
    assert head[:4] == ["layer", "strategy", "nonzeros", "lut"]
    assert [row[:4] for row in rows][-1] == ["all", "", "1,589", "29,387"]
    assert len(rows) == 4


@pytest.mark.parametrize(("verdict", "word"), [(EXACT, "bit-exact"), (WRONG, "NOT exact")])
def test_verdicts_say_whether_they_are_exact(verdict, word):
    _, head, rows = shown(verdict)
    assert head == ["C-simulation", word]
    assert dict(rows)["mismatches"] == str(verdict.mismatches)


def test_boards_have_their_sources():
    caption, _, rows = shown(PYNQ)
    assert caption == "TUL PYNQ-Z2"
    assert ["lut", "53,200", PYNQ.sources["lut"]] in rows


def test_pruned_models_say_what_is_left():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    pruned = prune(net, None, PruneRecipe(0.75, fine_tune=TrainSettings(epochs=0)))
    _, head, rows = shown(pruned)
    assert head == ["tensor", "weights", "kept", "sparsity"]
    assert rows[-1] == ["all", "40", "10", "0.75"]
    assert [int(row[2]) for row in rows[:2]] == [pruned.masks.nonzeros(name) for name in pruned.masks]


def test_foreign_names_are_text():
    point = replace(point_of(LEVELS[0]), label="<img src=x onerror=alert(1)>")
    for value in (Comparison((point,)), design_table(Comparison((point,)))):
        root = parse(value._repr_html_())
        assert root.all("img") == []
        assert "<img" in root.text

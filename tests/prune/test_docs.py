"""The code of docs/pruning.md runs: Python from top to bottom, TOML as recipes."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from fpgaprune.prune import CRITERIA, Distribution, PruneRecipe, Rate, RigL, Schedule, TrainSettings
from fpgaprune.prune.criteria import DATA_FREE, ablation, per_sample
from fpgaprune.prune.criteria.context import Context
from fpgaprune.prune.criteria.movement import LEARNING_RATE
from fpgaprune.prune.structures import STRUCTURES
from fpgaprune.prune.training.loop import CHECK_EVERY

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "pruning.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_python_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "docs"}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for number, block in enumerate(blocks("python"), start=1):
            exec(compile(block, f"docs/pruning.md, block {number}", "exec"), names)  # noqa: S102  # our own docs
    assert names["pruned"].sparsity > 0


@pytest.mark.parametrize("text", blocks("toml"))
def test_the_recipes_are_recipes(text, tmp_path):
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")
    assert PruneRecipe.from_toml(tmp_path / "recipe.toml").stages


def test_every_criterion_is_in_the_table_with_what_it_needs():
    rows = re.findall(r"^\| `([a-z-]+)` \|.*\| (yes|no) \|$", TEXT, re.MULTILINE)
    assert [name for name, _ in rows] == list(CRITERIA)
    assert tuple(name for name, needs in rows if needs == "no") == DATA_FREE


def test_the_bounds_are_those_of_the_code():
    flowing = " ".join(TEXT.split())
    assert f"at most {ablation.LARGEST:,} of them" in flowing
    assert f"at most {per_sample.MOST_OUTPUTS} outputs" in flowing
    assert f"learning rate of {LEARNING_RATE}" in flowing
    assert f"looked at every {CHECK_EVERY} steps" in flowing
    assert f"`samples` training samples ({Context.samples} unless" in flowing


def test_every_structure_is_in_the_table():
    table = TEXT.split("## Structures")[1].split("```")[0]
    assert re.findall(r"^\| `([A-Za-z: ]+)` \|", table, re.MULTILINE) == list(STRUCTURES)


def test_every_schedule_and_setting_of_training_is_told():
    for kind in (Schedule, Rate, Distribution):
        assert all(f"`{member.value}`" in TEXT for member in kind)
    names = [item.name for item in fields(TrainSettings)]
    assert [name for name in names if f"`{name}`" not in TEXT] == []
    assert [item.name for item in fields(RigL) if f"`rigl.{item.name}`" not in TEXT] == []
    told = dict(re.findall(r"^\| `(\w+)` \| ([a-z0-9.]+) \|", TEXT, re.MULTILINE))
    for name, default in told.items():
        if name in names:
            assert str(getattr(TrainSettings(), name)).lower() in (default, f"{default}.0")


def test_accuracies_by_criterion_are_those_of_the_benchmark():
    report = json.loads((ROOT / "benchmarks" / "results" / "criteria.json").read_text(encoding="utf-8"))
    found = {
        (case["network"], case["criterion"], case["steps"], case["sparsity"]): [
            round(100 * case["mean"], 1),
            *(round(100 * case[end]) for end in ("lowest", "highest")),
        ]
        for case in report["results"]["cases"]
    }
    for network in ("mlp", "cnn"):
        table = TEXT.split(f"| {network.upper()} | 90 %, at once |")[1].split("\n\n")[0]
        rows = re.findall(r"^\| `([a-z-]+)` \| (.*)$", table, re.MULTILINE)
        assert [name for name, _ in rows] == list(CRITERIA)
        for name, cells in rows:
            told = re.findall(r"([0-9.]+) \((\d+).(\d+)\)", cells)
            expected = [found[network, name, steps, sparsity] for steps in (1, 5) for sparsity in (0.9, 0.95)]
            assert [[float(mean), int(low), int(high)] for mean, low, high in told] == expected
    assert all(claim["holds"] for claim in report["claims"])

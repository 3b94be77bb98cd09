"""The code of docs/pruning.md runs: Python from top to bottom, TOML as recipes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from fpgaprune.prune import CRITERIA, PruneRecipe
from fpgaprune.prune.criteria import DATA_FREE, ablation, per_sample
from fpgaprune.prune.criteria.context import Context
from fpgaprune.prune.criteria.movement import LEARNING_RATE
from fpgaprune.prune.structures import STRUCTURES

TEXT = (Path(__file__).parents[2] / "docs" / "pruning.md").read_text(encoding="utf-8")


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
    assert f"`samples` training samples ({Context.samples} unless" in flowing


def test_every_structure_is_in_the_table():
    table = TEXT.split("## Structures")[1].split("```")[0]
    assert re.findall(r"^\| `([A-Za-z: ]+)` \|", table, re.MULTILINE) == list(STRUCTURES)

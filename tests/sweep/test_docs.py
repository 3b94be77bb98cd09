"""What docs/sweeps.md and the example of a cluster say holds."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import fields
from pathlib import Path

import pytest

from fpgaprune.sweep import read, read_search
from fpgaprune.sweep.building import Building
from tests.sweep.conftest import RECIPE

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")


def test_grid_of_the_docs_is_read(recipe):
    grid, search = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert len(read(recipe(grid, base=RECIPE)).points) == 3 * 2 * 2 * 3 + 1
    folded = RECIPE.replace('strategy = "multiply"', 'strategy = "folded"\nreuse = 4')
    assert read_search(recipe(search, base=folded)).objectives == ("accuracy", "lut")


def test_python_of_the_docs_imports_what_there_is():
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(block, "docs/sweeps.md", "exec"), {"__name__": "docs"})  # noqa: S102  # our own docs


def test_fields_of_generate_that_are_named_exist():
    (row,) = re.findall(r"\| `\[generate\]` \| (.*) \|", TEXT)
    known = {item.name for item in fields(Building)} | {"board"}
    assert set(re.findall(r"`(\w+)`", row)) <= known | {"fit"}


@pytest.mark.parametrize(("kind", "line"), [("slurm", "#SBATCH --mem=15G"), ("htcondor", "RequestCpus")])
def test_job_script_of_the_example_asks_for_licences(kind, line):
    pytest.importorskip("dask_jobqueue")
    spec = importlib.util.spec_from_file_location("cluster", ROOT / "examples" / "cluster.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.cluster(kind, 2) as jobs:
        script = jobs.job_script()
    assert "--resources licences=2" in script
    assert line in script

"""The examples run as they are, and end in exact verdicts and a report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

pytestmark = pytest.mark.needs("g++", "make")


@pytest.fixture
def environment():
    """One thread is faster for so small a network; the programs of this environment come first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"OMP_NUM_THREADS": "1", "PATH": path}


def test_the_script_builds_dense_and_pruned_and_compares_them(tmp_path, environment):
    command = [sys.executable, str(EXAMPLES / "digits.py"), str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count("bit-exact: 1000 samples") == 2
    dense, sparse = json.loads((tmp_path / "out" / "comparison.json").read_text())["points"]
    assert sparse["resources"]["total"]["lut"] < dense["resources"]["total"]["lut"] / 5
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_command_line_example_runs_through(tmp_path, environment):
    command = ["bash", str(EXAMPLES / "digits_cli.sh"), str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "bit-exact: 200 samples" in done.stdout
    assert "estimate" in done.stdout
    assert (tmp_path / "out" / "report.html").is_file()

"""The examples run as they are, and end in exact verdicts and a report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

pytestmark = pytest.mark.needs("g++", "make")


@pytest.fixture
def environment():
    """One thread is faster for so small a network; the programs of this environment come first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"OMP_NUM_THREADS": "1", "PATH": path}


@pytest.mark.parametrize(
    ("script", "reports", "samples", "accuracy", "sparsity", "lut"),
    [
        ("digits", ["."], 1000, 0.86, 0.89, 0.2),
        ("mnist_cnn", ["."], 1000, 0.95, 0.89, 0.3),
        ("residual_cnn", ["."], 1000, 0.94, 0.79, 0.4),
        ("watch_conv1d", ["."], 1187, 0.8, 0.84, 0.4),
        ("vowels_rnn", ["gru", "lstm"], 370, 0.93, 0.84, 0.5),
        ("vowels_attention", ["."], 370, 0.93, 0.8, 0.8),
    ],
)
def test_a_script_builds_dense_and_pruned_and_compares_them(
    script, reports, samples, accuracy, sparsity, lut, tmp_path, environment
):
    _need_packages(script)
    printed = _run([sys.executable, EXAMPLES / f"{script}.py", tmp_path / "out"], environment, tmp_path)
    assert printed.count(f"bit-exact: {samples} samples") == 2 * len(reports)
    for report in reports:
        _check_report(tmp_path / "out" / report, samples, accuracy, sparsity, lut)


def _run(command, environment, folder):
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _need_packages(script):
    names = {"watch": ("aeon", "seglearn"), "vowels": ("aeon", "seglearn")}.get(script.split("_")[0], ("mlxtend",))
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}, which is not installed")


def _check_report(folder, samples, accuracy, sparsity, lut):
    """Both designs exact and better than ``accuracy``, the pruned one sparser than told at this share of the LUTs."""
    dense, pruned = json.loads((folder / "comparison.json").read_text())["points"]
    for point in (dense, pruned):
        assert point["verdict"]["exact"]
        assert point["verdict"]["samples"] == samples
        assert point["accuracy"] > accuracy
    assert dense["sparsity"] < 0.2 < sparsity < pruned["sparsity"]
    assert pruned["resources"]["total"]["lut"] < lut * dense["resources"]["total"]["lut"]
    assert (folder / "report.html").is_file()


def test_the_command_line_example_runs_through(tmp_path, environment):
    printed = _run(["bash", EXAMPLES / "digits_cli.sh", tmp_path / "out"], environment, tmp_path)
    assert "bit-exact: 200 samples" in printed
    assert "estimate" in printed
    assert (tmp_path / "out" / "report.html").is_file()

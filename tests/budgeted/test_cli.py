"""Pruning to a budget on the command line."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from fpgaprune.cli import main
from tests.test_cli import MODULE

RECIPE = """
[prune]
sparsity = 0.0
[prune.fine_tune]
epochs = 1
[quantise]
weight_bits = 4
"""

WORDS = ("prune", "--model", "mine:net", "--data", "mine:data", "--recipe", "recipe.toml", "--out", "model")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command line in a folder with a model, and return exit code, standard output and standard error."""
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["fpgaprune", *map(str, words)])
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = capsys.readouterr()
        return leaving.value.code or 0, out, err

    return call


def test_one_command_prunes_to_a_board_and_names_the_next_one_which_fits(run, tmp_path):
    limits = ("--board", "pynq-z2", "--max-lut", "0.004", "--max-dsp", "0", "--max-interval-cycles", "1")
    code, out, err = run(*WORDS, *limits)
    assert code == 0, err
    assert out.startswith("round 1: ")
    assert "design (estimate)" in out
    outcome = json.loads((tmp_path / "model" / "budget.json").read_text())
    assert outcome["design"]["lut"] <= outcome["limits"]["lut"] == 212
    (line,) = (line for line in out.splitlines() if line.startswith("write it: "))
    words = shlex.split(line.removeprefix("write it: "))
    assert words[:3] == ["fpgaprune", "fit", "model"]
    code, out, err = run(*words[1:-1], "net", "--json")
    assert code == 0, err
    design = json.loads(out)
    assert design["total"]["lut"] == outcome["design"]["lut"]
    assert design["interval_cycles"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--board", "pynq-z2", "--max-lut", "0.0002", "--strategy", "adders"), "which is as far as it goes"),
        (("--board", "pynqz2"), "did you mean 'pynq-z2'"),
        (("--max-lut", "0.3"), "add --board"),
        (("--io", "stream"), "add --board"),
        (("--board", "pynq-z2", "--loss-by", "fischer"), "did you mean 'fisher'"),
        (("--board", "pynq-z2", "--lanes", "3"), "--strategy folded"),
        (("--board", "pynq-z2", "--max-dsp", "7"), "must be in 0…1"),
    ],
)
def test_what_cannot_be_reached_or_asked_for_is_refused_and_leaves_nothing(run, tmp_path, words, message):
    before = sorted(tmp_path.iterdir())
    code, _, err = run(*WORDS, *words)
    assert code == 2
    assert err.splitlines()[-1].startswith("error: ")
    assert message in err
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "__pycache__"] == before

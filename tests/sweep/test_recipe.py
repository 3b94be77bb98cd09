"""A recipe file is checked field by field before anything runs, and an error has its line."""

from __future__ import annotations

import re

import pytest

from fpgaprune.errors import InputError
from fpgaprune.paths import resource
from fpgaprune.sweep import Range, read, read_search
from fpgaprune.sweep.lines import line_of, lines_of
from tests.sweep.conftest import GRID, RECIPE


def _line(text, part):
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_one_design_without_a_sweep(recipe):
    asked = read(recipe())
    assert [point.settings for point in asked.points] == [{}]
    found = asked.points[0].recipe
    assert found.prune.sparsity == 0.5
    assert found.board == "pynq-z2"
    assert found.train.epochs == 1
    assert found.synth is None


def test_grid_and_points_are_each_once_in_order(recipe):
    points = """
[[sweep.points]]
prune.sparsity = 0.75
generate.board = "kv260"

[[sweep.points]]
"prune.structure" = "2:4"
prune.sparsity = 0.5
"""
    asked = read(recipe(GRID + points))
    settings = [tuple(point.settings.values()) for point in asked.points]
    assert settings == [(0.5, "pynq-z2"), (0.5, "kv260"), (0.75, "pynq-z2"), (0.75, "kv260"), ("2:4", 0.5)]
    assert asked.axes == ("prune.sparsity", "generate.board", "prune.structure")
    assert str(asked.points[-1].recipe.prune.structure) == "2:4"


def test_points_alone_have_no_grid_beside_them(recipe):
    asked = read(recipe("\n[[sweep.points]]\nprune.sparsity = 0.25\n"))
    assert [point.recipe.prune.sparsity for point in asked.points] == [0.25]


def test_seed_sets_all_seeds(recipe):
    asked = read(recipe("\n[sweep.grid]\nseed = [3, 4]\n"))
    found = asked.points[1].recipe
    assert (found.model.seed, found.train.seed, found.prune.seed, found.quantise.seed) == (4, 4, 4, 4)


BAD = [
    ("sparsity = 0.5", "sparsty = 0.5", "sparsty", r"\[prune\] .*no field 'sparsty' \(did you mean 'sparsity'"),
    ("sparsity = 0.5", "sparsity = 50", "sparsity", r"\[prune\] sparsity must be in \[0, 1\], not 50"),
    ("weight_bits = 4", 'weight_bits = "4"', "weight_bits", r"\[quantise\] weight_bits must be an integer"),
    ('board = "pynq-z2"', 'board = "pynk-z2"', "board", r"\[generate\] .*pynk-z2.*did you mean 'pynq-z2'"),
    ('board = "pynq-z2"', "", "[generate]", r"\[generate\] board must be the name of a board"),
    ('strategy = "multiply"', 'strategy = "mult"', "strategy", r"\[generate\] strategy must be one of"),
    ('strategy = "multiply"', 'strategy = "multiply"\nmax_lut = 0.5', "max_lut", r"max_lut is for the strategy 'auto'"),
    (
        'strategy = "multiply"',
        'strategy = "folded"',
        "strategy",
        r"\[generate\] strategy 'folded' takes either reuse or lanes",
    ),
    (
        'strategy = "multiply"',
        'strategy = "multiply"\nreuse = 4',
        "reuse",
        r"reuse is for the strategy 'folded'; leave",
    ),
    ('"small_net:model"', '"small_net:model"\ndevice = "tpu"', "device", r"\[model\] device 'tpu' is none"),
    ("samples = 20", "samples = 20.5", "samples", r"\[csim\] samples must be an integer"),
    ("samples = 20", "samples = 5000", "samples", r"\[csim\] samples must be at most 1000"),
    ('factory = "small_net:model"', 'factory = "small_net"', "factory", r"\[model\] factory must be an import string"),
    ("[train]\nepochs = 1", "[train]\nepochs = -1", "epochs", r"\[train\] epochs must be at least 0"),
    ("[prune.fine_tune]\nepochs = 1", "[prune.fine_tune]\nepoch = 1", "epoch = ", r"\[prune\] .*no field 'epoch'"),
]


@pytest.mark.parametrize(("old", "new", "part", "said"), BAD)
def test_error_names_line_table_and_field(recipe, old, new, part, said):
    assert old in RECIPE
    text = RECIPE.replace(old, new, 1)
    with pytest.raises(InputError, match=said) as caught:
        read(recipe(base=text))
    assert f"recipe.toml: line {_line(text, part)}: " in str(caught.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[swep]\n", r"line +1: \[swep\] is no table of a recipe \(did you mean 'sweep'"),
        ("[[report]]\n", r"line +1: \[report\] the value must be a table"),
        (
            "[sweep.grid]\nprune.sparsity.x = [0.5]\n",
            r"line +2: \[sweep\] grid.*sparsity must be a table of names, not 0.5",
        ),
        (
            "[sweep.grid]\nprune.sparsity = [0.5]\n[[sweep.points]]\nprune.sparsity = 0.6\n"
            "[[sweep.points]]\nprune.sparsity = 1.5\n",
            r"line +6: \[sweep\] points\[1\]\.prune.sparsity = 1.5: \[prune\] sparsity must",
        ),
        ("[sweep]\ngird = {}\n", r"line +2: \[sweep\] the table has no field 'gird' \(did you mean 'grid'"),
        ("[sweep.grid]\nprune.sparsity = 0.5\n", r"line +2: \[sweep\] grid.prune.sparsity must be a list"),
        (
            "[sweep.grid]\nprune.sparsity = []\n",
            r"line +2: \[sweep\] grid.prune.sparsity must be a list of at least one",
        ),
        ("[sweep.grid]\nprun.sparsity = [0.5]\n", r"line +2: .*'prun.sparsity' names no field \(did you mean 'prune'"),
        (
            "[sweep.grid]\nprune.sparsity = [0.5, 1.5]\n",
            r"line +2: \[sweep\] grid.prune.sparsity = 1.5: \[prune\] sparsity must",
        ),
        ("[sweep]\npoints = 3\n", r"line +2: \[sweep\] points must be a list of tables"),
        ("[sweep.grid]\nseed = [1, 'a']\n", r"line +2: \[sweep\] grid.seed = 'a': .*seed must be an integer, not 'a'"),
        ("[synth]\ntool = 'yosis'\n", r"line +2: \[synth\] tool must be one of 'yosys'"),
    ],
)
def test_sweep_tables_are_checked(recipe, more, said):
    after = RECIPE.count("\n")
    said = re.sub(r"line \+(\d+)", lambda found: f"line {after + int(found[1])}", said)
    with pytest.raises(InputError, match=said):
        read(recipe(more))


def test_missing_table_is_told(recipe):
    with pytest.raises(InputError, match=r"\[generate\] is missing"):
        read(recipe(base=RECIPE[: RECIPE.index("[generate]")]))


def test_too_many_points_are_refused_before_they_are_made(recipe):
    grid = "".join(f"prune.layers.l{axis} = [{', '.join(['0.5'] * 20)}]\n" for axis in range(8))
    with pytest.raises(InputError, match="25,600,000,000 points"):
        read(recipe(f"\n[sweep.grid]\n{grid}"))


def test_lines_of_headers_dotted_and_quoted_keys():
    text = 'a = 1\n[b]\nc.d = 2\n"e f" = 3\n[b.g] # why\n  h = 4\n[[i]]\nj = { k = 1 }\n'
    assert lines_of(text) == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", "d"): 3,
        ("b", "ef"): 4,
        ("b", "g"): 5,
        ("b", "g", "h"): 6,
        ("i",): 7,
        ("i", "0"): 7,
        ("i", "0", "j"): 8,
    }


def test_line_of_a_message_is_that_of_the_longest_name_known():
    text = "[prune]\nsparsity = 1\n[prune.fine_tune]\nepochs = 1\n"
    assert line_of(text, "[prune] fine_tune.epochs must be more") == 4
    assert line_of(text, "[prune] fine_tune.clip must be more") == 3
    assert line_of(text, "[prune] it is wrong") == 1
    assert line_of(text, "nothing is known") is None


def test_recipe_of_init_holds_with_and_without_its_comments(tmp_path):
    text = (resource("templates") / "recipe" / "recipe.toml").read_text()
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    assert len(read(path).points) == 1
    lines = [
        line[2:] if line.startswith("# ") and ("=" in line or line.startswith("# [")) else line
        for line in text.splitlines()
    ]
    clashing = ("reuse =", "max_lut =", "max_interval", "layers.fc1")
    path.write_text("\n".join(line for line in lines if not line.startswith(clashing)))
    found = read(path)
    assert len(found.points) == 5 * 2 * 2 * 3 + 1
    assert found.limits == {"licences": 1.0}
    assert read_search(path).space["prune.layers.fc1"] == Range(0.7, 0.98)

"""The command line: the whole path on a small model, exit codes, and errors that leave nothing behind."""

from __future__ import annotations

import html
import json
import pickle
import re
import shlex
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from fpgaprune.cli import main
from fpgaprune.paths import resource
from fpgaprune.prune import SENSITIVITY_LEVELS, DivergedError
from fpgaprune.prune.training.environment import usable_device
from fpgaprune.prune.training.loop import Loop
from fpgaprune.sim import ProjectFolder

MODULE = """
import numpy as np
import torch
import torch.nn.utils.prune
from torch import nn
from fpgaprune.prune import Data

def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))

def wide():
    return nn.Sequential(nn.Linear(7, 8), nn.ReLU(), nn.Linear(8, 3))

def nan():
    model = net()
    model[0].weight.data[0, 0] = float("nan")
    return model

class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)
    def forward(self, x):
        y = self.fc(x)
        return y if y.sum() > 0 else -y

def odd():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).eval()
    with torch.no_grad():
        model[0].weight[:2] = 0
        model[0].bias[2] = 0
        model[1].weight[3] = 0
        model[1].bias[:] = 0.5
    nn.utils.prune.l1_unstructured(model[3], "weight", 0.5)
    return model

def branching():
    return Branching()

def unknown():
    return nn.Sequential(nn.Linear(6, 4), nn.Softshrink(), nn.Linear(4, 3))

def data():
    rng = np.random.default_rng(0)
    x = rng.random((120, 6), dtype=np.float32)
    y = np.argmax(x[:, :3], axis=1)
    return Data.from_arrays(x[:100], y[:100], x[100:], y[100:], batch_size=20)

def empty():
    x = np.zeros((0, 6), dtype=np.float32)
    return Data.from_arrays(x, np.zeros(0, dtype=int), x, np.zeros(0, dtype=int))
"""

RECIPE = """
[prune]
sparsity = 0.5
[prune.fine_tune]
epochs = 2
[quantise.fine_tune]
epochs = 1
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An own folder with a model, data and a recipe, as the current one."""
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line in this process and return exit code, standard output and standard error."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["fpgaprune", *map(str, words)])
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = capsys.readouterr()
        return leaving.value.code or 0, out, err

    return call


def prune_words(model="mine:net", data="mine:data", recipe="recipe.toml", out="model"):
    return ("prune", "--model", model, "--data", data, "--recipe", recipe, "--out", out)


@pytest.mark.needs("g++", "make")
def test_the_whole_path_from_a_recipe_to_a_comparison(here, run):
    code, out, _ = run(*prune_words(), "--explain")
    assert code == 0
    assert "50.0% of 48 weights zero after pruning" in out or "weights zero after pruning" in out
    code, out, _ = run("generate", "model", "--board", "pynq-z2", "--out", "pynq", "--name", "tiny")
    assert code == 0
    assert "digest" in out
    pruning = ProjectFolder.load(here / "pynq").explained().pruning
    assert pruning.criterion == "magnitude"
    assert pruning.curves.sparsities == SENSITIVITY_LEVELS
    assert [record.epoch for record in pruning.history.records] == [0, 0, 1, 2]
    counted = {name: sum(each.kept) + sum(each.pruned) for name, each in pruning.scores.tensors.items()}
    assert counted == {"0.weight": 48, "2.weight": 24}
    assert run("csim", "pynq")[0] == 0
    code, out, _ = run("csim", "pynq", "--samples", "50", "--json")
    assert code == 0
    assert json.loads(out)["samples"] == 50
    code, out, _ = run("estimate", "pynq", "--json")
    assert json.loads(out)["kind"] == "estimate"
    assert "estimate" in run("estimate", "pynq")[1]
    code, out, _ = run("compare", "pynq", "--html", "pages/new/page.html", "--json")
    assert code == 0
    assert json.loads(out)["points"][0]["verdict"]["exact"] is True
    assert "</html>" in (here / "pages/new/page.html").read_text()


def test_structures_in_a_recipe_and_what_they_cut_out(here, run):
    first = '[[prune.first]]\nsparsity = 0.5\nstructure = "channels"\nfine_tune.epochs = 0\n'
    (here / "recipe.toml").write_text(RECIPE.replace("[quantise", f"{first}[quantise").replace("0.5", "0.7", 1))
    code, out, _ = run(*prune_words())
    assert code == 0
    assert "36 of 72 weights cut out with their channels" in out
    assert "of 24 weights zero after pruning" in out
    assert run("generate", "model", "--board", "pynq-z2", "--out", "pynq")[0] == 0


def test_what_compression_saved_is_told_with_its_unit(here, run):
    training = "[quantise]\nfine_tune.epochs = 2\ncompress.budget = 40\ncompress.settle = 1\n"
    (here / "recipe.toml").write_text(re.sub(r"\[quantise.*", training, RECIPE, flags=re.DOTALL))
    code, out, _ = run(*prune_words())
    assert code == 0
    before, after = re.search(r"cost ([\d,]+) → (\d+) adder-bits \(expected by training\)", out).groups()
    assert int(after) <= 40 < int(before.replace(",", ""))


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "fpgaprune", "boards", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nowhere" in done.stderr


def contents(folder):
    """Return the files of a folder, without the command that made it, which names the folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "commands.json"]
    return {path.relative_to(folder): path.read_bytes() for path in files}


@pytest.mark.parametrize("epochs", [1, 2])
def test_an_interrupted_run_goes_on_from_its_checkpoint_to_the_same_bytes(here, run, monkeypatch, epochs):
    epoch, left = Loop.epoch, iter(range(epochs))

    def interrupted(loop, *given):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return epoch(loop, *given)

    run(*prune_words(out="whole"))
    words = (*prune_words(), "--checkpoint", "done")
    monkeypatch.setattr(Loop, "epoch", interrupted)
    code, _, err = run(*words)
    assert code == 130
    assert "interrupted; run the same command again to go on" in err
    assert not (here / "model").exists()
    numbers = []
    monkeypatch.setattr(Loop, "epoch", lambda loop, *given: numbers.append(given[0]) or epoch(loop, *given))
    assert run(*words)[0] == 0
    assert numbers == [[1, 0], [0]][epochs - 1]
    assert contents(here / "model") == contents(here / "whole")
    numbers.clear()
    assert run(*prune_words(out="again"), "--checkpoint", "done")[0] == 0
    assert numbers == []
    assert contents(here / "again") == contents(here / "whole")


def test_checkpoints_and_devices_that_cannot_be_used_are_refused(here, run):
    run(*prune_words(), "--checkpoint", "done")
    (here / "recipe.toml").write_text(RECIPE.replace("0.5", "0.6"))
    assert_refused(here, run, (*prune_words(out="other"), "--checkpoint", "done"), "of a run with another recipe")
    words = (*prune_words(out="model"), "--force", "--checkpoint", "model/done")
    assert_refused(here, run, words, "model holds model/done, which is read")
    assert_refused(here, run, (*prune_words(out="other"), "--device", "cudo"), "the device 'cudo' cannot be used")


@pytest.mark.parametrize("more", [(), ("--board", "pynq-z2")])
def test_a_folder_of_other_things_is_no_checkpoint(here, run, monkeypatch, more):
    (here / "run").mkdir()
    (here / "run" / "thesis.tex").write_text("all of it")
    monkeypatch.setattr(Loop, "epoch", lambda *_: pytest.fail("something was trained"))
    assert_refused(here, run, (*prune_words(), "--checkpoint", "run", *more), "it holds 'thesis.tex', but a run keeps")
    assert [path.name for path in (here / "run").iterdir()] == ["thesis.tex"]


def test_training_that_went_astray_is_told_in_one_line(here, run, monkeypatch):
    epoch = Loop.epoch

    def astray(loop, number, *given):
        if number == 1:
            raise DivergedError("the training loss became nan in epoch 2")
        return epoch(loop, number, *given)

    monkeypatch.setattr(Loop, "epoch", astray)
    code, _, err = run(*prune_words())
    assert code == 0
    assert err == "warning: the training loss became nan in epoch 2; went back to epoch 1\n"
    history = json.loads((here / "model" / "pruned" / "pruned.json").read_text())["history"]
    assert [event["kind"] for event in history["events"]] == ["diverged", "restored"]


@pytest.mark.needs("g++", "make")
def test_csim_takes_real_and_integer_inputs_and_fails_on_a_changed_weight(here, run):
    run(*prune_words())
    run("generate", "model", "--board", "pynq-z2", "--strategy", "multiply", "--out", "pynq")
    rng = np.random.default_rng(1)
    np.save("real.npy", rng.random((9, 6)))
    np.save("whole.npy", rng.integers(0, 100, (9, 6)))
    assert run("csim", "pynq", "--inputs", "real.npy")[0] == 0
    assert run("csim", "pynq", "--inputs", "whole.npy")[0] == 0
    source = next((here / "pynq" / "src" / "kernels").glob("*.cpp"))
    changed = re.sub(r"(weight\[\] = \{\s*)(-?\d+)", lambda match: f"{match[1]}{int(match[2]) + 1}", source.read_text())
    source.write_text(changed)
    code, out, _ = run("csim", "pynq", "--samples", "200")
    assert code == 1
    assert "NOT exact" in out
    assert "is the first to differ" in out
    assert f"edited since it was generated: src/kernels/{source.name}" in out


@pytest.mark.needs("g++", "make")
def test_fit_writes_a_project_and_says_what_it_chose(here, run):
    run(*prune_words())
    words = ("fit", "model", "--board", "pynq-z2", "--goal", "area", "--max-interval-cycles", "30")
    code, out, _ = run(*words, "--out", "pynq")
    assert code == 0
    assert "folded" in out
    assert "of the board" in out
    assert "(all numbers: estimate)" in out
    assert run("csim", "pynq")[0] == 0
    manifest = json.loads((here / "pynq" / "fpgaprune.json").read_text())
    assert manifest["fit"]["goal"] == {"aim": "area", "latency_ns": None, "interval_cycles": 30}
    assert manifest["fit"]["budget"]["lut"] == 0.7
    data = json.loads(run(*words, "--max-lut", "0.5", "--out", "again", "--json")[1])
    assert data["fit"]["budget"]["lut"] == 0.5
    assert data["fit"]["proven"] is True
    assert data["interval_cycles"] <= 30
    assert {layer["strategy"] for layer in data["chosen"]} == {"folded"}


def test_generate_builds_by_one_strategy_where_it_is_asked_to(here, run):
    run(*prune_words())
    for strategy, numbers in (
        ("multiply", ()),
        ("adders", ()),
        ("folded", ("--reuse", "4")),
        ("folded", ("--lanes", "2")),
    ):
        words = ("generate", "model", "--board", "pynq-z2", "--strategy", strategy, *numbers, "--out", "net", "--force")
        assert run(*words)[0] == 0
        plans = json.loads((here / "net" / "plans.json").read_text())["plans"]
        assert {plan["strategy"] for plan in plans.values()} == {strategy}


def test_what_cannot_be_fitted_or_folded_is_refused_with_a_remedy(here, run):
    run(*prune_words())
    words = ("fit", "model", "--board", "pynq-z2", "--out", "net")
    assert_refused(here, run, (*words, "--max-lut", "0.001"), "of 53 allowed")
    assert_refused(here, run, (*words, "--max-lut", "70"), "must be in 0…1")
    assert_refused(here, run, (*words, "--goal", "area"), "--max-latency-ns")
    words = ("generate", "model", "--board", "pynq-z2", "--out", "net")
    assert_refused(here, run, (*words, "--strategy", "folded"), "--reuse")
    assert_refused(here, run, (*words, "--strategy", "folded", "--reuse", "0"), "at least 1")
    assert_refused(here, run, (*words, "--lanes", "3"), "--strategy folded")


def test_generate_names_the_way_to_a_design_that_does_not_fit(here, run):
    run(*prune_words())
    small = (resource("boards") / "basys3.toml").read_text()
    (here / "tiny.toml").write_text(small.replace('"basys3"', '"tiny"').replace("lut = 20_800", "lut = 90"))
    words = ("generate", "model", "--board", "tiny.toml", "--out", "net")
    assert_refused(here, run, words, "or choose a --strategy to write the design all the same")
    assert run(*words, "--strategy", "multiply")[0] == 0


@pytest.mark.parametrize("command", ["generate", "fit"])
@pytest.mark.parametrize("out", ["model", "."])
def test_what_is_read_is_never_replaced(here, run, command, out):
    run(*prune_words())
    assert_refused(here, run, (command, "model", "--board", "pynq-z2", "--out", out, "--force"), "which is read")
    assert (here / "model" / "workspace.json").is_file()


@pytest.mark.parametrize("words", [prune_words(), ("generate", "model", "--board", "pynq-z2", "--out", "theirs")])
def test_force_replaces_only_what_fpgaprune_made(here, run, words):
    run(*prune_words())
    (here / "theirs").mkdir()
    (here / "theirs" / "thesis.tex").write_text("keep")
    assert_refused(here, run, (*words[:-1], "theirs", "--force"), "fpgaprune did not make it")
    assert (here / "theirs" / "thesis.tex").read_text() == "keep"
    assert run(*words[:-1], "ours")[0] == 0
    assert run(*words[:-1], "ours", "--force")[0] == 0


def test_faults_of_the_command_are_told_before_a_folder_that_exists(here, run):
    run(*prune_words())
    words = ("--board", "pynq-z2", "--out", "model")
    assert_refused(here, run, ("generate", "nowhere", *words), "holds no pruned model")
    assert_refused(here, run, ("generate", "model", *words, "--reuse", "3"), "--strategy folded")
    assert_refused(here, run, ("fit", "nowhere", *words), "holds no pruned model")
    assert_refused(here, run, ("fit", "model", *words, "--max-uram", "3"), "uram share")
    assert_refused(here, run, prune_words(model="mine:nothing"), "nothing")


@pytest.mark.usefixtures("here")
def test_generate_says_what_the_design_takes(run):
    run(*prune_words())
    out = run("generate", "model", "--board", "pynq-z2", "--strategy", "folded", "--lanes", "1", "--out", "net")[1]
    found = re.search(r"estimate: ([\d,]+) LUT \([\d.]+ %\), .* of the TUL PYNQ-Z2: fits", " ".join(out.split()))
    data = json.loads(run("estimate", "net", "--json")[1])
    assert int(found[1].replace(",", "")) == data["total"]["lut"]
    assert f"latency {data['latency_cycles']} cycles" in " ".join(out.split())
    assert f"interval {data['interval_cycles']} cycles at 10 ns" in " ".join(out.split())


@pytest.mark.parametrize("command", ["generate", "fit"])
def test_page_repeats_the_commands_that_made_a_project(here, run, command):
    words = (*prune_words(), "--label", "it's mine\n")
    run(*words)
    making = (command, "model", "--board", "pynq-z2", "--out", "net")
    assert run(*making)[0] == 0
    digest = ProjectFolder.load(here / "net").digest()
    libraries = {"torch": "9.8", "numpy": "7.6"}
    (here / "net" / "versions.json").write_text(json.dumps(libraries))
    run(*making[:-1], "other")
    assert ProjectFolder.load(here / "other").digest() == digest
    data = json.loads(run("compare", "net", "--html", "page.html", "--json")[1])
    assert data["points"][0]["made"]["commands"] == [list(map(str, words)), list(making)]
    assert data["points"][0]["made"]["libraries"] == libraries
    told = html.unescape((here / "page.html").read_text())
    assert "Projects were made with torch 9.8, numpy 7.6." in told
    kept = json.loads((here / "other" / "versions.json").read_text())
    assert kept == {name: metadata.version(name) for name in ("torch", "hls4ml", "alkaid", "numpy")}
    assert shlex.join(["fpgaprune", *making]) in told
    assert shlex.join(["fpgaprune", *map(str, words)]).replace("\n", "\\n") in told


@pytest.mark.parametrize("text", ["{", "[]", '{"numpy": 2}'])
def test_versions_that_are_damaged_are_refused(here, run, text):
    run(*prune_words())
    run("generate", "model", "--board", "pynq-z2", "--out", "net")
    (here / "net" / "versions.json").write_text(text)
    assert_refused(here, run, ("compare", "net"), "versions.json")


@pytest.mark.parametrize("text", ["{", "[1]", "[[]]", '[["prune", 1]]', '["rm -rf"]'])
def test_commands_that_are_damaged_are_refused(here, run, text):
    run(*prune_words())
    (here / "model" / "commands.json").write_text(text)
    assert_refused(here, run, ("generate", "model", "--board", "pynq-z2", "--out", "net"), "commands.json")


@pytest.mark.usefixtures("here")
def test_layers_that_are_numbers_are_told_what_they_are(run):
    out = run(*prune_words())[1]
    assert "layer 0: " in out
    words = ("fit", "model", "--board", "pynq-z2", "--out", "net")
    for text in (run(*words)[1], run("estimate", "net")[1], run("compare", "net")[1]):
        assert "layer 0 (Linear 6 to 8)" in text
        assert "layer 2 (Linear 8 to 3)" in text


def test_designs_of_one_model_are_compared_under_labels_that_differ(here, run):
    run(*prune_words())
    words = ("generate", "model", "--board", "pynq-z2")
    run(*words, "--strategy", "multiply", "--out", "one")
    run(*words, "--strategy", "adders", "--out", "two")
    run("fit", "model", "--board", "pynq-z2", "--label", "chosen", "--out", "three")
    run(*words, "--strategy", "multiply", "--label", "by hand", "--out", "four")
    code, out, _ = run("compare", "one", "two", "three", "four", "--json")
    assert code == 0
    assert [point["label"] for point in json.loads(out)["points"]] == ["one", "two", "chosen", "by hand"]
    text = run("compare", "one", "two")[1]
    assert re.search(r"strategy +multiply +adders", text)
    assert "dense" not in text
    assert_refused(here, run, ("compare", "one", "one"), "more than once")


def test_estimate_and_compare_say_what_was_edited_and_go_on(here, run):
    run(*prune_words())
    run("generate", "model", "--board", "pynq-z2", "--out", "net")
    assert json.loads(run("estimate", "net", "--json")[1])["edited"] == []
    assert "edited" not in run("estimate", "net")[1] + run("compare", "net")[1]
    (here / "net" / "src" / "top.cpp").write_text("// mine")
    for command in ("estimate", "compare"):
        code, out, _ = run(command, "net")
        assert code == 0
        assert "edited since it was generated: src/top.cpp" in out
    assert json.loads(run("estimate", "net", "--json")[1])["edited"] == ["src/top.cpp"]
    assert json.loads(run("compare", "net", "--json")[1])["points"][0]["edited"] == ["src/top.cpp"]


def test_a_board_without_dsp_slices_is_one(here, run):
    run(*prune_words())
    mine = (resource("boards") / "basys3.toml").read_text().replace('"basys3"', '"mine"')
    (here / "mine.toml").write_text(re.sub(r"(?m)^dsp = [\d_]+", "dsp = 0", mine))
    assert run("generate", "model", "--board", "mine.toml", "--out", "net")[0] == 0
    assert "DSP" not in run("estimate", "net")[1]


def test_damaged_plans_are_refused_by_the_name_of_their_folder(here, run):
    run(*prune_words())
    assert (
        run("generate", "model", "--board", "pynq-z2", "--strategy", "folded", "--reuse", "4", "--out", "net")[0] == 0
    )
    (here / "net" / "plans.json").write_text("[]")
    for command in ("estimate", "csim", "compare"):
        code, _, error = run(command, "net")
        assert code == 2
        assert "net is damaged" in error
        assert "generate the project again" in error


def test_fit_takes_a_board_of_the_users_own(here, run):
    run(*prune_words())
    (here / "own.toml").write_text((resource("boards") / "basys3.toml").read_text().replace('"basys3"', '"own"'))
    assert run("fit", "model", "--board", "own.toml", "--out", "net")[0] == 0
    assert json.loads((here / "net" / "fpgaprune.json").read_text())["board"]["name"] == "own"
    assert ProjectFolder.load(here / "net").design.board.name == "own"


def test_the_same_command_twice_gives_the_same_files(here, run):
    for out in ("one", "two"):
        run(*prune_words(out=out))
        run("generate", out, "--board", "zcu104", "--out", f"{out}_project")
    files = contents(here / "one_project")
    assert len(files) > 20
    assert files == contents(here / "two_project")


def test_a_baseline_project_comes_along_when_it_is_asked_for(here, run):
    run(*prune_words())
    assert run("generate", "model", "--board", "pynq-z2", "--baseline", "--out", "pynq")[0] == 0
    assert (here / "pynq" / "baseline" / "firmware").is_dir()
    assert str(here) not in (here / "pynq" / "baseline" / "hls4ml_config.yml").read_text()


BAD_MODELS = {
    "mine:unknown": "softshrink",
    "mine:branching": "",
    "mine:wide": "",
    "mine:nan": "NaN|nan|finite",
    "mine:nothing": "nothing",
    "nowhere:net": "nowhere",
    "mine": "pkg.module:name",
}


@pytest.mark.parametrize("model", BAD_MODELS)
def test_a_model_that_cannot_be_used_is_one_line_and_leaves_nothing(here, run, model):
    assert_refused(here, run, prune_words(model=model), BAD_MODELS[model])


def assert_refused(here, run, words, message):
    before = sorted(here.rglob("*"))
    code, _, err = run(*words)
    assert code == 2
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert any(part in err for part in message.split("|")), err
    assert [path for path in sorted(here.rglob("*")) if "__pycache__" not in str(path)] == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[prune]\nsparsity = 1.5\n", "sparsity"),
        ("[prune]\nsparsty = 0.5\n", "sparsity"),
        ("[prun]\nsparsity = 0.5\n", "[prune]"),
        ("[quantise]\nweight_bits = 8\n", "sparsity"),
        ("prune = 3\n", "must be a table"),
        ("[prune\n", "no TOML"),
        (f"[prune]\nsparsity = {'9' * 5000}\n", "no TOML"),
        ("[prune]\nsparsity = 0.5\nlayers = {fc9 = 0.5}\n", "fc9"),
    ],
)
def test_a_recipe_with_a_fault_names_it(here, run, text, message):
    (here / "recipe.toml").write_text(text)
    assert_refused(here, run, prune_words(), message)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[quantise.layers.2x]\nweight_bits = 4\n", r"recipe.toml: [quantise] layers.2x names no layer"),
        (
            "[quantise.layers.inputs]\nactivation_bits = 4\n",
            "[quantise] layers.inputs names no layer (did you mean 'input'",
        ),
        ('[prune.layers]\n"0.weigt" = 0.5\n', "recipe.toml: [prune] layers.0.weigt names no prunable tensor"),
        ("[[prune.first]]\nsparsity = 0.1\nlayers = {3 = 0.5}\n", "recipe.toml: [prune] first[0] layers.3 names no"),
    ],
)
@pytest.mark.parametrize("more", [(), ("--board", "pynq-z2")])
def test_misspelt_layers_are_told_before_anything_is_trained(here, run, monkeypatch, table, message, more):
    (here / "recipe.toml").write_text(RECIPE + table)
    monkeypatch.setattr(Loop, "epoch", lambda *_: pytest.fail("something was trained"))
    assert_refused(here, run, (*prune_words(), *more), message)


@pytest.mark.usefixtures("here")
def test_the_device_reaches_pruning_and_quantisation(run, monkeypatch):
    asked = []

    def recorded(name, model):
        asked.append(name)
        return usable_device("cpu", model)

    for module in ("fpgaprune.prune.api", "fpgaprune.prune.training"):
        monkeypatch.setattr(sys.modules[module], "usable_device", recorded)
    assert run(*prune_words(), "--device", "cuda:7")[0] == 0
    assert asked.count("cuda:7") == 2
    assert asked[-1] == "cuda:7"


def test_what_became_of_zeros_and_biases_is_told(here, run):
    (here / "recipe.toml").write_text("[prune]\nsparsity = 0.0\ndead_bias = 'keep'\nfine_tune.epochs = 0\n")
    code, out, _ = run(*prune_words(model="mine:odd"))
    assert code == 0
    assert "2 dead neurons keep a bias in 0.bias that is not zero" in out
    assert "Folding 1 into 0 changed non-zero weights from 36 to 30 and non-zero biases from 7 to 8." in out
    assert "Masks, parametrizations or formats were baked into 3.weight." in out
    told = json.loads(run(*prune_words(model="mine:odd", out="json"), "--json")[1])
    assert len(told["remarks"]) == 3
    assert told["pruning"]["kept_biases"] == {"0.bias": 2}
    assert told["pruning"]["unbaked"] == ["3.weight"]
    assert told["folds"][0]["nonzeros_after"] == 30
    assert "budget" not in told


def test_masks_of_a_file_of_weights_are_told_as_those_of_a_model(here, run):
    (here / "recipe.toml").write_text("[prune]\nsparsity = 0.5\nfine_tune.epochs = 0\n")
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    torch_prune.l1_unstructured(model[0], "weight", 0.5)
    torch.save(model.state_dict(), here / "weights.pt")
    said = "Masks, parametrizations or formats were baked into 0.weight."
    code, out, _ = run(*prune_words(), "--weights", "weights.pt")
    assert code == 0
    assert said in out
    told = json.loads(run(*prune_words(out="json"), "--weights", "weights.pt", "--json")[1])
    assert told["remarks"] == [said]
    assert told["pruning"]["unbaked"] == ["0.weight"]
    assert json.loads((here / "json" / "pruned" / "pruned.json").read_text())["unbaked"] == ["0.weight"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("sparsity = 1.0", "All weights are pruned (0.weight, 2.weight): the output is constant"),
        ("sparsity = 0.0\nlayers = {'2' = 1.0}", "No weight is left in 2.weight: what comes out of it is constant"),
    ],
)
def test_a_constant_output_is_told(here, run, lines, said):
    (here / "recipe.toml").write_text(f"[prune]\n{lines}\nfine_tune.epochs = 0\n")
    code, out, _ = run(*prune_words())
    assert (code, said in out) == (0, True)
    assert any(said in remark for remark in json.loads(run(*prune_words(out="json"), "--json")[1])["remarks"])


def test_other_bad_input_is_refused(here, run):
    assert_refused(here, run, prune_words(data="mine:empty"), "empty")
    assert_refused(here, run, prune_words(recipe="none.toml"), "cannot be read")
    run(*prune_words())
    assert_refused(here, run, prune_words(), "--force")
    assert_refused(here, run, ("generate", "model", "--board", "pynk-z2", "--out", "x"), "did you mean 'pynq-z2'")
    assert_refused(here, run, ("generate", ".", "--board", "pynq-z2", "--out", "x"), "holds no pruned model")
    words = ("generate", "model", "--board", "pynq-z2", "--clock-ns", "-3", "--out", "x")
    assert_refused(here, run, words, "clock")
    assert_refused(here, run, ("csim", "model"), "is not a generated project")
    assert_refused(here, run, ("compare", "model"), "is not a generated project")
    run("generate", "model", "--board", "pynq-z2", "--out", "pynq")
    assert_refused(here, run, ("generate", "model", "--board", "pynq-z2", "--out", "pynq"), "exists already")
    np.save("bad.npy", np.zeros((3, 5)))
    assert_refused(here, run, ("csim", "pynq", "--inputs", "bad.npy"), "must have shape (samples, 6)")
    np.save("nan.npy", np.full((3, 6), np.nan))
    assert_refused(here, run, ("csim", "pynq", "--inputs", "nan.npy"), "finite")


def test_a_missing_compiler_is_an_error_with_a_remedy(here, run, monkeypatch):
    run(*prune_words())
    run("generate", "model", "--board", "pynq-z2", "--out", "pynq")
    monkeypatch.setenv("FPGAPRUNE_CXX", "no-such-compiler")
    assert_refused(here, run, ("csim", "pynq"), "install it")
    assert_refused(here, run, ("demo", "--out", "d"), "install it")


class _Malicious:
    def __reduce__(self):
        return (open, ("owned", "w"))


def test_a_pickle_that_executes_code_is_refused_and_not_executed(here, run):
    (here / "weights.pt").write_bytes(pickle.dumps(_Malicious()))
    assert_refused(here, run, (*prune_words(), "--weights", "weights.pt"), "weights.pt")
    assert not (here / "owned").exists()


def test_boards_doctor_version_and_help(run):
    code, out, _ = run("boards", "--json")
    assert code == 0
    assert {"pynq-z2", "vcu118"} <= {one["name"] for one in json.loads(out)}
    assert "DS190" in run("boards", "pynq-z2")[1]
    assert "kv260" in run("boards")[1]
    assert "g++" in run("doctor")[1]
    assert run("--version")[1].strip() == "0.1.0"
    assert "demo" in run("--help")[1]


def test_an_unknown_command_or_option_is_exit_code_2(run):
    assert run("demmo")[0] == 2
    assert run("csim", "x", "--sample", "3")[0] == 2


def test_an_interrupt_says_how_to_go_on(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("fpgaprune.board.load_all", interrupted)
    monkeypatch.setattr(sys, "argv", ["fpgaprune", "boards"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert "run the same command again" in capsys.readouterr().err

"""A run that was interrupted goes on where it stopped and ends with the same result, bit for bit."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune import resume
from fpgaprune.prune.api import prune
from fpgaprune.prune.checkpoint import MANIFEST, Checkpoint
from fpgaprune.prune.data import Data
from fpgaprune.prune.objectives import default_loss
from fpgaprune.prune.recipe import PruneRecipe
from fpgaprune.prune.settings import RigL, TrainSettings
from fpgaprune.prune.stage import Stage
from fpgaprune.prune.training import Hooks, train

SHORT = TrainSettings(epochs=2, learning_rate=0.02)
RECIPE = PruneRecipe(0.8, schedule="cubic", steps=2, fine_tune=SHORT)
RECIPES = {
    "cubic": RECIPE,
    "one-shot": PruneRecipe(0.5, "random", fine_tune=TrainSettings(4, 0.02, "sgd", validation=0.25, patience=2)),
    "lottery": PruneRecipe(0.5, schedule="lottery", steps=2, rewind_epoch=1, fine_tune=SHORT),
    "lottery from the start": PruneRecipe(0.5, schedule="lottery", steps=2, fine_tune=SHORT),
    "rigl": PruneRecipe(0.5, schedule="rigl", fine_tune=replace(SHORT, epochs=3, validation=0.25), rigl=RigL(2)),
    "channels": PruneRecipe(0.6, fine_tune=SHORT, first=(Stage(0.25, structure="channels", fine_tune=SHORT),)),
    "untrained": PruneRecipe(0.5, fine_tune=TrainSettings(epochs=0)),
}


class Interrupted(Exception):  # noqa: N818  # it is no error
    pass


def same(one, two):
    pairs = zip(one.module.state_dict().values(), two.module.state_dict().values(), strict=True)
    weights = all(torch.equal(left, right) for left, right in pairs)
    masks = one.masks == two.masks and list(one.masks) == list(two.masks)
    others = all(getattr(one, name) == getattr(two, name) for name in ("history", "dead_biases", "scores"))
    return weights and masks and others


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.ReLU(), nn.Linear(16, 3))


@pytest.fixture
def begun(net, data, tmp_path):
    """Return the folder of a checkpoint whose run was interrupted after the third of its four epochs."""
    interrupted(net, data, RECIPE, tmp_path / "run", 10)
    return tmp_path / "run"


def interrupted(model, data, recipe, folder, steps):
    """Prune until an interruption after so many optimiser steps, and return the model if there was none."""
    left = iter(range(steps))

    def stop(*_):
        if next(left, None) is None:
            raise Interrupted

    try:
        return prune(model, data, recipe, progress=False, hooks=Hooks(on_step_end=stop), checkpoint=folder)
    except Interrupted:
        return None


@pytest.mark.parametrize("name", RECIPES)
def test_the_result_is_the_same_however_often_it_is_interrupted(net, data, tmp_path, name):
    expected = prune(net, data, RECIPES[name], progress=False)
    assert same(prune(net, data, RECIPES[name], progress=False, checkpoint=tmp_path / "whole"), expected)
    runs = 0
    while (pruned := interrupted(net, data, RECIPES[name], tmp_path / "pieces", 3)) is None:
        runs += 1
        assert runs < 50
    assert same(pruned, expected)
    assert runs > 1 or name == "untrained"


def test_a_run_that_is_over_is_not_done_again(net, data, tmp_path):
    first = prune(net, data, RECIPE, checkpoint=tmp_path / "run")
    hooks = Hooks(on_step_end=lambda *_: pytest.fail("it trained"))
    assert same(prune(net, data, RECIPE, checkpoint=tmp_path / "run", hooks=hooks), first)


def test_what_is_done_is_not_done_again(net, data, begun):
    steps = []
    prune(net, data, RECIPE, checkpoint=begun, hooks=Hooks(on_step_end=lambda _, record: steps.append(record.step)))
    assert steps == [4, 5, 6]


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Return the folder of runs in processes of their own, and how each of them ended."""
    folder = tmp_path_factory.mktemp("killed")
    moments = ["step 2", "before 1", "after 1", "before 4", "step 8", "seconds 0.05", "after 3", "step 15"]
    script = Path(__file__).with_name("interrupted.py")
    command = [sys.executable, str(script), str(folder), *moments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return folder, done.stdout.splitlines()


def test_processes_were_killed_and_went_on(killed):
    _, (whole, *pieces, last) = killed
    assert pieces == ["killed"] * 8
    assert 0 < int(last.removeprefix("done ")) < int(whole.removeprefix("done ")) - 15


@pytest.mark.parametrize("name", ["weights.safetensors", "masks.safetensors", "pruned.json"])
def test_killed_processes_leave_the_same_bytes(killed, name):
    folder, _ = killed
    assert (folder / "whole" / name).read_bytes() == (folder / "pieces" / name).read_bytes()


def test_killed_processes_leave_no_litter(killed):
    folder, _ = killed
    names = sorted(path.name for path in (folder / "pieces checkpoint").iterdir())
    assert len(names) == 2
    assert names[0] == MANIFEST


def test_damaged_and_emptied_tensors_are_refused(net, data, begun):
    (state,) = begun.glob("state-*")
    content = state.read_bytes()
    for damaged in (content[:-1] + bytes([content[-1] ^ 1]), content[:100], b""):
        state.write_bytes(damaged)
        with pytest.raises(
            InputError, match=r"state-\w+\.safetensors or checkpoint\.json is damaged or was changed; give"
        ):
            prune(net, data, RECIPE, checkpoint=begun)
    state.unlink()
    with pytest.raises(InputError, match=r"state-\w+\.safetensors cannot be read: No such file"):
        prune(net, data, RECIPE, checkpoint=begun)


def test_a_changed_state_is_refused(net, data, begun):
    manifest = json.loads((begun / MANIFEST).read_text())
    manifest["state"]["moment"]["epochs"] = 0
    (begun / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="is damaged or was changed"):
        prune(net, data, RECIPE, checkpoint=begun)


def test_another_recipe_model_or_set_of_data_is_refused(net, data, data_of, begun):
    other = copy.deepcopy(net)
    with torch.no_grad():
        other[0].weight[0, 0] += 1
    frozen = copy.deepcopy(net)
    frozen[0].weight.requires_grad_(False)
    different = nn.Sequential(*net[:2], nn.Dropout(0.4), *net[3:])
    shuffled = Data(replace(data.train, seed=5), data.test)
    changed = Data(data.train, replace(data.test, x=data.test.x + 1))
    cases = [
        ((net, data, replace(RECIPE, seed=1)), "recipe"),
        ((other, data, RECIPE), "model"),
        ((frozen, data, RECIPE), "model"),
        ((different, data, RECIPE), "model"),
        ((net, data_of(1), RECIPE), "data"),
        ((net, shuffled, RECIPE), "data"),
        ((net, changed, RECIPE), "data"),
    ]
    for arguments, what in cases:
        with pytest.raises(InputError, match=f"of a run with another {what}; give another folder, or delete this one"):
            prune(*arguments, checkpoint=begun)
    with pytest.raises(InputError, match=r"another version, device or function \(fpgaprune .*; this one has fpgaprune"):
        prune(net, data, RECIPE, checkpoint=begun, loss=lambda *both: default_loss(*both))
    assert prune(net, data, RECIPE, checkpoint=begun).sparsity == pytest.approx(0.8, abs=0.01)


def test_another_version_of_torch_is_refused(net, data, begun, monkeypatch):
    monkeypatch.setattr(torch, "__version__", "1.0")
    with pytest.raises(
        InputError, match=r"another version, device or function .*; this one has fpgaprune \S+, torch 1\.0"
    ):
        prune(net, data, RECIPE, checkpoint=begun)


def test_data_that_does_not_repeat_is_refused(net, data, tmp_path):
    class Moving:
        reads = 0.0

        def __iter__(self):
            Moving.reads += 1
            return iter([(x + Moving.reads, y) for x, y in data.train])

    moving = Data(Moving(), data.test)
    interrupted(net, moving, RECIPE, tmp_path / "run", 8)
    with pytest.raises(InputError, match="of a run with another data"):
        prune(net, moving, RECIPE, checkpoint=tmp_path / "run")


def test_extra_state_cannot_be_held(data, tmp_path):
    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"version": 1}

        def set_extra_state(self, _):
            pass

    with pytest.raises(InputError, match="keeps the extra state '_extra_state', which no checkpoint can hold"):
        prune(Extra(8, 3), data, RECIPE, checkpoint=tmp_path / "run")


def test_nothing_is_a_pickle(begun):
    (state,) = begun.glob("state-*")
    assert len(safetensors.torch.load_file(state)) > 10
    assert sorted(path.suffix for path in begun.iterdir()) == [".json", ".safetensors"]


def test_buffers_that_no_state_dict_has_are_kept(data, tmp_path):
    class Counting(nn.Linear):
        def __init__(self):
            super().__init__(8, 3)
            self.register_buffer("calls", torch.zeros(()), persistent=False)

        def forward(self, x):
            self.calls += self.training
            return super().forward(x) * (1 + 0.01 * self.calls)

    torch.manual_seed(0)
    model = Counting()
    expected = prune(model, data, RECIPE)
    while (pruned := interrupted(model, data, RECIPE, tmp_path / "run", 4)) is None:
        pass
    assert same(pruned, expected)
    assert pruned.module.calls == 12


def test_training_alone_goes_on_too(net, data, tmp_path):
    settings, folder = TrainSettings(epochs=4, learning_rate=0.02, validation=0.25), tmp_path / "run"
    whole, pieces, left = copy.deepcopy(net), copy.deepcopy(net), iter(range(7))

    def stop(*_):
        if next(left, None) is None:
            raise Interrupted

    history = train(whole, data, settings)
    with pytest.raises(Interrupted):
        train(pieces, data, settings, hooks=Hooks(stop), checkpoint=folder, purpose="test")
    with pytest.raises(InputError, match="of a run with another recipe"):
        train(copy.deepcopy(net), data, settings, checkpoint=folder, purpose="other")
    with pytest.raises(InputError, match="of a run with another model"):
        train(pieces, data, settings, checkpoint=folder, purpose="test")
    again = copy.deepcopy(net)
    assert train(again, data, settings, checkpoint=folder, purpose="test") == history
    assert all(torch.equal(one, two) for one, two in zip(whole.parameters(), again.parameters(), strict=True))


def test_divergence_is_the_same_after_an_interruption(net, data, tmp_path):
    def explode(model, record):
        if record.epoch == 4:
            model[0].bias.data.fill_(float("nan"))

    def stop(model, record):
        if record.epoch == 3:
            raise Interrupted
        explode(model, record)

    settings = TrainSettings(epochs=6, learning_rate=0.02)
    recipe = PruneRecipe(0.5, fine_tune=settings)
    with pytest.warns(UserWarning, match="went back to epoch"):
        expected = prune(net, data, recipe, hooks=Hooks(explode))
    with pytest.raises(Interrupted):
        prune(net, data, recipe, hooks=Hooks(stop), checkpoint=tmp_path / "run")
    with pytest.warns(UserWarning, match="went back to epoch"):
        assert same(prune(net, data, recipe, hooks=Hooks(explode), checkpoint=tmp_path / "run"), expected)


def test_the_folder_is_read_before_anything_is_trained(net, data, tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setattr(resume, "replace", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(InputError, match=r"it holds 'notes\.txt' and no checkpoint\.json, so it is no checkpoint"):
        prune(net, data, RECIPE, checkpoint=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_folder_may_be_given_as_text(net, data, tmp_path):
    recipe = replace(RECIPE, fine_tune=TrainSettings(epochs=1))
    prune(net, data, recipe, checkpoint=str(tmp_path / "run"), progress=False)
    assert (tmp_path / "run" / "checkpoint.json").exists()
    train(net, data, TrainSettings(epochs=1), checkpoint=str(tmp_path / "training"), progress=False)
    assert (tmp_path / "training" / "checkpoint.json").exists()
    with pytest.raises(InputError, match="checkpoint must be of the class Path, not int; give the path of a folder"):
        prune(net, data, recipe, checkpoint=5, progress=False)


def test_identities_name_what_differs(tmp_path):
    Checkpoint(tmp_path / "run", {"model": "a", "recipe": "b"}).save({}, {})
    with pytest.raises(InputError, match="another recipe"):
        Checkpoint(tmp_path / "run", {"model": "a", "recipe": "c"}).load(lambda *_: None)

from __future__ import annotations

import hashlib
import json

import pytest
import safetensors.torch
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune import store
from fpgaprune.prune.api import prune
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.pruned import PrunedModel
from fpgaprune.prune.recipe import PruneRecipe
from fpgaprune.prune.settings import TrainSettings


@pytest.fixture
def pruned(mlp, data):
    mlp[0].weight.data[3] *= 1e-3  # a neuron that dies first
    recipe = PruneRecipe(0.6, fine_tune=TrainSettings(epochs=1), layers={"2": 0.3})
    return prune(mlp, data, recipe, progress=False, explain=(0.5, 0.9))


@pytest.fixture
def folder(tmp_path, pruned):
    store.save(pruned, tmp_path / "out")
    return tmp_path / "out"


def change(folder, **fields):
    path = folder / store.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def rewrite(folder, name, tensors):
    """Write other tensors with a digest that fits."""
    content = safetensors.torch.save(tensors)
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / store.MANIFEST).read_text())
    change(folder, sha256={**manifest["sha256"], name: hashlib.sha256(content).hexdigest()})


def test_what_is_saved_comes_back(folder, pruned, mlp_of):
    fresh = mlp_of(9)
    before = fresh[0].weight.detach().clone()
    loaded = store.load(folder, fresh)
    assert loaded.masks == pruned.masks
    assert all(torch.equal(loaded.module.state_dict()[k], v) for k, v in pruned.module.state_dict().items())
    assert loaded.recipe == pruned.recipe
    assert loaded.history == pruned.history
    assert len(loaded.history.records) == 3
    assert loaded.dead_biases == pruned.dead_biases
    assert 3 in loaded.dead_biases["0.bias"]
    assert loaded.unbaked == pruned.unbaked == ()
    assert loaded.scores == pruned.scores
    assert loaded.curves == pruned.curves
    assert loaded.report == pruned.report
    assert not loaded.module.training
    assert torch.equal(fresh[0].weight, before)


def test_a_folder_of_an_earlier_version_has_no_scores(folder, mlp_of):
    manifest = json.loads((folder / store.MANIFEST).read_text())
    del manifest["scores"], manifest["curves"]
    (folder / store.MANIFEST).write_text(json.dumps(manifest))
    loaded = store.load(folder, mlp_of(9))
    assert loaded.scores.tensors == {}
    assert loaded.curves is None


def test_the_weights_are_an_ordinary_state_dict(folder, pruned, mlp_of):
    fresh = mlp_of(9)
    fresh.load_state_dict(safetensors.torch.load_file(folder / store.WEIGHTS))
    assert torch.equal(fresh[0].weight, pruned.module[0].weight)


def test_the_manifest_says_what_is_inside(folder, pruned):
    manifest = json.loads((folder / store.MANIFEST).read_text())
    assert sorted(path.name for path in folder.iterdir()) == sorted([store.MANIFEST, store.MASKS, store.WEIGHTS])
    assert manifest["schema"] == store.SCHEMA
    assert manifest["sparsity"] == pruned.sparsity
    assert manifest["tensors"]["2.bias"] == {"shape": [3], "dtype": "float32"}
    assert manifest["masks"]["2.weight"] == {"shape": [3, 16], "nonzeros": pruned.masks.nonzeros("2.weight")}


def test_the_same_model_gives_the_same_bytes(folder, pruned, tmp_path):
    store.save(pruned, tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_an_existing_folder_is_replaced_only_by_force(folder, pruned):
    (folder / "old").touch()
    with pytest.raises(InputError, match="exists already"):
        store.save(pruned, folder)
    store.save(pruned, folder, force=True)
    assert not (folder / "old").exists()


def test_tied_weights_buffers_and_empty_histories(tmp_path, tied):
    model = nn.Sequential(tied, nn.BatchNorm1d(4))
    pruned = prune(model, None, PruneRecipe(0.5, fine_tune=TrainSettings(epochs=0)))
    store.save(pruned, tmp_path / "out")
    assert "0.third.weight" not in safetensors.torch.load_file(tmp_path / "out" / store.WEIGHTS)
    loaded = store.load(tmp_path / "out", model)
    assert loaded.module[0].third.weight is loaded.module[0].first.weight
    assert torch.equal(loaded.module[0].first.weight, pruned.module[0].first.weight)
    assert loaded.history.records == ()


def test_a_model_without_a_recipe(tmp_path, mlp):
    pruned = PrunedModel(mlp, Masks.of_nonzeros(mlp), unbaked=("0.weight",))
    store.save(pruned, tmp_path / "out")
    loaded = store.load(tmp_path / "out", mlp)
    assert loaded.recipe is None
    assert loaded.unbaked == ("0.weight",)


@pytest.mark.parametrize("name", [store.MANIFEST, store.WEIGHTS, store.MASKS])
def test_missing_files_are_refused(folder, mlp, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{name} cannot be read: No such file"):
        store.load(folder, mlp)


@pytest.mark.parametrize("name", [store.WEIGHTS, store.MASKS])
def test_changed_and_truncated_files_are_refused(folder, mlp, name):
    content = (folder / name).read_bytes()
    for damaged in (content[:-1] + bytes([content[-1] ^ 1]), content[:-1], content + b"\0", b""):
        (folder / name).write_bytes(damaged)
        with pytest.raises(InputError, match=rf"{name} is damaged or was changed"):
            store.load(folder, mlp)


def test_a_header_that_claims_too_much_is_refused(folder, mlp):
    content = (2**40).to_bytes(8, "little") + b"{}"
    (folder / store.WEIGHTS).write_bytes(content)
    change(folder, sha256={store.WEIGHTS: hashlib.sha256(content).hexdigest()})
    with pytest.raises(InputError, match="no intact safetensors file"):
        store.load(folder, mlp)


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "\ud800"])
def test_broken_manifests_are_refused(folder, mlp, text):
    (folder / store.MANIFEST).write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(InputError, match=r"pruned\.json"):
        store.load(folder, mlp)


def test_an_oversized_manifest_is_refused(folder, mlp, monkeypatch):
    monkeypatch.setattr(store, "_LARGEST_MANIFEST", 100)
    with pytest.raises(InputError, match="more than any manifest"):
        store.load(folder, mlp)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schema": 1}, "has the schema 1, this version reads 3"),
        ({"schema": None}, "has the schema None"),
        ({"recipes": 1}, "has no field 'recipes' .did you mean 'recipe'"),
        ({"sha256": []}, "sha256 must be a table"),
        ({"tensors": 3}, "tensors must be a table"),
        ({"tensors": {}}, "weights.safetensors has no field"),
        ({"masks": {}}, "masks.safetensors has no field"),
        ({"recipe": {"sparsity": 7}}, "sparsity must be in"),
        ({"history": {"records": [{}]}}, r"history\.records\[0\] lacks"),
        ({"dead_biases": {"0.bias": ["x"]}}, r"dead_biases\.0\.bias must be a list of integers"),
        ({"unbaked": "x"}, "unbaked must be a list of names"),
        ({"shrinkage": []}, "shrinkage must be a table"),
        (
            {"shrinkage": {"0": {"outputs": {"size": 16, "kept": [0, 99]}}}},
            "must be rising indices below their number 16",
        ),
        ({"shrinkage": {"0": {"outputs": {"size": 2**60, "kept": [0]}}}}, r"has not the \d+ outputs from which"),
        ({"shrinkage": {"0": {"outputs": {"size": 16, "kept": [0]}}}}, r"'0\.weight' has the shape"),
    ],
)
def test_manifests_that_lie_are_refused(folder, mlp, fields, message):
    change(folder, **fields)
    with pytest.raises(InputError, match=message):
        store.load(folder, mlp)


def test_a_field_that_is_missing_is_named(folder, mlp):
    path = folder / store.MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["masks"], manifest["unbaked"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"pruned\.json lacks unbaked, masks"):
        store.load(folder, mlp)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"shape": [16, 9]}, "masks.safetensors does not hold the mask '0.weight'"),
        ({"shape": [-1, 8]}, "masks.0.weight.shape must be a list of sizes"),
        ({"shape": [2**40, 2**40]}, "masks.safetensors does not hold the mask"),
        ({"shape": [8, 16]}, r"mask '0\.weight' has the shape \(8, 16\)"),
        ({}, "shape must be a list of sizes, not None"),
    ],
)
def test_mask_shapes_must_fit(folder, mlp, entry, message):
    masks = json.loads((folder / store.MANIFEST).read_text())["masks"]
    change(folder, masks={**masks, "0.weight": entry})
    with pytest.raises(InputError, match=message):
        store.load(folder, mlp)


def test_broken_weights_with_a_fitting_digest_are_refused(folder, mlp):
    weights = safetensors.torch.load_file(folder / store.WEIGHTS)
    weights["2.bias"][0] = float("nan")
    rewrite(folder, store.WEIGHTS, weights)
    with pytest.raises(InputError, match=r"NaN or infinite values in '2\.bias'"):
        store.load(folder, mlp)


def test_weights_that_contradict_the_masks_are_refused(folder, mlp):
    weights = safetensors.torch.load_file(folder / store.WEIGHTS)
    weights["0.weight"][:] = 1.0
    rewrite(folder, store.WEIGHTS, weights)
    with pytest.raises(InputError, match=r"0\.weight is not zero in \d+ places"):
        store.load(folder, mlp)


def test_tensors_other_than_listed_are_refused(folder, mlp):
    weights = safetensors.torch.load_file(folder / store.WEIGHTS)
    rewrite(folder, store.WEIGHTS, {**weights, "2.bias": torch.ones(4)})
    with pytest.raises(InputError, match=r"does not hold the tensor '2\.bias'"):
        store.load(folder, mlp)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Linear(8, 15), nn.ReLU(), nn.Linear(15, 3)), r"'0\.weight' has the shape \(16, 8\)"),
        (nn.Sequential(nn.Linear(8, 16), nn.ReLU()), r"'2\.\w+', which the model has not"),
        (nn.Sequential(nn.Linear(8, 16), nn.PReLU(), nn.Linear(16, 3)), r"the weights lack '1\.weight'"),
        (
            nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)).double(),
            "was saved as torch.float32, the model",
        ),
    ],
)
def test_another_model_is_refused(folder, model, message):
    with pytest.raises(InputError, match=message):
        store.load(folder, model)


def test_extra_state_cannot_be_saved(tmp_path):
    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"version": 1}

    model = Extra(1, 1)
    with pytest.raises(InputError, match="extra state '_extra_state'"):
        store.save(PrunedModel(model, Masks.full(model)), tmp_path / "out")
    assert not (tmp_path / "out").exists()

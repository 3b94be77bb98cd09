"""A model in a folder comes back equal, and a damaged folder is refused."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpgaprune.errors import InputError
from fpgaprune.fixed import Fixed
from fpgaprune.prune import History, PruneReport, Record, TrainSettings
from fpgaprune.quantise import (
    Choice,
    FoldReport,
    LayerBits,
    LayerSparsity,
    QuantisedModel,
    QuantiseRecipe,
    QuantiseReport,
    load,
    save,
)
from fpgaprune.quantise.compression import Cost, Saved
from tests.quantise.nets import random_model

RECIPE = QuantiseRecipe(layers={"fc": LayerBits(3)}, fine_tune=TrainSettings())
REPORT = QuantiseReport(
    folds=(FoldReport("fc", "bn", 1, 2, 3, 4),),
    choices=(Choice("fc", "weight", Fixed(True, 8, 3), 0.125, 0.0),),
    sparsity=(LayerSparsity("fc", 10, 5, 4, 6),),
    saved=Saved(Cost.ADDER_BITS, 120.5, 60.25),
    history=History((Record(0, 1, 0.5, 0.1, 0.9),)),
    metric_before=0.9,
    metric_after=0.875,
    pruning=PruneReport("magnitude", "cubic", "weights", History((Record(1, 0, 0.5, None, 0.8),))),
)


@pytest.fixture(scope="module")
def model():
    seeds = (random_model(seed)[0] for seed in range(100))
    quantised = next(each for each in seeds if {"Affine", "Linear", "Clip", "Add", "Reshape"} <= kinds(each))
    return QuantisedModel(quantised.layers, quantised.outputs, RECIPE, REPORT)


def kinds(model):
    return {type(layer).__name__.removeprefix("Quantised") for layer in model.layers}


@pytest.fixture
def folder(tmp_path, model):
    save(model, tmp_path / "model")
    return tmp_path / "model"


def test_what_was_saved_comes_back_equal(model, folder):
    loaded = load(folder)
    assert loaded == model
    assert loaded.report == REPORT
    assert loaded.recipe == RECIPE
    assert all(layer.weight.dtype == np.int64 for layer in loaded.layers if hasattr(layer, "weight"))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_kind_of_layer_comes_back_equal(tmp_path, seed):
    model, samples = random_model(seed)
    save(model, tmp_path / "model", force=True)
    loaded = load(tmp_path / "model")
    assert loaded == model
    assert np.array_equal(loaded.forward(samples), model.forward(samples))


def test_the_same_model_gives_the_same_bytes(tmp_path, model, folder):
    save(model, tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_an_existing_folder_is_replaced_only_if_told(model, folder):
    with pytest.raises(InputError, match=r"exists already"):
        save(model, folder)
    save(model, folder, force=True)
    assert load(folder) == model


def test_mantissas_take_as_few_bytes_as_they_can(folder):
    arrays = safetensors.numpy.load((folder / "mantissas.safetensors").read_bytes())
    assert {array.dtype for name, array in arrays.items() if name.endswith(".weight")} == {np.dtype(np.int8)}


def change(folder, **values):
    path = folder / "quantised.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


LAYER = {"kind": "QuantisedInput", "name": "x", "shape": [2], "format": "ap_fixed<8,3>"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"schema": 99}, "quantised.json has the schema 99, this version reads 4; quantise again"),
        ({"sha256": "0"}, "mantissas.safetensors is damaged or was changed: its SHA-256 differs from the one in quan"),
        ({"more": 1}, "quantised.json has no field 'more'"),
        ({"schema": 2, "output": "fc"}, "quantised.json has the schema 2, this version reads 4; quantise again"),
        ({"outputs": ["nothing"]}, "the network's output 'nothing' is no layer"),
        ({"outputs": []}, "a network must have at least one output"),
        ({"layers": [LAYER | {"kind": "QuantisedConvs"}]}, r"'QuantisedConvs' is no kind of layer \(did you mean"),
        ({"layers": [LAYER | {"more": 1}]}, "QuantisedInput has no field 'more'"),
        ({"layers": [{"kind": "QuantisedInput"}]}, r"is damaged: KeyError\('name'\)"),
        ({"layers": [LAYER | {"format": "float"}]}, "a format must read like ap_fixed"),
        ({"layers": [LAYER | {"shape": 2}]}, r"is damaged: TypeError"),
        ({"layers": 3}, r"is damaged: TypeError"),
        ({"recipe": {"weight_bits": 0}}, "weight_bits must be at least 1"),
        ({"report": {}}, "the report lacks folds, choices"),
        ({"report": REPORT.to_dict() | {"folds": [{"layer": "fc"}]}}, "FoldReport lacks batch_norm"),
    ],
)
def test_manifests_that_cannot_be_right_are_refused(folder, values, message):
    change(folder, **values)
    with pytest.raises(InputError, match=rf"^.*model(: | is damaged).*{message}|{message}"):
        load(folder)


def test_a_manifest_without_the_fields_of_today_is_read(model, folder):
    layers = json.loads((folder / "quantised.json").read_text(encoding="utf-8"))["layers"]
    for layer in layers:
        for name in ("axes", "positions", "trainable", "subtract"):
            layer.pop(name, None)
    change(folder, layers=layers)
    assert load(folder) == model


WINDOWS = {"kernel": [2], "stride": [1], "dilation": [1], "before": [0], "after": [0]}
POOL = {"kind": "QuantisedMaxPool", "name": "p", "source": "x", "shape": [1, 1], "format": "ap_fixed<8,3>"}


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ({"more": [1]}, "windows has no field 'more'"),
        ({"stride": [0]}, "kernel, stride and dilation of a window must be at least 1"),
        ({"stride": 1}, "is damaged: TypeError"),
        ({}, "p: a MaxPool of shape .* cannot read"),
    ],
)
def test_windows_that_cannot_be_right_are_refused(folder, windows, message):
    image = LAYER | {"shape": [3, 1]}
    change(folder, layers=[image, POOL | {"windows": WINDOWS | windows}], outputs=["p"])
    with pytest.raises(InputError, match=message):
        load(folder)


def test_missing_and_damaged_files_are_refused(folder):
    mantissas, manifest = folder / "mantissas.safetensors", folder / "quantised.json"
    content = bytearray(mantissas.read_bytes())
    content[-1] ^= 1
    mantissas.write_bytes(content)
    with pytest.raises(InputError, match=r"its SHA-256 differs"):
        load(folder)
    mantissas.unlink()
    with pytest.raises(InputError, match=r"mantissas.safetensors cannot be read: No such file"):
        load(folder)
    manifest.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"quantised.json is no intact JSON"):
        load(folder)
    manifest.write_text('{"schema": 4}', encoding="utf-8")
    with pytest.raises(InputError, match=r"quantised.json lacks layers, output"):
        load(folder)
    manifest.unlink()
    with pytest.raises(InputError, match=r"quantised.json cannot be read: No such file"):
        load(folder)


def test_mantissas_of_another_model_are_refused(folder):
    content = safetensors.numpy.save({"other": np.ones(2)})
    (folder / "mantissas.safetensors").write_bytes(content)
    change(folder, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(InputError, match=r"mantissas.safetensors lacks the array"):
        load(folder)
    (folder / "mantissas.safetensors").write_bytes(b"nothing")
    change(folder, sha256=hashlib.sha256(b"nothing").hexdigest())
    with pytest.raises(InputError, match=r"mantissas.safetensors holds no tensors"):
        load(folder)

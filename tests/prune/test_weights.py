from __future__ import annotations

import json
import math
import os
import struct

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from fpgaprune.errors import InputError
from fpgaprune.prune.weights import load_weights, with_told_weights, with_weights


class Malicious:
    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def state(mlp):
    return mlp.state_dict()


@pytest.mark.parametrize("name", ["net.safetensors", "net.pt", "net"])
@pytest.mark.parametrize("writer", ["safetensors", "torch", "legacy", "wrapped"])
def test_the_content_decides_the_format(tmp_path, state, name, writer):
    path = tmp_path / name
    if writer == "safetensors":
        safetensors.torch.save_file(state, path)
    elif writer == "wrapped":
        torch.save({"epoch": 3, "model_state_dict": state}, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=writer == "torch")
    loaded = load_weights(path)
    assert list(loaded) == list(state) or set(loaded) == set(state)
    assert all(torch.equal(loaded[key], value) for key, value in state.items())


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("name", ["evil.pt", "evil.safetensors"])
def test_a_malicious_pickle_is_never_executed(tmp_path, state, new, name):
    marker = tmp_path / "executed"
    path = tmp_path / name
    torch.save({**state, "0.bias": Malicious(marker)}, path, _use_new_zipfile_serialization=new)
    with pytest.raises(InputError, match="asks for code to be run, which fpgaprune never does"):
        load_weights(path)
    assert not marker.exists()


def test_a_whole_pickled_model_is_refused_with_the_remedy(tmp_path, mlp):
    torch.save(mlp, tmp_path / "net.pt")
    with pytest.raises(InputError, match=r"save model\.state_dict\(\)"):
        load_weights(tmp_path / "net.pt")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.ones(2), "holds Tensor, not a state dict"),
        ({"a": 3}, "holds 'a', which is int and no tensor"),
        ({1: torch.ones(1)}, "holds 1, which is Tensor"),
        ({"a": torch.eye(2).to_sparse()}, r"holds 'a' in the layout torch\.sparse_coo"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, value, message):
    torch.save(value, tmp_path / "x.pt")
    with pytest.raises(InputError, match=message):
        load_weights(tmp_path / "x.pt")


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("writer", [safetensors.torch.save_file, torch.save])
def test_broken_numbers_name_the_tensor(tmp_path, state, value, writer):
    state["2.weight"][1, 1] = value
    path = tmp_path / "x"
    writer(state, path)
    with pytest.raises(InputError, match=r"x holds NaN or infinite values in '2\.weight' \(1 of 48\)"):
        load_weights(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        b"PK\x03\x04 not a zip",
        b"\x80\x02 not a pickle",
        struct.pack("<Q", 2**40) + b"{",
        struct.pack("<Q", 12) + b'{"a": broken',
        struct.pack("<Q", 120) + b'{"a":{"dtype":"F32"',
    ],
)
@pytest.mark.parametrize("name", ["x.safetensors", "x.pt"])
def test_damaged_files_are_refused(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=name):
        load_weights(path)


def test_truncated_files_are_refused(tmp_path, state):
    for writer, name in ((safetensors.torch.save_file, "x.safetensors"), (torch.save, "x.pt")):
        path = tmp_path / name
        writer(state, path)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(InputError, match=name):
            load_weights(path)


def test_offsets_outside_the_file_are_refused(tmp_path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [99], "data_offsets": [0, 396]}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(InputError, match="no intact safetensors file"):
        load_weights(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"none\.pt cannot be read: No such file"):
        load_weights(tmp_path / "none.pt")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        load_weights(tmp_path)


def test_weights_go_into_a_copy(mlp, mlp_of):
    other = mlp_of(5)
    before = other[0].weight.detach().clone()
    filled = with_weights(other, mlp.state_dict())
    assert all(torch.equal(filled.state_dict()[name], value) for name, value in mlp.state_dict().items())
    assert torch.equal(other[0].weight, before)


def test_unbaked_state_dicts_serve_plain_models(mlp, mlp_of):
    torch_prune.l1_unstructured(mlp[0], "weight", 0.5)
    filled = with_weights(mlp_of(3), mlp.state_dict())
    assert torch.equal(filled[0].weight, mlp[0].weight)
    assert with_told_weights(mlp_of(3), mlp.state_dict())[1] == ("0.weight",)
    assert with_told_weights(mlp, mlp.state_dict())[1] == ()
    hooked = torch_prune.identity(mlp_of(3)[0], "weight")
    assert torch.equal(with_weights(hooked, mlp[0].state_dict()).weight_mask, mlp[0].weight_mask)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"2.bais": torch.ones(3)}, r"'2\.bais', which the model has not .did you mean '2\.bias'"),
        ({"2.bias": torch.ones(4)}, r"'2\.bias' has the shape \(4,\) in the weights, \(3,\) in the model"),
        ({"2.bias": torch.ones(3, dtype=torch.int8)}, r"'2\.bias' has the type torch\.int8"),
    ],
)
def test_weights_of_another_model_are_refused(mlp, state, change, message):
    with pytest.raises(InputError, match=message):
        with_weights(mlp, {**state, **change})


def test_missing_weights_are_refused(mlp, state):
    del state["2.bias"]
    with pytest.raises(InputError, match=r"the weights lack '2\.bias'"):
        with_weights(mlp, state)


def test_one_name_of_a_tied_weight_suffices_and_names_may_not_differ(tied):
    state = {name: torch.full_like(value, 0.5) for name, value in tied.state_dict().items()}
    for missing in ("first.weight", "third.weight"):
        filled = with_weights(tied, {name: value for name, value in state.items() if name != missing})
        assert filled.first.weight is filled.third.weight
        assert filled.third.weight.eq(0.5).all()
    with pytest.raises(
        InputError, match=r"'first\.weight' and 'third\.weight' are one tensor in the model, but differ"
    ):
        with_weights(tied, {**state, "third.weight": torch.ones(4, 4)})


def test_buffers_are_restored():
    norm = nn.BatchNorm1d(2)
    norm(torch.randn(8, 2, generator=torch.Generator().manual_seed(0)))
    filled = with_weights(nn.BatchNorm1d(2), norm.state_dict())
    assert torch.equal(filled.running_mean, norm.running_mean)
    assert filled.num_batches_tracked.item() == 1


def test_extra_state_is_refused():
    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"version": 1}

        def set_extra_state(self, state):
            raise NotImplementedError

    model = Extra(1, 1)
    with pytest.raises(InputError, match="extra state '_extra_state'"):
        with_weights(model, {**nn.Linear(1, 1).state_dict(), "_extra_state": torch.ones(1)})

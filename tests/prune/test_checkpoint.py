from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from fpgaprune.errors import InputError
from fpgaprune.prune.checkpoint import MANIFEST, SCHEMA, Checkpoint, refuse_others
from fpgaprune.prune.data import Data
from fpgaprune.prune.digests import data_digest, model_digest, tensors_digest

IDENTITY = {"model": "a", "recipe": "b"}
STATE = {"epochs": 3, "value": 0.1}


def tensors(offset=0.0):
    shared = torch.arange(6.0) + offset
    return {
        "a": shared[:4].reshape(2, 2).t(),
        "b": shared[2:],
        "mask": torch.tensor([True, False]),
        "step": torch.tensor(7),
        "none": torch.zeros(0, 3),
        "half": torch.ones(2, dtype=torch.bfloat16),
    }


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "run", IDENTITY)


@pytest.fixture
def saved(checkpoint):
    checkpoint.save(STATE, tensors())
    return checkpoint


def loaded(checkpoint):
    return checkpoint.load(lambda state, found: (state, found))


def change(checkpoint, **fields):
    path = checkpoint.folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_what_is_saved_comes_back(saved):
    state, found = loaded(saved)
    assert state == STATE
    assert found.keys() == tensors().keys()
    assert all(
        torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in tensors().items()
    )


def test_nothing_comes_back_where_nothing_was_saved(checkpoint):
    assert loaded(checkpoint) is None
    checkpoint.folder.mkdir()
    assert loaded(checkpoint) is None


def test_the_last_state_takes_the_place_of_the_one_before(saved):
    saved.save({"epochs": 4}, tensors(1.0))
    assert loaded(saved)[0] == {"epochs": 4}
    assert loaded(saved)[1]["b"].tolist() == [3, 4, 5, 6]
    assert len(list(saved.folder.iterdir())) == 2
    saved.save({"epochs": 5}, tensors(1.0))
    assert loaded(saved)[0] == {"epochs": 5}
    assert len(list(saved.folder.iterdir())) == 2


@pytest.mark.parametrize("fails", [MANIFEST, "state-"])
def test_a_write_that_fails_leaves_the_state_before(saved, monkeypatch, fails):
    write = Path.write_bytes

    def full(path, content):
        if path.name.startswith(fails):
            write(path, content[:10])
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="run cannot be written: No space left on device"):
        saved.save({"epochs": 4}, tensors(1.0))
    monkeypatch.undo()
    assert loaded(saved)[0] == STATE


def test_leftovers_of_a_killed_run_are_no_foreign_files_and_are_removed(checkpoint):
    half = checkpoint.folder / ".state-0123456789abcdef.safetensors.xyz"
    half.mkdir(parents=True)
    (half / "state-0123456789abcdef.safetensors").write_bytes(b"half")
    (checkpoint.folder / ".checkpoint.json.abc").mkdir()
    (checkpoint.folder / "state-fedcba9876543210.safetensors").write_bytes(b"whole, but no manifest names it")
    assert loaded(checkpoint) is None
    checkpoint.save(STATE, tensors())
    assert loaded(checkpoint)[0] == STATE
    assert len(list(checkpoint.folder.iterdir())) == 2


def test_other_files_are_refused_and_left(checkpoint):
    checkpoint.folder.mkdir()
    (checkpoint.folder / "thesis.tex").write_text("all of it")
    with pytest.raises(InputError, match=r"it holds 'thesis\.tex' and no checkpoint\.json"):
        loaded(checkpoint)
    assert (checkpoint.folder / "thesis.tex").read_text() == "all of it"


def test_other_files_beside_a_checkpoint_are_refused_too(saved):
    (saved.folder / "junk.txt").write_text("")
    with pytest.raises(
        InputError, match=r"it holds 'junk\.txt', which is no part of a checkpoint; give another folder"
    ):
        loaded(saved)
    (saved.folder / "junk.txt").unlink()
    assert loaded(saved)[0] == STATE


def test_a_folder_of_checkpoints_holds_those_alone(tmp_path):
    refuse_others(tmp_path / "none", ("prune",))
    (tmp_path / "round_12").mkdir()
    refuse_others(tmp_path, ("first", "round_*"))
    with pytest.raises(InputError, match=r"it holds 'round_12', but a run keeps prune and quantise alone in it; give"):
        refuse_others(tmp_path, ("prune", "quantise"))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt cannot be used: it is no folder"):
        refuse_others(tmp_path / "notes.txt", ("prune",))


def test_a_file_is_no_folder(checkpoint):
    checkpoint.folder.write_text("")
    with pytest.raises(InputError, match="run cannot be used: it is no folder; give another folder"):
        loaded(checkpoint)


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, "\ud800"])
def test_broken_manifests_are_refused(saved, text):
    (saved.folder / MANIFEST).write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(InputError, match=r"checkpoint\.json"):
        loaded(saved)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"schema": SCHEMA + 1},
            f"checkpoint.json has the schema {SCHEMA + 1}, this version reads {SCHEMA}; give another",
        ),
        ({"more": 1}, "checkpoint.json has no field 'more'"),
        ({"identity": 3}, "identity must be a table"),
        ({"identity": {"model": "a"}}, "it is of a run with another recipe"),
        ({"identity": {**IDENTITY, "moon": "full"}}, "has no field 'moon'"),
        ({"tensors": "../../etc/passwd"}, "names '../../etc/passwd', which is no file of a checkpoint"),
        ({"tensors": "state-0000000000000000.safetensors"}, "cannot be read: No such file"),
        ({"sha256": "0"}, "is damaged or was changed"),
        ({"state": {}}, "is damaged or was changed"),
    ],
)
def test_manifests_that_lie_are_refused(saved, fields, message):
    change(saved, **fields)
    with pytest.raises(InputError, match=message):
        loaded(saved)


def test_a_field_that_is_missing_is_named(saved):
    path = saved.folder / MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["state"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"checkpoint\.json lacks state"):
        loaded(saved)


def test_digests_tell_apart_what_differs(mlp_of, data_of):
    assert model_digest(mlp_of(0)) == model_digest(mlp_of(0)) != model_digest(mlp_of(1))
    assert data_digest(data_of(0)) == data_digest(data_of(0)) != data_digest(data_of(1))
    assert data_digest(data_of(batch_size=8)) != data_digest(data_of(batch_size=16))
    one = torch.tensor([1.0])
    assert tensors_digest({"a": one}) != tensors_digest({"b": one}) != tensors_digest({"b": one.double()})
    assert tensors_digest({"a": torch.ones(2, 3)}) != tensors_digest({"a": torch.ones(3, 2)})


def test_batches_and_parts_count_in_the_digest_of_data():
    x, y = torch.arange(6.0)[:, None], torch.zeros(6)
    whole, halves, part = (
        Data(train, [(x, y)], validation)
        for train, validation in (([(x, y)], None), ([(x[:3], y[:3]), (x[3:], y[3:])], None), ([(x, y)], [(x, y)]))
    )
    assert len({data_digest(each) for each in (whole, halves, part)}) == 3
    several = Data([((x, x), y)], [((x, x), y)])
    assert data_digest(several) == data_digest(Data([((x, x), y)], [((x, x), y)])) != data_digest(whole)


def test_addresses_in_the_words_of_a_model_do_not_count():
    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.function = lambda x: x

        def extra_repr(self):
            return str(self.function)

    assert str(Wrapped()) != str(Wrapped())
    assert model_digest(Wrapped()) == model_digest(Wrapped())

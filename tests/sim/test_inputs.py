"""Inputs from files: by name where there are several, never by executing a pickle."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaprune.errors import InputError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.ir import Graph, Input, Tensor
from fpgaprune.sim.inputs import load_inputs

WORD = Fixed(True, 6, 2, Rounding.RND, Overflow.SAT)
IMAGE, VECTOR = Input(Tensor("image", (2, 2), WORD)), Input(Tensor("vector", (3,), WORD))
ONE, TWO = Graph((VECTOR,), ("vector",)), Graph((IMAGE, VECTOR), ("vector",))
ARRAYS = {"vector": np.array([[1, 2, 3]]), "image": np.array([[[0.25, -0.5], [100.0, 0.0]]])}


def test_each_input_is_found_by_its_name(tmp_path):
    np.savez(tmp_path / "x.npz", **ARRAYS)
    image, vector = load_inputs(tmp_path / "x.npz", TWO)
    assert image.tolist() == [[[1, -2], [31, 0]]]  # real numbers are quantised, integers are mantissas
    assert vector.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_one_input_comes_in_either_kind_of_file(tmp_path, name):
    if name.endswith("z"):
        np.savez_compressed(tmp_path / name, vector=ARRAYS["vector"])
    else:
        np.save(tmp_path / name, ARRAYS["vector"])
    (vector,) = load_inputs(tmp_path / name, ONE)
    assert vector.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": None}, r"x.npz lacks the input image; np.savez\(path, image=…, vector=…\) makes such a file"),
        (
            {"vectro": np.ones(3)},
            r"x.npz holds 'vectro', which is no input \(did you mean 'vector'\?\); the inputs are im",
        ),
        (
            {"image": np.ones((1, 4))},
            r"x.npz: image must have shape \(samples, 2, 2\), channels last as in hardware, not \(1, 4\)",
        ),
        ({"vector": np.array([["a", "b", "c"]])}, r"x.npz: vector must be an array of integers"),
        ({"vector": np.full((1, 3), np.nan)}, r"x.npz: vector: .*finite"),
        ({"vector": np.array([[print, 1, 2]])}, r"x.npz cannot be read as an .npy or .npz file: it is none, or holds"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path, changes, message):
    arrays = {name: values for name, values in (ARRAYS | changes).items() if values is not None}
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=message):
        load_inputs(tmp_path / "x.npz", TWO)


def test_one_array_is_not_enough_for_two_inputs(tmp_path):
    np.save(tmp_path / "x.npy", ARRAYS["vector"])
    with pytest.raises(InputError, match=r"x.npy lacks the input vector; np.savez\(path, image=…, vector=…\)"):
        load_inputs(tmp_path / "x.npy", TWO)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY no array", b"\x80\x04 no pickle"])
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"x.npz cannot be read as an .npy or .npz file"):
        load_inputs(tmp_path / "x.npz", TWO)
    with pytest.raises(InputError, match=r"none.npz cannot be read"):
        load_inputs(tmp_path / "none.npz", TWO)

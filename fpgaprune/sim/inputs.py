"""Inputs from a NumPy file: mantissas as integers, or real numbers that are quantised to the input's format."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.errors import FormatError, InputError, suggest
from fpgaprune.fixed import from_float

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fpgaprune.fixed import IntArray
    from fpgaprune.ir import Graph, Tensor


def load_inputs(path: Path, graph: Graph) -> tuple[IntArray, ...]:
    """Return the inputs (samples, *shape) of a graph in their order; a pickle is refused.

    An .npy file serves a graph of one input; an .npz file has an array for each input, by its name.

    Raises:
        InputError: the file cannot be read, lacks an input, has another shape, or holds NaN.
    """
    tensors = [op.output for op in graph.inputs]
    arrays = _arrays(path, [tensor.name for tensor in tensors])
    return tuple(_mantissas(path, tensor, arrays[tensor.name]) for tensor in tensors)


def _arrays(path: Path, names: list[str]) -> Mapping[str, object]:
    """Return the arrays in a file by the names of the inputs, each of which there is."""
    try:
        with path.open("rb") as file:  # NumPy would leave a damaged archive open
            found = np.load(file, allow_pickle=False)
            arrays = dict(found) if isinstance(found, np.lib.npyio.NpzFile) else {names[0]: found}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        why = "it is none, or holds objects" if "pickle" in str(error) else error
        msg = f"{path} cannot be read as an .npy or .npz file: {why}"
        raise InputError(msg) from error
    for name in arrays:
        if name not in names:
            msg = f"{path} holds {name!r}, which is no input{suggest(name, names)}; the inputs are {', '.join(names)}"
            raise InputError(msg)
    if missing := [name for name in names if name not in arrays]:
        msg = f"{path} lacks the input {', '.join(missing)}; np.savez(path, {'=…, '.join(names)}=…) makes such a file"
        raise InputError(msg)
    return arrays


def _mantissas(path: Path, tensor: Tensor, values: object) -> IntArray:
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        msg = f"{path}: {tensor.name} must be an array of integers (mantissas) or real numbers"
        raise InputError(msg)
    if values.shape[1:] != tensor.shape:
        shape = ", ".join(["samples", *map(str, tensor.shape)])
        msg = f"{path}: {tensor.name} must have shape ({shape}), channels last as in hardware, not {values.shape}"
        raise InputError(msg)
    if values.dtype.kind != "f":
        return values
    try:
        return from_float(values, tensor.format)
    except FormatError as error:
        msg = f"{path}: {tensor.name}: {error}"
        raise InputError(msg) from error

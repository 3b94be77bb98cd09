"""Inputs from a NumPy file: mantissas as integers, or real numbers that are quantised to the input's format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.errors import FormatError, InputError
from fpgaprune.fixed import from_float

if TYPE_CHECKING:
    from pathlib import Path

    from fpgaprune.fixed import IntArray
    from fpgaprune.ir import Graph


def load_inputs(path: Path, graph: Graph) -> tuple[IntArray, ...]:
    """Return the inputs (samples, *shape) in an .npy file for a graph of one input; a pickle is refused.

    Raises:
        InputError: the file cannot be read, has another shape, holds NaN, or the graph has several inputs.
    """
    if len(graph.inputs) != 1:
        msg = f"--inputs serves graphs of one input; this one has {len(graph.inputs)}"
        raise InputError(msg)
    tensor = graph.inputs[0].output
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        msg = f"{path} cannot be read as an .npy file: {error}"
        raise InputError(msg) from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        msg = f"{path} must hold one array of integers (mantissas) or real numbers"
        raise InputError(msg)
    if values.shape[1:] != tensor.shape:
        msg = f"{path} must have shape (samples, {', '.join(map(str, tensor.shape))}), not {values.shape}"
        raise InputError(msg)
    if values.dtype.kind != "f":
        return (values,)
    try:
        return (from_float(values, tensor.format),)
    except FormatError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error

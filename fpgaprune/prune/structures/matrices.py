"""Weights as the matrices that are built of them: a row for each output, columns in the order of the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fpgaprune.prune.masks import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.prune.structures.fits import Target


def as_matrix(tensor: Tensor) -> Tensor:
    """Return a weight, or what has its shape, as (outputs, columns): a convolution's columns are tap by tap.

    Within a tap they are in the order of the input channels, as windows are read with channels last.
    """
    return tensor.movedim(1, -1).reshape(len(tensor), -1)


def from_matrix(matrix: Tensor, shape: Sequence[int]) -> Tensor:
    """Return what ``as_matrix`` made of a tensor of ``shape`` as it was."""
    rows, inputs, *taps = shape
    return matrix.reshape(rows, *taps, inputs).movedim(-1, 1).contiguous()


def matrix_rows(target: Target, rows: int) -> list[int]:
    """Return how many rows each of the matrices has that a weight of so many rows is built as, one below the other.

    Queries, keys and values have matrices of their own unless they read one input; so has a GRU's candidate.
    """
    match target.module:
        case nn.MultiheadAttention() if target.name == joined(target.layer, "in_proj_weight"):
            return [rows // 3] * 3
        case nn.GRU():
            return [rows * 2 // 3, rows // 3]
        case _:
            return [rows]


def rows_of_one_input(target: Target, rows: int) -> list[int]:
    """Return how many rows one below the other read the same inputs: as `matrix_rows`, in groups of convolutions."""
    match target.module:
        case nn.Conv1d(groups=groups) | nn.Conv2d(groups=groups):
            return [rows // groups] * groups
        case _:
            return matrix_rows(target, rows)


def inputs_of(target: Target, weight: Tensor) -> Tensor:
    """Return in the shape of a weight the number of the input, or of the input channel, that each weight reads."""
    if not isinstance(target.module, (nn.Conv1d, nn.Conv2d)):
        return indices(weight, 1)
    group = indices(weight, 0) // (len(weight) // target.module.groups)
    return group * weight.shape[1] + indices(weight, 1)


def indices(weight: Tensor, axis: int) -> Tensor:
    """Return in the shape of a weight the index along an axis of each of its places."""
    shape = [1] * weight.dim()
    shape[axis] = -1
    return torch.arange(weight.shape[axis]).reshape(shape).expand(weight.shape).contiguous()

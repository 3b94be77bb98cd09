from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import unfold

from fpgaprune.prune import prunable
from fpgaprune.prune.structures.fits import Target
from fpgaprune.prune.structures.matrices import (
    as_matrix,
    from_matrix,
    indices,
    inputs_of,
    matrix_rows,
    rows_of_one_input,
)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5), (3, 4, 2, 5), (1, 1, 1, 1)])
def test_matrices_and_back(shape):
    weight = torch.randn(shape)
    assert as_matrix(weight).shape == (shape[0], weight[0].numel())
    assert torch.equal(from_matrix(as_matrix(weight), shape), weight)


def test_the_matrix_of_a_convolution_multiplies_windows_with_channels_last():
    conv, x = nn.Conv2d(3, 2, 2, bias=False).double(), torch.randn(1, 3, 2, 2, dtype=torch.float64)
    window = unfold(x, 2).reshape(3, 4).T.flatten()  # torch's windows have channels first
    assert torch.allclose(as_matrix(conv.weight) @ window, conv(x).flatten())


@pytest.mark.parametrize(
    ("module", "name", "rows"),
    [
        (nn.Linear(4, 6), "weight", [6]),
        (nn.MultiheadAttention(4, 2), "in_proj_weight", [4, 4, 4]),
        (nn.MultiheadAttention(4, 2, kdim=3), "k_proj_weight", [4]),
        (nn.LSTM(4, 2), "weight_hh_l0", [8]),
        (nn.GRU(4, 2), "weight_ih_l0", [4, 2]),
    ],
)
def test_weights_are_split_as_they_are_built(module, name, rows):
    target = Target(f"layer.{name}", module, None)
    assert matrix_rows(target, len(prunable(module)[name])) == rows
    assert rows_of_one_input(target, len(prunable(module)[name])) == rows


def test_groups_of_a_convolution_read_inputs_of_their_own():
    target = Target("layer.weight", nn.Conv2d(4, 6, 3, groups=2), None)
    assert matrix_rows(target, 6) == [6]
    assert rows_of_one_input(target, 6) == [3, 3]


def test_indices_and_inputs():
    weight = torch.zeros(4, 2, 3)
    assert indices(weight, 1)[3].tolist() == [[0, 0, 0], [1, 1, 1]]
    grouped = Target("c.weight", nn.Conv1d(4, 4, 3, groups=2), None)
    assert inputs_of(grouped, weight)[:, :, 0].tolist() == [[0, 1], [0, 1], [2, 3], [2, 3]]
    assert inputs_of(Target("c.weight", nn.Conv1d(2, 4, 3), None), weight)[3, :, 0].tolist() == [0, 1]

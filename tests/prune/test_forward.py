from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from fpgaprune.errors import FormatError, InputError
from fpgaprune.prune.forward import copied, device_of, mode, run


class Fails(nn.Module):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, _):
        raise self.error


def test_a_model_that_does_not_run_names_the_shapes(mlp):
    with pytest.raises(InputError, match=r"on inputs of shape \(2, 5\) and type float32: RuntimeError: mat1 and mat2"):
        run(mlp, torch.ones(2, 5))


def test_only_the_first_line_of_an_error_is_told():
    with pytest.raises(InputError) as caught:
        run(Fails(KeyError("x\ny")), torch.ones(1))
    assert "\n" not in str(caught.value)


def test_errors_of_the_project_pass():
    with pytest.raises(FormatError, match="mine"):
        run(Fails(FormatError("mine")), torch.ones(1))


def test_a_tuple_is_no_output():
    with pytest.raises(InputError, match="must return one tensor, not tuple"):
        run(nn.LSTM(2, 2), torch.ones(1, 2))


def test_modes_come_back_module_by_module(mlp):
    mlp.train()
    mlp[0].eval()
    with mode(mlp, training=False):
        assert not any(module.training for module in mlp.modules())
    with mode(mlp, training=True):
        assert mlp[0].training
    with pytest.raises(RuntimeError), mode(mlp, training=True):
        raise RuntimeError
    assert [module.training for module in mlp.modules()] == [True, False, True, True]


def test_devices():
    assert device_of(nn.ReLU()) == torch.device("cpu")
    assert device_of(nn.Linear(1, 1, device="meta")) == torch.device("meta")


def test_a_hooked_model_that_ran_can_be_copied(mlp):
    torch_prune.l1_unstructured(mlp[0], "weight", 0.5)
    x = torch.ones(1, 8)
    expected = mlp(x)
    copy = copied(mlp)
    assert torch.equal(copy(x), expected)
    copy[0].weight_orig.data.zero_()
    assert torch.equal(mlp(x), expected)


def test_what_cannot_be_copied_is_refused(mlp):
    mlp.stream = (number for number in range(3))
    with pytest.raises(InputError, match="the model cannot be copied: TypeError"):
        copied(mlp)

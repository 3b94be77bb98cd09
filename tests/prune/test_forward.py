from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from fpgaprune.errors import FormatError, InputError
from fpgaprune.prune.forward import copied, device_of, mode, moved, named_outputs, run


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


class Returns(nn.Module):
    """Returns what a function makes of the inputs."""

    def __init__(self, make) -> None:
        super().__init__()
        self.make = make

    def forward(self, *inputs):
        return self.make(*inputs)


ONE, TWO = torch.ones(2, 1), torch.zeros(2, 3)


def test_several_inputs_are_the_arguments_of_the_call():
    assert run(Returns(lambda left, right: left - right), (TWO, ONE)).tolist() == [[-1.0] * 3] * 2


@pytest.mark.parametrize(
    "returned",
    [(ONE, TWO), [ONE, None, TWO], {"z": ONE, "none": None, "a": TWO}, (ONE, {"a": (TWO,)}), OrderedDict(b=ONE, a=TWO)],
    ids=["tuple", "list", "dict", "nested", "ordered"],
)
def test_several_outputs_are_a_tuple_in_the_order_of_the_model(returned):
    first, second = run(Returns(lambda _: returned), ONE)
    assert first is ONE
    assert second is TWO


@pytest.mark.parametrize("returned", [ONE, (ONE,), [ONE, None], {"only": ONE}], ids=str)
def test_a_single_output_is_a_tensor_whatever_holds_it(returned):
    assert run(Returns(lambda _: returned), ONE) is ONE


def test_outputs_are_named_by_their_keys():
    returned = {"scores": ONE, "more": [TWO, ONE]}, TWO
    named = named_outputs(Returns(lambda _: returned), ONE)
    assert [name for name, _ in named] == ["scores", "more", "more", ""]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (3, "must return tensors, not int; wrap it in a module that selects them"),
        ((ONE, "two"), "must return tensors, not str"),
        (None, "must return a tensor, or several in a tuple, a list or a dictionary, not None"),
        ({}, r"must return a tensor, or several .* not {}"),
    ],
)
def test_what_holds_no_tensors_is_no_output(returned, message):
    with pytest.raises(InputError, match=message):
        run(Returns(lambda _: returned), ONE)


def test_a_model_that_does_not_run_names_the_shapes_of_all_inputs():
    with pytest.raises(
        InputError, match=r"inputs of shape \(2, 1\) and type float32; shape \(2, 3\) and type float32: Type"
    ):
        run(nn.Linear(1, 1), (ONE, TWO))


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
    assert moved(ONE, torch.device("meta")).is_meta
    assert [part.is_meta for part in moved((ONE, TWO), torch.device("meta"))] == [True, True]


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

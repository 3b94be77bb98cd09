"""Device, number formats and repeatability of a training run, and that the caller's are put back."""

from __future__ import annotations

import copy
import os

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune.settings import TrainSettings
from fpgaprune.prune.training import Hooks, train
from fpgaprune.prune.training.environment import on_device, repeatable, usable_device


class Watched(nn.Linear):
    """A layer that notes the type of its outputs."""

    def __init__(self) -> None:
        super().__init__(8, 3)
        self.seen = []

    def forward(self, x):
        y = super().forward(x)
        self.seen.append((self.training, y.dtype))
        return y


def deterministic():
    return torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory


@pytest.mark.parametrize("own_step", [True, False])
def test_amp_computes_in_bfloat16_and_measures_in_full(data, own_step):
    model, losses = Watched(), []

    def step(model, batch):
        return nn.functional.cross_entropy(model(batch[0]).float(), batch[1])

    def loss(outputs, targets):
        losses.append(outputs.dtype)
        return nn.functional.cross_entropy(outputs, targets)

    settings = TrainSettings(epochs=1, amp=True)
    train(model, data, settings, train_step=step if own_step else None, loss=loss)
    assert set(model.seen) == {(True, torch.bfloat16), (False, torch.float32)}
    assert losses == ([] if own_step else [torch.float32] * 3)
    assert model.weight.dtype is torch.float32


def test_amp_follows_the_weights(mlp, data):
    """Autocast keeps copies of weights; they must not outlive a step."""
    other = copy.deepcopy(mlp)
    train(mlp, data, TrainSettings(epochs=6, learning_rate=0.1, optimiser="sgd", amp=True))
    train(other, data, TrainSettings(epochs=6, learning_rate=0.1, optimiser="sgd"))
    pairs = list(zip(mlp.parameters(), other.parameters(), strict=True))
    assert not all(torch.equal(ours, theirs) for ours, theirs in pairs)
    assert all(torch.allclose(ours, theirs, atol=0.05) for ours, theirs in pairs)


def test_without_amp_no_autocast_of_the_caller_reaches_training(data):
    model = Watched()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        train(model, data, TrainSettings(epochs=1))
        assert torch.is_autocast_enabled("cpu")
    assert {kind for _, kind in model.seen} == {torch.float32}


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_the_deterministic_mode_is_put_back(mlp, data, on, before):
    seen = []
    torch.use_deterministic_algorithms(before, warn_only=before)
    try:
        train(
            mlp, data, TrainSettings(epochs=1, deterministic=on),
            hooks=Hooks(on_epoch_end=lambda *_: seen.append(deterministic())),
        )  # fmt: skip
        assert torch.is_deterministic_algorithms_warn_only_enabled() is before
        assert deterministic() == (before, True)
    finally:
        torch.use_deterministic_algorithms(False)
    assert seen == [(True, False) if on else (before, True)]


def test_it_is_put_back_after_an_error_too(mlp, data):
    def fail(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(mlp, data, TrainSettings(epochs=1), hooks=Hooks(on_step_end=fail))
    assert deterministic() == (False, True)
    assert all(parameter.grad is None for parameter in mlp.parameters())


def test_cublas_is_told_to_repeat_within_the_block(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with repeatable(torch.device("cuda"), on=True):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with repeatable(torch.device("cuda"), on=True):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_operations_that_do_not_repeat_name_the_remedy(mlp, data):
    class Random(torch.autograd.Function):
        @staticmethod
        def forward(_, x):
            return x.clone()

        @staticmethod
        def backward(*_):
            msg = "scatter_magic does not have a deterministic implementation"
            raise RuntimeError(msg)

    with pytest.raises(InputError, match=r"scatter_magic .*; set deterministic to false to allow it"):
        train(mlp, data, TrainSettings(epochs=1), loss=lambda y, _: Random.apply(y).sum())


def test_devices_by_name(mlp, data):
    assert usable_device("cpu", mlp) == usable_device(None, mlp) == torch.device("cpu")
    assert usable_device(torch.device("cpu"), mlp) == torch.device("cpu")
    assert usable_device("auto", mlp).type == ("cuda" if torch.cuda.is_available() else "cpu")
    train(mlp, data, TrainSettings(epochs=1), device="cpu")


@pytest.mark.parametrize("name", ["meta", "gpu", "cuda:77", 3.5])
def test_devices_that_cannot_be_used_are_refused(mlp, data, name):
    with pytest.raises(InputError, match=f"the device {name!r} cannot be used: .*'cpu' can, and 'auto' takes"):
        train(mlp, data, TrainSettings(epochs=1), device=name)


def test_a_model_comes_back_to_its_device():
    model = nn.Linear(2, 2)
    model.double()
    with on_device(model, torch.device("cpu")):
        assert model.weight.device.type == "cpu"
    with pytest.raises(ValueError, match="stop"), on_device(model, torch.device("cpu")):
        raise ValueError("stop")
    assert model.weight.dtype is torch.float64

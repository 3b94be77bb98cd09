"""What does not fit a model is told with the layer, the shapes and a remedy, before a step is made."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune import Data, PruneRecipe, TrainSettings, prune
from fpgaprune.prune.objectives import default_loss, default_metric
from fpgaprune.prune.training import Hooks, train

LABELS = torch.arange(20) % 3


def net(classes=3):
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 4 * 4, classes))


def given(x, y=LABELS):
    return Data.from_arrays(x, y, x, y)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((20, 6, 6, 1), r"in '0', Conv2d\(1, 2, .*on shape \(20, 6, 6, 1\); give it the shape that this layer reads"),
        ((20, 1, 8, 8), r"in '3', Linear\(in_features=32, .*on shape \(20, 72\); give it the shape"),
        ((20, 36), r"in '0', Conv2d"),
    ],
)
def test_a_layer_that_refuses_the_inputs_is_named(shape, said):
    hooks = Hooks(on_step_end=lambda *_: pytest.fail("a step was made"))
    with pytest.raises(InputError, match=said):
        train(net(), given(torch.zeros(shape)), TrainSettings(epochs=1), hooks=hooks)
    with pytest.raises(InputError, match=said):
        prune(net(), given(torch.zeros(shape)), PruneRecipe(0.5), hooks=hooks)


def test_hooks_are_gone_afterwards():
    model = net()
    with pytest.raises(InputError):
        train(model, given(torch.zeros(20, 36)), TrainSettings(epochs=1))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


def test_labels_beyond_the_outputs_are_told():
    said = r"reach class 2, and the model has 2 outputs for classes 0 to 1; give its last layer at least 3 outputs"
    with pytest.raises(InputError, match=said):
        train(net(2), given(torch.zeros(20, 1, 6, 6)), TrainSettings(epochs=1))
    with pytest.raises(InputError, match=said):
        prune(net(2), given(torch.zeros(20, 1, 6, 6)), PruneRecipe(0.5))


def test_negative_labels_are_told():
    said = r"hold class -1, and the model has 3 outputs for classes 0 to 2; number the classes from 0 on"
    with pytest.raises(InputError, match=said):
        train(net(), given(torch.zeros(20, 1, 6, 6), LABELS - 1), TrainSettings(epochs=1))
    with pytest.raises(InputError, match=said):
        prune(net(), given(torch.zeros(20, 1, 6, 6), LABELS - 1), PruneRecipe(0.5))
    with pytest.raises(InputError, match=said):
        default_metric(torch.zeros(20, 3), LABELS - 1)


def test_outputs_that_are_no_scores_of_classes_are_told():
    said = r"ask for outputs of shape \(20, classes\), not \(20, 1, 16, 3\); flatten what enters"
    for measure in (default_loss, default_metric):
        with pytest.raises(InputError, match=said):
            measure(torch.zeros(20, 1, 16, 3), LABELS)


def test_classes_of_each_position_are_fine():
    outputs, targets = torch.zeros(4, 3, 5), torch.full((4, 5), -100)
    targets[:, 0] = 2
    assert default_loss(outputs, targets).isfinite()
    assert default_metric(outputs, targets).isfinite()

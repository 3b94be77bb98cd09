from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune.data import Data
from fpgaprune.prune.objectives import default_loss, default_metric, evaluate_metric, measured_loss

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])


def test_integers_are_classes():
    classes = torch.tensor([0, 1, 1], dtype=torch.int32)
    expected = nn.CrossEntropyLoss()(LOGITS, classes.long())
    assert torch.equal(default_loss(LOGITS, classes), expected)
    assert default_metric(LOGITS, classes).item() == pytest.approx(2 / 3)


def test_floats_are_values():
    targets = torch.tensor([1.0, 2.0])
    for outputs in (torch.tensor([1.0, 4.0]), torch.tensor([[1.0], [4.0]])):
        assert default_loss(outputs, targets).item() == 2.0
        assert default_metric(outputs, targets).item() == -2.0


@pytest.mark.parametrize("function", [default_loss, default_metric])
def test_shapes_are_never_broadcast(function):
    with pytest.raises(InputError, match=r"shape \(2, 1\) cannot be compared with targets of shape \(1, 2\)"):
        function(torch.ones(2, 1), torch.ones(1, 2))


def test_column_targets_do_not_count_as_correct_by_broadcasting():
    with pytest.raises(InputError, match=r"targets of shape \(3, 1\)"):
        default_metric(LOGITS, torch.tensor([[0], [1], [1]]))


def test_a_loss_that_does_not_run_names_both_shapes():
    with pytest.raises(InputError, match=r"targets of shape \(2,\) are classes and ask for .*, not \(3, 2\)"):
        measured_loss(default_loss, LOGITS, torch.tensor([0, 1]))
    with pytest.raises(InputError, match="the targets reach class 5, and the model has 2 outputs"):
        measured_loss(default_loss, LOGITS, torch.tensor([0, 1, 5]))


def test_a_loss_must_be_a_scalar():
    with pytest.raises(InputError, match=r"must return a scalar tensor, not one of shape \(3, 2\)"):
        measured_loss(lambda outputs, _: outputs, LOGITS, LOGITS)
    with pytest.raises(InputError, match="must return a scalar tensor, not int"):
        measured_loss(lambda *_: 3, LOGITS, LOGITS)


def test_the_metric_is_of_all_test_data_in_evaluation_mode():
    model = nn.Sequential(nn.Dropout(0.9), nn.Identity())
    x = torch.cat([LOGITS] * 7)
    y = torch.tensor([0, 1, 1] * 7)
    data = Data.from_arrays(x, y, x, y, batch_size=4)
    model.train()
    assert evaluate_metric(model, data) == pytest.approx(2 / 3)
    assert model.training
    assert evaluate_metric(model, data, lambda outputs, targets: len(outputs) + len(targets)) == 42.0


VALUES = torch.tensor([1.0, 2.0, 4.0])


def test_of_several_outputs_losses_are_added_and_metrics_averaged():
    outputs, targets = (LOGITS, VALUES), (torch.tensor([0, 1, 1]), torch.tensor([1.0, 2.0, 1.0]))
    assert default_loss(outputs, targets).item() == pytest.approx(default_loss(LOGITS, targets[0]).item() + 3.0)
    assert default_metric(outputs, targets).item() == pytest.approx((2 / 3 - 3.0) / 2)


@pytest.mark.parametrize("function", [default_loss, default_metric])
def test_defaults_need_a_target_for_each_output(function):
    with pytest.raises(InputError, match=r"the model has 2 outputs and the data 1 targets; give `loss` and `metric`"):
        function((LOGITS, VALUES), VALUES)
    with pytest.raises(InputError, match=r"the model has 1 outputs and the data 2 targets"):
        function(VALUES, (VALUES, VALUES))


class Pair(nn.Module):
    def forward(self, left, right):
        return {"sum": left + right, "left": left}


def test_a_metric_is_given_all_outputs_and_all_targets():
    seen = []
    data = Data.from_arrays((VALUES, 2 * VALUES), VALUES, (VALUES, 2 * VALUES), VALUES, batch_size=2)
    assert evaluate_metric(Pair(), data, lambda y, target: seen.append((y, target)) or 0.5) == 0.5
    (((total, left), target),) = seen
    assert torch.equal(total, 3 * VALUES)
    assert torch.equal(left, VALUES)
    assert torch.equal(target, VALUES)


def test_a_loss_that_does_not_run_names_all_shapes():
    with pytest.raises(
        InputError, match=r"outputs of shape \(3, 2\) and type float32; shape \(3,\) and type float32 and"
    ):
        measured_loss(lambda *_: 1 / 0, (LOGITS, VALUES), VALUES)


def test_no_gradients_are_recorded(mlp, data):
    seen = []
    evaluate_metric(mlp, data, lambda outputs, _: float(seen.append(outputs.requires_grad) or 1))
    assert seen == [False]


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda *_: math.nan, "the metric of the model on the test data is nan"),
        (lambda outputs, _: outputs, "the metric does not run on outputs of shape"),
        (lambda *_: None, "the metric does not run on outputs"),
    ],
)
def test_unusable_metrics_are_refused(mlp, data, metric, message):
    with pytest.raises(InputError, match=message):
        evaluate_metric(mlp, data, metric)

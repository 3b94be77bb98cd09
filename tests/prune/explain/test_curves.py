from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.explained import SensitivityCurves
from fpgaprune.prune import PruneRecipe, TrainSettings, evaluate_metric, prune
from fpgaprune.prune.explain import sensitivity_curves
from fpgaprune.prune.forward import copied

LEVELS = (0.0, 0.5, 0.9, 1.0)


def by_prune(model, data, name, sparsity, criterion="magnitude"):
    """Return the metric after a recipe that prunes one tensor and leaves the others."""
    layers = dict.fromkeys(("0.weight", "2.weight"), 0.0) | {name: sparsity}
    recipe = PruneRecipe(
        sparsity=0.0, layers=layers, criterion=criterion, fine_tune=TrainSettings(epochs=0), dead_bias="keep"
    )
    return prune(model, data, recipe, progress=False).history.records[-1].metric


@pytest.mark.parametrize("criterion", ["magnitude", "taylor", "random"])
def test_each_point_is_a_recipe_that_prunes_this_tensor_alone(mlp, data, criterion):
    curves = sensitivity_curves(mlp, data, LEVELS, criterion=criterion)
    assert curves.sparsities == LEVELS
    assert curves.unpruned == evaluate_metric(mlp, data)
    assert list(curves.curves) == ["0.weight", "2.weight"]
    for name, curve in curves.curves.items():
        assert curve == tuple(by_prune(mlp, data, name, level, criterion) for level in LEVELS)
        assert curve[0] == curves.unpruned
    assert len({*curves.curves["0.weight"]}) > 1


def test_the_model_is_left_alone_and_the_same_call_repeats(mlp, data):
    mlp.train()
    before, state = copied(mlp), torch.random.get_rng_state()
    one, two = (sensitivity_curves(mlp, data, LEVELS, criterion="movement") for _ in range(2))
    assert one == two
    assert mlp.training
    assert torch.equal(torch.random.get_rng_state(), state)
    for tensor, old in zip(mlp.state_dict().values(), before.state_dict().values(), strict=True):
        assert torch.equal(tensor, old)


def test_a_failure_in_the_middle_leaves_the_model_alone(mlp, data):
    before, calls = copied(mlp), []

    def metric(outputs, _):
        calls.append(outputs)
        return math.nan if len(calls) == 3 else 0.5

    with pytest.raises(InputError, match="metric"):
        sensitivity_curves(mlp, data, LEVELS, metric=metric)
    assert all(torch.equal(one, two) for one, two in zip(mlp.parameters(), before.parameters(), strict=True))


def test_weights_that_are_zero_count_as_pruned(mlp, data):
    mlp[0].weight.data[:8] = 0  # half of them
    curve = sensitivity_curves(mlp, data, (0.25, 0.5), criterion="random").curves["0.weight"]
    assert curve == (evaluate_metric(mlp, data),) * 2


def test_metric_and_loss_may_be_given(mlp, data):
    curves = sensitivity_curves(mlp, data, (0.5,), metric=lambda outputs, _: float(len(outputs)))
    assert curves.curves == {"0.weight": (48.0,), "2.weight": (48.0,)}
    with pytest.raises(InputError, match="loss does not run"):
        sensitivity_curves(mlp, data, (0.5,), criterion="taylor", loss=lambda: None)


def test_pruning_hooks_are_baked_in_a_copy(mlp, data):
    nn.utils.prune.l1_unstructured(mlp[0], "weight", amount=0.5)
    assert set(sensitivity_curves(mlp, data, (0.5,)).curves) == {"0.weight", "2.weight"}
    assert hasattr(mlp[0], "weight_orig")


def test_curves_survive_json():
    curves = SensitivityCurves("wanda", [0.1, 0.5], 0.9, {"a.weight": [0.1 + 0.2, 0.3]})
    assert curves.curves == {"a.weight": (0.30000000000000004, 0.3)}
    assert SensitivityCurves.from_dict(json.loads(json.dumps(curves.to_dict()))) == curves


@pytest.mark.parametrize("levels", [(), (0.5, 0.5), (0.5, 0.1), (0.5, 1.5), (-0.1,), ("half",), 0.5, "0.5"])
def test_sparsities_must_rise_from_0_to_1(levels, mlp, data):
    with pytest.raises(InputError, match="sparsities"):
        sensitivity_curves(mlp, data, levels)


def test_unknown_criteria_get_a_suggestion(mlp, data):
    with pytest.raises(InputError, match=r"criterion must be one of .*did you mean 'taylor'"):
        sensitivity_curves(mlp, data, LEVELS, criterion="tailor")


def test_a_model_without_weights_is_refused(data):
    with pytest.raises(InputError, match="nothing to draw"):
        sensitivity_curves(nn.Identity(), data, LEVELS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"criterion": 3}, "criterion must be"),
        ({"unpruned": math.nan}, "unpruned must be"),
        ({"curves": {"a": [0.5]}}, r"curves\.a has 1 values for 2 sparsities"),
        ({"curves": {"a": [0.5, "x"]}}, r"curves\.a\[1\] must be a number"),
        ({"curves": {"a": 0.5}}, r"curves\.a must be a list"),
        ({"curves": []}, "curves must be a table"),
        ({"sparsities": [0.5, 2]}, "sparsities must be in"),
        ({"colour": "red"}, "no field 'colour'"),
    ],
)
def test_unusable_fields_are_named(change, message):
    good = SensitivityCurves("magnitude", (0.1, 0.5), 0.9, {"a": (0.5, 0.4)}).to_dict()
    with pytest.raises(InputError, match=message):
        SensitivityCurves.from_dict(good | change)


def test_missing_fields_are_named():
    with pytest.raises(InputError, match="sensitivity curves lacks sparsities, unpruned, curves"):
        SensitivityCurves.from_dict({"criterion": "magnitude"})

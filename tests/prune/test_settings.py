from __future__ import annotations

import math

import pytest

from fpgaprune.errors import InputError
from fpgaprune.prune.settings import Distribution, Optimiser, Rate, RigL, TrainSettings


def test_strings_name_optimisers():
    assert TrainSettings(optimiser="sgd").optimiser is Optimiser.SGD
    assert TrainSettings(optimiser=Optimiser.ADAMW).optimiser is Optimiser.ADAMW
    assert TrainSettings() == TrainSettings(optimiser="adam", rate="cosine")
    assert TrainSettings(rate="step", step_epochs=1).rate is Rate.STEP
    assert RigL(distribution="uniform").distribution is Distribution.UNIFORM


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": -1}, "epochs must be at least 0"),
        ({"epochs": 1.5}, "epochs must be an integer"),
        ({"learning_rate": 0.0}, "learning_rate must be greater than 0"),
        ({"learning_rate": math.inf}, "learning_rate must be a finite number"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
        ({"optimiser": "adan"}, "optimiser must be one of.*did you mean 'adam'"),
        ({"weight_decay": -1e-4}, "weight_decay must be a finite number of at least 0"),
        ({"momentum": 1.5}, r"momentum must be in \[0, 1\]"),
        ({"seed": -3}, "seed must be at least 0"),
        ({"rate": "cosinus"}, "rate must be one of.*did you mean 'cosine'"),
        ({"warm_up": -1}, "warm_up must be at least 0"),
        ({"warm_up": 5}, "warm_up must be less than the 5 epochs of training, not 5"),
        ({"rate": "step"}, "step_epochs must be at least 1 for the rate 'step'"),
        ({"step_epochs": 2}, "step_epochs .* is for no other"),
        ({"step_factor": 0.0}, "step_factor must be greater than 0; leave it out"),
        ({"clip_norm": -1}, "clip_norm must be a finite number of at least 0"),
        ({"validation": 1}, "validation must be below 1; nothing would be left to train on"),
        ({"validation": -0.1}, r"validation must be in \[0, 1\]"),
        ({"patience": 1.5}, "patience must be an integer"),
        ({"amp": 1}, "amp must be true or false"),
        ({"deterministic": "no"}, "deterministic must be true or false"),
    ],
)
def test_unusable_settings_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        TrainSettings(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"interval": 0}, "interval must be at least 1"),
        ({"fraction": 1.5}, r"fraction must be in \[0, 1\]"),
        ({"until": -1}, r"until must be in \[0, 1\]"),
        ({"distribution": "erik"}, "distribution must be one of.*did you mean 'erk'"),
    ],
)
def test_unusable_settings_of_a_moving_pattern_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        RigL(**fields)

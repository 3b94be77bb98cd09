from __future__ import annotations

import math

import pytest

from fpgaprune.errors import InputError
from fpgaprune.prune.settings import Optimiser, TrainSettings


def test_strings_name_optimisers():
    assert TrainSettings(optimiser="sgd").optimiser is Optimiser.SGD
    assert TrainSettings(optimiser=Optimiser.ADAMW).optimiser is Optimiser.ADAMW
    assert TrainSettings() == TrainSettings(optimiser="adam")


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
    ],
)
def test_unusable_settings_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        TrainSettings(**fields)

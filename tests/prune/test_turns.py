from __future__ import annotations

import pytest

from fpgaprune.prune.recipe import PruneRecipe
from fpgaprune.prune.settings import TrainSettings
from fpgaprune.prune.stage import Stage
from fpgaprune.prune.turns import turns

TRAINING = TrainSettings(epochs=2)


def test_steps_are_numbered_through_all_stages():
    recipe = PruneRecipe(0.9, schedule="cubic", steps=2, first=(Stage(0.2), Stage(0.5, schedule="cubic", steps=3)))
    found = turns(recipe)
    assert [(turn.step, turn.within, turn.opens) for turn in found] == [
        (1, 1, True),
        (2, 1, True),
        (3, 2, False),
        (4, 3, False),
        (5, 1, True),
        (6, 2, False),
    ]
    assert all(turn.prunes and not turn.rewinds for turn in found)


def test_a_lottery_trains_before_it_prunes():
    first = Stage(0.5, schedule="lottery", steps=2, fine_tune=TRAINING)
    found = turns(PruneRecipe(0.9, first=(first,)))
    assert [(turn.step, turn.within, turn.prunes, turn.rewinds, turn.opens) for turn in found] == [
        (0, 0, False, False, True),
        (1, 1, True, True, False),
        (2, 2, True, True, False),
        (3, 1, True, False, True),
    ]


def test_targets_rise_from_where_the_stage_began():
    first, second = turns(PruneRecipe(0.9, schedule="cubic", steps=2, layers={"fc": 0.8, "head": 0.0}))
    assert first.target(0.5) == (pytest.approx(0.9 - 0.4 / 8), {"fc": pytest.approx(0.7), "head": 0.0})
    assert second.target(0.5) == (0.9, {"fc": 0.8, "head": 0.0})
    assert first.target(0.95)[0] == 0.9

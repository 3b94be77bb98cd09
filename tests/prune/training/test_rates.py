from __future__ import annotations

import pytest

from fpgaprune.prune.settings import TrainSettings
from fpgaprune.prune.training.rates import learning_rate


def rates(settings, batches=4):
    """Return the rate of each step of a run."""
    width = 1 / batches
    return [
        learning_rate(settings, epoch + i * width, width) for epoch in range(settings.epochs) for i in range(batches)
    ]


def test_the_cosine_falls_to_zero():
    settings = TrainSettings(epochs=2, learning_rate=2.0)
    assert [learning_rate(settings, done, 0.5) for done in (0.0, 1.0, 2.0)] == pytest.approx([2.0, 1.0, 0.0])
    assert rates(settings) == sorted(rates(settings), reverse=True)


def test_a_constant_rate_stays():
    assert set(rates(TrainSettings(epochs=3, learning_rate=0.5, rate="constant"))) == {0.5}


def test_steps_come_after_whole_epochs():
    settings = TrainSettings(epochs=5, learning_rate=1.0, rate="step", step_epochs=2, step_factor=0.1)
    assert rates(settings, batches=1) == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert rates(settings, batches=2)[3:5] == pytest.approx([1, 0.1])


def test_warm_up_rises_to_the_full_rate_and_the_rest_begins_after_it():
    settings = TrainSettings(epochs=4, learning_rate=1.0, warm_up=2)
    assert rates(settings, batches=2)[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    rest = TrainSettings(epochs=2, learning_rate=1.0)
    assert rates(settings, batches=2)[4:] == pytest.approx(rates(rest, batches=2))
    stepped = TrainSettings(epochs=4, learning_rate=1.0, warm_up=1, rate="step", step_epochs=2)
    assert rates(stepped, batches=1) == pytest.approx([1, 1, 1, 0.1])


def test_warm_up_without_a_known_length_moves_by_epochs():
    settings = TrainSettings(epochs=4, learning_rate=1.0, warm_up=2)
    assert [learning_rate(settings, float(epoch), 1.0) for epoch in range(3)] == pytest.approx([0.5, 1.0, 1.0])

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.errors import InputError
from fpgaprune.prune.schedule import Schedule, targets


def test_one_shot():
    assert list(targets(Schedule.ONE_SHOT, 0.9, 1)) == [(1, 0.9)]


def test_cubic_against_the_formula_by_hand():
    by_hand = [0.8 * 37 / 64, 0.8 * 7 / 8, 0.8 * 63 / 64, 0.8]
    assert [target for _, target in targets(Schedule.CUBIC, 0.8, 4)] == pytest.approx(by_hand, rel=1e-12)


def test_cubic_starts_from_the_initial_sparsity():
    assert next(targets(Schedule.CUBIC, 0.9, 2, initial=0.5))[1] == pytest.approx(0.9 - 0.4 / 8)


def test_a_lottery_prunes_the_same_share_of_what_is_left_in_each_round():
    assert [target for _, target in targets(Schedule.LOTTERY, 0.875, 3)] == pytest.approx([0.5, 0.75, 0.875])
    assert [target for _, target in targets(Schedule.LOTTERY, 0.9, 2, 0.6)] == pytest.approx([0.8, 0.9])
    assert list(targets(Schedule.LOTTERY, 1.0, 2)) == [(1, 1.0), (2, 1.0)]


@given(st.sampled_from([Schedule.CUBIC, Schedule.LOTTERY]), st.floats(0, 1), st.floats(0, 1), st.integers(2, 50))
def test_the_rise_ends_at_exactly_the_final_sparsity(schedule, one, two, steps):
    initial, final = sorted((one, two))
    sequence = list(targets(schedule, final, steps, initial))
    assert [step for step, _ in sequence] == list(range(1, steps + 1))
    values = [target for _, target in sequence]
    assert values[-1] == final
    assert values == sorted(values)
    assert values[0] >= initial


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Schedule.ONE_SHOT, 0.5, 3), "steps must be 1 for the schedule 'one-shot', not 3"),
        ((Schedule.RIGL, 0.5, 2), "steps must be 1 for the schedule 'rigl', not 2"),
        ((Schedule.CUBIC, 0.5, 1), "steps must be at least 2 for the schedule 'cubic'"),
        ((Schedule.CUBIC, 0.5, 0), "steps must be at least 1"),
        ((Schedule.CUBIC, 1.5, 3), r"sparsity must be in \[0, 1\]"),
        ((Schedule.ONE_SHOT, -0.5, 1), r"sparsity must be in \[0, 1\]"),
        ((Schedule.CUBIC, 0.5, 3, 0.7), "initial sparsity 0.7 is above the final one 0.5"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_at_once(arguments, message):
    with pytest.raises(InputError, match=message):
        targets(*arguments)

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

from fpgaprune.prune.seeding import generator, local_seed, mix, put_back_random, random_state


def test_each_number_and_the_order_count():
    assert len({mix(0, 1), mix(1, 0), mix(0, 0), mix(1, 1), mix(0), mix(1)}) == 6
    assert mix(3, 4) == mix(3, 4)
    assert 0 <= mix(2**63) < 2**63


def test_generators_repeat():
    assert torch.equal(torch.rand(4, generator=generator(1, 2)), torch.rand(4, generator=generator(1, 2)))


def test_a_local_seed_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    with local_seed(5):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with local_seed(5):
        assert torch.equal(torch.rand(3), first)


def test_the_state_comes_back_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError), local_seed(5):
        raise RuntimeError
    assert torch.equal(torch.get_rng_state(), before)


def drawn():
    """Return numbers of each global generator, normal ones too, of which NumPy and Python keep one back."""
    numpy: Any = np.random
    return (
        torch.rand(2).tolist(),
        numpy.normal(size=3).tolist(),
        [numpy.normal(), *(random.gauss(0, 1) for _ in range(3))],
    )


def test_generators_of_numpy_and_python_are_seeded_too_and_left_alone():
    expected = random_state()
    following = drawn()
    put_back_random(expected)
    with local_seed(5):
        first = drawn()
    with local_seed(5):
        assert drawn() == first
    with local_seed(6):
        assert drawn() != first
    assert drawn() == following


@pytest.mark.parametrize("already", range(3))
def test_states_come_back_exactly_wherever_the_generators_are(already):
    for _ in range(already):
        drawn()
    np.random.normal()  # noqa: NPY002  # it keeps a second number
    random.gauss(0, 1)
    state = random_state()
    assert all(tensor.dtype in (torch.uint8, torch.int64) for tensor in state.values())
    first = drawn()
    put_back_random(state)
    assert drawn() == first

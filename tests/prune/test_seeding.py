from __future__ import annotations

import pytest
import torch

from fpgaprune.prune.seeding import generator, local_seed, mix


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

"""Random numbers that are repeatable here and leave the caller's generators alone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


def mix(*numbers: int) -> int:
    """Return a 63-bit seed that depends on the non-negative ``numbers``, their order and how many they are."""
    return int(np.random.SeedSequence((len(numbers), *numbers)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(*numbers: int) -> torch.Generator:
    """Return a generator on the CPU, seeded with ``mix(*numbers)``."""
    return torch.Generator().manual_seed(mix(*numbers))


@contextmanager
def local_seed(*numbers: int) -> Iterator[None]:
    """Seed torch's global generators within the block and put them back at its end."""
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(mix(*numbers))
        yield

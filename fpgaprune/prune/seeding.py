"""Random numbers that are repeatable here and leave the caller's generators alone."""

from __future__ import annotations

import random
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

_LEGACY: Any = np.random  # the global generator, which transforms of data sets still draw from


def mix(*numbers: int) -> int:
    """Return a 63-bit seed that depends on the non-negative ``numbers``, their order and how many they are."""
    return int(np.random.SeedSequence((len(numbers), *numbers)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(*numbers: int) -> torch.Generator:
    """Return a generator on the CPU, seeded with ``mix(*numbers)``."""
    return torch.Generator().manual_seed(mix(*numbers))


@contextmanager
def local_seed(*numbers: int) -> Iterator[None]:
    """Seed the global generators of torch, NumPy and Python within the block and put them back at its end."""
    before, seed = random_state(), mix(*numbers)
    torch.manual_seed(seed)
    _LEGACY.seed(seed % 2**32)
    random.seed(seed)
    try:
        yield
    finally:
        put_back_random(before)


def random_state() -> dict[str, Tensor]:
    """Return the states of the global generators of torch (by device), NumPy and Python."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "cpu": torch.get_rng_state(),
        **{f"cuda:{index}": state for index, state in enumerate(cuda)},
        "numpy": _numpy_state(),
        "python": _python_state(),
    }


def put_back_random(states: Mapping[str, Tensor]) -> None:
    """Give the global generators the states that ``random_state`` returned."""
    torch.set_rng_state(states["cpu"].cpu())
    for name, state in states.items():
        if name.startswith("cuda:"):
            torch.cuda.set_rng_state(state.cpu(), name)
    *key, position, has_gauss, gauss = states["numpy"].tolist()
    _LEGACY.set_state(("MT19937", np.array(key, dtype=np.uint32), position, has_gauss, _number(gauss)))
    version, *internal, has_next, following = states["python"].tolist()
    random.setstate((version, tuple(internal), _number(following) if has_next else None))


def _numpy_state() -> Tensor:
    _, key, position, has_gauss, gauss = _LEGACY.get_state()
    return torch.tensor([*key.tolist(), position, has_gauss, _bits(gauss)], dtype=torch.int64)


def _python_state() -> Tensor:
    version, internal, following = random.getstate()
    return torch.tensor([version, *internal, following is not None, _bits(following or 0.0)], dtype=torch.int64)


def _bits(number: float) -> int:
    """Return the 64 bits of a float as an integer, so that no digit is lost beside integers."""
    return int(struct.unpack("<q", struct.pack("<d", number))[0])


def _number(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])

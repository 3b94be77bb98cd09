"""How many bits of words toggle in time: Hamming distances in two's complement at each word's exact width."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from fpgaprune.sparse import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fpgaprune.fixed import IntArray
    from fpgaprune.sparse import Int64Array

FloatArray: TypeAlias = npt.NDArray[np.float64]

NOTHING = -1
"""The place of a unit that has no word in a step: it holds zero."""

_AT_ONCE = 1 << 21
"""Words that are held at a time."""

_WHOLE = 64
"""The bits of an int64, whose mask is all ones."""


def rates(chunks: Iterable[IntArray], width: Int64Array) -> FloatArray:
    """Return how many bits of each word (n,) toggle from one moment to the next, on average over successive chunks.

    A chunk is (n, moments); between one and the next there is a moment as well.
    """
    total, steps, last = np.zeros(len(width), dtype=np.int64), 0, None
    for chunk in chunks:
        series = chunk if last is None else np.concatenate([last, chunk], axis=1)
        total += _toggled(series, width)
        steps += series.shape[1] - 1
        last = series[:, -1:]
    return total / max(steps, 1)


def _toggled(series: IntArray, width: Int64Array) -> Int64Array:
    changed = series[:, 1:] ^ series[:, :-1]
    if changed.dtype == object:
        masks = [(1 << bits) - 1 for bits in width.tolist()]
        pairs = zip(masks, changed.tolist(), strict=True)
        return np.array([sum((word & mask).bit_count() for word in row) for mask, row in pairs], dtype=np.int64)
    masked = np.ascontiguousarray(changed & _masks(width)[:, np.newaxis])
    ones: Int64Array = _ONES[masked.view(np.uint8)].sum(axis=1, dtype=np.int64)
    return ones


_ONES = frozen(np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], axis=1).sum(axis=1, dtype=np.uint8))
"""The ones in each octet."""


def _masks(width: Int64Array) -> Int64Array:
    return np.where(width < _WHOLE, (1 << np.minimum(width, _WHOLE - 1)) - 1, -1)


def in_turn(vectors: IntArray, places: Int64Array) -> Iterator[IntArray]:
    """Yield what units hold (units, moments) that take elements of each of ``vectors`` (elements, n) in turn.

    Unit u holds element ``places[u, s]`` in step s of every vector.
    """
    units, steps = places.shape
    count = chunk_size(units * steps)
    for start in range(0, vectors.shape[1], count):
        block = vectors[:, start : start + count]
        held = np.where((places == NOTHING)[..., np.newaxis], 0, block[places])
        yield in_time(held)


def in_time(held: IntArray) -> IntArray:
    """Return words (units, steps, vectors) in the order of time (units, moments)."""
    units, steps, count = held.shape
    return held.swapaxes(1, 2).reshape(units, steps * count)


def chunk_size(words: int) -> int:
    """Return the vectors to hold at a time, of so many words each."""
    return max(1, _AT_ONCE // max(words, 1))

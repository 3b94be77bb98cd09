"""Stored test vectors: decimal mantissas, one sample a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.errors import InputError
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import as_mantissas

if TYPE_CHECKING:
    from fpgaprune.fixed import IntArray
    from fpgaprune.ir import Graph


@dataclass(frozen=True, eq=False)
class Vectors:
    """Mantissas of each input and of each output (samples, *shape) that `evaluate` gives for it."""

    inputs: tuple[IntArray, ...]
    outputs: tuple[IntArray, ...]

    @classmethod
    def of(cls, graph: Graph, *inputs: IntArray) -> Vectors:
        """Return the vectors of the given inputs.

        Raises:
            InputError: inputs that do not fit the graph.
        """
        return cls(inputs, evaluate(graph, *inputs))


def to_text(tensors: tuple[IntArray, ...]) -> str:
    """Return one line a sample: the words of all tensors one after the other, in decimal."""
    rows = np.concatenate([values.reshape(len(values), -1).astype(object) for values in tensors], axis=1)
    return "".join(" ".join(map(str, row)) + "\n" for row in rows.tolist())


def from_text(text: str, sizes: tuple[int, ...]) -> tuple[IntArray, ...]:
    """Read lines of words back into one array (samples, size) for each size.

    Raises:
        InputError: a line that is not ``sum(sizes)`` decimal integers.
    """
    words = sum(sizes)
    lines = text.splitlines()
    try:
        numbers = [int(word) for word in text.split()]
    except ValueError as error:
        msg = f"vectors must be decimal integers: {error}"
        raise InputError(msg) from error
    if len(numbers) != words * len(lines):
        msg = f"vectors must have {words} words a line, not {len(numbers)} in {len(lines)} lines"
        raise InputError(msg)
    low, high = min(numbers, default=0), max(numbers, default=0)
    fits = low >= -(1 << 63) and high < 1 << 63
    table = as_mantissas(np.array(numbers, dtype=np.int64 if fits else object)).reshape(len(lines), words)
    return tuple(np.split(table, np.cumsum(sizes)[:-1], axis=1))


def random_inputs(graph: Graph, samples: int, seed: int = 0) -> tuple[IntArray, ...]:
    """Return random mantissas for each input (samples, *shape), the first sample all low and the second all high."""
    rng = np.random.default_rng(seed)
    drawn = []
    for op in graph.inputs:
        fmt = op.output.format
        values = _uniform(rng, fmt.low, fmt.high, (samples, *op.output.shape))
        values[:1], values[1:2] = fmt.low, fmt.high
        drawn.append(values)
    return tuple(drawn)


def _uniform(rng: np.random.Generator, low: int, high: int, shape: tuple[int, ...]) -> IntArray:
    if low >= -(1 << 63) and high < 1 << 63:
        return rng.integers(low, high, shape, endpoint=True)
    octets = (high - low).bit_length() // 8 + 1
    count = int(np.prod(shape))
    drawn = [low + int.from_bytes(rng.bytes(octets), "little") % (high - low + 1) for _ in range(count)]
    return np.array(drawn, dtype=object).reshape(shape)

"""What must not be missing in a netlist: tables with their words, and bits of outputs that move."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.lower import MatVecKernel, results

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import Kernel

_MEMORY = re.compile(r"^.*\breg\b.* (\w+) \[0:\d+\];$", re.MULTILINE)
_WORD = re.compile(r"^\s*(\w+)\[\d+\] = (.+);$", re.MULTILINE)


def tables(text: str) -> set[str]:
    """Return the names of the memories that a Verilog text fills with words that are not all the same."""
    words: dict[str, set[str]] = {name: set() for name in _MEMORY.findall(text)}
    for name, word in _WORD.findall(text):
        words.get(name, set()).add(word)
    return {name for name, found in words.items() if len(found) > 1}


def moving_bits(words: IntArray, width: int) -> list[int]:
    """Return which bits of packed words (n, size) of ``width`` bits each take both values, the lowest word first."""
    varies = np.bitwise_or.reduce(words ^ words[0], axis=0).tolist()
    return [element * width + bit for element, bits in enumerate(varies) for bit in range(width) if bits >> bit & 1]


def moving(kernel: Kernel, words: Mapping[str, IntArray]) -> dict[str, list[int]]:
    """Return the bits of each output of a kernel's module that cannot be constant, as its words in a run show.

    The ends of its sums show it of a matrix that leaves them: each row reaches both.
    """
    found = {}
    for place, port in enumerate(results(kernel)):
        seen = words[port.name].reshape(-1, port.size)
        if isinstance(kernel, MatVecKernel) and kernel.finish is None:
            seen = np.concatenate([seen, np.stack([kernel.sums.low, kernel.sums.high])])
        found[f"y{place}"] = moving_bits(seen, port.word.width)
    return found | ({"y": found["y0"]} if len(found) == 1 else {})

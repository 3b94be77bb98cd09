"""What a stock hls4ml design is made of, and what it would cost: estimates with 90 % intervals."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.board import Family

AMOUNTS = ("lut", "ff", "dsp", "bram_18k", "latency_cycles", "interval_cycles")
"""What is estimated of csynth."""

SYNTHESISED = ("lut", "ff", "dsp", "bram_18k")
"""What is estimated of Vivado synthesis, a target of its own."""


class Strategy(enum.Enum):
    """How stock hls4ml writes a matrix; what names neither is latency, its default."""

    LATENCY = "latency"
    RESOURCE = "resource"


class Role(enum.Enum):
    """What a layer is for the estimate."""

    DENSE = "dense"
    CONV = "conv"
    RECURRENT = "recurrent"
    POOL = "pool"
    PAD = "pad"
    ELEMENTS = "elements"
    SOFTMAX = "softmax"


@dataclass(frozen=True)
class Matrix:
    """A weight matrix: its shape, reuse, and how many weights have how many signed digits; None where not known."""

    inputs: int
    outputs: int
    reuse: int
    strategy: Strategy
    weight_bits: int
    digits: Mapping[int, int]

    @property
    def size(self) -> int:
        """Weights, zeros among them."""
        return self.inputs * self.outputs

    @property
    def nonzeros(self) -> int:
        """Weights that are not zero."""
        return sum(count for digits, count in self.digits.items() if digits)

    @property
    def block(self) -> int:
        """Multipliers that strategy resource builds."""
        return math.ceil(self.size / self.reuse)


@dataclass(frozen=True)
class Layer:
    """One layer with the sizes that cost something; positions are pixels or steps, 1 for a vector."""

    name: str
    role: Role
    in_bits: int
    out_bits: int
    accumulator_bits: int
    channels: int
    filters: int
    in_positions: int = 1
    out_positions: int = 1
    rows: int = 1
    kernel: tuple[int, int] = (1, 1)
    steps: int = 0
    guarded: bool = False  # each addition rounds or saturates
    matrices: tuple[Matrix, ...] = ()
    followers: tuple[int, ...] = ()  # bits of the results of activations after it
    converted: int = 0  # followers that round or saturate
    copies: int = 1  # windows that a parallel convolution works on at a time
    whole: bool = False  # a parallel convolution that is unrolled over all positions, one pipeline


@dataclass(frozen=True)
class StockDesign:
    """A whole stock design; ``assumed`` tells what the input left out and what was taken instead."""

    family: Family
    clock_ns: float
    year: float  # of the vendor tool: 2020.1 and so on
    stream: bool
    layers: tuple[Layer, ...]
    assumed: tuple[str, ...] = ()
    name: str = ""

    @property
    def dataflow(self) -> bool:
        """Whether layers are processes of their own: all but an unrolled pipeline of vectors."""
        return self.stream or any(
            layer.role in (Role.CONV, Role.RECURRENT, Role.POOL)
            or any(matrix.strategy is Strategy.RESOURCE and matrix.reuse > 1 for matrix in layer.matrices)
            for layer in self.layers
        )


@dataclass(frozen=True)
class Range:
    """An estimate and the interval in which the truth lies in nine cases of ten."""

    value: int
    low: int
    high: int


@dataclass(frozen=True)
class StockEstimate:
    """What the vendor's HLS report is expected to state, and apart from it what its synthesis is expected to count."""

    lut: Range
    ff: Range
    dsp: Range
    bram_18k: Range
    latency_cycles: Range
    interval_cycles: Range
    post_synthesis: Mapping[str, Range]
    assumed: tuple[str, ...] = field(default=())

"""What a layer is made of in one design, from its lowered kernels: what the reasons of a finding look at."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.digits import signed_digits
from fpgaprune.fabric import CLOCK_SHARE, FABRICS
from fpgaprune.lower import MatVecKernel
from fpgaprune.lower.operations import widths
from fpgaprune.resources.calibration import class_of, coefficients
from fpgaprune.resources.costs import physics
from fpgaprune.resources.layer_cost import finish_luts, port_bits
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.lower import Lowered
    from fpgaprune.resources import LayerResources
    from fpgaprune.schedule import Design


@dataclass(frozen=True)
class Lanes:
    """The lanes of a folded layer: slots of all of them, those without a term, and the cycles beside the slots.

    ``filling`` and ``adding`` are the cycles in which memories take a vector and give its rows, 0 with registers.
    """

    lanes: int
    slots: int
    places: int
    spare: int
    filling: int = 0
    adding: int = 0


@dataclass(frozen=True)
class LayerFacts:
    """A layer as built; look-up tables and flip-flops are shares of the estimate, whatever kind is compared.

    ``interval`` is the cycles that a vector keeps the layer busy. ``idle_rows`` are rows without non-zeros that take
    a place of memories and a register of their bias all the same, ``idle_bits`` those registers.
    """

    strategy: str
    interval: int
    nonzeros: int
    rows: int
    digits: int
    source_bits: int
    weight_bits: int
    adder_bits: int
    lut: int
    choosing: int
    finishing: int
    idle_rows: int = 0
    idle_bits: int = 0
    lanes: Lanes | None = None


def layer_facts(lowered: Lowered, estimated: Mapping[str, LayerResources]) -> dict[str, LayerFacts]:
    """Return the facts of every matrix with non-zeros by the user's name of its layer, as its estimate is given."""
    kernels: dict[str, list[MatVecKernel]] = defaultdict(list)
    for kernel in lowered.every_kernel:
        if isinstance(kernel, MatVecKernel) and kernel.layer in estimated:
            kernels[kernel.layer].append(kernel)
    return {
        name: reduce(_together, (_facts(kernel, lowered.design, estimated[name]) for kernel in each))
        for name, each in kernels.items()
    }


def _together(one: LayerFacts, other: LayerFacts) -> LayerFacts:
    """Return the kernels of one layer, such as the steps of a loop, as one; its estimate is that of all already."""
    return LayerFacts(
        strategy=one.strategy,
        interval=max(one.interval, other.interval),
        nonzeros=one.nonzeros + other.nonzeros,
        rows=one.rows + other.rows,
        digits=one.digits + other.digits,
        source_bits=max(one.source_bits, other.source_bits),
        weight_bits=max(one.weight_bits, other.weight_bits),
        adder_bits=one.adder_bits,
        lut=one.lut,
        choosing=one.choosing + other.choosing,
        finishing=one.finishing + other.finishing,
        idle_rows=one.idle_rows + other.idle_rows,
        idle_bits=one.idle_bits + other.idle_bits,
        lanes=_lanes_together(one.lanes, other.lanes),
    )


def _lanes_together(one: Lanes | None, other: Lanes | None) -> Lanes | None:
    if one is None or other is None:
        return one or other
    return Lanes(
        one.lanes + other.lanes,
        max(one.slots, other.slots),
        one.places + other.places,
        one.spare + other.spare,
        max(one.filling, other.filling),
        max(one.adding, other.adding),
    )


def _facts(kernel: MatVecKernel, design: Design, estimated: LayerResources) -> LayerFacts:
    weights, by = kernel.weights, coefficients()[class_of(kernel.plan)]
    parts = physics(kernel, FABRICS[design.board.family], design.clock_ns * CLOCK_SHARE)
    idle = _idle_rows(kernel)
    return LayerFacts(
        strategy=kernel.strategy.value,
        interval=kernel.interval,
        nonzeros=weights.nonzeros,
        rows=kernel.result.size,
        digits=int(signed_digits(weights.weight).sum()),
        source_bits=kernel.source.word.width,
        weight_bits=int(widths(weights.weight, weights.weight).max(initial=0)),
        adder_bits=estimated.adder_bits,
        lut=estimated.lut,
        choosing=round(by.choices * parts.choices + by.lut * parts.held),
        finishing=round(by.lut * _finishing(kernel)),
        idle_rows=idle,
        idle_bits=idle * port_bits(kernel.result) // kernel.result.size,
        lanes=_lanes(kernel),
    )


def _lanes(kernel: MatVecKernel) -> Lanes | None:
    if not isinstance(kernel.plan, Folded):
        return None
    program, banks = kernel.program, kernel.program.banks
    there = program.lanes * program.slots
    around = (banks.depth, banks.rounds) if banks else (0, 0)
    return Lanes(program.lanes, program.slots, there, there - kernel.weights.nonzeros, *around)


def _idle_rows(kernel: MatVecKernel) -> int:
    """Return the rows without non-zeros that cost all the same: without memories they are constants."""
    if not isinstance(kernel.plan, Folded) or kernel.program.banks is None:
        return 0
    return int((np.diff(kernel.weights.row_start) == 0).sum())


def _finishing(kernel: MatVecKernel) -> int:
    """Return the look-up tables that round and limit results; lanes with memories have one finish a group of rows."""
    if kernel.finish is None:
        return 0
    luts = finish_luts(kernel.finish)
    if isinstance(kernel.plan, Folded) and kernel.program.banks is not None:
        return kernel.plan.groups * int(luts.max(initial=0))
    return int(luts.sum())

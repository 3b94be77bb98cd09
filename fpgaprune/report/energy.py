"""The energy of an inference on the terminal, layer by layer, with its kind, its uncertainty and its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from fpgaprune.energy import PARTS, SOURCE, UNCERTAINTY
from fpgaprune.report import wording
from fpgaprune.report.costs import called
from fpgaprune.report.tables import Column, Line, foreign, print_tables, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import Console

    from fpgaprune.board import Board
    from fpgaprune.energy import EnergyEstimate, LayerEnergy

_HEADS = ("non-zeros", "activity", "logic", "registers", "clock", "multipliers", "memories", "all [pJ]")


def print_energy(
    estimate: EnergyEstimate, board: Board, title: str, kinds: Mapping[str, str], console: Console
) -> None:
    """Print the energy of each layer; ``kinds`` says what a layer is in the user's model, where that is known."""
    say(console, foreign(f"{title} on {board.title}: energy of an inference [pJ], {estimate.kind.value}", console))
    lines = [_layer_line(layer, kinds, console) for layer in estimate.layers]
    lines[-1:] = [Line(line.label, line.cells, last=True) for line in lines[-1:]]
    totals = (estimate.part_pj(part) for part in PARTS)
    nonzeros = sum(layer.nonzeros for layer in estimate.layers)
    lines.append(_line(Text("all"), nonzeros, estimate.activity, (*totals, estimate.dynamic_pj)))
    print_tables(console, "layer", [Column(Text(head)) for head in _HEADS], lines)
    for sentence in sentences(estimate, board):
        say(console, foreign(sentence, console))


def sentences(estimate: EnergyEstimate, board: Board) -> tuple[str, ...]:
    """Return what there is to say of an energy: its interval, where it comes from, and the static power."""
    low, high = estimate.bounds_pj
    return (
        f"{_picojoules(estimate.dynamic_pj)} pJ of switching for an inference, taken to lie between "
        f"{_picojoules(low)} and {_picojoules(high)} pJ (a factor of {UNCERTAINTY:g} either way); "
        "ratios between designs for one board share the constants and are better",
        f"activity is the mean toggle rate, measured in C-simulation on {wording.count(estimate.samples)} successive "
        f"inputs: {estimate.inputs}",
        f"source: {SOURCE}",
        _static(estimate, board),
    )


def _static(estimate: EnergyEstimate, board: Board) -> str:
    if estimate.static_pj is None:
        return (
            f"static power of the {board.title}: no published figure at hand; to have it counted, add static_w "
            "(in watts) and sources.static_w to a board file of your own"
        )
    share = estimate.static_pj / (estimate.static_pj + estimate.dynamic_pj)
    return (
        f"static, beside that: {_picojoules(estimate.static_pj)} pJ in an interval of "
        f"{wording.nanoseconds(estimate.interval_ns)} ns ({estimate.static_w:g} W, {board.sources['static_w']}), "
        f"{wording.percent(share)} of both"
    )


def _layer_line(layer: LayerEnergy, kinds: Mapping[str, str], console: Console) -> Line:
    parts = (getattr(layer, part) for part in PARTS)
    label = foreign(called(layer, kinds), console)
    return _line(label, layer.nonzeros, layer.activity, (*parts, layer.dynamic_pj))


def _line(label: Text, nonzeros: int, activity: float, energies: Iterable[float]) -> Line:
    cells = (wording.count(nonzeros), wording.percent(activity), *map(_picojoules, energies))
    return Line(label, tuple(map(Text, cells)))


def _picojoules(energy: float) -> str:
    return f"{energy:,.1f}"

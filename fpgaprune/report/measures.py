"""What is shown of a comparison, as values: measures of whole designs and of layers, a cell for each design."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.judge import Outcome
from fpgaprune.report.stock import AMOUNTS as STOCK_AMOUNTS
from fpgaprune.report.stock import amount_of, ratio_to
from fpgaprune.resources import AMOUNTS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fpgaprune.report.comparison import Comparison, LayerPoint, Point
    from fpgaprune.report.stock import Baseline
    from fpgaprune.sim import Verdict


class Tone(enum.Enum):
    """Whether a cell is good news, bad news, or neither."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True)
class Cell:
    """One number as text, its ratio to the dense design, its share of the board, and the value that it sorts by.

    ``note`` is what follows the text where there is room.
    """

    text: str
    value: float | None = None
    ratio: float | None = None
    share: float | None = None
    note: str = ""
    tone: Tone = Tone.PLAIN


MISSING = Cell(wording.NOTHING)
"""The cell of what a design does not have."""


@dataclass(frozen=True)
class Measure:
    """One measure of every design, dense first; ``compared`` if its cells have a ratio, ``boarded`` if a share.

    ``unit`` is what the texts of the cells do not say; ``kind`` is the kind of the numbers, empty for what was counted.
    """

    name: str
    unit: str
    kind: str
    cells: tuple[Cell, ...]
    compared: bool = False
    boarded: bool = False


@dataclass(frozen=True)
class LayerMeasures:
    """The measures of one layer; a design without the layer has `MISSING` cells."""

    layer: str
    measures: tuple[Measure, ...]


LAYER_AMOUNTS = ("lut", "ff", "dsp", "bram_18k")
"""The resources that are shown of each layer."""


@dataclass(frozen=True)
class StockMeasure:
    """One count of the stock design and of every design: of which target it is estimated, and each one's multiple.

    ``unit`` is what the texts do not say; ``kind`` is the kind of the designs' numbers, ``target`` that of the stock
    design's, which is always an estimate of it.
    """

    name: str
    unit: str
    target: Kind
    stock: Cell
    kind: str
    cells: tuple[Cell, ...]


def design_measures(comparison: Comparison) -> tuple[Measure, ...]:
    """Return the measures of whole designs in the order in which they are read."""
    points = comparison.points
    kind = comparison.dense.resources.kind.value
    timing = [point.resources for point in points]
    against = comparison.reference is not None
    return (
        Measure("sparsity", "", "", tuple(_share(point.sparsity) for point in points)),
        Measure("accuracy", "float", "", tuple(_share(point.float_accuracy, 2) for point in points)),
        Measure("accuracy", "integer", "", tuple(_share(point.accuracy, 2) for point in points)),
        Measure("non-zeros", "", "", _compared(map(built, points), against=against), compared=against),
        *(_amount(amount, kind, comparison) for amount in shown_amounts(comparison)),
        Measure("fits board", "", "", tuple(map(_fits, points))),
        Measure("latency", "cycles", kind, tuple(_number(each.latency_cycles) for each in timing)),
        Measure("latency", "ns", kind, tuple(_time(each.latency_ns) for each in timing)),
        Measure("interval", "cycles", kind, tuple(_number(each.interval_cycles) for each in timing)),
        *_energy(comparison),
        Measure("strategy", "", "", tuple(_strategies(point) for point in points)),
        Measure("C-simulation", "", "", tuple(_judged(point.verdict) for point in points)),
    )


def layer_measures(comparison: Comparison) -> tuple[LayerMeasures, ...]:
    """Return the measures of every layer that any design has, in order, and of everything that is in none of them."""
    layers = tuple(_layer(name, layer_points(comparison, name), comparison) for name in layer_names(comparison))
    rest = _rest(comparison)
    return layers if rest is None else (*layers, rest)


def layer_names(comparison: Comparison) -> tuple[str, ...]:
    """Return the names of the layers of all designs, those of the dense one first."""
    return tuple(dict.fromkeys(layer.layer for point in comparison.points for layer in point.layers))


def layer_points(comparison: Comparison, name: str) -> tuple[LayerPoint | None, ...]:
    """Return a layer in each design, None where a design does not have it."""
    return tuple(next((each for each in point.layers if each.layer == name), None) for point in comparison.points)


def built(point: Point) -> int:
    """Return the non-zero weights of a design as built."""
    return sum(layer.nonzeros_built for layer in point.layers)


def shown_amounts(comparison: Comparison) -> tuple[str, ...]:
    """Return the resources to show: UltraRAM only where the board has it or a design asks for it."""
    uram = comparison.dense.board.resources.uram or any(point.resources.total("uram") for point in comparison.points)
    return AMOUNTS if uram else tuple(amount for amount in AMOUNTS if amount != "uram")


def reference_layer(comparison: Comparison, name: str) -> LayerPoint | None:
    """Return a layer in the design that others are measured against, None where there is none."""
    return layer_points(comparison, name)[0] if comparison.reference else None


def over(point: Point) -> list[str]:
    """Return the names of the resources of which a design needs more than the board has."""
    used = point.resources.utilisation(point.board)
    return [wording.AMOUNT_NAMES[amount] for amount, share in used.items() if share > 1]


def board_shares(comparison: Comparison, amount: str) -> tuple[float | None, ...]:
    """Return the share of the board's resource that each design takes, None where the board has none of it."""
    shares = (point.resources.utilisation(point.board)[amount] for point in comparison.points)
    return tuple(share if math.isfinite(share) else None for share in shares)


def ratio(value: float | None, dense: float | None) -> float | None:
    """Return a value as a multiple of the dense one, None where that means nothing."""
    return value / dense if value is not None and dense else None


def layer_lut(layer: LayerPoint | None) -> int | None:
    """Return the look-up tables of a layer, None where it is not built."""
    return None if layer is None or layer.resources is None else layer.resources.lut


def _layer(name: str, points: tuple[LayerPoint | None, ...], comparison: Comparison) -> LayerMeasures:
    kind, against = comparison.dense.resources.kind.value, comparison.reference is not None
    nonzeros = [None if point is None else point.nonzeros_built for point in points]
    rows = [Measure("non-zeros", "", "", _compared(nonzeros, against=against), compared=against)]
    for amount in LAYER_AMOUNTS:
        used = [None if each is None or each.resources is None else getattr(each.resources, amount) for each in points]
        cells = _compared(used, against=against)
        rows.append(Measure(wording.AMOUNT_NAMES[amount], "", kind, cells, compared=against))
    if any(point is not None and point.interval > 1 for point in points):
        cycles = tuple(MISSING if point is None else _number(point.interval) for point in points)
        rows.append(Measure("interval", "cycles", "", cells=cycles))
    rows.append(
        Measure("pruning pays", "", "", tuple(_outcome(name, point, comparison) for point in comparison.points))
    )
    return LayerMeasures(layer_title(comparison, name), tuple(rows))


def _outcome(name: str, point: Point, comparison: Comparison) -> Cell:
    layer = next((each for each in point.layers if each.layer == name), None)
    return MISSING if layer is None else OUTCOMES[comparison.outcome(layer, point)]


OUTCOMES: Mapping[Outcome, Cell] = {
    Outcome.REFERENCE: Cell(Outcome.REFERENCE.value),
    Outcome.PAYS: Cell("yes", 1, tone=Tone.GOOD),
    Outcome.FAILS: Cell("no", 0, tone=Tone.BAD),
    Outcome.UNKNOWN: MISSING,
}
"""What is shown of the outcome of a layer."""


def stock_measures(comparison: Comparison, stock: Baseline) -> tuple[StockMeasure, ...]:
    """Return what designs take against stock hls4ml, target by target; nothing where there is no baseline."""
    return tuple(
        StockMeasure(
            name=wording.AMOUNT_NAMES.get(name, name.removesuffix("_cycles")),
            unit="cycles" if name.endswith("_cycles") else "",
            target=target,
            stock=Cell(
                wording.count(each.value), each.value, note=f"{wording.count(each.low)} to {wording.count(each.high)}"
            ),
            kind=comparison.dense.resources.kind.value,
            cells=tuple(
                Cell(wording.count(used), used, ratio_to(each, point.resources, name))
                for point in comparison.points
                for used in (amount_of(point.resources, name),)
            ),
        )
        for target in STOCK_AMOUNTS
        for name, each in stock.amounts(target).items()
        if each.high or any(amount_of(point.resources, name) for point in comparison.points)
    )


def layer_latency(point: Point, layer: LayerPoint) -> int | None:
    """Return the latency of a layer in cycles, None where it is not known: tools need not say that of a layer."""
    if layer.resources is None or (point.resources.measured and not layer.resources.latency_cycles):
        return None
    return layer.resources.latency_cycles


def layer_title(comparison: Comparison, name: str) -> str:
    """Return how a layer is called, with what it is where its name does not tell."""
    kinds = [layer.kind for layer in layer_points(comparison, name) if layer is not None]
    return wording.layer(name, kinds[0])


def _rest(comparison: Comparison) -> LayerMeasures | None:
    """Return what windows, buffers, activations, products and FIFOs take; None where that is nothing."""
    used = {amount: [_outside_layers(point, amount) for point in comparison.points] for amount in LAYER_AMOUNTS}
    if not any(map(any, used.values())):
        return None
    kind, against = comparison.dense.resources.kind.value, comparison.reference is not None
    nothing = Measure("non-zeros", "", "", tuple(MISSING for _ in comparison.points), compared=against)
    rows = (
        Measure(wording.AMOUNT_NAMES[name], "", kind, _compared(each, against=against), compared=against)
        for name, each in used.items()
    )
    return LayerMeasures(wording.REST, (nothing, *rows))


def _outside_layers(point: Point, amount: str) -> int:
    listed = (layer.resources for layer in point.layers if layer.resources is not None)
    return point.resources.total(amount) - sum(int(getattr(resources, amount)) for resources in listed)


def _amount(amount: str, kind: str, comparison: Comparison) -> Measure:
    totals = [point.resources.total(amount) for point in comparison.points]
    shares = [point.resources.utilisation(point.board)[amount] for point in comparison.points]
    first = totals[0] if comparison.reference else None
    cells = tuple(
        Cell(wording.count(total), total, ratio(total, first), share, tone=Tone.BAD if share > 1 else Tone.PLAIN)
        for total, share in zip(totals, shares, strict=True)
    )
    used = any(totals)
    compared = used and comparison.reference is not None
    return Measure(wording.AMOUNT_NAMES[amount], "", kind, cells, compared=compared, boarded=used)


def _energy(comparison: Comparison) -> tuple[Measure, ...]:
    """Return what an inference takes, whose kind is its own; nothing where no design's energy is known."""
    energies = [point.energy_pj for point in comparison.points]
    if all(energy is None for energy in energies):
        return ()
    first = energies[0] if comparison.reference else None
    cells = tuple(
        MISSING if energy is None else Cell(wording.picojoules(energy), energy, ratio(energy, first))
        for energy in energies
    )
    return (Measure("energy", "pJ", Kind.ESTIMATE.value, cells, compared=bool(first)),)


def _compared(values: Iterable[int | None], *, against: bool) -> tuple[Cell, ...]:
    """Return a cell for each value, with its multiple of the first where there is a design to measure against."""
    found = list(values)
    first = found[0] if against else None
    return tuple(
        MISSING if value is None else Cell(wording.count(value), value, ratio(value, first)) for value in found
    )


def _strategies(point: Point) -> Cell:
    return Cell(", ".join(map(wording.plain, point.strategies))) if point.strategies else MISSING


def _share(share: float | None, digits: int = 1) -> Cell:
    return MISSING if share is None else Cell(wording.percent(share, digits), share)


def _number(value: int) -> Cell:
    return Cell(wording.count(value), value)


def _time(value: float) -> Cell:
    return Cell(wording.nanoseconds(value), value)


def _fits(point: Point) -> Cell:
    lacking = over(point)
    most = max(point.resources.utilisation(point.board).values())
    if not lacking:
        return Cell("yes", most, tone=Tone.GOOD)
    return Cell("no", most, note=f"lacks {', '.join(lacking)}", tone=Tone.BAD)


def _judged(verdict: Verdict | None) -> Cell:
    word = wording.judged(verdict)
    if verdict is None:
        return Cell(word)
    return Cell(word, float(verdict.mismatches), tone=Tone.GOOD if verdict.exact else Tone.BAD)

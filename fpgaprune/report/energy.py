"""The energy of an inference on the terminal, layer by layer, and of several designs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from rich.text import Text

from fpgaprune.energy import PARTS, SOURCE, STATIC_UNCERTAINTY, UNCERTAINTY, multiple
from fpgaprune.report import wording
from fpgaprune.report.costs import called
from fpgaprune.report.tables import Column, Line, foreign, print_tables, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import Console

    from fpgaprune.board import Board
    from fpgaprune.energy import EnergyComparison, EnergyEstimate, EnergyPoint, LayerEnergy

Number = TypeVar("Number", int, float)

_PART_NAMES = ("logic", "registers", "clock", "multipliers", "memories")
_HEADS = ("non-zeros", "activity", *_PART_NAMES, "all [pJ]")


def print_energy(
    estimate: EnergyEstimate, board: Board, title: str, kinds: Mapping[str, str], console: Console
) -> None:
    """Print the energy of each layer; ``kinds`` says what a layer is in the user's model, where that is known."""
    say(console, foreign(f"{title} on {board.title}: energy of an inference [pJ], {estimate.kind.value}", console))
    lines = [_layer_line(layer, kinds, console) for layer in estimate.layers]
    lines[-1:] = [Line(line.label, line.cells, last=True) for line in lines[-1:]]
    totals = (estimate.part_pj(part) for part in PARTS)
    lines.append(_line(Text("all"), estimate.nonzeros, estimate.activity, (*totals, estimate.dynamic_pj)))
    print_tables(console, "layer", [Column(Text(head)) for head in _HEADS], lines)
    for sentence in sentences(estimate, board):
        say(console, foreign(sentence, console))


def sentences(estimate: EnergyEstimate, board: Board) -> tuple[str, ...]:
    """Return what there is to say of an energy: its interval, where it comes from, and the static power."""
    low, high = estimate.bounds_pj
    return (
        f"{wording.picojoules(estimate.dynamic_pj)} pJ of switching for an inference, taken to lie between "
        f"{wording.picojoules(low)} and {wording.picojoules(high)} pJ "
        f"(a factor of {UNCERTAINTY:g} either way, a judgement); "
        "ratios between designs for one board share the constants and are better",
        f"activity is the mean toggle rate, {estimate.switching}",
        f"source: {SOURCE}",
        *_static(estimate, board),
        *([wording.edited(estimate.edited)] if estimate.edited else []),
    )


def _static(estimate: EnergyEstimate, board: Board) -> tuple[str, ...]:
    static = estimate.static
    if static is None:
        return (_unpublished(board),)
    low, high = static.bounds_pj
    least, most = map(wording.percent, static.share_bounds)
    return (
        f"static power, beside that: {wording.picojoules(static.energy_pj)} pJ in the interval from one inference to "
        f"the next, {wording.nanoseconds(estimate.interval_ns)} ns; taken to lie between {wording.picojoules(low)} and "
        f"{wording.picojoules(high)} pJ (a factor of {STATIC_UNCERTAINTY:g} either way, a judgement)",
        f"static share: {wording.percent(static.share)} of static and switching together ({least} to {most})",
        _static_source(estimate),
    )


def _static_source(estimate: EnergyEstimate) -> str:
    return f"source of the static power, {estimate.static_w:g} W of the whole device: {estimate.static_source}"


def _unpublished(board: Board) -> str:
    return (
        f"static power of the {board.title}: not published; to have it counted, add static_w (in watts) and "
        "sources.static_w to a board file of your own"
    )


def _layer_line(layer: LayerEnergy, kinds: Mapping[str, str], console: Console) -> Line:
    parts = (getattr(layer, part) for part in PARTS)
    label = foreign(called(layer, kinds), console)
    return _line(label, layer.nonzeros, layer.activity, (*parts, layer.dynamic_pj))


def _line(label: Text, nonzeros: int, activity: float, energies: Iterable[float]) -> Line:
    cells = (wording.count(nonzeros), wording.percent(activity), *map(wording.picojoules, energies))
    return Line(label, tuple(map(Text, cells)))


# --- several designs ---


def print_energies(comparison: EnergyComparison, kinds: Mapping[str, str], console: Console) -> None:
    """Print designs side by side, each energy with its multiple of that of the densest."""
    board, points = comparison.densest.board, comparison.points
    say(console, foreign(f"Energy of an inference on the {board.title}, estimate", console, style="bold"))
    say(console, Text("'x' is the multiple of the design with the most non-zeros, which comes first.", style="dim"))
    columns = [Column(foreign(point.label, console)) for point in points]
    print_tables(console, "design", columns, list(_designs(points)), repeated=1)
    say(console, Text("Energy by what switches [pJ]", style="bold"))
    print_tables(console, "part", columns, list(_parts(points)), repeated=1)
    say(console, Text("Energy by layer [pJ]", style="bold"))
    print_tables(console, "layer", columns, list(_layers(points, kinds, console)), repeated=1)
    for sentence in _remarks(comparison):
        say(console, foreign(sentence, console))


def _designs(points: Sequence[EnergyPoint]) -> Iterator[Line]:
    yield _row("sparsity", [wording.NOTHING if p.sparsity is None else wording.percent(p.sparsity) for p in points])
    yield _multiples("non-zeros", [point.energy.nonzeros for point in points], wording.count)
    yield _row("built by", [",\n".join(point.strategies) or wording.NOTHING for point in points])
    yield _row("interval [ns]", [wording.nanoseconds(point.energy.interval_ns) for point in points])
    yield _row("activity", [wording.percent(point.energy.activity) for point in points])
    yield _multiples("energy [pJ]", [point.energy.dynamic_pj for point in points], wording.picojoules)
    yield _row("  least [pJ]", [wording.picojoules(point.energy.bounds_pj[0]) for point in points])
    yield _row("  most [pJ]", [wording.picojoules(point.energy.bounds_pj[1]) for point in points])
    static = [point.energy.static for point in points]
    known = [each for each in static if each is not None]
    if len(known) == len(points):
        yield _row("static, an interval [pJ]", [wording.picojoules(each.energy_pj) for each in known])
        yield _row("static share", [wording.percent(each.share) for each in known])
        yield _multiples(
            "energy and static [pJ]", [each.energy_pj + each.dynamic_pj for each in known], wording.picojoules
        )


def _parts(points: Sequence[EnergyPoint]) -> Iterator[Line]:
    """Yield the parts that any design has, and all of them together."""
    for name, part in zip(_PART_NAMES, PARTS, strict=True):
        energies = [point.energy.part_pj(part) for point in points]
        if any(energies):
            yield _multiples(name, energies, wording.picojoules)
    yield _multiples("all", [point.energy.dynamic_pj for point in points], wording.picojoules)


def _layers(points: Sequence[EnergyPoint], kinds: Mapping[str, str], console: Console) -> Iterator[Line]:
    """Yield the layers that have weights in any design, and all else together."""
    weighted = dict.fromkeys(layer.layer for point in points for layer in point.energy.layers if layer.nonzeros)
    for name in weighted:
        label = foreign(wording.layer(name, kinds.get(name, "")), console)
        yield _multiples(label, [point.by_layer.get(name, 0.0) for point in points], wording.picojoules)
    rest = [sum(pj for name, pj in point.by_layer.items() if name not in weighted) for point in points]
    if any(rest):
        yield _multiples(wording.REST, rest, wording.picojoules)


def _row(label: str, cells: Iterable[str]) -> Line:
    return Line(Text(label), tuple(map(Text, cells)))


def _multiples(label: str | Text, values: Sequence[Number], shown: Callable[[Number], str]) -> Line:
    """Return a row of numbers, each above its multiple of the first."""
    cells = [f"{shown(value)}\n{wording.times(multiple(value, values[0]))}" for value in values]
    return Line(Text(label) if isinstance(label, str) else label, tuple(map(Text, cells)))


def _remarks(comparison: EnergyComparison) -> Iterator[str]:
    """Yield what the numbers are, where they come from, and what disturbs their comparison."""
    first, points = comparison.densest.energy, comparison.points
    for denser, sparser in comparison.rises:
        yield f"energy does not fall from {denser.label} to {sparser.label}, although non-zeros do"
    for note in comparison.notes:
        yield f"ratios are {note}"
    yield (
        f"least and most: a factor of {UNCERTAINTY:g} either way, a judgement; multiples share the constants and are "
        "better"
    )
    yield f"activity is the mean toggle rate, {first.switching}"
    yield f"source: {SOURCE}"
    known = [point.energy for point in points if point.energy.static is not None]
    if not known:
        yield _unpublished(comparison.densest.board)
    if len(known) == len(points):  # else a note tells who has none
        yield (
            "static: of the whole device in the interval from one inference to the next, taken to lie within a factor "
            f"of {STATIC_UNCERTAINTY:g} either way, a judgement; the share is of static and switching together"
        )
        yield from dict.fromkeys(map(_static_source, known))
    for point in points:
        if point.energy.edited:
            yield f"{point.label}: {wording.edited(point.energy.edited)}"

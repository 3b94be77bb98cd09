"""Accuracy against cost: every design a point, with the axes that the reader may choose and the line of the best."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.charts import Tick
from fpgaprune.report.dot_texts import dot_texts
from fpgaprune.report.measures import built
from fpgaprune.report.scales import accuracy_scale, cost_scale

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fpgaprune.report.comparison import Point
    from fpgaprune.report.scales import Scale
    from fpgaprune.report.several_boards import Comparisons

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 624, 18, 340
"""The frame in which the points are; the script of the page has it from the plot."""

_MARGIN = 14
_NAMED = 10

FULLEST = "Fullest resource, % of the board"
"""The axis that tells boards apart."""

SHAPES = (
    "M-5,0A5,5 0 1 0 5,0A5,5 0 1 0 -5,0Z",
    "M-4.5,-4.5H4.5V4.5H-4.5Z",
    "M0,-6L5.5,4.5H-5.5Z",
    "M0,-6.2L6.2,0L0,6.2L-6.2,0Z",
    "M0,6L5.5,-4.5H-5.5Z",
    "M-2,-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
)
"""A shape for each board, in its order; more boards than shapes begin again, with another colour."""


@dataclass(frozen=True)
class Axis:
    """What can be at an axis: its name with the unit and kind, whether more is better, whether it is a share of 1."""

    name: str
    more: bool
    share: bool


@dataclass(frozen=True)
class Dot:
    """A design: where it is, its board's number, its values at all axes as JSON, and its words.

    ``shown`` is whether it has a value at both axes, ``fits`` whether it fits its board; ``text`` is written beside it.
    """

    number: int
    x: float
    y: float
    group: int
    shape: str
    fits: bool
    shown: bool
    values: str
    tip: str
    text: str


@dataclass(frozen=True)
class LegendEntry:
    """A board, its number and its shape."""

    number: int
    name: str
    shape: str


@dataclass(frozen=True)
class PlotView:
    """The plot as it is first drawn; ``x`` and ``y`` are the places of its axes among those that can be chosen."""

    title: str
    summary: str
    axes: tuple[Axis, ...]
    x: int
    y: int
    dots: tuple[Dot, ...]
    front: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    boards: tuple[LegendEntry, ...]
    missing: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def plot_view(compared: Comparisons, names: Sequence[str]) -> PlotView:
    """Return the plot of all designs, which are called by ``names``: integer accuracy against cost.

    The cost is LUTs; of several boards it is the fullest resource, as equal networks take as many LUTs on each.
    """
    axes, columns = _axes(compared)
    across_first = FULLEST if len(compared.boards) > 1 else "LUT"
    x, y = next(at for at, axis in enumerate(axes) if axis.name.startswith(across_first)), 0
    pairs = list(zip(columns[x], columns[y], strict=True))
    known = [(cost, gain) for cost, gain in pairs if cost is not None and gain is not None]
    across, up = (
        cost_scale([cost for cost, _ in known] or [1.0]),
        accuracy_scale([gain for _, gain in known] or [0.0, 1.0]),
    )
    front = frontier(known)
    boards = [group.place for group in compared.boards]
    numbers = [boards.index(group.place) for group, _ in compared]
    texts = dot_texts(compared.points) if len(names) <= _NAMED else ("",) * len(names)
    dots = tuple(
        _dot(at, numbers, compared, words, axes, columns, (x, y), (across, up))
        for at, words in enumerate(zip(names, texts, strict=True))
    )
    labels = [name for name, pair in zip(names, pairs, strict=True) if pair in front]
    lacking = len(pairs) - len(known)
    return PlotView(
        f"{axes[y].name} against {axes[x].name}",
        f"{axes[y].name} against {axes[x].name} of {wording.plural(len(known), 'design')}. "
        f"No other design is both more accurate and smaller than {wording.listed(labels) if labels else 'any'}.",
        axes,
        x,
        y,
        dots,
        _steps([(_x(across, cost), _y(up, gain)) for cost, gain in front]),
        tuple(Tick(_x(across, tick), short(tick)) for tick in across.ticks),
        tuple(Tick(_y(up, tick), text) for tick, text in zip(up.ticks, up.texts(), strict=True)),
        _boards(compared),
        _missing(lacking, len(pairs)),
    )


def _missing(lacking: int, count: int) -> str:
    if lacking == count:
        return "The accuracy of these designs is not known."
    return f"{lacking} of {wording.plural(count, 'design')} not shown: accuracy not known." if lacking else ""


def frontier(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the pairs of cost and gain that no other beats in both, by rising cost."""
    best: list[tuple[float, float]] = []
    for cost, gain in sorted(set(pairs), key=lambda pair: (pair[0], -pair[1])):
        if not best or gain > best[-1][1]:
            best.append((cost, gain))
    return best


def short(value: float) -> str:
    """Return a number at an axis: thousands and millions as k and M."""
    for size, sign in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{sign}"
    return f"{value:.4g}"


def _axes(compared: Comparisons) -> tuple[tuple[Axis, ...], list[list[float | None]]]:
    """Return what can be at an axis, and the value of each design there; what no design has is left out."""
    kind = compared.kind.value
    made: list[tuple[Axis, Callable[[Point], float | None]]] = [
        (Axis("Accuracy, integers, %", True, True), lambda point: point.accuracy),
        (Axis("Accuracy, floats, %", True, True), lambda point: point.float_accuracy),
        *(_amount(name, kind) for name in ("lut", "ff", "dsp", "bram_18k", "uram")),
        (Axis(f"Latency, ns ({kind})", False, False), lambda point: point.resources.latency_ns),
        (
            Axis(f"Interval, ns ({kind})", False, False),
            lambda point: point.resources.interval_cycles * point.resources.clock_ns,
        ),
        (Axis(f"{FULLEST} ({kind})", False, False), _fullest),
        (Axis("Energy of an inference, pJ (estimate)", False, False), lambda point: point.energy_pj),
        (Axis("Non-zeros built", False, False), built),
        (Axis("Sparsity, %", True, True), lambda point: point.sparsity),
    ]
    found = [(axis, [read(point) for point in compared.points]) for axis, read in made]
    kept = [
        (axis, values)
        for at, (axis, values) in enumerate(found)
        if at == 0 or axis.name.startswith(("LUT", FULLEST)) or any(value for value in values)
    ]
    return tuple(axis for axis, _ in kept), [values for _, values in kept]


def _fullest(point: Point) -> float | None:
    share = max(point.resources.utilisation(point.board).values())
    return 100 * share if math.isfinite(share) else None


def _amount(name: str, kind: str) -> tuple[Axis, Callable[[Point], float]]:
    return Axis(f"{wording.AMOUNT_NAMES[name]} ({kind})", False, False), lambda point: point.resources.total(name)


def _dot(
    at: int,
    numbers: Sequence[int],
    compared: Comparisons,
    words: tuple[str, str],
    axes: tuple[Axis, ...],
    columns: list[list[float | None]],
    chosen: tuple[int, int],
    scales: tuple[Scale, Scale],
) -> Dot:
    point, number, (name, text) = compared.points[at], numbers[at], words
    cost, gain = (columns[axis][at] for axis in chosen)
    shown = cost is not None and gain is not None
    fits = point.resources.fits(point.board)
    return Dot(
        at,
        0.0 if cost is None else _x(scales[0], cost),
        0.0 if gain is None else _y(scales[1], gain),
        number,
        SHAPES[number % len(SHAPES)],
        fits,
        shown,
        json.dumps([None if values[at] is None else round(float(values[at] or 0), 6) for values in columns]),
        f"{name}: {_told(axes[chosen[1]], gain)}, {_told(axes[chosen[0]], cost)}, {'fits' if fits else 'does not fit'}",
        text,
    )


def _told(axis: Axis, value: float | None) -> str:
    if value is None:
        return f"{axis.name.partition(',')[0].lower()} not known"
    if axis.share:
        return f"{axis.name.removesuffix(', %')} {wording.percent(value, 2)}"
    name, _, unit = axis.name.partition(" (")[0].partition(", ")
    return f"{name} {value:,.2f} %" if unit.startswith("%") else f"{name} {value:,.6g}{f' {unit}' if unit else ''}"


def _boards(compared: Comparisons) -> tuple[LegendEntry, ...]:
    """Return the legend of boards, empty for a single one."""
    boards = compared.boards if len(compared.boards) > 1 else ()
    return tuple(
        LegendEntry(at, wording.plain(board.site), SHAPES[at % len(SHAPES)]) for at, board in enumerate(boards)
    )


def _steps(points: Sequence[tuple[float, float]]) -> str:
    """Return a line that rises where a better design begins, and goes on to the right end."""
    if not points:
        return ""
    first, *others = points
    steps = "".join(f"H{x}V{y}" for x, y in others)
    return f"M{first[0]},{first[1]}{steps}H{RIGHT}"


def _x(scale: Scale, value: float) -> float:
    return round(LEFT + _MARGIN + scale.at(value) * (RIGHT - LEFT - 2 * _MARGIN), 1)


def _y(scale: Scale, value: float) -> float:
    return round(BOTTOM - _MARGIN - scale.at(value) * (BOTTOM - TOP - 2 * _MARGIN), 1)

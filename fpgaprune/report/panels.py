"""Small plots of a page as frozen geometry: trainings, scores, and sensitivity, each with its words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.charts import Tick
from fpgaprune.report.scales import Scale, accuracy_scale, nice_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.explained import Histogram, History, Record, SensitivityCurves

MOST_POINTS = 240
"""Points of a line at most: more are not told apart at this size."""


@dataclass(frozen=True)
class Shape:
    """A path and its class in the style sheet, which says whether it is filled."""

    style: str
    path: str

    @property
    def points(self) -> list[tuple[float, float]]:
        """The points that the path goes through."""
        pairs = (step[1:].split(",") for step in self.path.split())
        return [(float(x), float(y)) for x, y in pairs]


@dataclass(frozen=True)
class Panel:
    """A small plot: its title, the words for who cannot see it, its shapes, and the texts at its axes.

    ``keys`` are the class and the name of what is drawn, empty where the title says it; ``cuts`` are lines across with
    a text at the top.
    """

    title: str
    summary: str
    shapes: tuple[Shape, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    keys: tuple[tuple[str, str], ...] = ()
    cuts: tuple[Tick, ...] = ()
    width: int = 260
    height: int = 150
    left: int = 44
    right: int = 250
    top: int = 12
    bottom: int = 124


@dataclass(frozen=True)
class _Frame:
    """Where values lie in a panel; ``x`` and ``y`` map them to shares of it."""

    panel: Panel

    def x(self, share: float) -> float:
        return round(self.panel.left + share * (self.panel.right - self.panel.left), 1)

    def y(self, share: float) -> float:
        return round(self.panel.bottom - share * (self.panel.bottom - self.panel.top), 1)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        """Return a path through shares of the frame."""
        return " ".join(f"{'L' if at else 'M'}{self.x(x)},{self.y(y)}" for at, (x, y) in enumerate(points))

    def line(self, points: Sequence[tuple[float, float]]) -> str:
        """Return a path through shares of the frame, of which at most `MOST_POINTS` are kept."""
        step = max(1.0, (len(points) - 1) / (MOST_POINTS - 1))
        count = math.floor((len(points) - 1) / step + 1e-9) + 1 if points else 0
        return self.path([points[round(place * step)] for place in range(count)])


_SMALL = Panel("", "", (), (), ())
_WIDE = Panel("", "", (), (), (), width=420, height=190, left=48, right=404, top=26, bottom=160)
_NOTHING = 1e-3
"""The share of the highest score below which the lowest is written as 0."""

SMALL, WIDE = _Frame(_SMALL), _Frame(_WIDE)


def score_panel(name: str, histogram: Histogram) -> Panel:
    """Return how many weights of a tensor have which score; heights are square roots of counts, so that few show."""
    most = max(1, *histogram.kept, *histogram.pruned)
    low, high = histogram.edges[0], histogram.edges[-1]
    title, levels = wording.plain(name), dict.fromkeys((0, max(1, most // 4), most))
    kept, pruned = sum(histogram.kept), sum(histogram.pruned)
    return Panel(
        title,
        f"Scores of {title} from {low:.3g} to {high:.3g}: {wording.count(pruned)} weights were pruned, of which the "
        f"highest score lies {_top(histogram.pruned, histogram)}; {wording.count(kept)} were kept, of which the lowest "
        f"lies {_low(histogram.kept, histogram)}.",
        tuple(Shape(part, _steps(histogram, getattr(histogram, part), most)) for part in ("pruned", "kept")),
        (Tick(SMALL.x(0), "0" if 0 < low < _NOTHING * high else f"{low:.2g}"), Tick(SMALL.x(1), f"{high:.2g}")),
        tuple(Tick(SMALL.y(math.sqrt(count / most)), wording.count(count)) for count in levels),
    )


def _steps(histogram: Histogram, counts: Sequence[int], most: int) -> str:
    low, width = histogram.edges[0], histogram.edges[-1] - histogram.edges[0]
    path = [(0.0, 0.0)]
    for count, bin_ends in zip(counts, pairwise(histogram.edges), strict=True):
        path += [((edge - low) / width, math.sqrt(count / most)) for edge in bin_ends]
    return SMALL.path([*path, (1.0, 0.0)])


def _top(counts: Sequence[int], histogram: Histogram) -> str:
    last = max((at for at, count in enumerate(counts) if count), default=None)
    return "nowhere" if last is None else f"below {histogram.edges[last + 1]:.3g}"


def _low(counts: Sequence[int], histogram: Histogram) -> str:
    first = min((at for at, count in enumerate(counts) if count), default=None)
    return "nowhere" if first is None else f"above {histogram.edges[first]:.3g}"


def sensitivity_panels(curves: SensitivityCurves) -> tuple[Panel, ...]:
    """Return the metric against sparsity for each tensor pruned alone, all on one scale."""
    values = [curves.unpruned, *(value for curve in curves.curves.values() for value in curve)]
    scale = metric_scale(values)
    ticks = tuple(Tick(SMALL.y(scale.at(each)), text) for each, text in zip(scale.ticks, texts(scale), strict=True))
    return tuple(_sensitivity(name, curve, curves, scale, ticks) for name, curve in curves.curves.items())


def _sensitivity(
    name: str, curve: Sequence[float], curves: SensitivityCurves, scale: Scale, ticks: tuple[Tick, ...]
) -> Panel:
    title, whole = wording.plain(name), scale.at(curves.unpruned)
    pairs = list(zip(curves.sparsities, curve, strict=True))
    told = ", ".join(f"{wording.percent(sparsity, 0)} {shown(value)}" for sparsity, value in pairs)
    points = [(0.0, whole), *((sparsity, scale.at(value)) for sparsity, value in pairs)]
    return Panel(
        title,
        f"Metric with {title} alone pruned: 0 % {shown(curves.unpruned)}, {told}.",
        (Shape("whole", SMALL.line([(0.0, whole), (1.0, whole)])), Shape("curve", SMALL.line(points))),
        tuple(Tick(SMALL.x(share), f"{100 * share:.0f}") for share in (0.0, 0.5, 1.0)),
        ticks,
    )


def training_panels(pruning: History, fixed_point: History) -> tuple[Panel, ...]:
    """Return metric and sparsity, and loss, over the epochs of pruning and of training in fixed point."""
    records = (*pruning.records, *fixed_point.records)
    if not records:
        return ()
    places = [at / max(1, len(records) - 1) for at in range(len(records))]
    split = len(pruning.records)
    cuts = (Tick(WIDE.x((places[split - 1] + places[split]) / 2), "fixed point"),) if 0 < split < len(records) else ()
    ticks = tuple(Tick(WIDE.x(places[at]), str(_epochs(records[: at + 1]))) for at in _ends(len(records)))
    found = [_metric_panel(records, places, ticks, cuts)]
    losses = [(place, record.loss) for place, record in zip(places, records, strict=True) if record.loss is not None]
    return (*found, _loss_panel(losses, ticks, cuts)) if len(losses) > 1 else tuple(found)


def _epochs(records: Sequence[Record]) -> int:
    """Return how many epochs were trained until the last of some records."""
    return sum(record.epoch > 0 for record in records)


def _ends(count: int) -> list[int]:
    return sorted({0, (count - 1) // 2, count - 1})


def _metric_panel(
    records: Sequence[Record], places: Sequence[float], ticks: tuple[Tick, ...], cuts: tuple[Tick, ...]
) -> Panel:
    scale = metric_scale([record.metric for record in records])
    line = [(place, scale.at(record.metric)) for place, record in zip(places, records, strict=True)]
    first, last = records[0], records[-1]
    area: list[tuple[float, float]] = [(0.0, 0.0)]
    for place, record, after in zip(places, records, [*places[1:], 1.0], strict=True):
        area += [(place, record.sparsity), (after, record.sparsity)]
    shapes = (
        Shape("sparsity", _closed(area)),
        Shape("metric", WIDE.line(line)),
    )
    summary = (
        f"Metric over {wording.plural(_epochs(records), 'epoch')}: {shown(first.metric)} at first, "
        f"{shown(min(record.metric for record in records))} at the lowest, {shown(last.metric)} at the end; "
        f"sparsity from {wording.percent(first.sparsity)} to {wording.percent(last.sparsity)}."
    )
    y_ticks = tuple(Tick(WIDE.y(scale.at(each)), text) for each, text in zip(scale.ticks, texts(scale), strict=True))
    keys = (("metric", "metric on the test data"), ("sparsity", "sparsity, 0 to 100 %"))
    return _wide("Metric and sparsity over epochs", summary, shapes, ticks, y_ticks, keys, cuts)


def _closed(points: list[tuple[float, float]]) -> str:
    """Return an area with the steps between equal heights left out."""
    kept = [
        point
        for at, point in enumerate(points)
        if at in (0, len(points) - 1) or not points[at - 1][1] == point[1] == points[at + 1][1]
    ]
    return WIDE.path([*kept, (1.0, 0.0)])


def _loss_panel(losses: Sequence[tuple[float, float]], ticks: tuple[Tick, ...], cuts: tuple[Tick, ...]) -> Panel:
    values = [loss for _, loss in losses]
    scale = plain_scale([0.0, *values])
    line = WIDE.line([(place, scale.at(loss)) for place, loss in losses])
    summary = (
        f"Mean training loss of each epoch: {values[0]:.3g} at first, {max(values):.3g} at the most, "
        f"{values[-1]:.3g} at the end."
    )
    y_ticks = tuple(Tick(WIDE.y(scale.at(each)), f"{each:.4g}") for each in scale.ticks)
    return _wide(
        "Training loss over epochs", summary, (Shape("loss", line),), ticks, y_ticks, (("loss", "loss"),), cuts
    )


def _wide(
    title: str,
    summary: str,
    shapes: tuple[Shape, ...],
    x_ticks: tuple[Tick, ...],
    y_ticks: tuple[Tick, ...],
    keys: tuple[tuple[str, str], ...],
    cuts: tuple[Tick, ...],
) -> Panel:
    said = replace(_WIDE, title=title, summary=summary, keys=keys, cuts=cuts)
    return replace(said, shapes=shapes, x_ticks=x_ticks, y_ticks=y_ticks)


def metric_scale(values: Sequence[float]) -> Scale:
    """Return a scale of metrics: of accuracies if all are shares of 1."""
    return accuracy_scale(values) if all(0 <= value <= 1 for value in values) else plain_scale(values)


def plain_scale(values: Sequence[float]) -> Scale:
    """Return a linear scale of any numbers, from tick to tick."""
    ticks = nice_ticks(min(values), max(values))
    return Scale(ticks[0], ticks[-1], False, False, ticks)


def texts(scale: Scale) -> list[str]:
    """Return what is written at the ticks of metrics: per cent where all of them are shares of 1."""
    return scale.texts() if all(0 <= tick <= 1 for tick in scale.ticks) else [f"{tick:.4g}" for tick in scale.ticks]


def shown(metric: float) -> str:
    """Return a metric as text, in per cent if it is a share of 1."""
    return wording.percent(metric) if 0 <= metric <= 1 else f"{metric:.4g}"

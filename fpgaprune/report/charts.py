"""Line charts of a page as frozen geometry: what the template writes as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.measures import board_shares
from fpgaprune.report.scales import accuracy_scale, apart, board_scale, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.report.comparison import Comparison
    from fpgaprune.report.scales import Scale

WIDTH, HEIGHT = 420, 290
LEFT, RIGHT, TOP, BOTTOM = 52, 404, 16, 240
"""The frame in which the lines are, in the units of the chart."""

_MARGIN = 30
_LOW, _HIGH = 20, 14
_APART = 48
_ASIDE, _ABOVE, _BELOW = 6, -10, 19


@dataclass(frozen=True)
class Tick:
    """A text at an axis and where it is along it."""

    at: float
    text: str


@dataclass(frozen=True)
class Mark:
    """A point of a line: where it is, what its tooltip says, and what is written beside it (which may be nothing)."""

    x: float
    y: float
    tip: str
    text: str
    text_x: float
    text_y: float


@dataclass(frozen=True)
class Series:
    """A line: its name, its class in the style sheet, its path and its points."""

    name: str
    style: str
    path: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Chart:
    """A line chart over sparsity; ``full`` is the height of the line that must not be passed, None for no such line."""

    title: str
    summary: str
    series: tuple[Series, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    full: float | None
    note: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


@dataclass(frozen=True)
class _Line:
    name: str
    style: str
    shares: tuple[float | None, ...]


def accuracy_chart(comparison: Comparison) -> Chart:
    """Return accuracy against sparsity; without lines and with a note where no accuracy is known."""
    points = comparison.points
    integer = _Line("integer, as built", "integer", tuple(point.accuracy for point in points))
    floating = _Line("floating point", "float", tuple(point.float_accuracy for point in points))
    title = "Accuracy on the test data, %"
    known = [share for line in (integer, floating) for share in line.shares if share is not None]
    if not known:
        return Chart(title, title, (), (), (), None, "The accuracy of these designs is not known.")
    return _chart(title, comparison, accuracy_scale(known), (floating, integer), None)


def board_chart(comparison: Comparison) -> Chart:
    """Return LUTs and DSPs as shares of the board against sparsity."""
    lut, dsp = (_Line(name.upper(), name, board_shares(comparison, name)) for name in ("lut", "dsp"))
    scale = board_scale([share for line in (lut, dsp) for share in line.shares if share is not None])
    title = f"LUT and DSP, % of the board ({comparison.dense.resources.kind.value})"
    return _chart(title, comparison, scale, (dsp, lut), _y(scale, 1.0))


def _chart(title: str, comparison: Comparison, scale: Scale, lines: tuple[_Line, _Line], full: float | None) -> Chart:
    """Lay out two lines, of which the second carries its values."""
    sparsities = [point.sparsity for point in comparison.points]
    places = [LEFT + _MARGIN + place * (RIGHT - LEFT - 2 * _MARGIN) for place in spread(sparsities)]
    written = apart(places, _APART)
    labels = [wording.plain(point.label) for point in comparison.points]
    other, own = lines
    return Chart(
        title=title,
        summary=f"{title}, against sparsity. {_summary(own, labels)} {_summary(other, labels)}",
        series=tuple(_series(line, scale, places, labels, other if line is own else None) for line in lines),
        x_ticks=tuple(Tick(_round(places[at]), wording.percent(sparsities[at])) for at in written),
        y_ticks=tuple(Tick(_y(scale, tick), text) for tick, text in zip(scale.ticks, scale.texts(), strict=True)),
        full=full,
        note="",
    )


def _summary(line: _Line, labels: Sequence[str]) -> str:
    said = [
        f"{label} {wording.percent(share)}"
        for label, share in zip(labels, line.shares, strict=True)
        if share is not None
    ]
    return f"{line.name}: {', '.join(said) or 'not known'}."


def _series(line: _Line, scale: Scale, places: list[float], labels: Sequence[str], other: _Line | None) -> Series:
    """Return a line; its values are written if there is another to keep away from."""
    written = apart(places, _APART) if other is not None else []
    marks = []
    for at, (place, share) in enumerate(zip(places, line.shares, strict=True)):
        if share is None:
            continue
        beside = None if other is None else other.shares[at]
        text = wording.percent(share) if at in written else ""
        tip = f"{labels[at]}: {line.name} {wording.percent(share, 2)}"
        marks.append(_mark(_round(place), _y(scale, share), tip, text, None if beside is None else _y(scale, beside)))
    path = " ".join(f"{'L' if at else 'M'}{mark.x},{mark.y}" for at, mark in enumerate(marks))
    return Series(line.name, line.style, path, tuple(marks))


def _mark(x: float, y: float, tip: str, text: str, beside: float | None) -> Mark:
    """Return a point whose text is on the side that the other line is not on, inside the frame."""
    below = beside is not None and beside <= y
    return Mark(x, y, tip, text, x - _ASIDE if below else x + _ASIDE, _round(y + (_BELOW if below else _ABOVE)))


def _y(scale: Scale, value: float) -> float:
    return _round(BOTTOM - _LOW - scale.at(value) * (BOTTOM - TOP - _LOW - _HIGH))


def _round(value: float) -> float:
    return round(value, 1)

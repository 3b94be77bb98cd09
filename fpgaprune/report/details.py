"""One design by itself: what it takes, its layers, what is left of it and why, its verdict and its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.cards import board_bars, picture, verdict_of
from fpgaprune.report.measures import layer_title, shown_amounts
from fpgaprune.report.page_tables import layers_of
from fpgaprune.report.provenance import commands_of, origin
from fpgaprune.report.views import DetailView
from fpgaprune.report.why import design_view, input_picture

if TYPE_CHECKING:
    from fpgaprune.report.comparison import Comparison, Point
    from fpgaprune.report.views import PictureView


def detail_view(number: int, name: str, group: Comparison, point: Point, cells: int, *, many: bool) -> DetailView:
    """Return what the page shows of one design, its pictures of at most so many cells."""
    explained = point.explained
    return DetailView(
        number,
        name,
        _told(point),
        board_bars(point, shown_amounts(group)),
        layers_of(point, group) if point.layers else None,
        _pictures(group, point, cells),
        verdict_of(point, "C-simulation"),
        None if explained is None else design_view(explained, many=many),
        origin(point),
        commands_of(point),
    )


def _told(point: Point) -> str:
    """Return a design in a sentence."""
    resources = point.resources
    accuracy = "unknown" if point.accuracy is None else wording.percent(point.accuracy, 2)
    energy = (
        ""
        if point.energy_pj is None
        else f", energy of an inference {wording.picojoules(point.energy_pj)} pJ (estimate)"
    )
    return (
        f"Accuracy {accuracy} as integers, {wording.percent(point.sparsity)} of the weights zero, latency "
        f"{wording.plural(resources.latency_cycles, 'cycle')} ({wording.nanoseconds(resources.latency_ns)} ns), "
        f"interval {wording.plural(resources.interval_cycles, 'cycle')}{energy}. "
        f"Numbers are of the kind {resources.kind.value}, in brackets 90 % intervals."
    )


def _pictures(group: Comparison, point: Point, cells: int) -> tuple[PictureView, ...]:
    names = [f"input {wording.plain(reads.name)}" if len(point.inputs) > 1 else "inputs" for reads in point.inputs]
    inputs = (input_picture(name, reads, cells) for name, reads in zip(names, point.inputs, strict=True))
    masks = (picture(layer_title(group, layer.layer), layer, layer.layer, cells) for layer in point.layers)
    return (*inputs, *masks)

"""The cards of a page: how full boards are, look-up tables of layers, pictures of masks, verdicts."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.measures import layer_lut, layer_points, layer_title, over, ratio, reference_layer
from fpgaprune.report.page_tables import times, without_cost
from fpgaprune.report.picture import coarse, data_uri
from fpgaprune.report.views import BarsView, BarView, MasksView, PictureView, VerdictView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.report.comparison import Comparison, LayerPoint, Point


def board_bars(point: Point, amounts: Sequence[str]) -> BarsView:
    """Return how full a board is with a design."""
    lacking = over(point)
    note = f"lacks {wording.listed(lacking)}" if lacking else "fits"
    bars = tuple(_board_bar(point, amount) for amount in amounts)
    return BarsView(wording.plain(point.label), note, "bad" if lacking else "good", bars)


def _board_bar(point: Point, amount: str) -> BarView:
    used, there = point.resources.total(amount), getattr(point.board.resources, amount)
    share = point.resources.utilisation(point.board)[amount]
    text = wording.percent(share) if there else wording.NOTHING
    ends = point.resources.bounds(amount)
    within = f" ({wording.count(ends[0])} to {wording.count(ends[1])})" if ends else ""
    note = f"{wording.count(used)}{within} of {wording.count(there)}"
    length = f"{100 * min(share, 1):.2f}"
    return BarView(
        wording.AMOUNT_NAMES[amount], length, "", text, note, "over" if share > 1 else amount if used else "none"
    )


def layer_bars(comparison: Comparison, name: str) -> BarsView:
    """Return the look-up tables of a layer in every design."""
    found = layer_points(comparison, name)
    luts = [layer_lut(layer) for layer in found]
    most = max((lut for lut in luts if lut is not None), default=0) or 1
    flagged = {finding.sparser for finding in comparison.findings() if finding.layer == name}
    first = reference_layer(comparison, name)
    bars = tuple(
        _layer_bar(point.label, layer, lut, first, most, "flagged" if point.label in flagged else "")
        for point, layer, lut in zip(comparison.points, found, luts, strict=True)
    )
    weights = next(layer.weights for layer in found if layer is not None)
    tone = "bad" if flagged else "plain"
    return BarsView(layer_title(comparison, name), wording.plural(weights, "weight"), tone, bars)


def _layer_bar(
    label: str,
    layer: LayerPoint | None,
    lut: int | None,
    before: LayerPoint | None,
    most: int,
    style: str,
) -> BarView:
    before_lut = layer_lut(before)
    if layer is None or lut is None:
        return BarView(wording.plain(label), "0", "", without_cost(layer), "", "none")
    left = ratio(layer.nonzeros_built, before.nonzeros_built) if before else None
    marker = "" if left is None or before_lut is None else f"{100 * left * before_lut / most:.2f}"
    kind = style or ("dense" if layer is before else "lut")
    share = ratio(lut, before_lut)
    note = "" if share is None else times(share)
    return BarView(wording.plain(label), f"{100 * lut / most:.2f}", marker, wording.count(lut), note, kind)


def masks_of(comparison: Comparison, name: str, cells: int) -> MasksView:
    """Return the pictures of a layer, one a design, of at most so many cells."""
    pictures = zip(comparison.points, layer_points(comparison, name), strict=True)
    return MasksView(
        layer_title(comparison, name),
        tuple(picture(wording.plain(point.label), layer, name, cells) for point, layer in pictures),
    )


def picture(label: str, layer: LayerPoint | None, name: str, cells: int) -> PictureView:
    """Return where the non-zeros of a layer are, in at most so many cells."""
    if layer is None:
        return PictureView(label, "", "1", "", "no such layer")
    left = f"{wording.count(layer.nonzeros_quantised)} left"
    if not layer.picture or not layer.picture[0]:
        return PictureView(label, "", "1", "", left)
    drawn, shape = _drawn(layer.picture, cells)
    alt = f"Non-zero weights of {wording.plain(name)} in {label}: {left} of {wording.count(layer.weights)}"
    return PictureView(label, drawn, shape, alt, left)


@lru_cache(maxsize=1024)  # designs of one network for several boards have the same pictures
def _drawn(grid: tuple[tuple[float, ...], ...], cells: int) -> tuple[str, str]:
    """Return a picture in at most so many cells, and its ratio of width to height within limits."""
    drawn = coarse(grid, cells)
    return data_uri(drawn), f"{min(max(len(drawn[0]) / len(drawn), 1), 3):.3g}"


def verdict_of(point: Point, label: str) -> VerdictView:
    """Return what C-simulation found of a design."""
    verdict, word = point.verdict, wording.judged(point.verdict)
    now = [f"It was {wording.edited(point.edited)}."] if point.edited else []
    if verdict is None:
        return VerdictView(label, word, "plain", (f"Run: fpgaprune csim {wording.plain(point.folder)}", *now))
    differ = "none differs" if verdict.exact else f"{wording.count(verdict.mismatches)} differ"
    lines = [
        f"{wording.plural(verdict.samples, 'sample')}, {wording.plural(verdict.words, 'word')} compared, {differ}.",
        f"Ran {wording.plain(verdict.text)}, {wording.plural(round(verdict.inferences_per_s), 'inference')} a second.",
    ]
    if verdict.first is not None:
        lines.append(wording.plain(f"First difference: {verdict.first}."))
    if verdict.edited:
        lines.append(f"Files changed by hand when it ran: {', '.join(map(wording.plain, verdict.edited))}.")
    return VerdictView(label, word, "good" if verdict.exact else "bad", (*lines, *now))

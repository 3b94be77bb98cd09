"""Comparisons → the view of their page: every number, word and length is decided here and in what this is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.answer import answer, given_up
from fpgaprune.report.cards import board_bars, layer_bars, masks_of, verdict_of
from fpgaprune.report.charts import accuracy_chart, board_chart
from fpgaprune.report.details import detail_view
from fpgaprune.report.measures import layer_names, over, ratio, shown_amounts
from fpgaprune.report.notes import notes
from fpgaprune.report.page_designs import designs_table, fits_table, stock_table
from fpgaprune.report.page_tables import layer_table, times
from fpgaprune.report.pareto import plot_view
from fpgaprune.report.picture import MOST_CELLS, data_uri
from fpgaprune.report.provenance import command_of, facts
from fpgaprune.report.several_boards import Comparisons
from fpgaprune.report.views import AnswerView, GroupView, PageView, TileView
from fpgaprune.report.why import inputs_of, why_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.report.answer import Answer
    from fpgaprune.report.comparison import Comparison, Point
    from fpgaprune.report.judge import Finding
    from fpgaprune.report.several_boards import Compared
    from fpgaprune.report.views import VerdictView

FEW = 16
"""Designs that are shown side by side in bars and pictures; of more, those are in each design's own part alone."""

CELLS = 1_200_000
"""Cells of all pictures of a page together: the more pictures, the coarser each."""

_SHADES = 64


def page_view(compared: Compared) -> PageView:
    """Return what the page of a comparison, or of comparisons for several boards, shows."""
    every = Comparisons.of(compared)
    points, few = every.points, len(every.points) <= FEW
    several = len(every.boards) > 1
    answers = [answer(board) for board in every.boards]
    names = [_name(every, group, point) for group, point in every]
    chosen = _chosen(every, answers)
    cells = _cells(points, few=few)
    question = _question(every)
    return PageView(
        title=question,
        question=question,
        answers=tuple(
            AnswerView(wording.plain(board.site) if several else "", _glued(each.headline), _glued(each.detail))
            for board, each in zip(every.boards, answers, strict=True)
        ),
        kind=every.kind.value,
        kind_note=wording.KIND_NOTE[every.kind],
        tiles=_board_tiles(every, answers) if several else _tiles(every.boards[0], answers[0]),
        plot=plot_view(every, names),
        designs=designs_table(every, {id(each.best) for each in answers}),
        stock=stock_table(every),
        fits=fits_table(every),
        groups=tuple(_group(at, group, every.name(group), cells, few=few) for at, group in enumerate(every.groups)),
        details=tuple(
            detail_view(at, names[at], group, point, cells, many=not few) for at, (group, point) in enumerate(every)
        ),
        chosen=chosen,
        few=few,
        shades=data_uri((tuple(step / (_SHADES - 1) for step in range(_SHADES)),)),
        why=why_view(points),
        verdicts=_verdicts(every, names, few=few),
        judged=_judged(points),
        facts=facts(every),
        command=command_of(every),
    )


def _question(compared: Comparisons) -> str:
    boards = list(dict.fromkeys(group.dense.board.title for group in compared.boards))
    what = f"the {wording.plain(boards[0])}" if len(boards) == 1 else "which board"
    return f"What fits {what}, at which accuracy?"


def _name(compared: Comparisons, group: Comparison, point: Point) -> str:
    label = wording.plain(point.label)
    return f"{label} on {wording.plain(group.site)}" if len(compared.boards) > 1 else label


def _chosen(compared: Comparisons, answers: Sequence[Answer]) -> int:
    """Return the number of the design that is shown first: the best of the first board that has one."""
    points = compared.points
    best = next((each.best for each in answers if each.best is not None), compared.boards[0].points[-1])
    return next(at for at, point in enumerate(points) if point is best)


def _cells(points: Sequence[Point], *, few: bool) -> int:
    pictures = sum(len(point.layers) + len(point.inputs) for point in points) * (2 if few else 1)
    return max(64, min(MOST_CELLS, CELLS // max(pictures, 1)))


def _group(at: int, group: Comparison, name: str, cells: int, *, few: bool) -> GroupView:
    findings, noted = group.findings(), notes(group)
    told = group.compared and not group.not_compared
    names = layer_names(group)
    return GroupView(
        number=at,
        place=wording.plain(name),
        charts=(accuracy_chart(group), board_chart(group)) if few else (),
        boards=tuple(board_bars(point, shown_amounts(group)) for point in group.points) if few else (),
        pays=wording.pays(group),
        pays_tone="bad" if findings else "plain" if noted or not told else "good",
        findings=tuple(map(_finding, findings)),
        notes=noted,
        layers=tuple(layer_bars(group, name) for name in names) if few else (),
        layer_table=layer_table(group) if few and names else None,
        inputs=inputs_of(group.points, cells) if few else (),
        masks=tuple(masks_of(group, name, cells) for name in names) if few else (),
    )


def _verdicts(compared: Comparisons, names: Sequence[str], *, few: bool) -> tuple[VerdictView, ...]:
    """Return what C-simulation found of each design, of many only of those that are not exact."""
    return tuple(
        verdict_of(point, name)
        for name, point in zip(names, compared.points, strict=True)
        if few or point.verdict is None or not point.verdict.exact
    )


def _judged(points: Sequence[Point]) -> str:
    """Return in a sentence how many designs are exact."""
    exact = sum(point.verdict is not None and point.verdict.exact for point in points)
    missing = sum(point.verdict is None for point in points)
    wrong = len(points) - exact - missing
    parts = [f"{exact} of {wording.plural(len(points), 'design')} exact"]
    parts += [f"{wrong} not"] if wrong else []
    parts += [f"{missing} not simulated yet"] if missing else []
    return f"{', '.join(parts)}."


def _board_tiles(compared: Comparisons, answers: Sequence[Answer]) -> tuple[TileView, ...]:
    """Return the best design of each board."""
    return tuple(_board_tile(group, found.best) for group, found in zip(compared.boards, answers, strict=True))


def _board_tile(group: Comparison, best: Point | None) -> TileView:
    name = wording.plain(group.site)
    if best is None:
        return TileView(name, "none fits", "or what fits is not exact")
    lut = best.resources.total("lut")
    share = wording.percent(best.resources.utilisation(best.board)["lut"])
    note = f"accuracy {_accuracy(best)}, {wording.count(lut)} LUT ({share}, {group.dense.resources.kind.value})"
    return TileView(name, wording.plain(best.label), note)


def _finding(finding: Finding) -> str:
    return wording.plain(f"{finding}. Because: {'; '.join(finding.why)}.")


def _glued(sentence: str) -> str:
    """Return a sentence in which no line begins with a per cent sign."""
    return sentence.replace(" %", "\N{NO-BREAK SPACE}%")


def _tiles(comparison: Comparison, found: Answer) -> tuple[TileView, ...]:
    """Return the summary of the best design, or of the sparsest where none is good."""
    dense, point = comparison.dense, found.best or comparison.points[-1]
    lut, cycles = point.resources.total("lut"), point.resources.latency_cycles
    interval = point.resources.interval_cycles
    lacking = wording.listed(over(point)) if over(point) else ""
    alone = len(comparison.points) == 1
    name = "Best design" if found.best and not alone else "Design" if alone else "Sparsest design"
    no_loss = alone or point is dense or point.accuracy is None
    tiles = [
        TileView(name, wording.plain(point.label), f"does not fit: lacks {lacking}" if lacking else "fits the board"),
        TileView(
            f"LUT, {dense.resources.kind.value}",
            wording.count(lut),
            _against(point, comparison),
        ),
        TileView("Accuracy", _accuracy(point), "of the integer network" if no_loss else given_up(point, dense)),
        TileView(
            f"Latency, {dense.resources.kind.value}",
            f"{wording.nanoseconds(point.resources.latency_ns)} ns",
            f"{wording.plural(cycles, 'cycle')}, interval {wording.plural(interval, 'cycle')}",
        ),
        TileView("C-simulation", wording.judged(point.verdict), _samples(point)),
    ]
    return tuple(tiles)


def _against(point: Point, comparison: Comparison) -> str:
    """Return the look-up tables of a design as a multiple of the first one's."""
    dense = comparison.reference
    share = ratio(point.resources.total("lut"), dense.resources.total("lut")) if dense else None
    return "the whole design" if point is dense or share is None else f"{times(share)} of {wording.against(comparison)}"


def _accuracy(point: Point) -> str:
    return "not known" if point.accuracy is None else wording.percent(point.accuracy, 2)


def _samples(point: Point) -> str:
    return f"on {wording.plural(point.verdict.samples, 'sample')}" if point.verdict else "not proven yet"

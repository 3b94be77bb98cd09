"""Comparison → the view of its page: every number, word and length is decided here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.answer import RULE, answer, given_up
from fpgaprune.report.charts import accuracy_chart, board_chart
from fpgaprune.report.measures import (
    LAYER_AMOUNTS,
    OUTCOMES,
    Tone,
    design_measures,
    layer_latency,
    layer_lut,
    layer_names,
    layer_points,
    layer_title,
    over,
    ratio,
    reference_layer,
    shown_amounts,
    stock_measures,
)
from fpgaprune.report.notes import notes
from fpgaprune.report.picture import data_uri
from fpgaprune.report.views import (
    BarsView,
    BarView,
    CellView,
    ColumnView,
    FactView,
    MasksView,
    PageView,
    PictureView,
    RowView,
    TableView,
    TileView,
    VerdictView,
)
from fpgaprune.report.why import why_view
from fpgaprune.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.report.answer import Answer
    from fpgaprune.report.comparison import Comparison, LayerPoint, Point
    from fpgaprune.report.judge import Finding
    from fpgaprune.report.measures import Cell, Measure, StockMeasure

TIMES = "×"  # noqa: RUF001  # the page is UTF-8
_SHADES = 64
_EMPTY = CellView(wording.NOTHING, (), "", "")


def page_view(comparison: Comparison) -> PageView:
    """Return what the page of a comparison shows."""
    found = answer(comparison)
    board, kind = comparison.dense.board, comparison.dense.resources.kind
    question = f"What does pruning buy on the {wording.plain(board.title)}?"
    findings, noted = comparison.findings(), notes(comparison)
    told = comparison.compared and not comparison.not_compared
    return PageView(
        title=question,
        question=question,
        headline=_glued(found.headline),
        detail=_glued(found.detail),
        rule=RULE,
        kind=kind.value,
        kind_note=wording.KIND_NOTE[kind],
        tiles=_tiles(comparison, found),
        designs=_designs(comparison, found),
        charts=(accuracy_chart(comparison), board_chart(comparison)),
        boards=tuple(_board(point, shown_amounts(comparison)) for point in comparison.points),
        pays=wording.pays(comparison),
        pays_tone="bad" if findings else "plain" if noted or not told else "good",
        findings=tuple(map(_finding, findings)),
        notes=noted,
        layers=tuple(_layer(comparison, name) for name in layer_names(comparison)),
        layer_table=_layer_table(comparison),
        masks=tuple(_masks(comparison, name) for name in layer_names(comparison)),
        why=why_view(comparison),
        chosen=wording.plain((found.best or comparison.points[-1]).label),
        shades=data_uri((tuple(step / (_SHADES - 1) for step in range(_SHADES)),)),
        verdicts=tuple(_verdict(point) for point in comparison.points),
        facts=_facts(comparison),
    )


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
    return (
        "the whole design" if point is dense or share is None else f"{_times(share)} of {wording.against(comparison)}"
    )


def _accuracy(point: Point) -> str:
    return "not known" if point.accuracy is None else wording.percent(point.accuracy, 2)


def _samples(point: Point) -> str:
    return f"on {wording.plural(point.verdict.samples, 'sample')}" if point.verdict else "not proven yet"


def _times(share: float | None) -> str:
    return wording.times(share, TIMES)


def _designs(comparison: Comparison, found: Answer) -> TableView:
    measures = design_measures(comparison)
    against = stock_measures(comparison, comparison.stock) if comparison.stock else ()
    rows = [
        RowView(
            wording.plain(point.label),
            _tag(point, comparison, found),
            (*(_cell(each, at) for each in measures), *(_stock_cell(each, at) for each in against)),
        )
        for at, point in enumerate(comparison.points)
    ]
    kind = comparison.dense.resources.kind.value
    multiple = f"{TIMES} {wording.against(comparison)}, " if comparison.reference else ""
    return TableView(
        caption=f"Designs, densest first. Below LUT, FF, DSP and BRAM_18K ({kind}): {multiple}share of the board."
        f"{' Last columns: multiples of stock hls4ml, whose numbers are below.' if against else ''}",
        corner="design",
        columns=(*(_column(measure) for measure in measures), *(_stock_column(measure) for measure in against)),
        rows=tuple(rows),
    )


def _tag(point: Point, comparison: Comparison, found: Answer) -> str:
    if point is found.best:
        return "best"
    return wording.against(comparison) if point is comparison.reference else ""


def _column(measure: Measure) -> ColumnView:
    units = tuple(word for word in (measure.unit, measure.kind) if word)
    return ColumnView(measure.name, units, True)


def _stock_column(measure: StockMeasure) -> ColumnView:
    return ColumnView(f"{TIMES} stock {measure.name}", (f"{measure.kind} / {measure.target.value}, estimated",), True)


def _stock_cell(measure: StockMeasure, at: int) -> CellView:
    ratio = measure.cells[at].ratio
    return CellView(_times(ratio), (), _sort(ratio), "")


def _cell(measure: Measure, at: int) -> CellView:
    cell = measure.cells[at]
    notes = [cell.note] if cell.note else []
    if measure.compared and cell.ratio is not None:
        notes.append(_times(cell.ratio))
    if measure.boarded and cell.share is not None:
        notes.append(wording.percent(cell.share))
    return CellView(cell.text, tuple(notes), _sort(cell.value), _tone(cell))


def _sort(value: float | None) -> str:
    """Return what the script of the page reads as a number."""
    return "" if value is None else f"{value:.9g}".replace("inf", "Infinity")


def _tone(cell: Cell) -> str:
    return "" if cell.tone is Tone.PLAIN else cell.tone.value


def _board(point: Point, amounts: Sequence[str]) -> BarsView:
    lacking = over(point)
    note = f"lacks {wording.listed(lacking)}" if lacking else "fits"
    bars = tuple(_board_bar(point, amount) for amount in amounts)
    return BarsView(wording.plain(point.label), note, "bad" if lacking else "good", bars)


def _board_bar(point: Point, amount: str) -> BarView:
    used, there = point.resources.total(amount), getattr(point.board.resources, amount)
    share = point.resources.utilisation(point.board)[amount]
    text = wording.percent(share) if there else wording.NOTHING
    note = f"{wording.count(used)} of {wording.count(there)}"
    length = f"{100 * min(share, 1):.2f}"
    return BarView(
        wording.AMOUNT_NAMES[amount], length, "", text, note, "over" if share > 1 else amount if used else "none"
    )


def _layer(comparison: Comparison, name: str) -> BarsView:
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
        return BarView(wording.plain(label), "0", "", _without_cost(layer), "", "none")
    left = ratio(layer.nonzeros_built, before.nonzeros_built) if before else None
    marker = "" if left is None or before_lut is None else f"{100 * left * before_lut / most:.2f}"
    kind = style or ("dense" if layer is before else "lut")
    share = ratio(lut, before_lut)
    note = "" if share is None else _times(share)
    return BarView(wording.plain(label), f"{100 * lut / most:.2f}", marker, wording.count(lut), note, kind)


def _without_cost(layer: LayerPoint | None) -> str:
    """Return why a design has no cost of a layer."""
    if layer is None:
        return "no such layer"
    return "not counted apart" if layer.facts else "not built"


def _layer_table(comparison: Comparison) -> TableView:
    kind = comparison.dense.resources.kind.value
    columns = (
        ColumnView("design", (), False),
        ColumnView("weights", (), True),
        ColumnView("sparsity", (), True),
        *(ColumnView("non-zeros", (when,), True) for when in ("pruned", "quantised", "built")),
        *(ColumnView(wording.AMOUNT_NAMES[amount], (kind,), True) for amount in LAYER_AMOUNTS),
        ColumnView("latency", ("cycles", kind), True),
        ColumnView("interval", ("cycles",), True),
        ColumnView("strategy", (), False),
        ColumnView("pruning pays", (), False),
    )
    rows = [
        RowView(title, "", _layer_cells(at, point, layer, first, comparison))
        for name in layer_names(comparison)
        for title, first in ((layer_title(comparison, name), reference_layer(comparison, name)),)
        for at, (point, layer) in enumerate(zip(comparison.points, layer_points(comparison, name), strict=True))
    ]
    multiple = f" Below a number: {TIMES} the {wording.against(comparison)} one." if comparison.reference else ""
    caption = f"Layers of every design.{multiple}"
    return TableView(caption, "layer", columns, tuple(rows))


def _layer_cells(
    at: int, point: Point, layer: LayerPoint | None, dense: LayerPoint | None, comparison: Comparison
) -> tuple[CellView, ...]:
    design = CellView(wording.plain(point.label), (), str(at), "")
    if layer is None:
        return (design, *(_EMPTY,) * 13)
    before = dense.resources if dense else None
    cost = layer.resources
    amounts = [
        _EMPTY if cost is None else _number(getattr(cost, amount), getattr(before, amount, None))
        for amount in LAYER_AMOUNTS
    ]
    latency, paid = layer_latency(point, layer), OUTCOMES[comparison.outcome(layer, point)]
    return (
        design,
        _number(layer.weights),
        CellView(wording.percent(layer.sparsity), (), _sort(layer.sparsity), ""),
        _number(layer.nonzeros_pruned),
        _number(layer.nonzeros_quantised),
        _number(layer.nonzeros_built, dense.nonzeros_built if dense else None),
        *amounts,
        _EMPTY if latency is None else _number(latency),
        _EMPTY if cost is None else _number(layer.interval),
        CellView(wording.plain(cost.strategy) if cost else _without_cost(layer), (), "", ""),
        CellView(paid.text, (), _sort(paid.value), _tone(paid)),
    )


def _number(value: int, dense: int | None = None) -> CellView:
    share = ratio(value, dense)
    return CellView(wording.count(value), () if share is None else (_times(share),), _sort(value), "")


def _masks(comparison: Comparison, name: str) -> MasksView:
    pictures = zip(comparison.points, layer_points(comparison, name), strict=True)
    return MasksView(layer_title(comparison, name), tuple(_picture(point, layer, name) for point, layer in pictures))


def _picture(point: Point, layer: LayerPoint | None, name: str) -> PictureView:
    label = wording.plain(point.label)
    if layer is None:
        return PictureView(label, "", "1", "", "no such layer")
    left = f"{wording.count(layer.nonzeros_quantised)} left"
    grid = layer.picture
    if not grid or not grid[0]:
        return PictureView(label, "", "1", "", left)
    shape = f"{min(max(len(grid[0]) / len(grid), 1), 3):.3g}"
    alt = f"Non-zero weights of {wording.plain(name)} in {label}: {left} of {wording.count(layer.weights)}"
    return PictureView(label, data_uri(grid), shape, alt, left)


def _verdict(point: Point) -> VerdictView:
    verdict, word = point.verdict, wording.judged(point.verdict)
    label = wording.plain(point.label)
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


def _stock_facts(comparison: Comparison) -> tuple[FactView, ...]:
    """Return what stock hls4ml would cost, each number with its kind and interval."""
    stock = comparison.stock
    if stock is None:
        return ()
    lines = [
        f"{measure.name} {measure.stock.text}{f' {measure.unit}' if measure.unit else ''} "
        f"({measure.target.value}, estimated; 90 % interval {measure.stock.note})"
        for measure in stock_measures(comparison, stock)
    ]
    return (FactView("Stock hls4ml", tuple(map(wording.plain, (f"{stock.title}.", *lines, *stock.remarks)))),)


def _facts(comparison: Comparison) -> tuple[FactView, ...]:
    board, resources = comparison.dense.board, comparison.dense.resources
    kind = resources.kind
    folders = tuple(f"{wording.plain(point.label)}: {wording.plain(point.folder)}" for point in comparison.points)
    sources = tuple(
        f"{wording.AMOUNT_NAMES[amount]} {wording.count(getattr(board.resources, amount))}: {board.sources[amount]}"
        for amount in shown_amounts(comparison)
    )
    also = tuple(text for text in (wording.also_measured(comparison.measured),) if text)
    return (
        FactView("Kind of numbers", (f"{kind.value}: {wording.KIND_MEANS[kind]}.", *also)),
        FactView("Compared", ("LUT, FF, DSP and block RAM of the whole design; layers are those with weights.",)),
        *_stock_facts(comparison),
        FactView("Pruning pays", (f"Threshold {comparison.threshold:g}: {wording.asked(comparison.threshold)}.",)),
        FactView("Sparsity", ("The share of zero weights after quantisation. Non-zeros are those that are built.",)),
        FactView("Best design", (RULE,)),
        FactView("Board", (f"{board.title}, {board.part}", *sources)),
        FactView("Clock", (f"{wording.nanoseconds(resources.clock_ns)} ns",)),
        FactView("Projects", folders),
        FactView("Made by", (f"fpgaprune {__version__}",)),
    )

"""What the page shows, as frozen values: every number and every word that the template lays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpgaprune.report.charts import Chart
    from fpgaprune.report.panels import Panel
    from fpgaprune.report.pareto import PlotView


@dataclass(frozen=True)
class TileView:
    """One number of the summary: what it is, the number, and a remark."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class ColumnView:
    """The head of a column: its name, unit and kind below it, and whether its cells are numbers."""

    name: str
    units: tuple[str, ...]
    number: bool


@dataclass(frozen=True)
class CellView:
    """A cell: its text, lines below it, the value that it sorts by (empty for none), and its tone as a class."""

    text: str
    notes: tuple[str, ...]
    sort: str
    tone: str


@dataclass(frozen=True)
class RowView:
    """A row: its head, a tag beside it (which may be nothing), its cells, and the number of its design, if any."""

    head: str
    tag: str
    cells: tuple[CellView, ...]
    design: int | None = None


@dataclass(frozen=True)
class TableView:
    """A table: its caption, the name of its first column, the others, and its rows."""

    caption: str
    corner: str
    columns: tuple[ColumnView, ...]
    rows: tuple[RowView, ...]


@dataclass(frozen=True)
class BarView:
    """A bar: its name, its length and that of a marker in per cent (empty for none), a text, a remark, its class."""

    name: str
    length: str
    marker: str
    text: str
    note: str
    style: str


@dataclass(frozen=True)
class BarsView:
    """A group of bars under a title, with a remark and its tone as a class."""

    title: str
    note: str
    tone: str
    bars: tuple[BarView, ...]


@dataclass(frozen=True)
class PictureView:
    """A picture of a mask: the design, the ``data:`` address (empty for none), what it shows, and what is below it.

    ``shape`` is width by height, as CSS writes a ratio.
    """

    label: str
    uri: str
    shape: str
    alt: str
    note: str


@dataclass(frozen=True)
class MasksView:
    """The pictures of one layer, one a design."""

    layer: str
    pictures: tuple[PictureView, ...]


@dataclass(frozen=True)
class SensitivityView:
    """The sensitivity of the tensors of one network, and what it is of."""

    note: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class DesignView:
    """Why the weights of one design went: sentences, its trainings, the scores of its tensors."""

    lines: tuple[str, ...]
    trainings: tuple[Panel, ...]
    scores: tuple[Panel, ...]


@dataclass(frozen=True)
class WhyView:
    """Why weights went; ``missing`` says what is not recorded and how to get it."""

    missing: str
    sensitivity: tuple[SensitivityView, ...]


@dataclass(frozen=True)
class VerdictView:
    """What C-simulation found for one design: a word, its tone as a class, and sentences."""

    label: str
    word: str
    tone: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class FactView:
    """A term and what it is."""

    term: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class CommandView:
    """A command to copy, and what it does."""

    label: str
    text: str


@dataclass(frozen=True)
class DetailView:
    """One design by itself; ``number`` is its place among all, ``name`` says its board too where there are several."""

    number: int
    name: str
    told: str
    bars: BarsView
    layers: TableView | None
    pictures: tuple[PictureView, ...]
    verdict: VerdictView
    why: DesignView | None
    facts: tuple[FactView, ...]
    commands: tuple[CommandView, ...]


@dataclass(frozen=True)
class AnswerView:
    """The answer for one board: what it is for (empty for a single board), a sentence, and one that explains it."""

    place: str
    headline: str
    detail: str


@dataclass(frozen=True)
class GroupView:
    """The designs for one board beside each other; ``number`` tells groups apart, ``place`` is empty for a single one.

    Charts, bars and pictures are left out where there are too many designs to be seen at once.
    """

    number: int
    place: str
    charts: tuple[Chart, ...]
    boards: tuple[BarsView, ...]
    pays: str
    pays_tone: str
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    layers: tuple[BarsView, ...]
    layer_table: TableView | None
    inputs: tuple[MasksView, ...]
    masks: tuple[MasksView, ...]


@dataclass(frozen=True)
class PageView:
    """The whole page; ``chosen`` is the design that is shown first, ``few`` whether all fit on it side by side."""

    title: str
    question: str
    answers: tuple[AnswerView, ...]
    kind: str
    kind_note: str
    tiles: tuple[TileView, ...]
    plot: PlotView
    designs: TableView
    stock: TableView | None
    fits: TableView | None
    groups: tuple[GroupView, ...]
    details: tuple[DetailView, ...]
    chosen: int
    few: bool
    shades: str
    why: WhyView
    verdicts: tuple[VerdictView, ...]
    judged: str
    facts: tuple[FactView, ...]
    command: CommandView

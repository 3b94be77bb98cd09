"""What the page shows, as frozen values: every number and every word that the template lays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpgaprune.report.charts import Chart
    from fpgaprune.report.panels import Panel


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
    """A row: its head, a tag beside it (which may be nothing), and its cells."""

    head: str
    tag: str
    cells: tuple[CellView, ...]


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

    label: str
    lines: tuple[str, ...]
    trainings: tuple[Panel, ...]
    scores: tuple[Panel, ...]


@dataclass(frozen=True)
class WhyView:
    """What was pruned and why; ``missing`` says what is not recorded and how to get it."""

    missing: str
    inputs: tuple[MasksView, ...]
    sensitivity: tuple[SensitivityView, ...]
    designs: tuple[DesignView, ...]


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
class PageView:
    """The whole page."""

    title: str
    question: str
    headline: str
    detail: str
    rule: str
    kind: str
    kind_note: str
    tiles: tuple[TileView, ...]
    designs: TableView
    charts: tuple[Chart, ...]
    boards: tuple[BarsView, ...]
    pays: str
    pays_tone: str
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    layers: tuple[BarsView, ...]
    layer_table: TableView
    masks: tuple[MasksView, ...]
    shades: str
    why: WhyView
    chosen: str
    verdicts: tuple[VerdictView, ...]
    facts: tuple[FactView, ...]

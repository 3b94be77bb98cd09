"""What became of each point: a table whose columns have units and kinds, the same bytes for the same results."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError
from fpgaprune.paths import write_text
from fpgaprune.resources import AMOUNTS
from fpgaprune.rows import data_frame, html_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fpgaprune.report import Point

SCHEMA = "fpgaprune-sweep-1"


@dataclass(frozen=True)
class Column:
    """A name, the unit of its values, and their kind; empty where there is none."""

    name: str
    unit: str = ""
    kind: str = ""

    @property
    def title(self) -> str:
        """The name with its unit and kind."""
        told = ", ".join(word for word in (self.unit, self.kind) if word)
        return f"{self.name} ({told})" if told else self.name


@dataclass(frozen=True)
class Table:
    """Rows of plain values, None where there is none, and their columns.

    Raises:
        ValueError: a row has another number of values than there are columns.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            msg = f"each row must have {len(self.columns)} values"
            raise ValueError(msg)

    def column(self, name: str) -> tuple[Any, ...]:
        """Return the values of a column.

        Raises:
            KeyError: there is none of this name.
        """
        place = {column.name: place for place, column in enumerate(self.columns)}[name]
        return tuple(row[place] for row in self.rows)

    def to_data(self) -> dict[str, Any]:
        """Return the table as JSON values."""
        columns = [{"name": column.name, "unit": column.unit, "kind": column.kind} for column in self.columns]
        return {"schema": SCHEMA, "columns": columns, "rows": [list(row) for row in self.rows]}

    @classmethod
    def from_json(cls, text: str) -> Table:
        """Return the table that `to_json` wrote.

        Raises:
            InputError: the text is damaged, or of another schema.
        """
        try:
            data = json.loads(text)
            if data["schema"] != SCHEMA:
                msg = f"the table has schema {data['schema']!r}, this version reads {SCHEMA!r}"
                raise InputError(msg)
            return cls(tuple(Column(**column) for column in data["columns"]), tuple(map(tuple, data["rows"])))
        except (ValueError, KeyError, TypeError) as error:
            msg = f"the table is damaged: {error}"
            raise InputError(msg) from error

    def to_json(self) -> str:
        """Return the table as JSON."""
        return json.dumps(self.to_data(), indent=1, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """Return the table as comma-separated values (RFC 4180) under one row of titles."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([column.title for column in self.columns])
        writer.writerows(self.rows)
        return text.getvalue()

    def to_markdown(self) -> str:
        """Return the table in Markdown."""
        lines = [[column.title for column in self.columns], ["---"] * len(self.columns)]
        lines += [[shown(value).replace("|", "\\|") for value in row] for row in self.rows]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def to_pandas(self) -> Any:  # noqa: ANN401  # pandas need not be installed
        """Return the table as a pandas DataFrame under the titles of its columns.

        Raises:
            ToolError: pandas is not installed.
        """
        return data_frame([column.title for column in self.columns], self.rows)

    def to_html(self, title: str = "") -> str:
        """Return the table in HTML, under a title where one is given."""
        head = [column.title for column in self.columns]
        return html_table(head, (list(map(shown, row)) for row in self.rows), title)

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        return self.to_html()


@dataclass(frozen=True)
class Outcome:
    """What became of a point: its design, or in ``said`` why there is none."""

    name: str
    settings: Mapping[str, Any]
    folder: Path | None = None
    design: Point | None = None
    said: str = ""


def table_of(outcomes: Sequence[Outcome], axes: Sequence[str]) -> Table:
    """Return the table of points, in their order."""
    designs = [each.design for each in outcomes if each.design is not None]
    kinds = {design.resources.kind.value for design in designs} or {""}
    kind = "/".join(sorted(kinds))
    columns = (
        Column("design"),
        *(Column(axis) for axis in axes),
        Column("sparsity", "share of zero weights"),
        Column("accuracy, float", "share"),
        Column("accuracy, integers", "share"),
        Column("non-zeros built"),
        *(Column(name, "blocks" if "ram" in name else "", kind) for name in AMOUNTS),
        Column("latency", "ns", kind),
        Column("interval", "cycles", kind),
        Column("energy, dynamic", "pJ", "estimate"),
        Column("fits the board", "", kind),
        Column("C-simulation"),
        Column("said"),
    )
    return Table(columns, tuple(_row(each, axes, len(columns)) for each in outcomes))


def _row(outcome: Outcome, axes: Sequence[str], width: int) -> tuple[Any, ...]:
    begun = (outcome.name, *(outcome.settings.get(axis) for axis in axes))
    design = outcome.design
    if design is None:
        return (*begun, *[None] * (width - len(begun) - 1), outcome.said)
    resources, verdict = design.resources, design.verdict
    return (
        *begun,
        round(design.sparsity, 6),
        design.float_accuracy,
        design.accuracy,
        sum(layer.nonzeros_built for layer in design.layers),
        *(resources.total(name) for name in AMOUNTS),
        round(resources.latency_ns, 6),
        resources.interval_cycles,
        design.energy_pj,
        all(share <= 1 for share in resources.utilisation(design.board).values()),
        None if verdict is None else f"exact on {verdict.samples}" if verdict.exact else "NOT exact",
        outcome.said,
    )


def write_table(table: Table, folder: Path, name: str) -> None:
    """Write a table as JSON, CSV and Markdown.

    Raises:
        InputError: the folder cannot be written.
    """
    for ending, text in (("json", table.to_json()), ("csv", table.to_csv()), ("md", table.to_markdown())):
        write_text(folder / f"{name}.{ending}", text)


def shown(value: object) -> str:
    """Return a value as people read it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)

"""Designs as one plain table, a row each: for CSV, for pandas, and for notebooks."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from fpgaprune.report.measures import built
from fpgaprune.report.several_boards import Comparisons
from fpgaprune.resources import AMOUNTS
from fpgaprune.rows import data_frame, html_table

if TYPE_CHECKING:
    from fpgaprune.report.comparison import Point
    from fpgaprune.report.several_boards import Compared

Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class DesignTable:
    """Columns by name, each row with a value for each; None is not known.

    Shares are of 1, units are in the names, and ``kind`` says where counts and cycles come from.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    def to_csv(self) -> str:
        """Return the table as CSV (RFC 4180), an empty field where nothing is known."""
        stream = io.StringIO(newline="")
        writer = csv.writer(stream)
        writer.writerow(self.columns)
        writer.writerows(["" if value is None else value for value in row] for row in self.rows)
        return stream.getvalue()

    def to_pandas(self) -> Any:  # noqa: ANN401  # a DataFrame; pandas is optional
        """Return the table as a pandas DataFrame.

        Raises:
            ToolError: pandas is not installed.
        """
        return data_frame(self.columns, self.rows)

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        return html_table(self.columns, self.rows)


def design_table(compared: Compared) -> DesignTable:
    """Return the designs of a comparison, or of comparisons for several boards, in their order."""
    rows = [_row(point) for point in Comparisons.of(compared).points]
    return DesignTable(tuple(rows[0]), tuple(tuple(row.values()) for row in rows))


def _row(point: Point) -> dict[str, Value]:
    resources, board = point.resources, point.board
    used = resources.utilisation(board)
    counts: dict[str, Value] = {}
    for amount in AMOUNTS:
        low, high = resources.bounds(amount) or (None, None)
        share = used[amount]
        counts |= {
            amount: resources.total(amount),
            f"{amount}_low": low,
            f"{amount}_high": high,
            f"{amount}_share": None if share == float("inf") else share,
        }
    return {
        "label": point.label,
        "board": board.name,
        "clock_ns": resources.clock_ns,
        "sparsity": point.sparsity,
        "accuracy": point.accuracy,
        "float_accuracy": point.float_accuracy,
        "nonzeros_built": built(point),
        "kind": resources.kind.value,
        **counts,
        "fits": resources.fits(board),
        "latency_cycles": resources.latency_cycles,
        "latency_ns": resources.latency_ns,
        "interval_cycles": resources.interval_cycles,
        "energy_pj": point.energy_pj,
        "strategy": " ".join(point.strategies),
        "exact": None if point.verdict is None else point.verdict.exact,
        "samples": None if point.verdict is None else point.verdict.samples,
        "folder": point.folder,
        "digest": point.made.digest if point.made else None,
    }

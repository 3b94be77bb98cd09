"""Draw what budget_boards.py found: the accuracy that is left, and what designs take, under the budget of each board.

    python benchmarks/draw_budget.py

reads results/budget_boards.json beside this file and writes docs/budget.svg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from common import draw, stored

mpl.use("svg")
from matplotlib import pyplot as plt  # after the choice of what it draws with
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # as above

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    Runs = list[dict[str, Any]]

MARGIN = 2
"""Per cent below the lowest accuracy from which the axis goes to 100."""

BUDGETS = {"usual": "usual budget"}


def main() -> None:
    """Draw one row for each board under each budget: a dot a seed."""
    rows: dict[str, Runs] = {}
    for run in stored("budget_boards")["runs"]:
        rows.setdefault(f"{run['board']}, {BUDGETS.get(run['budget'], run['budget'])}", []).append(run)
    size = (10, 1.9 + 0.42 * len(rows))
    figure, (accuracy, cost) = plt.subplots(1, 2, figsize=size, layout="constrained", sharey=True)
    _accuracy(accuracy, list(rows.values()))
    _cost(cost, list(rows.values()))
    accuracy.set_yticks(range(len(rows)), list(rows))
    accuracy.set_ylim(len(rows) - 0.5, -0.5)
    draw(figure, "budget")


def _accuracy(place: Axes, rows: Sequence[Runs]) -> None:
    every = [run[name] for runs in rows for run in runs for name in ("dense_accuracy", "accuracy")]
    low = 100 * min(every) - MARGIN
    for row, runs in enumerate(rows):
        dense, left, pruned = ([100 * run[name] for run in runs] for name in ("dense_accuracy", "accuracy", "sparsity"))
        place.plot([*dense, *left], [row] * 2 * len(runs), color="0.8", zorder=0)
        _dots(place, row, (dense, left), ("dense", "under the budget"))
        told = f"{_span(pruned)} % pruned"
        place.annotate(told, (low, row), xytext=(4, 8), textcoords="offset points", fontsize=8, color="0.35")
    place.set(xlim=(low, 100), xlabel="accuracy of the integers (%), a dot a seed")
    _finish(place)


def _span(values: Sequence[float]) -> str:
    ends = [f"{end:.0f}" for end in (min(values), max(values))]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def _cost(place: Axes, rows: Sequence[Runs]) -> None:
    for row, runs in enumerate(rows):
        limit = runs[0]["outcome"]["limits"]["lut"]
        place.plot([limit, limit], [row - 0.3, row + 0.3], color="C3", lw=2, label=None if row else "limit")
        dense = [run["outcome"]["dense"]["lut"] for run in runs]
        _dots(place, row, (dense, [run["design"]["total"]["lut"] for run in runs]), ("dense, at least", "design"))
    place.set(xscale="log", xlabel="LUT (estimate), a dot a seed")
    place.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    place.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    place.xaxis.set_minor_formatter(NullFormatter())
    _finish(place)


def _dots(place: Axes, row: int, values: Sequence[Sequence[float]], labels: Sequence[str]) -> None:
    for each, label, fill in zip(values, labels, ("white", "C0"), strict=True):
        place.plot(each, [row] * len(each), "o", color="C0", mfc=fill, alpha=0.8, label=None if row else label)


def _finish(place: Axes) -> None:
    place.grid(alpha=0.3, axis="x")
    place.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize=9)


if __name__ == "__main__":
    main()

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
    from matplotlib.axes import Axes

    Runs = list[dict[str, Any]]

MARGIN = 2
"""Per cent below the lowest accuracy from which the axis goes to 100."""

BUDGETS = {"usual": "usual budget"}


def main() -> None:
    """Draw one row for each board under each budget."""
    runs = stored("budget_boards")["runs"]
    names = [f"{run['board']}, {BUDGETS.get(run['budget'], run['budget'])}" for run in runs]
    size = (10, 1.9 + 0.42 * len(runs))
    figure, (accuracy, cost) = plt.subplots(1, 2, figsize=size, layout="constrained", sharey=True)
    _accuracy(accuracy, runs)
    _cost(cost, runs)
    accuracy.set_yticks(range(len(names)), names)
    accuracy.set_ylim(len(names) - 0.5, -0.5)
    draw(figure, "budget")


def _accuracy(place: Axes, runs: Runs) -> None:
    low = 100 * min(run[name] for run in runs for name in ("dense_accuracy", "accuracy")) - MARGIN
    for row, run in enumerate(runs):
        dense, left = 100 * run["dense_accuracy"], 100 * run["accuracy"]
        place.plot([dense, left], [row, row], color="0.8", zorder=0)
        place.plot(dense, row, "o", color="C0", mfc="white", label=None if row else "dense")
        place.plot(left, row, "o", color="C0", label=None if row else "under the budget")
        told = f"{100 * run['sparsity']:.0f} % pruned"
        place.annotate(told, (low, row), xytext=(4, 8), textcoords="offset points", fontsize=8, color="0.35")
    place.set(xlim=(low, 100), xlabel="accuracy of the integers (%)")
    _finish(place)


def _cost(place: Axes, runs: Runs) -> None:
    for row, run in enumerate(runs):
        limit, dense = run["outcome"]["limits"]["lut"], run["outcome"]["dense"]["lut"]
        place.plot([limit, limit], [row - 0.3, row + 0.3], color="C3", lw=2, label=None if row else "limit")
        place.plot(dense, row, "o", color="C0", mfc="white", label=None if row else "dense, at least")
        place.plot(run["design"]["total"]["lut"], row, "o", color="C0", label=None if row else "design")
    place.set(xscale="log", xlabel="LUT (estimate)")
    place.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    place.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    place.xaxis.set_minor_formatter(NullFormatter())
    _finish(place)


def _finish(place: Axes) -> None:
    place.grid(alpha=0.3, axis="x")
    place.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize=9)


if __name__ == "__main__":
    main()

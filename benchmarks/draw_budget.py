"""Draw what budget_boards.py found: the accuracy that is left, and what designs take, under the budget of each board.

    python benchmarks/draw_budget.py

reads results/budget_boards.json beside this file and writes docs/budget.svg.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "fpgaprune"
from matplotlib import pyplot as plt  # noqa: E402  # after the choice of what it draws with
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # noqa: E402  # as above

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    Runs = list[dict[str, Any]]

MARGIN = 2
"""Per cent below the lowest accuracy from which the axis goes to 100."""

HERE = Path(__file__).parent
BUDGETS = {"usual": "usual budget"}


def main() -> None:
    """Draw one row for each board under each budget."""
    stored = json.loads((HERE / "results" / "budget_boards.json").read_text(encoding="utf-8"))
    groups: dict[tuple[str, str], Runs] = {}
    for run in stored["results"]["runs"]:
        groups.setdefault((run["board"], run["budget"]), []).append(run)
    names = [f"{board}, {BUDGETS.get(budget, budget)}" for board, budget in groups]
    size = (10, 1.9 + 0.42 * len(groups))
    figure, (accuracy, cost) = plt.subplots(1, 2, figsize=size, layout="constrained", sharey=True)
    _accuracy(accuracy, list(groups.values()))
    _cost(cost, list(groups.values()))
    accuracy.set_yticks(range(len(names)), names)
    accuracy.set_ylim(len(names) - 0.5, -0.5)
    figure.savefig(HERE.parent / "docs" / "budget.svg", metadata={"Date": None})


def _accuracy(place: Axes, groups: Sequence[Runs]) -> None:
    low = 100 * min(run[name] for runs in groups for run in runs for name in ("dense_accuracy", "accuracy")) - MARGIN
    for row, runs in enumerate(groups):
        for run in runs:
            first = row == 0 and run is runs[0]
            dense, left = 100 * run["dense_accuracy"], 100 * run["accuracy"]
            place.plot([dense, left], [row, row], color="0.8", zorder=0)
            place.plot(dense, row, "o", color="C0", mfc="white", label="dense" if first else None)
            place.plot(left, row, "o", color="C0", label="under the budget" if first else None)
        shares = [100 * run["sparsity"] for run in runs]
        told = f"{min(shares):.0f}" if max(shares) - min(shares) < 1 else f"{min(shares):.0f} to {max(shares):.0f}"
        place.annotate(
            f"{told} % pruned", (low, row), xytext=(4, 8), textcoords="offset points", fontsize=8, color="0.35"
        )
    place.set(xlim=(low, 100), xlabel="accuracy of the integers (%)")
    _finish(place)


def _cost(place: Axes, groups: Sequence[Runs]) -> None:
    for row, runs in enumerate(groups):
        limit = runs[0]["outcome"]["limits"]["lut"]
        place.plot([limit, limit], [row - 0.3, row + 0.3], color="C3", lw=2, label=None if row else "limit")
        for run in runs:
            first, outcome = row == 0 and run is runs[0], run["outcome"]
            dense, made = outcome["dense"]["lut"], run["design"]["total"]["lut"]
            place.plot(dense, row, "o", color="C0", mfc="white", label="dense, at least" if first else None)
            place.plot(made, row, "o", color="C0", label="design" if first else None)
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

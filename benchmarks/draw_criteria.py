"""Draw what criteria.py found: the accuracy that is left without fine-tuning, by criterion and sparsity.

    python benchmarks/draw_criteria.py

reads results/criteria.json beside this file and writes docs/criteria.svg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from common import draw, stored

mpl.use("svg")
from matplotlib import pyplot as plt  # after the choice of what it draws with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

TITLES = {"mlp": "MLP, 64-96-48-10", "cnn": "CNN, 12 and 24 channels"}
CHANCE = 10


def main() -> None:
    """Draw one row for each network, one column for each sparsity, at once and step by step."""
    results = stored("criteria")
    cases: list[dict[str, Any]] = results["cases"]
    columns = sorted({(case["steps"], case["sparsity"]) for case in cases})
    names = list(dict.fromkeys(case["criterion"] for case in cases))
    shape, size = (len(TITLES), len(columns)), (1.1 + 1.75 * len(columns), 0.8 + 0.29 * len(names) * len(TITLES))
    figure, places = plt.subplots(*shape, figsize=size, layout="constrained", squeeze=False, sharex=True, sharey=True)
    for row, (network, title) in zip(places, TITLES.items(), strict=True):
        for place, (steps, sparsity) in zip(row, columns, strict=True):
            own = [case for case in cases if case["network"] == network]
            chosen = {case["criterion"]: case for case in own if (case["steps"], case["sparsity"]) == (steps, sparsity)}
            _dots(place, [chosen[name] for name in names], 100 * results["dense"][network]["mean"])
            place.set_title(f"{sparsity:.0%}, {f'{steps} steps' if steps > 1 else 'at once'}", fontsize=9.5)
        row[0].set_yticks(range(len(names)), names)
        row[0].set_ylabel(title)
    places[0][0].invert_yaxis()
    meaning = "accuracy (%), mean of the seeds, from the lowest to the highest"
    figure.supxlabel(f"{meaning}; orange: the best; dashed: unpruned; dotted: chance", fontsize=9.5)
    draw(figure, "criteria")


def _dots(place: Axes, cases: Sequence[Mapping[str, Any]], dense: float) -> None:
    best = max(case["mean"] for case in cases)
    for row, case in enumerate(cases):
        colour = "C1" if case["mean"] == best else "C0"
        place.plot([100 * case["lowest"], 100 * case["highest"]], [row, row], color=colour, lw=2, alpha=0.5)
        place.plot(100 * case["mean"], row, "o", color=colour, markersize=4.5)
    place.axvline(dense, color="0.4", lw=0.9, ls="--")
    place.axvline(CHANCE, color="0.4", lw=0.9, ls=":")
    place.set(xlim=(0, 103), xticks=range(0, 101, 25))
    place.grid(alpha=0.3)


if __name__ == "__main__":
    main()

"""Draw what frontier.py and peer_pquant.py found: accuracy over adder bits, and over look-up tables.

    python benchmarks/draw_frontier.py

reads results/frontier.json and results/peer_pquant.json beside this file and writes docs/frontier.svg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from common import draw, stored

mpl.use("svg")
from matplotlib import pyplot as plt  # after the choice of what it draws with
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # as above

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

SHOWN = 0.07
"""Accuracy below the best that is drawn; what lost more is of no use."""

TITLES = {"mnist14": "MNIST, 14 x 14 pixels of 4 bits, 196-64-32-10", "vowels": "JapaneseVowels, 96-32-16-9"}
LABELS = {
    "magnitude": "magnitude pruning, 6-bit training",
    "2:4": "2:4, 6-bit training",
    "neurons": "neurons, 6-bit training",
    "widths": "trained widths, EBOPs",
    "digits": "digits saved in training",
    "neurons, digits": "a quarter of the neurons and digits",
}
PEERS = {
    "hgq": "PQuantML's HGQ, same estimate (hollow: alkaid's count)",
    "hgq+pdp": "PQuantML's HGQ and PDP, same estimate (hollow: alkaid's count)",
}
"""There are no look-up tables of them: their data has a format for each element, which no design of fpgaprune has."""


def main() -> None:
    """Draw one row for each data set."""
    points, peers = stored("frontier")["points"], stored("peer_pquant")["points"]
    datasets = list(dict.fromkeys(point["dataset"] for point in points))
    figure, places = plt.subplots(
        len(datasets), 2, figsize=(10, 4 * len(datasets)), layout="constrained", squeeze=False, sharey="row"
    )
    for row, dataset in zip(places, datasets, strict=True):
        chosen = [point for point in points if point["dataset"] == dataset]
        _curves(row[0], chosen, "adder_bits", [point for point in peers if point["dataset"] == dataset])
        _curves(row[1], chosen, "lut_estimate")
        row[0].set(title=TITLES[dataset], ylabel="accuracy of the integers", xlabel="adder bits (estimate)")
        row[1].set(xlabel="LUT (estimate; crosses: open-synthesis, one seed)")
    figure.legend(*places[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    draw(figure, "frontier")


def _curves(
    place: Axes, points: Sequence[Mapping[str, Any]], name: str, peers: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Draw a curve for each method: the mean of the seeds, and from the lowest to the highest; diamonds are peers."""
    for number, (method, label) in enumerate((LABELS | (PEERS if peers else {})).items()):
        own = [point for point in (*points, *peers) if point["method"] == method]
        x, y = ([point[key]["mean"] for point in own] for key in (name, "accuracy"))
        ends = [
            [abs(point["accuracy"][end] - point["accuracy"]["mean"]) for point in own] for end in ("lowest", "highest")
        ]
        place.errorbar(
            x,
            y,
            yerr=ends,
            label=label,
            color=f"C{number}",
            marker="D" if method in PEERS else "o",
            markersize=4,
            capsize=2,
        )
        if method in PEERS:  # alkaid's own graphs use the width of each element, those of fpgaprune do not
            place.plot([point["alkaid_adder_bits"]["mean"] for point in own], y, "D", color=f"C{number}", mfc="white")
        synthesised = [point for point in own if name == "lut_estimate" and point["lut_open_synthesis"]]
        place.plot(
            [point["lut_open_synthesis"] for point in synthesised],
            [point["accuracy"]["mean"] for point in synthesised],
            "x",
            color=f"C{number}",
        )
    best = max(point["accuracy"]["highest"] for point in points)
    place.set(xscale="log", ylim=(best - SHOWN, best + 0.005))
    place.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    place.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    place.xaxis.set_minor_formatter(NullFormatter())
    place.grid(alpha=0.3)


if __name__ == "__main__":
    main()

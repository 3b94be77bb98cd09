"""Draws what `estimate_stock` tells of designs that its coefficients have not seen into ``docs/stock_estimate.svg``.

python calibration/stock/plots.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import fit
import matplotlib as mpl
from matplotlib.figure import Figure

from fpgaprune.resources.stock.coefficients import FORMS, form
from fpgaprune.resources.stock.values import AMOUNTS, SYNTHESISED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

OUT = Path(__file__).parents[2] / "docs" / "stock_estimate.svg"

# Okabe and Ito's colours and four shapes, told apart with every kind of colour vision.
MARKS = dict(
    zip(FORMS, (("#0072B2", "o"), ("#D55E00", "s"), ("#00785A", "^"), ("#8A9299", "D")), strict=True),
)
TITLES = {
    "lut": "LUT",
    "ff": "FF",
    "dsp": "DSP",
    "bram_18k": "BRAM, 18 kbit",
    "latency_cycles": "latency, cycles",
    "interval_cycles": "interval, cycles",
}


def draw(of: Sequence[fit.Judged]) -> Figure:
    """Return panels of estimate against report, csynth in two rows, synthesis in the third; one added to both."""
    figure = Figure(figsize=(11, 11), layout="constrained")
    axes = figure.subplots(4, 3).ravel()
    for panel, name in zip(axes, AMOUNTS, strict=False):
        kept = [each for each in of if name not in each.row.excluded]
        _panel(panel, f"csynth {TITLES[name]}", kept, [(each.row.truth[name], each.told[name]) for each in kept])
    for panel, name in zip(axes[len(AMOUNTS) :], SYNTHESISED, strict=False):
        kept = [each for each in of if each.row.synthesised.get(name) is not None]
        pairs = [(each.row.synthesised[name], each.told_after[name]) for each in kept]
        _panel(panel, f"synthesis {TITLES[name]}", kept, pairs)
    for panel in axes[len(AMOUNTS) + len(SYNTHESISED) :]:
        panel.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    axes[-1].legend(handles, labels, loc="center", frameon=False)
    return figure


def _panel(axes: Axes, title: str, of: Sequence[fit.Judged], pairs: Sequence[tuple[float, float]]) -> None:
    for name, (colour, shape) in MARKS.items():
        chosen = [pair for each, pair in zip(of, pairs, strict=True) if form(each.row.design) == name]
        axes.scatter(
            [truth + 1 for truth, _ in chosen],
            [told + 1 for _, told in chosen],
            s=22,
            color=colour,
            marker=shape,
            alpha=0.75,
            linewidths=0,
            label=name.replace("_", " "),
        )
    sides = [1 + side for pair in pairs for side in pair]
    ends = (min(sides) / 1.5, max(sides) * 1.5)
    for factor, style in ((1.0, "-"), (2.0, ":"), (0.5, ":")):
        axes.plot(ends, [factor * end for end in ends], style, color="#5C666E", linewidth=0.8, zorder=0)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, title=title, xlabel="reported", ylabel="estimate")


def main() -> int:
    """Write the picture; the same figures give the same file."""
    mpl.rcParams |= {"svg.hashsalt": "stock_estimate", "svg.fonttype": "none"}
    draw(fit.crossvalidated()).savefig(OUT, metadata={"Date": None})
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Tables, plots and pages of designs side by side."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fpgaprune.report.comparison import Comparison, LayerPoint, Point, compare, layer_kinds, point_of
from fpgaprune.report.costs import costs, print_boards, print_chosen, print_resources
from fpgaprune.report.data import comparison_to_data
from fpgaprune.report.design_table import DesignTable, design_table
from fpgaprune.report.energy import print_energy
from fpgaprune.report.html import write_page
from fpgaprune.report.judge import THRESHOLD, Finding
from fpgaprune.report.markdown import markdown
from fpgaprune.report.several_boards import Comparisons, compare_boards
from fpgaprune.report.terminal import print_comparison
from fpgaprune.report.write import write_report

if TYPE_CHECKING:
    from fpgaprune.report.plots import (
        frontier,
        layers,
        masks,
        scores,
        sensitivity,
        surviving_inputs,
        tradeoff,
        trainings,
        utilisation,
        write_plots,
    )

__all__ = [
    "THRESHOLD",
    "Comparison",
    "Comparisons",
    "DesignTable",
    "Finding",
    "LayerPoint",
    "Point",
    "compare",
    "compare_boards",
    "comparison_to_data",
    "costs",
    "design_table",
    "frontier",
    "layer_kinds",
    "layers",
    "markdown",
    "masks",
    "point_of",
    "print_boards",
    "print_chosen",
    "print_comparison",
    "print_energy",
    "print_resources",
    "scores",
    "sensitivity",
    "surviving_inputs",
    "tradeoff",
    "trainings",
    "utilisation",
    "write_page",
    "write_plots",
    "write_report",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  # a function of any type, or none
    """Return a function that draws: matplotlib, which takes longer to load than all the rest, is loaded for it."""
    plots = import_module("fpgaprune.report.plots") if name in __all__ else None
    if plots is None or name not in plots.__all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(plots, name)

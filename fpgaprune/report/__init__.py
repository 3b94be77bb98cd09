"""Tables, plots and pages of designs side by side."""

from fpgaprune.report.comparison import (
    Comparison,
    Finding,
    LayerPoint,
    Point,
    compare,
    comparison_to_data,
    layer_kinds,
)
from fpgaprune.report.costs import costs, print_boards, print_chosen, print_resources
from fpgaprune.report.energy import print_energy
from fpgaprune.report.html import write_page
from fpgaprune.report.markdown import markdown
from fpgaprune.report.terminal import print_comparison
from fpgaprune.report.write import write_report

__all__ = [
    "Comparison",
    "Finding",
    "LayerPoint",
    "Point",
    "compare",
    "comparison_to_data",
    "costs",
    "layer_kinds",
    "markdown",
    "print_boards",
    "print_chosen",
    "print_comparison",
    "print_energy",
    "print_resources",
    "write_page",
    "write_report",
]

"""Tables, plots and pages of designs side by side."""

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
    "layer_kinds",
    "markdown",
    "point_of",
    "print_boards",
    "print_chosen",
    "print_comparison",
    "print_energy",
    "print_resources",
    "write_page",
    "write_report",
]

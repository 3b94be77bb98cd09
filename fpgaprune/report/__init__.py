"""Tables, plots and pages of designs side by side."""

from fpgaprune.report.comparison import Comparison, Finding, LayerPoint, Point, compare, comparison_to_data
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
    "markdown",
    "print_comparison",
    "write_page",
    "write_report",
]

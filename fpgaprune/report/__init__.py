"""Tables, plots and pages of designs side by side."""

from fpgaprune.report.comparison import Comparison, Finding, LayerPoint, Point, compare, comparison_to_data

__all__ = ["Comparison", "Finding", "LayerPoint", "Point", "compare", "comparison_to_data"]

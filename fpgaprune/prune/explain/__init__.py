"""What pruning would do and what it did, as values that a report can draw."""

from __future__ import annotations

from fpgaprune.prune.explain.curves import SensitivityCurves, sensitivity_curves
from fpgaprune.prune.explain.histograms import Histogram, Histograms, histograms

__all__ = ["Histogram", "Histograms", "SensitivityCurves", "histograms", "sensitivity_curves"]

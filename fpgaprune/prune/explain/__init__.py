"""What pruning would do and what it did, as values that a report can draw."""

from __future__ import annotations

from fpgaprune.prune.explain.curves import SENSITIVITY_LEVELS, sensitivity_curves
from fpgaprune.prune.explain.histograms import histograms

__all__ = ["SENSITIVITY_LEVELS", "histograms", "sensitivity_curves"]

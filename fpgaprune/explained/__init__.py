"""What was pruned and why, as values that a report can draw without torch."""

from __future__ import annotations

from fpgaprune.explained.curves import SensitivityCurves
from fpgaprune.explained.histograms import Histogram, Histograms
from fpgaprune.explained.history import Event, EventKind, History, Record
from fpgaprune.explained.remarks import remarks
from fpgaprune.explained.reports import CostSaved, Explained, FixedPointReport, FoldReport, PruneReport
from fpgaprune.explained.store import NAME, explained_from_text, explained_to_text

__all__ = [
    "NAME",
    "CostSaved",
    "Event",
    "EventKind",
    "Explained",
    "FixedPointReport",
    "FoldReport",
    "Histogram",
    "Histograms",
    "History",
    "PruneReport",
    "Record",
    "SensitivityCurves",
    "explained_from_text",
    "explained_to_text",
    "remarks",
]

"""What explains a pruning, made by hand."""

from __future__ import annotations

from fpgaprune.explained import (
    CostSaved,
    Event,
    EventKind,
    Explained,
    FixedPointReport,
    FoldReport,
    Histogram,
    Histograms,
    History,
    PruneReport,
    Record,
    SensitivityCurves,
)

PRUNING = History(
    (
        Record(0, 0, 0.0, None, 0.95),
        Record(1, 0, 0.5, None, 0.80),
        Record(1, 1, 0.5, 0.4, 0.94),
        Record(2, 0, 0.9, None, 0.55, 0.5),
        Record(2, 1, 0.9, 0.7, 0.90, 0.875),
        Record(2, 2, 0.9, 0.6, 0.92, 0.9),
    ),
    (Event(2, 2, EventKind.STOPPED_EARLY, "no better for 1 epoch", 2),),
)
SCORES = Histograms(
    {
        "fc1.weight": Histogram((0.0, 0.1, 0.2, 0.3), (0, 20, 30), (900, 50, 0)),
        "fc2.weight": Histogram((0.0, 0.5, 1.0), (0, 4), (10, 2)),
    }
)
CURVES = SensitivityCurves(
    "magnitude", (0.5, 0.75, 0.9), 0.95, {"fc1.weight": (0.95, 0.94, 0.8), "fc2.weight": (0.9, 0.6, 0.3)}
)
EXPLAINED = Explained(
    PruneReport("magnitude", "cubic", "weights", PRUNING, SCORES, CURVES),
    FixedPointReport(
        History((Record(0, 0, 0.9, None, 0.9), Record(0, 1, 0.9, 0.5, 0.915))),
        (FoldReport("fc1", "bn1", 100, 100, 8, 10),),
        {"fc1": 120, "fc2": 9},
        CostSaved("adder-bits", 1200.0, 800.5),
    ),
)

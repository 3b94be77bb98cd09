"""A comparison as JSON values and as text, in the schema that docs/comparison.md describes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fpgaprune.report import stock
from fpgaprune.report.measures import ratio, reference_layer
from fpgaprune.report.notes import notes
from fpgaprune.report.several_boards import Comparisons
from fpgaprune.resources import AMOUNTS, to_data
from fpgaprune.sim import to_data as verdict_to_data

if TYPE_CHECKING:
    from fpgaprune.report.comparison import Comparison, LayerPoint, Point
    from fpgaprune.report.judge import Finding
    from fpgaprune.report.several_boards import Compared

SCHEMA, SEVERAL = "fpgaprune-comparison-3", "fpgaprune-comparisons-3"


def comparison_to_text(compared: Compared) -> str:
    """Return a comparison, or comparisons for several boards, as JSON text."""
    return json.dumps(comparison_to_data(compared), indent=1) + "\n"


def comparison_to_data(compared: Compared) -> dict[str, Any]:
    """Return a comparison, or comparisons for several boards, as JSON values, in the schema of docs/comparison.md.

    Those for a single board are one comparison.
    """
    groups = Comparisons.of(compared).groups
    if len(groups) > 1:
        return {"schema": SEVERAL, "comparisons": [_comparison(group) for group in groups]}
    return _comparison(groups[0])


def _comparison(comparison: Comparison) -> dict[str, Any]:
    board = comparison.dense.board
    return {
        "schema": SCHEMA,
        "kind": comparison.dense.resources.kind.value,
        "measured": [kind.value for kind in comparison.measured],
        "threshold": comparison.threshold,
        "title": comparison.title,
        "board": {"name": board.name, "title": board.title, "part": board.part, "resources": asdict(board.resources)},
        "points": [_point(point, comparison) for point in comparison.points],
        "findings": [_finding(finding) for finding in comparison.findings()],
        "notes": list(notes(comparison)),
        "stock": None if comparison.stock is None else stock.to_data(comparison.stock, comparison.points),
    }


def _point(point: Point, comparison: Comparison) -> dict[str, Any]:
    return {
        "label": point.label,
        "folder": point.folder,
        "sparsity": round(point.sparsity, 6),
        "float_accuracy": point.float_accuracy,
        "accuracy": point.accuracy,
        "resources": to_data(point.resources, point.board),
        "verdict": None if point.verdict is None else verdict_to_data(point.verdict),
        "edited": list(point.edited),
        "energy_pj": point.energy_pj,
        "inputs": [{"name": each.name, "shape": list(each.shape), "read": each.alive} for each in point.inputs],
        "made": None if point.made is None else asdict(point.made),
        "layers": [_layer(layer, point, comparison) for layer in point.layers],
    }


def _layer(layer: LayerPoint, point: Point, comparison: Comparison) -> dict[str, Any]:
    return {
        "layer": layer.layer,
        "weights": layer.weights,
        "nonzeros_pruned": layer.nonzeros_pruned,
        "nonzeros_quantised": layer.nonzeros_quantised,
        "nonzeros_built": layer.nonzeros_built,
        "sparsity": round(layer.sparsity, 6),
        "interval_cycles": layer.facts.interval if layer.facts else None,
        "cost": None if layer.resources is None else _cost(layer, comparison),
        "ratio": _ratios(layer, reference_layer(comparison, layer.layer)),
        "outcome": comparison.outcome(layer, point).value,
    }


def _cost(layer: LayerPoint, comparison: Comparison) -> dict[str, Any]:
    kind = comparison.dense.resources.kind.value
    return {"kind": kind} | {amount: getattr(layer.resources, amount) for amount in AMOUNTS}


def _ratios(layer: LayerPoint, dense: LayerPoint | None) -> dict[str, float | None] | None:
    """Return what a layer has as multiples of the dense one, None where there is none."""
    if dense is None:
        return None
    cost, before = layer.resources, dense.resources
    return {"nonzeros": stock.rounded(ratio(layer.nonzeros_built, dense.nonzeros_built))} | {
        amount: stock.rounded(ratio(getattr(cost, amount, None), getattr(before, amount, None))) for amount in AMOUNTS
    }


PAIRS = ("nonzeros", "nonzeros_built", "cost", "lut", "dsp", "interval_cycles")
"""The fields of a finding that are of the denser and of the sparser design."""


def _finding(finding: Finding) -> dict[str, Any]:
    return asdict(finding) | {
        "kind": finding.kind.value,
        **{name: list(getattr(finding, name)) for name in PAIRS},
        "reasons": [asdict(reason) for reason in finding.reasons],
    }

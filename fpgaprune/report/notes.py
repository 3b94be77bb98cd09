"""What findings leave out: other resources that a layer needs more of after pruning, and layers without numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.report import wording
from fpgaprune.report.judge import TOLERATED
from fpgaprune.report.measures import layer_names, layer_points

if TYPE_CHECKING:
    from fpgaprune.report.comparison import Comparison


def notes(comparison: Comparison) -> tuple[str, ...]:
    """Return a line for each layer and resource of which a design needs more than dense, with fewer non-zeros.

    Designs that build the layer by another strategy tell nothing of pruning. A layer that a tool did not count apart
    has a line as well.
    """
    kind = comparison.dense.resources.kind.value
    told = {(finding.layer, "lut") for finding in comparison.findings()}
    found = (
        _rise(comparison, name, amount)
        for name in layer_names(comparison)
        for amount in ("lut", "ff", "dsp", "bram_18k")
        if (name, amount) not in told
    )
    merged = (
        f"{wording.layer(name)}: its {kind} numbers are not known, as the tool did not count it apart in every design"
        for name in comparison.uncounted
    )
    return (*(note for note in found if note), *merged)


def _rise(comparison: Comparison, name: str, amount: str) -> str:
    """Return a line about the design in which the resource is highest; nothing if it does not rise."""
    dense, *others = layer_points(comparison, name)
    if dense is None or dense.resources is None:
        return ""
    before = getattr(dense.resources, amount)
    costs = [
        (getattr(layer.resources, amount), -at)
        for at, layer in enumerate(others)
        if layer is not None and layer.resources is not None and layer.nonzeros_pruned < dense.nonzeros_pruned
        if layer.resources.strategy == dense.resources.strategy
    ]
    most, at = max(costs, default=(0, 0))
    if most <= before * (1 + TOLERATED):
        return ""
    resource, label = wording.AMOUNT_NAMES[amount], wording.plain(comparison.points[1 - at].label)
    return f"{wording.layer(name)}: {resource} rises from {wording.count(before)} to {wording.count(most)} in {label}"

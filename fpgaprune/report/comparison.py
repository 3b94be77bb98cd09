"""Designs side by side: sparsity levels of one network, dense first, and whether pruning pays."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError
from fpgaprune.lower import lower
from fpgaprune.resources import Resources, estimate, to_data, together
from fpgaprune.sim import Verdict, read_verdict
from fpgaprune.sim import to_data as verdict_to_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.board import Board
    from fpgaprune.resources import LayerResources
    from fpgaprune.sim import ProjectFolder

SCHEMA = "fpgaprune-comparison-1"

TOLERATED = 0.02
"""Rise of a layer's look-up tables, as a share, that does not count as one: rounding of widths alone makes as much."""


@dataclass(frozen=True)
class LayerPoint:
    """One matrix of one design, as its user knows it.

    ``weights`` counts all entries, zeros included; non-zeros are counted after pruning, after quantisation, and as
    built, after dead logic is gone. ``picture`` is a grid of the share of non-zeros, rows from top to bottom.
    """

    layer: str
    weights: int
    nonzeros_pruned: int
    nonzeros_quantised: int
    nonzeros_built: int
    picture: tuple[tuple[float, ...], ...]
    resources: LayerResources | None

    @property
    def sparsity(self) -> float:
        """The share of zeros after quantisation."""
        return 1 - self.nonzeros_quantised / self.weights if self.weights else 0.0


@dataclass(frozen=True)
class Point:
    """One design: its label, accuracy of the floating-point and of the integer network, cost, verdict.

    Accuracies are shares of 1 on the test data, None where they are not known.
    """

    label: str
    folder: str
    float_accuracy: float | None
    accuracy: float | None
    resources: Resources
    board: Board
    verdict: Verdict | None
    layers: tuple[LayerPoint, ...]

    @property
    def sparsity(self) -> float:
        """The share of zero weights over all layers, after quantisation."""
        weights = sum(layer.weights for layer in self.layers)
        return 1 - sum(layer.nonzeros_quantised for layer in self.layers) / weights if weights else 0.0


@dataclass(frozen=True)
class Finding:
    """A layer whose cost did not fall with its non-zeros between two designs."""

    layer: str
    denser: str
    sparser: str
    nonzeros: tuple[int, int]
    lut: tuple[int, int]

    def __str__(self) -> str:
        """Return one line for a person."""
        return (
            f"{self.layer}: non-zeros fell from {self.nonzeros[0]} to {self.nonzeros[1]} between {self.denser} and "
            f"{self.sparser}, but LUTs went from {self.lut[0]} to {self.lut[1]}"
        )


@dataclass(frozen=True)
class Comparison:
    """Points from dense to sparse.

    Raises:
        InputError: no point, or points of different boards, clocks or kinds of numbers.
    """

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if not self.points:
            msg = "a comparison needs at least one design"
            raise InputError(msg)
        for what, values in (
            ("board", {point.board.name for point in self.points}),
            ("clock", {point.resources.clock_ns for point in self.points}),
            ("kind of numbers", {point.resources.kind.value for point in self.points}),
        ):
            if len(values) > 1:
                msg = f"designs that are compared must have one {what}, not {', '.join(map(str, sorted(values)))}"
                raise InputError(msg)
        object.__setattr__(self, "points", tuple(sorted(self.points, key=lambda point: point.sparsity)))

    @property
    def dense(self) -> Point:
        """The point with the most non-zeros, which the others are measured against."""
        return self.points[0]

    def findings(self) -> tuple[Finding, ...]:
        """Return the layers for which pruning did not pay; none is the aim."""
        pairs = zip(self.points, self.points[1:], strict=False)
        return tuple(finding for denser, sparser in pairs for finding in _findings(denser, sparser))


def _findings(denser: Point, sparser: Point) -> list[Finding]:
    after = {layer.layer: layer for layer in sparser.layers}
    found = []
    for layer in denser.layers:
        other = after.get(layer.layer)
        if other is None or layer.resources is None or other.resources is None:
            continue
        fell = other.nonzeros_built < layer.nonzeros_built
        if fell and other.resources.lut > layer.resources.lut * (1 + TOLERATED):
            nonzeros, lut = (layer.nonzeros_built, other.nonzeros_built), (layer.resources.lut, other.resources.lut)
            found.append(Finding(layer.layer, denser.label, sparser.label, nonzeros, lut))
    return found


def compare(folders: Sequence[ProjectFolder]) -> Comparison:
    """Return the comparison of generated projects, with the estimate of each and the verdict that C-simulation left.

    Raises:
        InputError: no project, projects that cannot be compared, or a manifest that says nothing of the network.
    """
    return Comparison(tuple(_point(folder) for folder in folders))


def _point(folder: ProjectFolder) -> Point:
    resources = estimate(lower(folder.design))
    by_layer = _by_layer(resources)
    try:
        said = folder.manifest["point"]
        layers = tuple(_layer_point(layer, by_layer) for layer in said["layers"])
        return Point(
            label=str(said["label"]),
            folder=str(folder.path),
            float_accuracy=_share(said["float_accuracy"]),
            accuracy=_share(said["accuracy"]),
            resources=resources,
            board=folder.design.board,
            verdict=read_verdict(folder.path),
            layers=layers,
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{folder.path}: the manifest does not describe the pruned network ({type(error).__name__}: {error})"
        raise InputError(msg) from error


def _by_layer(resources: Resources) -> dict[str, LayerResources]:
    """Return the matrices of each layer as one: a parallel design has one for each step of a loop."""
    found: dict[str, LayerResources] = {}
    for layer in resources.layers:
        if layer.nonzeros:
            found[layer.layer] = together(found[layer.layer], layer) if layer.layer in found else layer
    return found


def _share(value: object) -> float | None:
    return None if value is None else float(str(value))


def _layer_point(said: dict[str, Any], by_layer: dict[str, LayerResources]) -> LayerPoint:
    resources = by_layer.get(said["layer"])
    return LayerPoint(
        layer=str(said["layer"]),
        weights=int(said["weights"]),
        nonzeros_pruned=int(said["nonzeros_pruned"]),
        nonzeros_quantised=int(said["nonzeros_quantised"]),
        nonzeros_built=resources.nonzeros if resources else 0,
        picture=tuple(tuple(float(share) for share in row) for row in said["picture"]),
        resources=resources,
    )


def comparison_to_data(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON values, in the schema that docs/comparison.md describes."""
    board = comparison.dense.board
    return {
        "schema": SCHEMA,
        "board": {"name": board.name, "title": board.title, "part": board.part, "resources": asdict(board.resources)},
        "points": [_point_to_data(point) for point in comparison.points],
        "findings": [asdict(finding) for finding in comparison.findings()],
    }


def _point_to_data(point: Point) -> dict[str, Any]:
    return {
        "label": point.label,
        "folder": point.folder,
        "sparsity": round(point.sparsity, 6),
        "float_accuracy": point.float_accuracy,
        "accuracy": point.accuracy,
        "resources": to_data(point.resources, point.board),
        "verdict": None if point.verdict is None else verdict_to_data(point.verdict),
        "layers": [
            {
                "layer": layer.layer,
                "weights": layer.weights,
                "nonzeros_pruned": layer.nonzeros_pruned,
                "nonzeros_quantised": layer.nonzeros_quantised,
                "nonzeros_built": layer.nonzeros_built,
                "sparsity": round(layer.sparsity, 6),
            }
            for layer in point.layers
        ],
    }


def comparison_to_text(comparison: Comparison) -> str:
    """Return the comparison as JSON text."""
    return json.dumps(comparison_to_data(comparison), indent=1) + "\n"

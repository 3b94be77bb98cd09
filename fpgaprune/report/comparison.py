"""Designs side by side: sparsity levels of one network, dense first, and whether pruning pays."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError
from fpgaprune.lower import lower
from fpgaprune.report import wording
from fpgaprune.resources import Resources, estimate, to_data, together
from fpgaprune.sim import Verdict, read_verdict
from fpgaprune.sim import to_data as verdict_to_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fpgaprune.board import Board
    from fpgaprune.resources import LayerResources
    from fpgaprune.sim import ProjectFolder

SCHEMA = "fpgaprune-comparison-1"

TOLERATED = 0.02
"""Rise of a layer's look-up tables, as a share, that does not count as one: rounding of widths alone makes as much."""

DENSE = 0.99
"""The share of the weights that are left in a network that counts as dense: training alone makes a few zeros."""


@dataclass(frozen=True)
class LayerPoint:
    """One matrix of one design, as its user knows it.

    ``weights`` counts all entries, zeros included; non-zeros are counted after pruning, after quantisation, and as
    built, after dead logic is gone. ``picture`` is a grid of the share of non-zeros, rows from top to bottom.
    ``kind`` is what the layer is in the user's model, empty where that is not known.
    """

    layer: str
    weights: int
    nonzeros_pruned: int
    nonzeros_quantised: int
    nonzeros_built: int
    picture: tuple[tuple[float, ...], ...]
    resources: LayerResources | None
    kind: str = ""

    @property
    def sparsity(self) -> float:
        """The share of zeros after quantisation."""
        return 1 - self.nonzeros_quantised / self.weights if self.weights else 0.0


@dataclass(frozen=True)
class Point:
    """One design: its label, accuracy of the floating-point and of the integer network, cost, verdict.

    Accuracies are shares of 1 on the test data, None where they are not known. ``edited`` lists files that differ from
    what was generated.
    """

    label: str
    folder: str
    float_accuracy: float | None
    accuracy: float | None
    resources: Resources
    board: Board
    verdict: Verdict | None
    layers: tuple[LayerPoint, ...]
    edited: tuple[str, ...] = ()

    @property
    def sparsity(self) -> float:
        """The share of zero weights over all layers, after quantisation."""
        weights = sum(layer.weights for layer in self.layers)
        return 1 - sum(layer.nonzeros_quantised for layer in self.layers) / weights if weights else 0.0

    @property
    def strategies(self) -> tuple[str, ...]:
        """The strategies that its matrices are built by."""
        return tuple(dict.fromkeys(layer.strategy for layer in self.resources.layers if layer.nonzeros))

    @property
    def is_dense(self) -> bool:
        """Whether the network was not pruned."""
        weights = sum(layer.weights for layer in self.layers)
        return weights > 0 and sum(layer.nonzeros_pruned for layer in self.layers) >= DENSE * weights


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
            f"{wording.layer(self.layer)}: non-zeros fell from {self.nonzeros[0]} to {self.nonzeros[1]} between "
            f"{self.denser} and {self.sparser}, but LUTs went from {self.lut[0]} to {self.lut[1]}"
        )


@dataclass(frozen=True)
class Comparison:
    """Points from dense to sparse.

    Raises:
        InputError: no point, two points of one label, or points of different boards, clocks or kinds of numbers.
    """

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if not self.points:
            msg = "a comparison needs at least one design"
            raise InputError(msg)
        _refuse_equal_labels(self.points)
        _refuse_other_boards(self.points)
        for what, values in (
            ("clock", {f"{point.resources.clock_ns:g} ns" for point in self.points}),
            ("kind of numbers", {point.resources.kind.value for point in self.points}),
        ):
            if len(values) > 1:
                msg = f"designs that are compared must have one {what}, not {', '.join(sorted(values))}"
                raise InputError(msg)
        object.__setattr__(self, "points", tuple(sorted(self.points, key=lambda point: point.sparsity)))

    @property
    def dense(self) -> Point:
        """The point with the most non-zeros."""
        return self.points[0]

    @property
    def reference(self) -> Point | None:
        """The point that the others are measured against: the first, None where no other is sparser."""
        return self.dense if self.points[-1].sparsity > self.dense.sparsity else None

    @property
    def compared(self) -> tuple[str, ...]:
        """The layers of which one design has fewer non-zeros than another that builds them by the same strategy."""
        return tuple(dict.fromkeys(after.layer for _, _, _, after in _pairs(self.points)))

    @property
    def not_compared(self) -> tuple[str, ...]:
        """The layers of which designs have different numbers of non-zeros, but each builds them by another strategy."""
        counts: dict[str, set[int]] = {}
        for point in self.points:
            for layer in point.layers:
                if layer.resources is not None:
                    counts.setdefault(layer.layer, set()).add(layer.nonzeros_built)
        compared = self.compared
        return tuple(name for name, found in counts.items() if len(found) > 1 and name not in compared)

    def findings(self) -> tuple[Finding, ...]:
        """Return the layers for which pruning did not pay; none is the aim."""
        return tuple(
            Finding(
                after.layer,
                denser.label,
                sparser.label,
                (before.nonzeros_built, after.nonzeros_built),
                (before.resources.lut, after.resources.lut),
            )
            for denser, before, sparser, after in _pairs(self.points)
            if before.resources and after.resources
            if after.resources.lut > before.resources.lut * (1 + TOLERATED)
        )


def _refuse_equal_labels(points: Sequence[Point]) -> None:
    label, times = Counter(point.label for point in points).most_common(1)[0]
    if times > 1:
        msg = f"{times} designs that are compared have the label {label!r}; give each one of its own"
        raise InputError(msg)


def _refuse_other_boards(points: Sequence[Point]) -> None:
    """Refuse boards of which a figure differs; a board of one's own keeps its name when its file is edited."""
    first = points[0].board
    for point in points:
        if (point.board.name, point.board.part) != (first.name, first.part):
            names = " and ".join(f"{board.name} ({board.part})" for board in (first, point.board))
            msg = f"designs that are compared must have one board, not {names}"
            raise InputError(msg)
        if (point.board.family, point.board.resources) != (first.family, first.resources):
            msg = (
                f"designs that are compared must have one board, but {first.name!r} is not the same in "
                f"{points[0].folder} and in {point.folder}: {first.resources} against {point.board.resources}; "
                "generate both for one board"
            )
            raise InputError(msg)


def _pairs(points: Sequence[Point]) -> Iterator[tuple[Point, LayerPoint, Point, LayerPoint]]:
    """Yield each layer of each design beside that of the next denser one that builds it by the same strategy."""
    for place, sparser in enumerate(points):
        for after in sparser.layers:
            for denser in reversed(points[:place]):
                before = next((layer for layer in denser.layers if _is_denser(layer, after)), None)
                if before is not None:
                    yield denser, before, sparser, after
                    break


def _is_denser(before: LayerPoint, after: LayerPoint) -> bool:
    return (
        before.layer == after.layer
        and before.resources is not None
        and after.resources is not None
        and before.resources.strategy == after.resources.strategy
        and before.nonzeros_built > after.nonzeros_built
    )


def compare(folders: Sequence[ProjectFolder]) -> Comparison:
    """Return the comparison of generated projects, with the estimate of each and the verdict that C-simulation left.

    Designs of one label, such as those of one model by several strategies, are called by their folders.

    Raises:
        InputError: no project, one project twice, projects that cannot be compared, or a manifest that says nothing of
            the network.
    """
    paths = [folder.path.resolve() for folder in folders]
    if twice := [str(path) for path, times in Counter(paths).items() if times > 1]:
        msg = f"{twice[0]} is given more than once; a design is compared with others"
        raise InputError(msg)
    points = [_point(folder) for folder in folders]
    return Comparison(tuple(map(_labelled, points, _labels(points))))


def _labelled(point: Point, label: str) -> Point:
    return replace(point, label=label)


def _labels(points: Sequence[Point]) -> list[str]:
    """Return a label for each point: its own if no other has it, else its folder's name, and at last its path."""
    labels = [point.label for point in points]
    for called in (lambda path: path.name, str):
        often = Counter(labels)
        named = [called(Path(point.folder).resolve()) for point in points]
        labels = [name if often[label] > 1 else label for label, name in zip(labels, named, strict=True)]
    return labels


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
            edited=folder.edited(),
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
        kind=str(said.get("kind", "")),
    )


def layer_kinds(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return what each layer is in the user's model, by its name; nothing where a manifest does not say it."""
    try:
        return {str(layer["layer"]): str(layer["kind"]) for layer in manifest["point"]["layers"]}
    except (KeyError, TypeError):
        return {}


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
        "edited": list(point.edited),
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

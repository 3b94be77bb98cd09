"""Designs side by side: sparsity levels of one network, dense first, and whether pruning pays."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fpgaprune.commands import read_commands
from fpgaprune.energy import read_energy
from fpgaprune.errors import InputError
from fpgaprune.lower import lower
from fpgaprune.paths import distinct_labels
from fpgaprune.report.facts import layer_facts
from fpgaprune.report.inputs import input_reads
from fpgaprune.report.judge import THRESHOLD, Finding, Outcome, findings, outcomes, pairs
from fpgaprune.report.kinds import measured, measured_kinds, refuse_unmeasured
from fpgaprune.report.stock import Baseline, baseline
from fpgaprune.resources import Kind, Resources, estimate, together
from fpgaprune.sim import Verdict, read_verdict
from fpgaprune.versions import read_versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fpgaprune.board import Board
    from fpgaprune.energy import KeptEnergy
    from fpgaprune.explained import Explained
    from fpgaprune.report.facts import LayerFacts
    from fpgaprune.report.inputs import InputReads
    from fpgaprune.resources import LayerResources
    from fpgaprune.sim import ProjectFolder

DENSE = 0.99
"""The share of the weights that are left in a network that counts as dense: training alone makes a few zeros."""


@dataclass(frozen=True)
class LayerPoint:
    """One matrix of one design, as its user knows it.

    ``weights`` counts all entries, zeros included; non-zeros are counted after pruning, after quantisation, and as
    built, after dead logic is gone. ``picture`` is a grid of the share of non-zeros, rows from top to bottom.
    ``kind`` is what the layer is in the user's model, empty where that is not known. ``resources`` are None where the
    layer is not built, and where a tool did not count it apart; ``facts`` are those of the design, None if not known.
    """

    layer: str
    weights: int
    nonzeros_pruned: int
    nonzeros_quantised: int
    nonzeros_built: int
    picture: tuple[tuple[float, ...], ...]
    resources: LayerResources | None
    kind: str = ""
    facts: LayerFacts | None = None

    @property
    def interval(self) -> int:
        """The cycles that a vector keeps the layer busy, 1 where that is not known."""
        return self.facts.interval if self.facts else 1

    @property
    def sparsity(self) -> float:
        """The share of zeros after quantisation."""
        return 1 - self.nonzeros_quantised / self.weights if self.weights else 0.0


@dataclass(frozen=True)
class Provenance:
    """The version of fpgaprune that generated a project, its digest then, and the seeds of the network by stage.

    ``commands`` are those that made it, each as its arguments after ``fpgaprune``, and ``libraries`` the versions of
    what it was made with; none where they are not known.
    """

    version: str
    digest: str
    seeds: Mapping[str, int] = field(default_factory=dict, hash=False)
    commands: tuple[tuple[str, ...], ...] = ()
    libraries: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Point:
    """One design: its label, accuracy of the floating-point and of the integer network, cost, verdict.

    Accuracies are shares of 1 on the test data, None where they are not known. ``edited`` lists files that differ from
    what was generated. ``explained`` is what was pruned and why, None where that was not recorded, ``inputs`` how often
    the elements of each input are read. ``energy`` is that of an inference, None where nobody estimated it.
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
    explained: Explained | None = None
    inputs: tuple[InputReads, ...] = ()
    made: Provenance | None = None
    energy: KeptEnergy | None = None

    @property
    def energy_pj(self) -> float | None:
        """What switching takes for an inference, an estimate; None where that is not known."""
        return None if self.energy is None else self.energy.dynamic_pj

    @property
    def sparsity(self) -> float:
        """The share of zero weights over all layers, after quantisation."""
        weights = sum(layer.weights for layer in self.layers)
        return 1 - sum(layer.nonzeros_quantised for layer in self.layers) / weights if weights else 0.0

    @property
    def strategies(self) -> tuple[str, ...]:
        """The strategies that its matrices are built by."""
        known = [layer.facts.strategy for layer in self.layers if layer.facts]
        costed = [layer.strategy for layer in self.resources.layers if layer.nonzeros and layer.strategy]
        return tuple(dict.fromkeys(known or costed))

    @property
    def is_dense(self) -> bool:
        """Whether the network was not pruned."""
        weights = sum(layer.weights for layer in self.layers)
        return weights > 0 and sum(layer.nonzeros_pruned for layer in self.layers) >= DENSE * weights


@dataclass(frozen=True)
class Comparison:
    """Points from dense to sparse; ``threshold`` is the share of the expected fall of a cost that must be there.

    ``stock`` is what stock hls4ml would cost, None where that was not asked for; ``measured`` are kinds of numbers
    that tools measured of all designs and that can be compared as well. ``title`` says what sets the designs apart from
    those of other comparisons for the same board, where there are such.

    Raises:
        InputError: no point, two points of one label, or points of different boards, clocks or kinds of numbers; a
            threshold that is no share.
    """

    points: tuple[Point, ...]
    threshold: float = THRESHOLD
    stock: Baseline | None = None
    measured: tuple[Kind, ...] = ()
    title: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            msg = f"the threshold must be in 0…1, not {self.threshold:g}: it is the share of the expected fall"
            raise InputError(msg)
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

    def _repr_html_(self) -> str:
        """Return the measures of the designs for a notebook: a row a measure, a column a design."""
        from fpgaprune.report.notebook import comparison_html  # which shows measures, which are of comparisons

        return comparison_html(self)

    @property
    def place(self) -> tuple[str, float]:
        """The name of the board and the clock period in ns that all designs are for."""
        return self.dense.board.name, self.dense.resources.clock_ns

    @property
    def site(self) -> str:
        """The board and the clock that designs are for, in words."""
        return f"{self.dense.board.title}, {self.dense.resources.clock_ns:g} ns"

    @property
    def reference(self) -> Point | None:
        """The point that the others are measured against: the first, None where no other is sparser."""
        return self.dense if self.points[-1].sparsity > self.dense.sparsity else None

    @property
    def compared(self) -> tuple[str, ...]:
        """The layers of which one design has fewer non-zeros than another that builds them by the same strategy."""
        return tuple(dict.fromkeys(pair.after.layer for pair in pairs(self.points)))

    @property
    def not_compared(self) -> tuple[str, ...]:
        """The layers of which designs have different numbers of non-zeros, but which no two of them can tell about."""
        counts: dict[str, set[int]] = {}
        for point in self.points:
            for layer in point.layers:
                if layer.resources is not None or layer.facts is not None:
                    counts.setdefault(layer.layer, set()).add(layer.nonzeros_pruned)
        compared = self.compared
        return tuple(name for name, found in counts.items() if len(found) > 1 and name not in compared)

    def findings(self) -> tuple[Finding, ...]:
        """Return the layers for which pruning did not pay, with the reasons; none is the aim."""
        return self._findings

    @cached_property
    def _findings(self) -> tuple[Finding, ...]:
        return findings(self.points, self.threshold)

    def outcome(self, layer: LayerPoint, point: Point) -> Outcome:
        """Return what a layer of one of the points shows of pruning."""
        return self._outcomes.get((layer.layer, point.label), Outcome.UNKNOWN)

    @cached_property
    def _outcomes(self) -> dict[tuple[str, str], Outcome]:
        return outcomes(self.points, self._findings)

    @property
    def uncounted(self) -> tuple[str, ...]:
        """The layers that are built and of which a tool did not count what they take."""
        return tuple(
            dict.fromkeys(
                layer.layer for point in self.points for layer in point.layers if layer.facts and not layer.resources
            )
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


def compare(
    folders: Sequence[ProjectFolder],
    kind: Kind = Kind.ESTIMATE,
    *,
    threshold: float = THRESHOLD,
    stock: bool = True,
) -> Comparison:
    """Return the comparison of generated projects by one kind of numbers, and the verdict that C-simulation left.

    Kinds other than the estimate are those that `fpgaprune.vendor` and `fpgaprune.yosys` keep in the projects. Designs
    of one label, such as those of one model by several strategies, are called by their folders. ``stock`` asks for what
    stock hls4ml would cost for the densest network.

    Raises:
        InputError: no project, one project twice, projects that cannot be compared, a manifest that says nothing of
            the network, no measurement of this kind, or a threshold outside 0…1.
    """
    paths = [folder.path.resolve() for folder in folders]
    if twice := [str(path) for path, times in Counter(paths).items() if times > 1]:
        msg = f"{twice[0]} is given more than once; a design is compared with others"
        raise InputError(msg)
    refuse_unmeasured(folders, kind)
    points = [point_of(folder, kind) for folder in folders]
    labelled = tuple(map(_labelled, points, distinct_labels([(point.label, point.folder) for point in points])))
    found = Comparison(labelled, threshold, measured=measured_kinds(folders) if kind is Kind.ESTIMATE else ())
    if not stock:
        return found
    design = next(folder.design for folder in folders if str(folder.path) == found.dense.folder)
    return replace(found, stock=baseline(design, found.dense))


def _labelled(point: Point, label: str) -> Point:
    return replace(point, label=label)


def point_of(folder: ProjectFolder, kind: Kind = Kind.ESTIMATE) -> Point:
    """Return a generated project as a point of comparisons, by one kind of numbers.

    Raises:
        InputError: its manifest says nothing of the network, or there are no such numbers of it.
    """
    lowered = lower(folder.design)
    estimated = estimate(lowered)
    resources = estimated if kind is Kind.ESTIMATE else measured(folder, kind)
    design, by_layer = _by_layer(estimated), _by_layer(resources)
    facts = layer_facts(lowered, design)
    try:
        said = folder.manifest["point"]
        layers = tuple(_layer_point(layer, by_layer, facts) for layer in said["layers"])
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
            explained=folder.explained(),
            inputs=input_reads(folder.design.graph),
            made=_provenance(folder),
            energy=read_energy(folder.path),
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{folder.path}: the manifest does not describe the pruned network ({type(error).__name__}: {error})"
        raise InputError(msg) from error


def _provenance(folder: ProjectFolder) -> Provenance:
    seeds = {str(stage): int(seed) for stage, seed in folder.manifest["point"].get("seeds", {}).items()}
    version, libraries = str(folder.manifest["fpgaprune"]), read_versions(folder.path)
    return Provenance(version, folder.digest(), seeds, read_commands(folder.path), libraries)


def _by_layer(resources: Resources) -> dict[str, LayerResources]:
    """Return the matrices of each layer as one: a parallel design has one for each step of a loop."""
    found: dict[str, LayerResources] = {}
    for layer in resources.layers:
        if layer.nonzeros and layer.strategy:  # what a tool did not count apart has no strategy
            found[layer.layer] = together(found[layer.layer], layer) if layer.layer in found else layer
    return found


def _share(value: object) -> float | None:
    return None if value is None else float(str(value))


def _layer_point(
    said: dict[str, Any], by_layer: Mapping[str, LayerResources], facts: Mapping[str, LayerFacts]
) -> LayerPoint:
    known = facts.get(said["layer"])
    return LayerPoint(
        layer=str(said["layer"]),
        weights=int(said["weights"]),
        nonzeros_pruned=int(said["nonzeros_pruned"]),
        nonzeros_quantised=int(said["nonzeros_quantised"]),
        nonzeros_built=known.nonzeros if known else 0,
        picture=tuple(tuple(float(share) for share in row) for row in said["picture"]),
        resources=by_layer.get(said["layer"]),
        kind=str(said.get("kind", "")),
        facts=known,
    )


def layer_kinds(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return what each layer is in the user's model, by its name; nothing where a manifest does not say it."""
    try:
        return {str(layer["layer"]): str(layer["kind"]) for layer in manifest["point"]["layers"]}
    except (KeyError, TypeError):
        return {}

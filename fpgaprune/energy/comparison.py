"""Energies side by side: sparsity levels of one network, the densest first, and each as a multiple of that one."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fpgaprune.emit.vectors import to_text
from fpgaprune.energy.estimate import energy
from fpgaprune.energy.values import PARTS, to_data
from fpgaprune.errors import InputError
from fpgaprune.paths import distinct_labels
from fpgaprune.sim import DEFAULT_TIMEOUT_S
from fpgaprune.sim.csim import stored_inputs
from fpgaprune.sim.inputs import load_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fpgaprune.board import Board
    from fpgaprune.energy.values import EnergyEstimate
    from fpgaprune.sim import ProjectFolder

SCHEMA = "fpgaprune-energies-1"


@dataclass(frozen=True)
class EnergyPoint:
    """One design: its label, its folder, the share of its weights that are zero (None if not known), its energy.

    ``vectors`` is the digest of the stored vectors that were counted on, None where inputs were given.
    """

    label: str
    folder: str
    sparsity: float | None
    board: Board
    energy: EnergyEstimate
    vectors: str | None = None

    @property
    def strategies(self) -> tuple[str, ...]:
        """The strategies that its matrices are built by, in alphabetical order."""
        return tuple(sorted({layer.strategy for layer in self.energy.layers if layer.nonzeros}))

    @property
    def by_layer(self) -> dict[str, float]:
        """The energy in pJ of each layer of the user's, all its kernels together."""
        found: dict[str, float] = {}
        for layer in self.energy.layers:
            found[layer.layer] = found.get(layer.layer, 0.0) + layer.dynamic_pj
        return found


@dataclass(frozen=True)
class EnergyComparison:
    """Points from the most non-zeros to the fewest.

    Raises:
        InputError: no point, or points of different boards or clocks.
    """

    points: tuple[EnergyPoint, ...]

    def __post_init__(self) -> None:
        if not self.points:
            msg = "a comparison needs at least one design"
            raise InputError(msg)
        _refuse_others([(point.board, point.energy.clock_ns) for point in self.points])
        object.__setattr__(self, "points", tuple(sorted(self.points, key=lambda point: -point.energy.nonzeros)))

    @property
    def densest(self) -> EnergyPoint:
        """The point with the most non-zeros, which the others are measured against."""
        return self.points[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What makes ratios say something else than what sparsity does."""
        found = []
        if len({point.strategies for point in self.points}) > 1:
            told = "; ".join(f"{point.label}: {', '.join(point.strategies) or 'none'}" for point in self.points)
            found.append(f"not of one strategy ({told}); generate all with one --strategy to see sparsity alone")
        if len({(point.energy.samples, point.energy.inputs, point.vectors) for point in self.points}) > 1:
            told = "; ".join(f"{point.label}: {point.energy.samples} of its own" for point in self.points)
            found.append(f"not of the same inputs ({told}); give all the same --inputs")
        if len({point.energy.static_w for point in self.points}) > 1:
            told = "; ".join(f"{point.label}: {_watts(point.energy.static_w)}" for point in self.points)
            found.append(f"not of one static power ({told}); generate all with one board file")
        return tuple(found)

    @property
    def rises(self) -> tuple[tuple[EnergyPoint, EnergyPoint], ...]:
        """The neighbours of which the one with fewer non-zeros takes no less energy."""
        pairs = zip(self.points, self.points[1:], strict=False)
        return tuple(
            (denser, sparser)
            for denser, sparser in pairs
            if sparser.energy.nonzeros < denser.energy.nonzeros
            and sparser.energy.dynamic_pj >= denser.energy.dynamic_pj
        )


def _watts(power: float | None) -> str:
    return "none" if power is None else f"{power:g} W"


def _refuse_others(of: Sequence[tuple[Board, float]]) -> None:
    for what, values in (
        ("board", {f"{board.name} ({board.part})" for board, _ in of}),
        ("clock", {f"{clock_ns:g} ns" for _, clock_ns in of}),
    ):
        if len(values) > 1:
            msg = f"energies that are compared must be of one {what}, not {' and '.join(sorted(values))}"
            raise InputError(msg)


def energies(
    folders: Sequence[ProjectFolder], inputs: Path | None = None, *, timeout_s: float = DEFAULT_TIMEOUT_S
) -> EnergyComparison:
    """Return the energies of generated projects, on the inputs of one file or on those that each keeps.

    Raises:
        InputError: no project, one project twice, projects of different boards or clocks, or inputs that do not fit.
        ToolError: no compiler, a failed build, a crash, or the time limit.
        MismatchError: the C++ of one computes something else than its kernels.
    """
    paths = Counter(folder.path.resolve() for folder in folders)
    if twice := [path for path, times in paths.items() if times > 1]:
        msg = f"{twice[0]} is given more than once; a design is compared with others"
        raise InputError(msg)
    _refuse_others([(folder.design.board, folder.design.clock_ns) for folder in folders])  # before any of them is built
    points = [_point(folder, inputs, timeout_s) for folder in folders]
    labels = distinct_labels([(point.label, point.folder) for point in points])
    return EnergyComparison(tuple(replace(point, label=label) for point, label in zip(points, labels, strict=True)))


def _point(folder: ProjectFolder, inputs: Path | None, timeout_s: float) -> EnergyPoint:
    design = folder.design
    chosen = None if inputs is None else load_inputs(inputs, design.graph)
    vectors = None if chosen is not None else hashlib.sha256(to_text(stored_inputs(folder)).encode()).hexdigest()
    said = folder.manifest.get("point") or {}
    return EnergyPoint(
        label=str(said.get("label") or design.name),
        folder=str(folder.path),
        sparsity=_sparsity(said),
        board=design.board,
        energy=energy(folder, chosen, timeout_s=timeout_s),
        vectors=vectors,
    )


def _sparsity(said: Mapping[str, Any]) -> float | None:
    try:
        weights = sum(int(layer["weights"]) for layer in said["layers"])
        return 1 - sum(int(layer["nonzeros_quantised"]) for layer in said["layers"]) / weights
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def multiple(value: float, of: float) -> float | None:
    """Return a value as a multiple of another, None where that is nothing."""
    return value / of if of else None


def comparison_to_data(comparison: EnergyComparison) -> dict[str, Any]:
    """Return energies side by side as JSON values."""
    return {
        "schema": SCHEMA,
        "board": comparison.densest.board.name,
        "x_densest_of": comparison.densest.label,
        "notes": list(comparison.notes),
        "rises": [[denser.label, sparser.label] for denser, sparser in comparison.rises],
        "designs": [_point_to_data(point, comparison.densest) for point in comparison.points],
    }


def _point_to_data(point: EnergyPoint, densest: EnergyPoint) -> dict[str, Any]:
    one, of = point.energy, densest.energy
    layers = {name: _ratio(pj, densest.by_layer.get(name, 0.0)) for name, pj in point.by_layer.items()}
    return {
        "label": point.label,
        "folder": point.folder,
        "sparsity": None if point.sparsity is None else round(point.sparsity, 6),
        "nonzeros": one.nonzeros,
        "strategies": list(point.strategies),
        "x_densest": {
            "nonzeros": _ratio(one.nonzeros, of.nonzeros),
            "dynamic_pj": _ratio(one.dynamic_pj, of.dynamic_pj),
            "dynamic_and_static_pj": _with_static(one, of),
            "parts": {part: _ratio(one.part_pj(part), of.part_pj(part)) for part in PARTS},
            "layers": layers,
        },
        "energy": to_data(one),
    }


def _with_static(one: EnergyEstimate, of: EnergyEstimate) -> float | None:
    if one.static is None or of.static is None:
        return None
    return _ratio(one.static.energy_pj + one.dynamic_pj, of.static.energy_pj + of.dynamic_pj)


def _ratio(value: float, of: float) -> float | None:
    found = multiple(value, of)
    return None if found is None else round(found, 4)

"""What a vendor's tool measured of a project: reports of one stage together, kept in its folder, as `Resources`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from fpgaprune.emit.names import names_of
from fpgaprune.errors import InputError
from fpgaprune.lower import lower
from fpgaprune.paths import write_text
from fpgaprune.resources import Kind, LayerResources, Measured, Resources, estimate, together
from fpgaprune.vendor.layers import LayerCounts, layers
from fpgaprune.vendor.reading import read
from fpgaprune.vendor.tie import Identity, check, refuse_edited
from fpgaprune.vendor.values import NOTHING, Counts, Cycles, Power, Timing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from fpgaprune.lower import Lowered
    from fpgaprune.sim import ProjectFolder
    from fpgaprune.vendor.values import Report

SCHEMA = "fpgaprune-measurement-1"
FOLDER = "reports"
"""The folder of a project that keeps what tools said."""

REST = "all else"
"""The layer of what is in no kernel's module: the top, FIFOs, and kernels that the tool merged into it."""


@dataclass(frozen=True)
class Source:
    """A report that was read: its name, its SHA-256, what it says, and whether it carried the project's tag."""

    name: str
    sha256: str
    says: tuple[str, ...]
    tagged: bool


@dataclass(frozen=True)
class Measurement:
    """The numbers of one kind of one project, whose digest they belong to; None where no report said them."""

    kind: Kind
    digest: str
    tool: str
    sources: tuple[Source, ...] = ()
    counts: Counts | None = None
    carry: int | None = None
    cycles: Cycles | None = None
    timing: Timing | None = None
    power: Power | None = None
    layers: tuple[LayerCounts, ...] = ()

    @property
    def measured(self) -> Measured:
        """What goes beside the counts of `Resources`."""
        timing, power = self.timing, self.power
        return Measured(
            tool=self.tool,
            achieved_ns=timing.achieved_ns if timing else None,
            timing_met=timing.met if timing else None,
            total_w=power.total_w if power else None,
            dynamic_w=power.dynamic_w if power else None,
            static_w=power.static_w if power else None,
            carry=self.carry,
        )


def import_report(project: ProjectFolder, path: Path) -> Measurement:
    """Read a report of a project, keep what it says in the project's folder, and return all that is known of its kind.

    Raises:
        InputError: the project was edited; the report cannot be read, or is of another project, part or clock.
    """
    return import_reports(project, (path,))


def import_reports(project: ProjectFolder, paths: tuple[Path, ...]) -> Measurement:
    """Read reports of one stage, which replace what is kept of it from another version of the tool.

    Raises:
        InputError: as for `import_report`, or the reports are of several stages.
    """
    refuse_edited(project)
    lowered = lower(project.design)
    found: Measurement | None = None
    for path in paths:
        report = read(path)
        try:
            check(report, project)
            found = _with(_base(project, report, found), report, path, lowered)
        except InputError as error:
            msg = f"{path}: {error}"
            raise InputError(msg) from error
    assert found is not None  # noqa: S101  # there is at least one path
    store(project, found)
    return found


def _base(project: ProjectFolder, report: Report, found: Measurement | None) -> Measurement:
    if found is not None and found.kind is not report.kind:
        msg = f"it is {report.kind.value}, the reports before it {found.kind.value}"
        raise InputError(msg)
    digest = Identity.of(project).digest
    before = found or stored(project, report.kind)
    if before is None or before.tool != report.tool:
        return Measurement(report.kind, digest, report.tool)
    return before


def _with(base: Measurement, report: Report, path: Path, lowered: Lowered) -> Measurement:
    """A flat count is the whole's; that by hierarchy is the same and adds the layers."""
    source = Source(
        path.name, hashlib.sha256(path.read_bytes()).hexdigest(), report.says, tagged=report.tag is not None
    )
    others = tuple(each for each in base.sources if each.says != source.says)
    inside = layers(report.instances, lowered.design.name, _tensors(lowered))
    said = {name: getattr(report, name) for name in ("counts", "carry", "cycles", "timing", "power")}
    new = {name: value for name, value in said.items() if value is not None}
    return replace(base, sources=(*others, source), layers=inside or base.layers, **new)


def _tensors(lowered: Lowered) -> dict[str, str]:
    """Return the tensor of each kernel by its C++ name."""
    names = names_of(lowered)
    return {names[kernel.name]: kernel.name for kernel in lowered.every_kernel}


def resources(project: ProjectFolder, kind: Kind) -> Resources:
    """Return what is kept of a project's measurements of one kind, with latency and interval from C synthesis.

    Synthesis and route keep the cycles that C synthesis scheduled. A kernel that the tool kept as a module of its own
    is a layer; the others and all that is between them are the layer `REST`, whose look-up tables fall below zero where
    layers share some. What describes the design and not its cost, as non-zeros, comes from the design. A latency of a
    layer that no report says is 0.

    Raises:
        InputError: no report of this kind, or none that says counts, latency or interval.
    """
    measurement = _known(project, kind)
    cycles = measurement.cycles or _known(project, Kind.CSYNTH).cycles
    if measurement.counts is None:
        msg = f"{project.path} has no {kind.value} counts: import a report of the utilisation as well"
        raise InputError(msg)
    if cycles is None or cycles.latency_worst is None or cycles.interval_worst is None:
        msg = f"C synthesis of {project.path} does not say latency and interval: it found a loop of unknown length"
        raise InputError(msg)
    depths = {layer.tensor: layer.latency for layer in _known_layers(project)}
    return Resources(
        kind=kind,
        clock_ns=project.design.clock_ns,
        interval_cycles=cycles.interval_worst,
        latency_cycles=cycles.latency_worst,
        layers=_rows(measurement, measurement.counts, depths, lower(project.design)),
        measured=measurement.measured,
    )


def measurements(project: ProjectFolder) -> tuple[Resources, ...]:
    """Return what is kept of a project, kind by kind, where counts and cycles are known.

    Raises:
        InputError: a file is damaged, or belongs to other weights than the project.
    """
    kept = {kind: found for kind in Kind if kind is not Kind.ESTIMATE and (found := stored(project, kind))}
    csynth = kept.get(Kind.CSYNTH)
    cycles = {kind: found.cycles or (csynth.cycles if csynth else None) for kind, found in kept.items()}
    return tuple(
        resources(project, kind)
        for kind, found in kept.items()
        if found.counts and (known := cycles[kind]) and known.latency_worst is not None
    )


def _known(project: ProjectFolder, kind: Kind) -> Measurement:
    found = stored(project, kind)
    if found is None:
        msg = f"{project.path} has no {kind.value} report: run `fpgaprune synth`, or import one"
        raise InputError(msg)
    return found


def _known_layers(project: ProjectFolder) -> tuple[LayerCounts, ...]:
    csynth = stored(project, Kind.CSYNTH)
    return csynth.layers if csynth else ()


def _rows(
    measurement: Measurement, total: Counts, depths: Mapping[str, int | None], lowered: Lowered
) -> tuple[LayerResources, ...]:
    described: dict[str, LayerResources] = {}
    for layer in estimate(lowered).layers:
        described[layer.tensor] = together(described[layer.tensor], layer) if layer.tensor in described else layer
    rows = [
        _row(described.pop(layer.tensor), layer.counts, depths.get(layer.tensor) or 0)
        for layer in measurement.layers
        if layer.tensor in described
    ]
    counted = sum((Counts(row.lut, row.ff, row.dsp, row.bram_18k, row.uram) for row in rows), NOTHING)
    rest = LayerResources("", REST, "", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    for layer in described.values():
        rest = together(rest, layer)
    return (*rows, _row(rest, total - counted, 0))


def _row(described: LayerResources, counts: Counts, latency: int) -> LayerResources:
    """Take from the estimate what describes the layer, and no more."""
    return LayerResources(
        tensor=described.tensor,
        layer=described.layer,
        strategy=described.strategy,
        nonzeros=described.nonzeros,
        adder_bits=described.adder_bits,
        multipliers=described.multipliers,
        latency_cycles=latency,
        **asdict(counts),
    )


def stored(project: ProjectFolder, kind: Kind) -> Measurement | None:
    """Return what is kept of a project's measurements of one kind, or None.

    Raises:
        InputError: the file is damaged, or belongs to other weights than the project.
    """
    path = _path(project.path, kind)
    if not path.is_file():
        return None
    try:
        found = _from_data(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{path} is damaged ({type(error).__name__}: {error}); delete it and import the reports again"
        raise InputError(msg) from error
    if found.kind is not kind or found.digest != Identity.of(project).digest:
        msg = f"{path} belongs to another project; delete it and import the reports again"
        raise InputError(msg)
    return found


def _path(folder: Path, kind: Kind) -> Path:
    return folder / FOLDER / f"{kind.value}.json"


def store(project: ProjectFolder, measurement: Measurement) -> None:
    """Keep a measurement in its project's folder."""
    write_text(_path(project.path, measurement.kind), json.dumps(to_data(measurement), indent=1) + "\n")


def replaced(before: Iterable[Measurement], after: Measurement) -> tuple[str, ...]:
    """Return the names of the reports of a kind that were kept ``before`` and that the last one took the place of."""
    known = [source for each in before if each.kind is after.kind for source in each.sources]
    return tuple(source.name for source in known if source not in after.sources[:-1])


def forget(project: ProjectFolder, kind: Kind) -> None:
    """Remove what is kept of one kind, so that nothing of an earlier run remains beside a new one."""
    _path(project.path, kind).unlink(missing_ok=True)


def to_data(measurement: Measurement) -> dict[str, Any]:
    """Return a measurement as JSON values."""
    return {"schema": SCHEMA} | asdict(measurement) | {"kind": measurement.kind.value}


def _from_data(data: Mapping[str, Any]) -> Measurement:
    if data["schema"] != SCHEMA:
        msg = f"its schema is {data['schema']!r}, not {SCHEMA!r}"
        raise ValueError(msg)
    return Measurement(
        kind=Kind(data["kind"]),
        digest=str(data["digest"]),
        tool=str(data["tool"]),
        sources=tuple(Source(**each | {"says": tuple(each["says"])}) for each in data["sources"]),
        counts=Counts(**data["counts"]) if data["counts"] else None,
        carry=data["carry"],
        cycles=Cycles(**data["cycles"]) if data["cycles"] else None,
        timing=Timing(**data["timing"]) if data["timing"] else None,
        power=Power(**data["power"]) if data["power"] else None,
        layers=tuple(LayerCounts(**each | {"counts": Counts(**each["counts"])}) for each in data["layers"]),
    )

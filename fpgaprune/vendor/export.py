"""What HLS says of its own runs of Vivado (export_design -flow syn or impl, vitis-run --impl; AMD UG1399).

<top>_export.rpt is all that versions before 2021 leave; export_syn and export_impl, as text and as XML, came beside it.
They count block RAM in 18-kbit halves and say nothing of hold and pulse width.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.resources.values import Kind
from fpgaprune.vendor import numbers, text
from fpgaprune.vendor.values import Counts, Instance, Report, Timing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

_NEEDED = ("LUT", "FF", "DSP", "BRAM")
_NO_PATH = frozenset({"", "NA", "N/A"})
"""What stands for a period where no path has a register at both of its ends."""


def read_brief(report: str) -> Report:
    """Return what a <top>_export.rpt says.

    Raises:
        InputError: a part is missing.
    """
    sections = _sections(report, r"^#=== *(\S.*?) *===[ \t]*$")
    title, usage = _usage(sections, "Resource usage")
    kind = Kind.POST_ROUTE if "Implementation" in title else Kind.POST_SYNTHESIS
    final = sections.get("Final timing", "")
    stage = "implementation" if kind is Kind.POST_ROUTE else "synthesis"
    head = _pairs(report)
    return Report(
        kind=kind,
        tool=_tool(head.get("Implementation tool", "")),
        top=_top_of(head.get("Project")),
        part=head.get("Device target"),
        tag=text.tag_of(head.get("Solution")),
        timing=_timing(_pairs(final), "CP required", f"CP achieved post-{stage}", failed="not met" in final),
        counts=_counts(_pairs(usage)),
    )


def read_results(report: str) -> Report:
    """Return what an export_syn.rpt or export_impl.rpt says.

    Raises:
        InputError: a part is missing.
    """
    sections = _sections(report, r"^=+[ \t]*\n== *(\S.*?)[ \t]*\n=+[ \t]*$")
    title, usage = _usage(sections, "Resource Summary")
    kind = Kind.POST_ROUTE if "Route" in title else Kind.POST_SYNTHESIS
    table = text.require(report, "timing", "Timing", "Period (ns)")
    periods = {record["Timing"].strip(): record["Period (ns)"].strip() for record in table.records()}
    achieved = "Post-Route" if kind is Kind.POST_ROUTE else "Post-Synthesis"
    summary = next((body for name, body in sections.items() if name.endswith("Timing Summary")), "")
    return Report(
        kind=kind,
        tool=_tool(text.field(report, "Version") or ""),
        top=_top_of(text.field(report, "Project")),
        part=text.field(report, "Target device"),
        tag=text.tag_of(text.field(report, "Solution")),
        timing=_timing(periods, "Target", achieved, failed="not met" in summary),
        counts=_counts(_pairs(usage)),
    )


def read_xml(root: Element) -> Report:
    """Return what an export_syn.xml or export_impl.xml says, or vivado_syn.xml and vivado_impl.xml beside Vivado's own.

    Raises:
        InputError: a part is missing.
    """
    said = {item.get("NAME", ""): item.get("VALUE", "") for item in root.iterfind("GeneralInfo/item")}
    stage, version = root.findtext("RunData/RUN_TYPE"), root.findtext("RunData/VIVADO_VERSION") or said.get("Version")
    if stage not in _STAGES or not version:
        msg = (
            "it does not say the tool, or whether it was written after synthesis or after place and route, as before "
            "2021: <top>_export.rpt beside it does"
        )
        raise InputError(msg)
    kind, period = _STAGES[stage]
    periods = {each.tag: (each.text or "").strip() for each in root.iterfind("TimingReport/*")}
    achieved = period if period in periods else "AchievedClockPeriod"
    whole = _tree({each.get("CELL", ""): each for each in root.iterfind("RtlModules/RtlModule")})
    return Report(
        kind=kind,
        tool=_tool(version),
        top=(whole.module if whole else None) or _top_of(said.get("Project")),
        part=said.get("Target device"),
        tag=text.tag_of(said.get("Solution")),
        timing=_timing(periods, "TargetClockPeriod", achieved, failed=periods.get("TIMING_MET") == "FALSE"),
        counts=_counts({each.tag: (each.text or "").strip() for each in root.iterfind("AreaReport/Resources/*")}),
        instances=whole.parts if whole else (),
    )


_STAGES = {"impl": (Kind.POST_ROUTE, "CP_ROUTE"), "synth": (Kind.POST_SYNTHESIS, "CP_SYNTH")}
"""Kinds and periods by RUN_TYPE; the period that is called final is that of synthesis where routing gave none."""


def _tool(version: str) -> str:
    """Another flow than Vivado's own: HLS wraps the kernel into a block design, so its counts are kept apart."""
    return f"Vivado {text.version_of(version)} (HLS export)"


def _top_of(project: str | None) -> str | None:
    """The top is not said; our scripts call the project after it."""
    return project.removesuffix("_hls") if project and project.endswith("_hls") else None


def _sections(report: str, title: str) -> dict[str, str]:
    _, *parts = re.split(title, report, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _usage(sections: Mapping[str, str], ending: str) -> tuple[str, str]:
    found = [(title, body) for title, body in sections.items() if title.endswith(ending)]
    if not found:
        msg = f"there is no section {ending!r}: is the report cut off?"
        raise InputError(msg)
    return found[-1]


def _pairs(section: str) -> dict[str, str]:
    return dict(re.findall(r"^[ \t]*([A-Za-z][\w -]*):[ \t]*(\S.*?)[ \t]*$", section, re.MULTILINE))


def _counts(found: Mapping[str, str]) -> Counts:
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        msg = f"it has no count of {', '.join(missing)}: is the report cut off?"
        raise InputError(msg)
    return Counts(*map(numbers.count, (*(found[name] for name in _NEEDED), found.get("URAM", "0"))))


def _timing(periods: Mapping[str, str], target: str, achieved: str, *, failed: bool) -> Timing | None:
    missing = [name for name in (target, achieved) if name not in periods]
    if missing:
        msg = f"it has no period {missing[0]!r}: is the report cut off?"
        raise InputError(msg)
    if periods[achieved] in _NO_PATH:
        return None
    clock, reached = (numbers.nanoseconds(periods[name]) for name in (target, achieved))
    return Timing(clock, reached, reached <= clock and not failed)


def _tree(modules: Mapping[str, Element]) -> Instance | None:
    """Put modules below one another by the paths of their cells; None where the report has none."""
    tops = [cell for cell in modules if cell.rpartition("/")[0] not in modules]
    return _instance(tops[0], modules) if len(tops) == 1 else None


def _instance(cell: str, modules: Mapping[str, Element]) -> Instance:
    element = modules[cell]
    name = element.get("ORIG_REF_NAME", "")
    parts = tuple(_instance(each, modules) for each in modules if each.rpartition("/")[0] == cell and each != cell)
    return Instance(re.sub(r"^bd_0_hls_inst_0_", "", name), _amounts(element.find("Resources")), parts=parts)


def _amounts(resources: Element | None) -> Counts:
    """What is zero is left out; Versal calls slices ``DSPSlice``."""
    found = dict(resources.items()) if resources is not None else {}
    dsp = next((value for name, value in found.items() if name.startswith("DSP")), "0")
    cells = (found.get("LUT", "0"), found.get("FF", "0"), dsp, found.get("BRAM", "0"), found.get("URAM", "0"))
    return Counts(*map(numbers.count, cells))

"""XML of HLS (AMD UG1399): csynth.xml; <top>_csynth.xml, which says nothing of the modules inside; export_*.xml."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from fpgaprune.errors import InputError
from fpgaprune.resources.values import Kind
from fpgaprune.vendor import export, numbers
from fpgaprune.vendor.text import version_of
from fpgaprune.vendor.values import Counts, Cycles, Instance, Report, Timing

if TYPE_CHECKING:
    from collections.abc import Mapping


def read(text: str) -> Report:
    """Return what a csynth.xml or an export_*.xml says.

    Raises:
        InputError: it is no complete report of HLS.
    """
    root = _root(text)
    if root.find("AreaReport") is not None:
        return export.read_xml(root)
    target, estimated = _text(root, "UserAssignments/TargetClockPeriod"), _text(root, _ESTIMATED)
    clock, achieved = numbers.nanoseconds(target), numbers.nanoseconds(estimated)
    modules = {_text(module, "Name"): module for module in root.iterfind("ModuleInformation/Module")}
    top = _text(root, "UserAssignments/TopModelName")
    return Report(
        kind=Kind.CSYNTH,
        tool=_tool(version_of(_text(root, "ReportVersion/Version"))),
        top=top,
        part=_text(root, "UserAssignments/Part"),
        timing=Timing(clock, achieved, achieved <= clock),
        counts=_counts(_element(root, "AreaEstimates/Resources")),
        cycles=_cycles(_element(root, "PerformanceEstimates/SummaryOfOverallLatency")),
        instances=_instances(root.find(".//TopModule"), modules),
    )


_ESTIMATED = "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod"


def _tool(version: str) -> str:
    """The report has no name; Vivado HLS ended with 2020.1."""
    return f"{'Vivado' if version < '2020.2' else 'Vitis'} HLS {version}"


def _root(text: str) -> ElementTree.Element:
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        msg = "an XML file that declares entities is no report"
        raise InputError(msg)
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  # entities are refused above, and the size before
    except ElementTree.ParseError as error:
        msg = f"it is not complete XML ({error}): is it cut off?"
        raise InputError(msg) from error
    if root.tag != "profile":
        msg = f"its outermost element must be 'profile', not {root.tag!r}: it is no report of HLS"
        raise InputError(msg)
    return root


def _element(root: ElementTree.Element, path: str) -> ElementTree.Element:
    found = root.find(path)
    if found is None:
        msg = f"it has no {path}"
        raise InputError(msg)
    return found


def _text(root: ElementTree.Element, path: str) -> str:
    text = (_element(root, path).text or "").strip()
    if not text:
        msg = f"{path} is empty"
        raise InputError(msg)
    return text


def _counts(resources: ElementTree.Element) -> Counts:
    """Before 2020.2 a DSP slice is a DSP48E; devices and versions without UltraRAM do not name it."""
    found = {each.tag: (each.text or "").strip() for each in resources}
    missing = [name for name in ("LUT", "FF", "BRAM_18K") if name not in found]
    if missing:
        msg = f"AreaEstimates/Resources has no {', '.join(missing)}"
        raise InputError(msg)
    dsp = next((found[name] for name in ("DSP", "DSP48E") if name in found), "0")
    cells = found["LUT"], found["FF"], dsp, found["BRAM_18K"], found.get("URAM", "0")
    return Counts(*map(numbers.count, cells))


def _cycles(summary: ElementTree.Element) -> Cycles:
    names = ("Best-caseLatency", "Worst-caseLatency", "Interval-min", "Interval-max")
    return Cycles(*(numbers.cycles(summary.findtext(name) or "") for name in names))


def _instances(parent: ElementTree.Element | None, modules: Mapping[str, ElementTree.Element]) -> tuple[Instance, ...]:
    if parent is None:
        return ()
    return tuple(_instance(each, modules) for each in parent.iterfind("InstancesList/Instance"))


def _instance(element: ElementTree.Element, modules: Mapping[str, ElementTree.Element]) -> Instance:
    name = _text(element, "ModuleName")
    module = modules.get(name)
    parts = _instances(element, modules)
    if module is None:
        return Instance(name, None, parts=parts)
    latency = module.findtext("PerformanceEstimates/SummaryOfOverallLatency/Worst-caseLatency") or ""
    return Instance(name, _counts(_element(module, "AreaEstimates/Resources")), numbers.cycles(latency), parts)

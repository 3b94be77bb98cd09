"""Reports of Vivado: utilisation, flat and by hierarchy, timing summary and power (AMD UG835, UG906, UG907)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.resources.values import Kind
from fpgaprune.vendor import numbers, text
from fpgaprune.vendor.values import Counts, Instance, Power, Report, Timing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KINDS = {
    "synthesized": Kind.POST_SYNTHESIS,
    "routed": Kind.POST_ROUTE,
    "fully routed": Kind.POST_ROUTE,
    "physopt postroute": Kind.POST_ROUTE,
}
"""Kinds by the state of the design, in lower case; other states are between stages and are no kind."""

_SITES = {
    "lut": ("CLB LUTs", "Slice LUTs"),
    "ff": ("CLB Registers", "Slice Registers", "Registers"),
    "tiles": ("Block RAM Tile",),
    "ramb36": ("RAMB36/FIFO", "RAMB36E5"),
    "ramb18": ("RAMB18", "RAMB18E5"),
    "dsp": ("DSPs", "DSP Slices"),
    "uram": ("URAM",),
}
"""What a count is called: CLB from UltraScale on; Registers, RAMB36E5, DSP Slices on Versal; a star is a note."""


def read_utilisation(report: str) -> Report:
    """Return what a flat report_utilization says.

    Raises:
        InputError: a part is missing, or the design is at no stage that is a kind.
    """
    used = _used(report)
    missing = [names for key, names in _SITES.items() if key in ("lut", "ff", "dsp") and key not in used]
    if missing or not used.keys() & {"tiles", "ramb36"}:
        names = " or ".join(missing[0]) if missing else "Block RAM Tile"
        msg = f"there is no row {names}: is the report cut off?"
        raise InputError(msg)
    counts = Counts(
        numbers.count(used["lut"]),
        numbers.count(used["ff"]),
        numbers.count(used["dsp"]),
        numbers.halves(used["tiles"]) if "tiles" in used else _brams(used["ramb36"], used.get("ramb18", "0")),
        numbers.count(used.get("uram", "0")),
    )
    return _report(report, counts=counts, carry=_carry(report))


def _brams(ramb36: str, ramb18: str) -> int:
    return 2 * numbers.count(ramb36) + numbers.count(ramb18)


def _used(report: str) -> dict[str, str]:
    """Return the used sites; the same names come again in tables by region and by SLR, so the first counts."""
    found: dict[str, str] = {}
    keys = {name: key for key, names in _SITES.items() for name in names}
    for table in text.tables(report):
        if not {"Site Type", "Used"} <= set(table.columns):
            continue
        for record in table.records():
            key = keys.get(record["Site Type"].strip().rstrip("*"))
            if key:
                found.setdefault(key, record["Used"])
    return found


def _carry(report: str) -> int | None:
    table = text.find(report, "Ref Name", "Used")
    if table is None:
        return None
    names = ("CARRY4", "CARRY8", "LOOKAHEAD8")
    return sum(numbers.count(record["Used"]) for record in table.records() if record["Ref Name"].strip() in names)


def read_hierarchy(report: str) -> Report:
    """Return what report_utilization -hierarchical says.

    Raises:
        InputError: a part is missing, or the design is at no stage that is a kind.
    """
    table = text.require(report, "instances", "Instance", "Module", "Total LUTs", "FFs", "RAMB36", "RAMB18")
    whole = _tree(table.records())
    return _report(report, counts=whole.counts, instances=whole.parts)


def _tree(records: Sequence[Mapping[str, str]]) -> Instance:
    """Put instances below one another by the blanks before them; one in brackets is its parent's own logic."""
    rows = []
    for record in records:
        name = record["Instance"]
        if not name.strip().startswith("("):
            rows.append((len(name) - len(name.lstrip()), record["Module"].strip(), _hierarchical(record)))
    if not rows:
        msg = "the table of instances has no row: is the report cut off?"
        raise InputError(msg)
    stack: list[tuple[int, str, Counts, list[Instance]]] = []
    for depth, module, counts in rows:
        _close(stack, depth)
        stack.append((depth, module, counts, []))
    _close(stack, rows[0][0] + 1)
    _, module, counts, parts = stack[0]
    return Instance(module, counts, parts=tuple(parts))


def _close(stack: list[tuple[int, str, Counts, list[Instance]]], depth: int) -> None:
    """Hand instances that are as deep or deeper to their parents; the outermost stays."""
    while len(stack) > 1 and stack[-1][0] >= depth:
        _, module, counts, parts = stack.pop()
        stack[-1][3].append(Instance(module, counts, parts=tuple(parts)))


def _hierarchical(record: Mapping[str, str]) -> Counts:
    dsp = next((record[name] for name in record if name.startswith("DSP")), "0")
    return Counts(
        numbers.count(record["Total LUTs"]),
        numbers.count(record["FFs"]),
        numbers.count(dsp),
        _brams(record["RAMB36"], record["RAMB18"]),
        numbers.count(record.get("URAM", "0")),
    )


def read_timing(report: str) -> Report:
    """Return what report_timing_summary says: the period less the worst slack of set-up is the one that is reached.

    Raises:
        InputError: a part is missing, there is no constrained path, or the design is at no stage that is a kind.
    """
    slacks = _slacks(report)
    if slacks["WNS(ns)"] in ("NA", "inf"):
        msg = "no path in it is constrained: create a clock on ap_clk before report_timing_summary"
        raise InputError(msg)
    clock = _period(report)
    achieved = round(clock - numbers.number(slacks["WNS(ns)"]), 3)
    others = (slacks.get(name, "NA") for name in ("WHS(ns)", "WPWS(ns)"))
    met = achieved <= clock and all(numbers.number(cell) >= 0 for cell in others if cell not in ("NA", "inf"))
    return _report(report, timing=Timing(clock, achieved, met))


def _slacks(report: str) -> dict[str, str]:
    """Names and values stand in two lines, with a line of dashes between them."""
    found = re.search(r"^\s*(WNS\(ns\).*)\n[\s-]*\n\s*(\S.*)$", report, re.MULTILINE)
    names = re.split(r"\s{2,}", found[1].strip()) if found else []
    values = found[2].split() if found else []
    if not names or len(values) != len(names):
        msg = "there is no Design Timing Summary in it: is the report cut off?"
        raise InputError(msg)
    return dict(zip(names, values, strict=True))


def _period(report: str) -> float:
    """Return the period of ap_clk, or of the only clock that there is."""
    summary = report.partition("| Clock Summary")[2].partition("| Intra Clock Table")[0]
    clocks = dict(re.findall(r"^\s*(\S+)\s+\{[^}]*\}\s+(\S+)\s+\S+\s*$", summary, re.MULTILINE))
    if "ap_clk" not in clocks and len(clocks) != 1:
        msg = f"it must have a clock ap_clk, not {', '.join(sorted(clocks)) or 'none'}"
        raise InputError(msg)
    return numbers.nanoseconds(clocks.get("ap_clk") or next(iter(clocks.values())))


_WATTS = ("Total On-Chip Power (W)", "Dynamic (W)", "Device Static (W)")


def read_power(report: str) -> Report:
    """Return what report_power says.

    Raises:
        InputError: a part is missing, or the design is at no stage that is a kind.
    """
    found = {row[0].strip(): row[1] for table in text.tables(report) for row in _rows(table) if len(row) == 2}
    missing = [name for name in _WATTS if name not in found]
    if missing:
        msg = f"there is no row {missing[0]}: is the report cut off?"
        raise InputError(msg)
    watts = [numbers.number(found[name]) for name in _WATTS]
    if min(watts) < 0:
        msg = f"power must be 0 or more, not {min(watts):g} W"
        raise InputError(msg)
    return _report(report, power=Power(*watts))


def _rows(table: text.Table) -> tuple[text.Row, ...]:
    return (*table.head, *table.rows)


def _report(
    report: str,
    *,
    counts: Counts | None = None,
    carry: int | None = None,
    timing: Timing | None = None,
    power: Power | None = None,
    instances: tuple[Instance, ...] = (),
) -> Report:
    head = text.header(report)
    if "design" not in head or "tool version" not in head:
        msg = "its head does not name the design and the tool"
        raise InputError(msg)
    return Report(
        kind=_kind(head, report),
        tool=f"Vivado {text.version_of(head['tool version'])}",
        top=head["design"],
        part=_part(head),
        tag=text.tag_of(head.get("command")),
        timing=timing,
        counts=counts,
        carry=carry,
        power=power,
        instances=instances,
    )


def _kind(head: Mapping[str, str], report: str) -> Kind:
    """Timing summaries say the state from 2022 on; in older ones the nets of the paths do."""
    state = head.get("design state") or _state_of_nets(report)
    kind = _KINDS.get(state.lower())
    if kind is None:
        msg = (
            f"the design is in state {state!r}, which is between synthesis and route: "
            "open the synthesised or the routed design in Vivado and report again"
        )
        raise InputError(msg)
    return kind


def _state_of_nets(report: str) -> str:
    for word, state in (("unplaced", "Synthesized"), ("estimated", "Placed"), ("routed", "Routed")):
        if re.search(rf"net \(fo=[^)]*\b{word}\)", report):
            return state
    return "unknown"


def _part(head: Mapping[str, str]) -> str | None:
    """A timing summary has the device and its package; the speed grade stands in a line of its own."""
    device = head.get("device")
    speed = re.match(r"-\w+", head.get("speed file", ""))
    if device is None or speed is None or speed[0] in device:
        return device
    return device + speed[0]

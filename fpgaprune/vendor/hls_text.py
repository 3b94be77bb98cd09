"""Texts of HLS: <top>_csynth.rpt, and the summary of all modules that csynth.rpt is from 2021.1 on (AMD UG1399)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.resources.values import Kind
from fpgaprune.vendor import numbers, text
from fpgaprune.vendor.values import Counts, Cycles, Instance, Report, Timing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def read_module(report: str) -> Report:
    """Return what a <top>_csynth.rpt says: the top, and the modules directly in it.

    Raises:
        InputError: a part is missing.
    """
    made, top = _title(report, r"== (Vitis|Vivado) HLS Report for '([^']+)'")
    latency = _latency(report)
    return Report(
        kind=Kind.CSYNTH,
        tool=f"{made} HLS {_version(report)}",
        top=top,
        part=text.field(report, "Target device"),
        tag=text.tag_of(text.field(report, "Solution")),
        timing=_timing(report),
        counts=_total(report),
        cycles=Cycles(*latency),
        instances=tuple(_instances(report)),
    )


def read_summary(report: str) -> Report:
    """Return what a summary says: the top and all modules below it, at worst; the clock is not in it.

    Raises:
        InputError: a part is missing.
    """
    _, top = _title(report, r"== (Synthesis Summary) Report of '([^']+)'")
    table = text.require(report, "modules", "Modules & Loops", "Interval", "LUT")
    root = _tree(table.records())
    whole = root.instance()
    return Report(
        kind=Kind.CSYNTH,
        tool=f"Vitis HLS {_version(report)}",
        top=top,
        part=text.field(report, "Target device"),
        tag=text.tag_of(text.field(report, "Solution")),
        counts=whole.counts,
        cycles=Cycles(None, whole.latency, None, root.interval),
        instances=whole.parts,
    )


def _title(report: str, pattern: str) -> tuple[str, str]:
    found = re.search(pattern, report)
    assert found is not None  # noqa: S101  # the title is what the report was recognised by
    return found[1], found[2]


def _version(report: str) -> str:
    return text.version_of(text.field(report, "Version") or "")


def _timing(report: str) -> Timing:
    """Up to 2019.1 the unit stands above the table; the cells have none then."""
    records = text.require(report, "timing", "Clock", "Target", "Estimated").records()
    if not records:
        msg = "the table of timing has no row: is the report cut off?"
        raise InputError(msg)
    clock, achieved = (numbers.nanoseconds(records[0][name]) for name in ("Target", "Estimated"))
    return Timing(clock, achieved, achieved <= clock)


def _is_latency(table: text.Table, before: Sequence[str]) -> bool:
    """Whether the last line of the head is: names, min and max for each of two or three quantities, the type."""
    words = [cell.strip() for cell in table.head[-1]]
    spans = words[len(before) : -1]
    return words[: len(before)] == list(before) and spans in (["min", "max"] * 2, ["min", "max"] * 3)


def _latency(report: str) -> list[int | None]:
    """Return best and worst latency, and best and worst interval; between them may be the latency as a time."""
    table = next((table for table in text.tables(report) if _is_latency(table, ())), None)
    if table is None or not table.rows or len(table.rows[0]) != len(table.head[-1]):
        msg = "there is no table of latency: is the report cut off?"
        raise InputError(msg)
    cells = table.rows[0][:-1]
    return [numbers.cycles(cell) for cell in (*cells[:2], *cells[-2:])]


def _counts(record: Mapping[str, str]) -> Counts:
    dsp = next((record[name] for name in ("DSP", "DSP48E") if name in record), "0")
    bram = next((record[name] for name in ("BRAM_18K", "BRAM") if name in record), "0")
    return Counts(*map(numbers.count, (record["LUT"], record["FF"], dsp, bram, record.get("URAM", "0"))))


def _total(report: str) -> Counts:
    table = text.require(report, "utilisation", "Name", "BRAM_18K", "FF", "LUT")
    for record in table.records():
        if record["Name"].strip() == "Total":
            return _counts(record)
    msg = "the table of utilisation has no row 'Total': is the report cut off?"
    raise InputError(msg)


def _instances(report: str) -> Iterator[Instance]:
    latencies = {row[0].strip(): row[3] for row in _instance_latencies(report)}
    table = text.find(report, "Instance", "Module", "BRAM_18K", "FF", "LUT")
    for record in table.records() if table else ():
        module, name = record["Module"].strip(), record["Instance"].strip()
        if module:  # the row of totals has none
            yield Instance(module, _counts(record), numbers.cycles(latencies.get(name, "")))


def _instance_latencies(report: str) -> tuple[text.Row, ...]:
    found = (table.rows for table in text.tables(report) if _is_latency(table, ("Instance", "Module")))
    return next(found, ())


@dataclass
class _Module:
    """A module while its parts are gathered."""

    name: str
    record: Mapping[str, str]
    parts: list[_Module] = field(default_factory=list)

    @property
    def interval(self) -> int | None:
        return numbers.cycles(self.record["Interval"])

    def instance(self) -> Instance:
        latency = numbers.cycles(self.record.get("Latency (cycles)", ""))
        parts = tuple(part.instance() for part in self.parts)
        return Instance(self.name, _counts(self.record), latency, parts)


def _tree(records: Sequence[Mapping[str, str]]) -> _Module:
    """Put modules below one another by the blanks before their plus; loops stand between them and count nothing."""
    root: _Module | None = None
    above: list[tuple[int, _Module]] = []
    for record in records:
        found = re.fullmatch(r"(\s*)\+\s*(\S+?)\*?\s*", record["Modules & Loops"])
        if found is None:
            continue
        depth, module = len(found[1]), _Module(found[2], record)
        while above and above[-1][0] >= depth:
            above.pop()
        if above:
            above[-1][1].parts.append(module)
        root = root or module
        above.append((depth, module))
    if root is None:
        msg = "the table of modules has no row: is the report cut off?"
        raise InputError(msg)
    return root

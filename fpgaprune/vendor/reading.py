"""Read a report by what it says, whatever it is called."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.vendor import export, hls_text, hls_xml, vivado

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fpgaprune.vendor.values import Report

_LARGEST = 1 << 28
"""Bytes beyond which a file is not read; csynth.xml of a thousand modules has a hundredth of them."""

_READERS: tuple[tuple[str, Callable[[str], Report]], ...] = (
    ("<profile>", hls_xml.read),
    ("== Synthesis Summary Report of '", hls_text.read_summary),
    ("HLS Report for '", hls_text.read_module),
    (" Resource Summary", export.read_results),
    (" Resource usage ===", export.read_brief),
    ("Utilization by Hierarchy", vivado.read_hierarchy),
    ("Utilization Design Information", vivado.read_utilisation),
    ("Timing Summary Report", vivado.read_timing),
    ("Power Report", vivado.read_power),
)
"""A text that only this report has, and what reads it; the first that fits counts."""

_KNOWN = (
    "csynth.xml, csynth.rpt and <top>_csynth.rpt of Vitis HLS; <top>_export.rpt, export_syn and export_impl (.rpt or "
    ".xml) of its runs of Vivado; report_utilization (with or without -hierarchical), "
    "report_timing_summary and report_power of Vivado"
)


def read(path: Path) -> Report:
    """Return what a report says.

    Raises:
        InputError: no file, too large, no report that is known, or one that is not complete; the message names it.
    """
    report = _text(path)
    try:
        return _named(parse(report), path)
    except InputError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error


def parse(report: str) -> Report:
    """Return what the text of a report says.

    Raises:
        InputError: it is no report that is known, or not complete.
    """
    report = report.replace("\r\n", "\n")
    if not report.strip():
        msg = "it is empty"
        raise InputError(msg)
    for mark, reader in _READERS:
        if mark in report:
            return reader(report)
    msg = f"it is no report that can be read; these can: {_KNOWN}"
    raise InputError(msg)


def _named(report: Report, path: Path) -> Report:
    """A <top>_export.rpt names the top by its own name alone."""
    found = re.fullmatch(r"(.+)_export\.rpt", path.name)
    return replace(report, top=found[1]) if report.top is None and found else report


def _text(path: Path) -> str:
    if path.is_dir():
        msg = f"{path} is a folder and not a file; give the reports in it one by one: {_KNOWN}"
        raise InputError(msg)
    if not path.is_file():
        msg = f"{path} is not a file"
        raise InputError(msg)
    if path.stat().st_size > _LARGEST:
        msg = f"{path} is larger than {_LARGEST >> 20} MiB, which no report is"
        raise InputError(msg)
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise InputError(msg) from error

"""Vendor tools: run Vitis and Vivado on a project, read their reports, and keep what they say: folder → Resources."""

from fpgaprune.vendor.installs import Maker, find, missing, require
from fpgaprune.vendor.measurement import (
    Measurement,
    import_report,
    measurements,
    replaced,
    resources,
    store,
    stored,
    to_data,
)
from fpgaprune.vendor.reading import parse, read
from fpgaprune.vendor.synth import DEFAULT_TIMEOUT_S, makers, synth

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "Maker",
    "Measurement",
    "find",
    "import_report",
    "makers",
    "measurements",
    "missing",
    "parse",
    "read",
    "replaced",
    "require",
    "resources",
    "store",
    "stored",
    "synth",
    "to_data",
]

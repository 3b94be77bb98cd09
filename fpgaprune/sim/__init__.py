"""Build and run generated C++, and compare it with the definition: folder → Verdict."""

from fpgaprune.sim.csim import DEFAULT_TIMEOUT_S, csim, simulate, stored_inputs
from fpgaprune.sim.folder import ProjectFolder
from fpgaprune.sim.verdict import Mismatch, Verdict, read_verdict, store_verdict, to_data

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "Mismatch",
    "ProjectFolder",
    "Verdict",
    "csim",
    "read_verdict",
    "simulate",
    "store_verdict",
    "stored_inputs",
    "to_data",
]

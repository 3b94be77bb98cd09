"""Open synthesis with Yosys: the Verilog of a design proved equal in simulation, then mapped to cells and counted."""

from fpgaprune.yosys.cells import Cells, cells_of
from fpgaprune.yosys.design import open_synthesis, synth
from fpgaprune.yosys.synthesise import Equivalence, synthesise, version

__all__ = ["Cells", "Equivalence", "cells_of", "open_synthesis", "synth", "synthesise", "version"]

"""fpgaprune: prune PyTorch models and generate FPGA designs in which zero weights do not exist.

`fpgaprune.api` has the stages as functions; importing this package alone loads nothing heavy.
"""

from fpgaprune.version import __version__

__all__ = ["__version__"]

"""Print kernels as Verilog: Kernels → modules and a top, for open synthesis and simulation."""

from fpgaprune.rtl.printer import TOP, print_kernel, print_rtl, timing
from fpgaprune.rtl.top import PortNames, port_names

__all__ = ["TOP", "PortNames", "port_names", "print_kernel", "print_rtl", "timing"]

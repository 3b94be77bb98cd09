"""Make every layer explicit: Design → Kernels."""

from fpgaprune.lower.interpret import run
from fpgaprune.lower.kernels import (
    ConstantKernel,
    ElementKernel,
    Finish,
    Kernel,
    Lowered,
    MatVecKernel,
    Output,
    Port,
    WireKernel,
    Word,
)
from fpgaprune.lower.lowering import lower

__all__ = [
    "ConstantKernel",
    "ElementKernel",
    "Finish",
    "Kernel",
    "Lowered",
    "MatVecKernel",
    "Output",
    "Port",
    "WireKernel",
    "Word",
    "lower",
    "run",
]

"""What switches in a kernel for one inference, on average over successive real inputs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.digits import signed_digits
from fpgaprune.energy.folded import folded
from fpgaprune.energy.toggles import rates
from fpgaprune.energy.values import Switching
from fpgaprune.fabric import in_block_ram
from fpgaprune.lower import (
    AccumulateKernel,
    ArgMaxKernel,
    BufferKernel,
    ConstantKernel,
    ElementKernel,
    ForkKernel,
    Kernel,
    MatMulKernel,
    MatVecKernel,
    MaximumKernel,
    ProductKernel,
    ScanKernel,
    TableKernel,
    WindowKernel,
    WireKernel,
    grid,
    is_deep_fifo,
    results,
)
from fpgaprune.lower.operations import operations, widths
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.energy.toggles import FloatArray
    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import Port
    from fpgaprune.lower.interpret import Words
    from fpgaprune.resources import LayerResources

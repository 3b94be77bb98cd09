"""Capture: a PyTorch module, through torch.export, as a list of typed layers."""

from __future__ import annotations

from fpgaprune.capture.api import capture
from fpgaprune.capture.network import Network
from fpgaprune.capture.records import (
    Add,
    Affine,
    ArgMax,
    BatchNorm,
    Clip,
    Concat,
    ConstantLayer,
    Conv,
    FloatArray,
    Function,
    FunctionKind,
    Gather,
    InputLayer,
    Layer,
    Linear,
    MatMul,
    Maximum,
    MaxPool,
    Multiply,
    Reshape,
    Scan,
    Where,
)
from fpgaprune.capture.run import trace

__all__ = [
    "Add",
    "Affine",
    "ArgMax",
    "BatchNorm",
    "Clip",
    "Concat",
    "ConstantLayer",
    "Conv",
    "FloatArray",
    "Function",
    "FunctionKind",
    "Gather",
    "InputLayer",
    "Layer",
    "Linear",
    "MatMul",
    "MaxPool",
    "Maximum",
    "Multiply",
    "Network",
    "Reshape",
    "Scan",
    "Where",
    "capture",
    "trace",
]

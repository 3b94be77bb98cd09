"""Capture: a PyTorch module, through torch.export, as a list of typed layers."""

from __future__ import annotations

from fpgaprune.capture.api import capture
from fpgaprune.capture.network import Network
from fpgaprune.capture.records import (
    Add,
    Affine,
    BatchNorm,
    Clip,
    FloatArray,
    InputLayer,
    Layer,
    Linear,
    Reshape,
    Where,
)
from fpgaprune.capture.run import trace

__all__ = [
    "Add",
    "Affine",
    "BatchNorm",
    "Clip",
    "FloatArray",
    "InputLayer",
    "Layer",
    "Linear",
    "Network",
    "Reshape",
    "Where",
    "capture",
    "trace",
]

"""Quantisation: batch-norm folding, calibration, fine-tuning on the grid, exact integer layers, storage."""

from __future__ import annotations

from fpgaprune.explained import FoldReport
from fpgaprune.quantise.api import check_layers, quantise
from fpgaprune.quantise.calibrate import Choice
from fpgaprune.quantise.compression import Compression, Cost, Granularity, Saved, Saving
from fpgaprune.quantise.fold import fold_batch_norm
from fpgaprune.quantise.layers import (
    QuantisedAdd,
    QuantisedAffine,
    QuantisedArgMax,
    QuantisedClip,
    QuantisedConcat,
    QuantisedConstant,
    QuantisedConv,
    QuantisedFunction,
    QuantisedGather,
    QuantisedInput,
    QuantisedLayer,
    QuantisedLinear,
    QuantisedMatMul,
    QuantisedMaximum,
    QuantisedMaxPool,
    QuantisedMultiply,
    QuantisedReshape,
    QuantisedScan,
)
from fpgaprune.quantise.model import QuantisedModel
from fpgaprune.quantise.recipe import Calibration, LayerBits, QuantiseRecipe
from fpgaprune.quantise.report import LayerSparsity, QuantiseReport
from fpgaprune.quantise.steps import QuantisedNetwork
from fpgaprune.quantise.store import load, save

__all__ = [
    "Calibration",
    "Choice",
    "Compression",
    "Cost",
    "FoldReport",
    "Granularity",
    "LayerBits",
    "LayerSparsity",
    "QuantiseRecipe",
    "QuantiseReport",
    "QuantisedAdd",
    "QuantisedAffine",
    "QuantisedArgMax",
    "QuantisedClip",
    "QuantisedConcat",
    "QuantisedConstant",
    "QuantisedConv",
    "QuantisedFunction",
    "QuantisedGather",
    "QuantisedInput",
    "QuantisedLayer",
    "QuantisedLinear",
    "QuantisedMatMul",
    "QuantisedMaxPool",
    "QuantisedMaximum",
    "QuantisedModel",
    "QuantisedMultiply",
    "QuantisedNetwork",
    "QuantisedReshape",
    "QuantisedScan",
    "Saved",
    "Saving",
    "check_layers",
    "fold_batch_norm",
    "load",
    "quantise",
    "save",
]

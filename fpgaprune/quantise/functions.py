"""The functions that hardware looks up: their values for tables, and themselves in torch for gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.special import expit, ndtr
from torch import Tensor
from typing_extensions import assert_never

from fpgaprune.capture.records import FunctionKind
from fpgaprune.capture.run import function_of
from fpgaprune.fixed import Fixed, IntArray, from_float, to_float

if TYPE_CHECKING:
    from fpgaprune.capture.records import FloatArray, Function

_CUBIC = 0.044715  # of the approximate GELU (Hendrycks & Gimpel 2016, arXiv:1606.08415)

_LARGEST = 2.0**200
"""Values of a function are limited to it: beyond every format, and finite."""


@dataclass(frozen=True, eq=False)
class Table:
    """The mantissas of a function's values for the mantissas ``low``, ``low + 1`` and so on."""

    values: IntArray
    low: int


def tabulated(function: Function, source: Fixed, to: Fixed) -> Table:
    """Return the table, in format ``to``, for the whole word of ``source``."""
    x = to_float(np.arange(source.low, source.high + 1), source.fraction)
    return Table(from_float(evaluated(function, x, source.step), to), source.low)


def evaluated(function: Function, x: FloatArray, step: float) -> FloatArray:
    """Return the function of each element; outside its domain, that of ``step``, the smallest positive element."""
    with np.errstate(over="ignore"):  # what overflows is limited below
        inside = np.where(_has_value(function, x), x, step)
        values = _values(function.kind, function.parameter, inside)
        return np.clip(values, -_LARGEST, _LARGEST)


def differentiable(function: Function, x: Tensor, step: float) -> Tensor:
    """Return what ``evaluated`` does, in torch, so that it has a gradient."""
    x = torch.where(_has_value(function, x), x, step)
    if function.kind is FunctionKind.RSQRT:
        x = x.clamp(min=0)  # as for tables, what rounding makes negative counts as zero
    return function_of(function.kind, x, function.parameter)


def _values(kind: FunctionKind, parameter: float, x: FloatArray) -> FloatArray:
    match kind:
        case FunctionKind.SIGMOID:
            values = expit(x)
        case FunctionKind.TANH:
            values = np.tanh(x)
        case FunctionKind.SILU:
            values = x * expit(x)
        case FunctionKind.GELU:
            values = x * ndtr(x)
        case FunctionKind.GELU_TANH:
            values = x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + _CUBIC * x**3))) / 2
        case FunctionKind.ELU:
            values = np.where(x > 0, x, parameter * np.expm1(np.minimum(x, 0)))
        case FunctionKind.SOFTPLUS:
            values = np.logaddexp(0, parameter * x) / parameter
        case FunctionKind.EXP:
            values = np.exp(x)
        case FunctionKind.LOG:
            values = np.log(x)
        case FunctionKind.RECIPROCAL:
            values = 1 / x
        case FunctionKind.RSQRT:
            values = 1 / np.sqrt(np.maximum(x, 0) + parameter)
        case _:
            assert_never(kind)
    result: FloatArray = values
    return result


def _has_value(function: Function, x: Any) -> Any:  # noqa: ANN401  # of arrays and of tensors
    """Return where the function is defined."""
    match function.kind:
        case FunctionKind.RECIPROCAL:
            return x != 0
        case FunctionKind.LOG:
            return x > 0
        case FunctionKind.RSQRT if function.parameter <= 0:
            return x > 0
        case _:
            return x == x  # everywhere

"""Tables and gradients of the functions that hardware looks up."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fpgaprune.capture.records import Function, FunctionKind
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.quantise.calibrate import choose_for_table
from fpgaprune.quantise.functions import differentiable, evaluated, tabulated

RESULT = Fixed(True, 32, 16, Rounding.RND, Overflow.SAT)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


EXPECTED = {
    FunctionKind.SIGMOID: (0.0, sigmoid),
    FunctionKind.TANH: (0.0, math.tanh),
    FunctionKind.SILU: (0.0, lambda x: x * sigmoid(x)),
    FunctionKind.GELU: (0.0, lambda x: x / 2 * (1 + math.erf(x / math.sqrt(2)))),
    FunctionKind.GELU_TANH: (0.0, lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    FunctionKind.ELU: (0.75, lambda x: x if x > 0 else 0.75 * (math.exp(x) - 1)),
    FunctionKind.SOFTPLUS: (2.0, lambda x: math.log1p(math.exp(2 * x)) / 2),
    FunctionKind.EXP: (0.0, math.exp),
    FunctionKind.LOG: (0.0, lambda x: math.log(x if x > 0 else 0.25)),
    FunctionKind.RECIPROCAL: (0.0, lambda x: 1 / (x or 0.25)),
    FunctionKind.RSQRT: (0.5, lambda x: 1 / math.sqrt(max(x, 0) + 0.5)),
}


def function(kind, parameter=None):
    return Function("f", "x", (2,), kind, EXPECTED[kind][0] if parameter is None else parameter)


@pytest.mark.parametrize("kind", FunctionKind)
@pytest.mark.parametrize("overflow", [Overflow.SAT, Overflow.SAT_SYM])
@pytest.mark.parametrize("signed", [True, False])
def test_a_table_has_an_entry_for_every_word(kind, overflow, signed):
    source = Fixed(signed, 5, 2, Rounding.RND, overflow)
    table = tabulated(function(kind), source, RESULT)
    exact = [EXPECTED[kind][1](mantissa / 4) * 2**16 for mantissa in range(source.low, source.high + 1)]
    assert table.low == source.low
    assert table.values.tolist() == [math.floor(value + 0.5) for value in exact]


def test_values_beyond_the_format_saturate_and_none_is_infinite():
    source, result = Fixed(True, 16, 0), Fixed(False, 8, 4, Rounding.RND, Overflow.SAT)
    for kind in FunctionKind:
        values = tabulated(function(kind), source, result).values
        assert 0 <= values.min() <= values.max() <= 255
    assert tabulated(function(FunctionKind.EXP), source, result).values[-1] == 255
    assert tabulated(function(FunctionKind.RSQRT, 0.0), source, result).values[32768] == 16  # 0 counts as one step


@pytest.mark.parametrize("kind", FunctionKind)
def test_the_gradient_is_that_of_the_values(kind):
    points = np.array([-2.3, -0.4, 0.6, 3.1])
    x = torch.tensor(points, requires_grad=True)
    y = differentiable(function(kind), x, 0.25)
    y.sum().backward()
    step = 1e-6
    around = [evaluated(function(kind), points + end, 0.25) for end in (-step, step)]
    assert np.allclose(y.detach().numpy(), evaluated(function(kind), points, 0.25), rtol=1e-12)
    assert np.allclose(x.grad.numpy(), (around[1] - around[0]) / (2 * step), rtol=1e-6, atol=1e-8)


def test_what_a_table_reads_has_the_range_in_which_the_function_changes():
    values = np.concatenate([np.linspace(-4, 4, 200), [-1e6]])
    empty, result = Fixed(True, 10, 0, Rounding.RND, Overflow.SAT), Fixed(False, 8, 8, Rounding.RND, Overflow.SAT)
    chosen = choose_for_table(values, empty, function(FunctionKind.SIGMOID), result)
    assert 5 <= chosen.fraction <= 7
    assert chosen.width == 10
    assert choose_for_table(np.zeros(3), empty, function(FunctionKind.EXP), result).fraction == 9

from __future__ import annotations

import math
from enum import Enum

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune import checks


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def test_values_pass_through():
    assert checks.number("x", 3) == 3.0
    assert checks.fraction("x", 1) == 1.0
    assert checks.integer("x", 2, low=2) == 2
    assert checks.flag("x", True) is True
    assert checks.choice("x", "blue", Colour) is Colour.BLUE
    assert checks.choice("x", Colour.RED, Colour) is Colour.RED
    assert checks.table("x", {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: checks.number("rate", True), "rate must be a number, not True"),
        (lambda: checks.number("rate", "1"), "rate must be a number, not '1'"),
        (lambda: checks.number("rate", math.nan), "rate must be a finite number, not nan"),
        (lambda: checks.number("rate", -1, low=0), "rate must be a finite number of at least 0, not -1"),
        (lambda: checks.fraction("sparsity", 1.5), r"sparsity must be in \[0, 1\], not 1.5"),
        (lambda: checks.fraction("sparsity", math.nan), r"sparsity must be in \[0, 1\], not nan"),
        (lambda: checks.integer("steps", 2.0, low=1), "steps must be an integer, not 2.0"),
        (lambda: checks.integer("steps", True, low=1), "steps must be an integer, not True"),
        (lambda: checks.integer("steps", 0, low=1), "steps must be at least 1, not 0"),
        (lambda: checks.flag("keep", 1), "keep must be true or false, not 1"),
        (lambda: checks.choice("colour", "rde", Colour), r"colour must be one of 'red', 'blue'.*mean 'red'"),
        (lambda: checks.choice("colour", 3, Colour), "colour must be one of 'red', 'blue', not 3"),
        (lambda: checks.table("layers", [1]), r"layers must be a table of names, not \[1\]"),
        (lambda: checks.table("layers", {1: 2}), "layers must be a table of names"),
        (lambda: checks.known_keys("it", ["sed"], ["seed"]), "it has no field 'sed' .did you mean 'seed'"),
    ],
)
def test_what_is_refused_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_broken_tensors_are_named_and_counted():
    with pytest.raises(InputError, match=r"file holds NaN or infinite values in 'b' \(2 of 3\)"):
        checks.refuse_nonfinite({"a": torch.ones(2), "b": torch.tensor([1.0, math.inf, math.nan])}, "file")
    for dtype in (torch.int64, torch.float16, torch.bfloat16, torch.float8_e4m3fn):
        checks.refuse_nonfinite({"ok": torch.ones(2).to(dtype)}, "file")


def test_an_infinite_buffer_is_legal_but_nan_is_not():
    model = nn.Linear(2, 2)
    model.register_buffer("attention_mask", torch.tensor([0.0, -math.inf]))
    checks.refuse_broken_model(model)
    model.attention_mask[0] = math.nan
    with pytest.raises(InputError, match="the model holds NaN values in 'attention_mask'"):
        checks.refuse_broken_model(model)


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_a_lazy_model_is_refused():
    with pytest.raises(InputError, match=r"1\.weight has no shape yet"):
        checks.refuse_broken_model(nn.Sequential(nn.Flatten(), nn.LazyLinear(3)))


def test_an_error_becomes_one_line():
    assert checks.one_line(ValueError("first\nsecond")) == "ValueError: first"
    assert checks.one_line(ValueError()) == "ValueError"

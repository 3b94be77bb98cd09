from __future__ import annotations

import pytest
import torch

from fpgaprune.errors import InputError
from fpgaprune.prune.criteria import rows
from fpgaprune.prune.criteria.rows import LoopWarning, announce_loop, at_once, one_by_one, picked, refusal, rows_at_once


def affine(x, several):
    left, right = several
    return {"sum": (x * left).sum() + right, "product": x * right}


ARGUMENTS = (torch.arange(12.0).view(4, 3), (torch.ones(4, 3), torch.arange(4.0)))


def test_both_ways_of_mapping_stack_results_by_name():
    mapped, looped = at_once(affine, *ARGUMENTS), one_by_one(affine, *ARGUMENTS)
    assert mapped["sum"].tolist() == looped["sum"].tolist() == [3.0, 13.0, 23.0, 33.0]
    assert torch.equal(mapped["product"], looped["product"])


def test_what_vmap_cannot_take_is_said():
    assert refusal(affine, *ARGUMENTS) is None
    assert "data-dependent control flow" in refusal(lambda x: {"x": x if x.sum() > 0 else -x}, ARGUMENTS[0])

    def wrapped(_):
        try:
            raise RuntimeError("Batching rule not implemented")
        except RuntimeError as error:
            raise InputError("the model does not run") from error

    assert refusal(wrapped, ARGUMENTS[0]) == "RuntimeError: Batching rule not implemented"


def test_slow_mappings_of_torch_are_silent():
    """Under warnings as errors, as the tests run, a warning would be a refusal."""

    def slow(x):
        import warnings

        warnings.warn("There is a performance drop because", stacklevel=1)
        return {"x": x}

    assert refusal(slow, ARGUMENTS[0]) is None


def test_loops_are_announced():
    with pytest.warns(LoopWarning, match=r"^the samples are taken one by one, .* \(why\)$"):
        announce_loop("the samples", "why")


def test_rows_at_once_fit_the_memory(monkeypatch):
    monkeypatch.setattr(rows, "_ELEMENTS", 100)
    assert [rows_at_once(elements) for elements in (0, 1, 30, 100, 1000)] == [100, 100, 3, 1, 1]


def test_rows_are_picked_of_each_tensor():
    x = torch.arange(6).view(3, 2)
    assert picked(x, 1).tolist() == [2, 3]
    left, right = picked((x, x + 1), slice(2))
    assert (left.shape, right[0].tolist()) == ((2, 2), [1, 2])
    assert picked(x, None).shape == (1, 3, 2)

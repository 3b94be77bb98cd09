"""Sentences of zeros and biases."""

from __future__ import annotations

import pytest

from fpgaprune.errors import InputError
from fpgaprune.explained import Explained, FixedPointReport, FoldReport, PruneReport, remarks


def test_nothing_is_told_where_nothing_changed():
    quantising = FixedPointReport(folds=(FoldReport("fc1", "bn1", 10, 10, 4, 4),))
    assert remarks(Explained(PruneReport(), quantising)) == ()
    assert remarks(Explained()) == ()


def test_each_change_is_a_sentence():
    pruning = PruneReport(kept_biases={"fc1.bias": 1, "fc2.bias": 1200}, unbaked=("fc1.weight", "fc2.weight"))
    quantising = FixedPointReport(folds=(FoldReport("fc1", "bn1", 1000, 990, 4, 4),))
    baked, one, many, fold = remarks(Explained(pruning, quantising))
    assert baked == "Masks, parametrizations or formats were baked into fc1.weight, fc2.weight."
    assert one.startswith("1 dead neuron keeps a bias in fc1.bias that is not zero: a constant")
    assert many.startswith("1,200 dead neurons keep a bias in fc2.bias")
    assert fold == "Folding bn1 into fc1 changed non-zero weights from 1,000 to 990."


def test_layers_without_weights_make_what_follows_constant():
    (some,) = remarks(Explained(PruneReport(emptied=("fc1.weight", "fc3.weight"))))
    assert some.startswith("No weight is left in fc1.weight, fc3.weight: what comes out of it is constant")
    (whole,) = remarks(Explained(PruneReport(emptied=("fc1.weight",), all_empty=True)))
    assert whole == "All weights are pruned (fc1.weight): the output is constant, the same for every input."


def test_what_they_are_made_of_is_checked_and_earlier_reports_are_read():
    pruning = PruneReport(kept_biases={"fc1.bias": 2}, unbaked=("fc1.weight",), emptied=("a",), all_empty=True)
    values = pruning.to_dict()
    assert PruneReport.from_dict(values) == pruning
    earlier = {
        name: value for name, value in values.items() if name not in ("kept_biases", "unbaked", "emptied", "all_empty")
    }
    assert PruneReport.from_dict(earlier) == PruneReport()
    with pytest.raises(InputError, match=r"kept_biases\.fc1\.bias must be at least 1"):
        PruneReport(kept_biases={"fc1.bias": 0})

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.errors import InputError
from fpgaprune.explained import Histogram, Histograms
from fpgaprune.prune.explain import histograms
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.select import select

SCORES = {"a": torch.tensor([[0.0, 1.0], [2.0, 4.0]]), "b": torch.tensor([-3.0, -1.0])}


def test_kept_and_pruned_weights_are_counted_by_score():
    found = histograms(SCORES, select(SCORES, 0.5), bins=4)  # a loses 0.0; b all
    assert found.tensors["a"] == Histogram((0.0, 1.0, 2.0, 3.0, 4.0), (0, 1, 1, 1), (1, 0, 0, 0))
    assert found.tensors["b"] == Histogram((-3.0, -2.5, -2.0, -1.5, -1.0), (0, 0, 0, 0), (1, 0, 0, 1))


@given(
    st.lists(st.tuples(st.floats(-1e300, 1e300), st.booleans()), min_size=1, max_size=30),
    st.integers(1, 60),
)
def test_every_weight_is_in_one_bin(pairs, bins):
    values, mask = torch.tensor([pair[0] for pair in pairs], dtype=torch.float64), torch.tensor([p[1] for p in pairs])
    (histogram,) = histograms({"w": values}, Masks({"w": mask}), bins).tensors.values()
    assert sum(histogram.kept) == int(mask.sum())
    assert sum(histogram.pruned) == int((~mask).sum())
    assert len(histogram.kept) <= bins
    assert histogram.edges[0] <= values.min() <= values.max() <= histogram.edges[-1]


@pytest.mark.parametrize("value", [0.0, 2.0, -1e20])
def test_equal_scores_share_a_bin(value):
    (histogram,) = histograms(
        {"w": torch.full((3,), value)}, Masks({"w": torch.tensor([True, False, True])})
    ).tensors.values()
    assert (histogram.kept, histogram.pruned) == ((2,), (1,))


def test_scores_that_differ_in_the_last_bit_get_the_bins_that_exist():
    values = torch.tensor([1.0, math.nextafter(1.0, 2.0)], dtype=torch.float64)
    (histogram,) = histograms({"w": values}, Masks({"w": torch.tensor([True, False])}), 50).tensors.values()
    assert (histogram.kept, histogram.pruned) == ((1,), (1,))


def test_tensors_without_weights_have_an_empty_bin():
    (histogram,) = histograms({"w": torch.ones(0)}, Masks({"w": torch.ones(0, dtype=torch.bool)})).tensors.values()
    assert (histogram.kept, histogram.pruned) == ((0,), (0,))


def test_histograms_survive_json():
    found = histograms(SCORES, select(SCORES, 0.5), bins=3)
    assert Histograms.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize("bins", [0, -1, 2.5, "many"])
def test_bins_must_be_a_positive_integer(bins):
    with pytest.raises(InputError, match="bins must be"):
        histograms(SCORES, select(SCORES, 0.5), bins)


def test_scores_must_be_finite_and_masks_fit():
    with pytest.raises(InputError, match="the scores holds NaN or infinite values in 'a'"):
        histograms({"a": torch.tensor([math.nan])}, Masks({"a": torch.tensor([True])}))
    with pytest.raises(InputError, match=r"masks have none of shape \(2,\) for 'aa' \(did you mean 'a'"):
        histograms({"aa": torch.ones(2)}, select(SCORES, 0.5))
    with pytest.raises(InputError, match=r"masks have none of shape \(2,\) for 'a'"):
        histograms({"a": torch.ones(2)}, select(SCORES, 0.5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edges": [1.0, 1.0]}, r"histograms\.a: edges must rise"),
        ({"edges": []}, r"histograms\.a: edges must rise"),
        ({"kept": [1, 2]}, r"histograms\.a: kept has 2 counts for 2 edges"),
        ({"pruned": [-1]}, r"histograms\.a: pruned\[0\] must be at least 0"),
        ({"pruned": [1.5]}, r"histograms\.a: pruned\[0\] must be an integer"),
        ({"bins": 3}, r"a has no field 'bins'"),
    ],
)
def test_unusable_fields_are_named(change, message):
    with pytest.raises(InputError, match=message):
        Histograms.from_dict({"a": {"edges": [0.0, 1.0], "kept": [1], "pruned": [0]} | change})


def test_missing_fields_and_other_values_are_named():
    with pytest.raises(InputError, match=r"histograms\.a: a lacks kept, pruned"):
        Histograms.from_dict({"a": {"edges": [0, 1]}})
    with pytest.raises(InputError, match=r"tensors\.a must be a Histogram"):
        Histograms({"a": 3})

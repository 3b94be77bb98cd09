"""explain.json: what is written comes back, and nothing else is taken for it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from fpgaprune.errors import InputError
from fpgaprune.explained import Explained, History, Record, explained_from_text, explained_to_text, store
from tests.explained.examples import EXPLAINED, PRUNING


def changed(*path, to):
    """Return the text with one field, given by its path, of another value; an Ellipsis takes it away."""
    data = json.loads(explained_to_text(EXPLAINED))
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    if to is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return json.dumps(data)


@pytest.mark.parametrize("explained", [EXPLAINED, Explained(), replace(EXPLAINED, pruning=None)])
def test_what_is_written_comes_back(explained):
    text = explained_to_text(explained)
    assert explained_from_text(text) == explained
    assert explained_to_text(explained_from_text(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("3", "schema 3"),
        ('{"schema": "other"}', "schema 'other'"),
        (changed("added", to=1), "no field 'added'"),
        (changed("quantising", to=...), "lacks quantising"),
        (changed("pruning", "history", to=[]), "history must be a table"),
        (changed("pruning", "history", "records", 0, "metric", to=float("nan")), "NaN is no number"),
        (changed("pruning", "history", "records", 0, "sparsity", to=2), "sparsity must be in"),
        (changed("pruning", "scores", "fc1.weight", "kept", to=[1]), "fc1.weight: kept has 1 counts for 4 edges"),
        (changed("pruning", "curves", "curves", "fc2.weight", to=[0.5]), "has 1 values for 3 sparsities"),
        (changed("pruning", "criterion", to=3), "criterion must be words"),
        (changed("quantising", "folds", 0, "biases_after", to=-1), "biases_after must be at least 0"),
        (changed("quantising", "folds", 0, "layer", to=...), "folds lacks layer"),
        (changed("quantising", "digits", "fc1", to=1.5), "digits.fc1 must be an integer"),
        (changed("quantising", "saved", "unit", to=None), "unit must be words"),
    ],
)
def test_nothing_else_is_taken_for_it(text, message):
    with pytest.raises(InputError, match=message):
        explained_from_text(text)


def test_what_is_too_long_is_neither_read_nor_written(monkeypatch):
    text = explained_to_text(EXPLAINED)
    monkeypatch.setattr(store, "LARGEST", len(text) - 100)
    with pytest.raises(InputError, match="more than the"):
        explained_from_text(text)
    with pytest.raises(InputError, match="more than the"):
        explained_to_text(EXPLAINED)


def test_of_a_long_training_epochs_are_left_out_evenly():
    records = tuple(Record(1, epoch, 0.5, 0.1, 0.9) for epoch in range(3 * store.MOST_RECORDS))
    assert EXPLAINED.pruning is not None
    long = Explained(replace(EXPLAINED.pruning, history=History(records, PRUNING.events)))
    read = explained_from_text(explained_to_text(long)).pruning
    epochs = [record.epoch for record in read.history.records]
    assert len(epochs) == store.MOST_RECORDS
    assert (epochs[0], epochs[-1]) == (0, records[-1].epoch)
    assert {later - earlier for earlier, later in pairwise(epochs)} == {3, 4}
    assert read.history.events == PRUNING.events

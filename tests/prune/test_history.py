from __future__ import annotations

import json
import math

import pytest

from fpgaprune.errors import InputError
from fpgaprune.prune.history import History, Record

HISTORY = History((Record(0, 0, 0.0, None, 0.5), Record(0, 1, 0.25, 1.5, 0.75)))


def test_json_and_back():
    assert History.from_list(json.loads(json.dumps(HISTORY.to_list()))) == HISTORY


def test_steps_and_sums():
    both = HISTORY + HISTORY.at_step(3)
    assert [record.step for record in both.records] == [0, 0, 3, 3]
    assert [record.metric for record in both.records] == [0.5, 0.75] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": -1}, "epoch must be at least 0"),
        ({"sparsity": 2}, "sparsity must be in"),
        ({"loss": math.nan}, "loss must be a finite number"),
        ({"metric": None}, "metric must be a number"),
        ({"metrics": 1}, r"history\[0\] has no field 'metrics' .did you mean 'metric'"),
    ],
)
def test_broken_records_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        History.from_list([{**HISTORY.to_list()[0], **change}])


def test_incomplete_records_are_refused():
    with pytest.raises(InputError, match=r"history\[0\] lacks sparsity, loss, metric"):
        History.from_list([{"step": 1, "epoch": 0}])
    with pytest.raises(InputError, match="history must be a list"):
        History.from_list({})
    with pytest.raises(InputError, match=r"history\[0\] must be a table"):
        History.from_list([3])

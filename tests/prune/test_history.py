from __future__ import annotations

import json
import math

import pytest

from fpgaprune.errors import InputError
from fpgaprune.explained.history import Event, EventKind, History, Record

HISTORY = History(
    (Record(0, 0, 0.0, None, 0.5), Record(0, 1, 0.25, 1.5, 0.75, 0.625)),
    (Event(0, 1, EventKind.STOPPED_EARLY, "no epoch was better"),),
)


def test_json_and_back():
    assert History.from_dict(json.loads(json.dumps(HISTORY.to_dict()))) == HISTORY


def test_steps_and_sums():
    both = HISTORY + HISTORY.at_step(3)
    assert [record.step for record in both.records] == [0, 0, 3, 3]
    assert [record.metric for record in both.records] == [0.5, 0.75] * 2
    assert [event.step for event in both.events] == [0, 3]


def test_the_final_record_is_that_of_the_weights_which_were_kept():
    records = tuple(Record(step, epoch, 0.5, 1.0, 10 * step + epoch) for step in (0, 1) for epoch in (0, 1, 2))
    back = Event(0, 2, EventKind.RESTORED, "", 1)
    assert History().final is None
    assert History(records[:3]).final.metric == 2
    assert History(records[:3], (back,)).final.metric == 1
    assert History(records, (back,)).final.metric == 12
    assert History(records, (Event(1, 2, EventKind.RESTORED, "", 0),)).final.metric == 10
    assert History(records[1:3], (Event(0, 2, EventKind.RESTORED, "", 0),)).final.metric == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": -1}, "epoch must be at least 0"),
        ({"sparsity": 2}, "sparsity must be in"),
        ({"loss": math.nan}, "loss must be a finite number"),
        ({"metric": None}, "metric must be a number"),
        ({"validation": "good"}, "validation must be a number"),
        ({"metrics": 1}, r"history\.records\[0\] has no field 'metrics' .did you mean 'metric'"),
    ],
)
def test_broken_records_are_refused(change, message):
    values = HISTORY.to_dict()
    with pytest.raises(InputError, match=message):
        History.from_dict({**values, "records": [{**values["records"][0], **change}]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": -1}, "step must be at least 0"),
        ({"kind": "restore"}, "kind must be one of .* .did you mean 'restored'"),
        ({"text": 3}, "text must be words, not 3"),
        ({"to_epoch": -1}, "to_epoch must be at least 0"),
    ],
)
def test_broken_events_are_refused(change, message):
    values = HISTORY.to_dict()
    with pytest.raises(InputError, match=message):
        History.from_dict({**values, "events": [{**values["events"][0], **change}]})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"records": [{"step": 1, "epoch": 0}]}, r"history\.records\[0\] lacks sparsity, loss, metric, validation"),
        ({"records": [3]}, r"history\.records\[0\] must be a table"),
        ({"records": []}, r"history\.events must be a list, not None"),
        ({"records": {}}, r"history\.records must be a list"),
        ({"record": []}, r"history has no field 'record' .did you mean 'records'"),
        ([], "history must be a table"),
    ],
)
def test_incomplete_histories_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        History.from_dict(values)

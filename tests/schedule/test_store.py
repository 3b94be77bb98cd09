"""Plans as text: what is written is read back; what is damaged is refused."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from fpgaprune.errors import InputError
from fpgaprune.schedule import Access, Adders, Folded, Multiply, schedule
from fpgaprune.schedule.adders import adder_graph
from fpgaprune.schedule.store import plans_from_text, plans_to_text
from fpgaprune.sparse import SparseMatrix
from tests.nets import PYNQ, mlp

GRAPH = adder_graph(SparseMatrix.from_dense(np.array([[3, 5], [0, -7]])), 0, 255)
PLANS = {"a": Multiply(), "b": Folded(6, Access.MEMORIES, 3, fabric=True), "c": Folded(2), "d": Adders(GRAPH)}


def test_plans_come_back():
    read = plans_from_text(plans_to_text(PLANS))
    assert list(read) == list(PLANS)
    assert [read[name] for name in "abc"] == [PLANS[name] for name in "abc"]
    assert all(np.array_equal(getattr(read["d"].graph, each.name), getattr(GRAPH, each.name)) for each in fields(GRAPH))


def damaged(change):
    data = json.loads(plans_to_text(PLANS))
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        plans_to_text(PLANS)[:-20],
        damaged(lambda data: data.update(schema="fpgaprune-plans-0")),
        damaged(lambda data: data["plans"]["b"].update(lanes=0)),
        damaged(lambda data: data["plans"]["b"].update(lanes="many")),
        damaged(lambda data: data["plans"]["b"].update(banks=4)),
        damaged(lambda data: data["plans"]["b"].update(lanes=6.0)),
        damaged(lambda data: data["plans"]["b"].update(lanes=True, banks=1)),
        damaged(lambda data: data["plans"]["b"].update(fabric=1)),
        damaged(lambda data: data["plans"]["d"].update(inputs=2.0)),
        damaged(lambda data: data["plans"]["d"].update(left=[0.5])),
        damaged(lambda data: data["plans"]["b"].update(access="wires")),
        damaged(lambda data: data["plans"]["a"].update(strategy="guess")),
        damaged(lambda data: data["plans"]["d"].update(left=[99])),
        damaged(lambda data: data["plans"]["d"]["left_shift"].append(1)),
        damaged(lambda data: data["plans"]["d"].update(row_shift=[-1, 0])),
        damaged(lambda data: data["plans"]["d"].pop("sign")),
        damaged(lambda data: data["plans"].update(e=None)),
    ],
)
def test_damaged_plans_are_refused(text):
    with pytest.raises(InputError):
        plans_from_text(text)


@pytest.mark.parametrize(("lanes", "banks"), [(4_000_000_000, 1), (4_000_000_000, 4_000_000_000)])
def test_lanes_that_no_matrix_can_use_are_refused_before_memory_is_taken(lanes, banks):
    with pytest.raises(InputError, match=f"fc1: {lanes} lanes with memories are far more than"):
        schedule(mlp((6, 4)), PYNQ, planner=lambda _op, _source: Folded(lanes, Access.MEMORIES, banks))

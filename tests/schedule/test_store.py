"""Plans as text: what is written is read back; what is damaged is refused."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from fpgaprune.errors import InputError
from fpgaprune.schedule import Access, Adders, Folded, Multiply, schedule, store
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
        damaged(lambda data: data.update(plans=[])),
        damaged(lambda data: data["plans"]["b"].update(lanes=float("nan"))),
        damaged(lambda data: data["plans"]["b"].update(lanes=float("inf"))),
        damaged(lambda data: data["plans"]["b"].update(banks=True)),
        damaged(lambda data: data["plans"]["d"].update(sign=[True])),
        damaged(lambda data: data["plans"]["d"].update(left=[1 << 70])),
        damaged(lambda data: data["plans"]["d"].update(left=[[0]])),
        damaged(lambda data: data["plans"]["d"].update(left="0")),
        damaged(lambda data: data["plans"]["d"].update(row_shift=[201, 0])),
        damaged(lambda data: data["plans"]["d"].update(inputs=-1)),
        damaged(lambda data: data["plans"]["d"].update(inputs=10**12)),
        damaged(lambda data: data["plans"]["d"].update(inputs=10**30)),
        "9" * 5000,
        "[" * 100_000,
        plans_to_text(PLANS)[:-4],
    ],
)
def test_damaged_plans_are_refused(text):
    with pytest.raises(InputError):
        plans_from_text(text)


def test_a_damaged_plan_is_refused_by_the_name_of_its_matrix():
    for name, change in {"b": {"lanes": 6.5}, "c": {"strategy": "guess"}, "d": {"left": [99]}}.items():
        with pytest.raises(InputError, match=f"damaged: {name}: "):
            plans_from_text(damaged(lambda data, name=name, change=change: data["plans"][name].update(change)))


def chain(additions, shift):
    """A graph each of whose additions doubles the one before it, shifted."""
    before, shifts, ones = list(range(additions)), [shift] * additions, [1] * additions
    return {"inputs": 1, "left": before, "right": before, "left_shift": shifts, "right_shift": shifts, "sign": ones} | {
        "row": [additions],
        "row_shift": [0],
        "row_sign": [1],
    }


@pytest.mark.parametrize("graph", [chain(20_000, 200), chain(20_000, 0)])
def test_additions_whose_values_would_eat_memory_are_refused(graph):
    with pytest.raises(InputError, match="d: the coefficients of a graph of additions must add up to 256 bits"):
        plans_from_text(damaged(lambda data: data["plans"]["d"].update(graph)))


def test_a_long_chain_of_additions_is_read():
    left, right = [0, *range(1000, 1998)], list(range(1, 1000))  # one input after the other is added
    sums = {**chain(999, 0), "inputs": 1000, "left": left, "right": right, "row": [1998]}
    read = plans_from_text(damaged(lambda data: data["plans"]["d"].update(sums)))["d"]
    assert read.graph.depth.max() == 999


def test_texts_larger_than_any_project_are_refused_before_they_are_read(monkeypatch):
    text = plans_to_text(PLANS)
    monkeypatch.setattr(store, "_LARGEST", len(text))
    assert plans_from_text(text)
    monkeypatch.setattr(store, "_LARGEST", len(text) - 1)
    with pytest.raises(InputError, match="characters are not read"):
        plans_from_text(text)


@pytest.mark.parametrize(("lanes", "banks"), [(4_000_000_000, 1), (4_000_000_000, 4_000_000_000)])
def test_lanes_that_no_matrix_can_use_are_refused_before_memory_is_taken(lanes, banks):
    with pytest.raises(InputError, match=f"fc1: {lanes} lanes with memories are far more than"):
        schedule(mlp((6, 4)), PYNQ, planner=lambda _op, _source: Folded(lanes, Access.MEMORIES, banks))


@pytest.mark.parametrize(("banks", "said"), [(1100, "1100 banks"), (1, "1100 groups of rows")])
def test_more_banks_or_groups_than_a_matrix_can_fill_are_refused(banks, said):
    wide = mlp((64, 64), 0.0)
    with pytest.raises(InputError, match=f"fc1: {said} are far more than its 64"):
        schedule(wide, PYNQ, planner=lambda _op, _source: Folded(1100, Access.MEMORIES, banks))

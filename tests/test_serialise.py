"""A graph written as text and read back computes the same and gives the same text; what is not a graph is refused."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest

from fpgaprune.errors import InputError
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed
from fpgaprune.ir import Add, Graph, Input, Scan, Table, Tensor, Window
from fpgaprune.serialise import graph_from_text, graph_to_text
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows
from tests.graphs import random_graph, random_inputs, random_network_graph

BYTE = Fixed(True, 8, 4)


def same(left, right):
    """Whether two values of a graph are equal, field by field."""
    if isinstance(left, Graph):
        pairs = zip(left.ops, right.ops, strict=True)
        return left.outputs == right.outputs and all(type(a) is type(b) and same_fields(a, b) for a, b in pairs)
    if isinstance(left, SparseMatrix):
        return left.shape == right.shape and np.array_equal(left.dense(), right.dense())
    if isinstance(left, np.ndarray):
        return left.shape == right.shape and left.tolist() == right.tolist()
    if isinstance(left, tuple):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return left == right


def same_fields(left, right):
    return all(same(getattr(left, item.name), getattr(right, item.name)) for item in fields(left))


@pytest.mark.parametrize("draw", [random_graph, random_network_graph])
@pytest.mark.parametrize("seed", range(40))
def test_a_graph_comes_back_as_it_was(draw, seed):
    graph = draw(seed)
    text = graph_to_text(graph)
    back = graph_from_text(text)
    assert same(graph, back)
    assert graph_to_text(back) == text
    inputs = random_inputs(graph, 4, seed)
    for found, expected in zip(evaluate(back, *inputs), evaluate(graph, *inputs), strict=True):
        assert np.array_equal(found, expected)


def text_of(*ops):
    return graph_to_text(Graph(ops, (ops[-1].output.name,)))


X = Input(Tensor("x", (4, 1), BYTE))
SUM = text_of(X, Add(Tensor("y", (4, 1), Fixed(True, 9, 4)), "x", "x", subtract=True))
WINDOW = text_of(X, Window(Tensor("y", (3, 2), BYTE), "x", Windows.plain((2,)), np.int64(3)))
TABLE = text_of(X, Table(Tensor("y", (4, 1), BYTE), "x", np.arange(8), np.int64(-4)))
BODY = Graph((Input(Tensor("s", (1,), BYTE)), Input(Tensor("h", (1,), BYTE))), ("h",))
SCAN = text_of(X, Scan(Tensor("y", (4, 1), BYTE), "x", BODY, (np.array([3]),)))


def test_a_text_that_knows_no_difference_adds():
    data = json.loads(SUM)
    assert graph_from_text(SUM).ops[1].subtract is True
    del data["ops"][1]["subtract"]
    assert graph_from_text(json.dumps(data)).ops[1].subtract is False


@pytest.mark.parametrize(
    ("text", "field", "value", "message"),
    [
        (SUM, "subtract", 1, "true or false is wanted, not 1"),
        (SUM, "op", "Divide", "an operation 'Divide', which this version does not know"),
        (SUM, "left", "z", "reads tensor 'z'"),
        (WINDOW, "kernel", [2, 2], "one entry an axis"),
        (WINDOW, "kernel", [2.0], r"an integer is wanted, not 2\.0"),
        (WINDOW, "kernel", 2, "TypeError"),
        (WINDOW, "fill", None, "an integer is wanted, not None"),
        (WINDOW, "kept", [1, 0], "what is kept must increase"),
        (TABLE, "low", "0", "an integer is wanted, not '0'"),
        (TABLE, "values", [0.5], "a list of integers is wanted"),
        (TABLE, "values", [], "a table is a vector"),
        (SCAN, "initial", [], "ValueError"),
        (SCAN, "initial", [[1, 2]], "ValueError"),
        (SCAN, "result", True, "an integer is wanted, not True"),
        (SCAN, "reverse", 0, "true or false is wanted, not 0"),
        (SCAN, "body", {"ops": [], "outputs": ["h"]}, "at least one input"),
        (SCAN, "body", [], "TypeError"),
    ],
)
def test_a_field_that_is_no_such_thing_is_refused(text, field, value, message):
    data = json.loads(text)
    assert graph_to_text(graph_from_text(json.dumps(data))) == text
    data["ops"][1][field] = value
    with pytest.raises(InputError, match=message):
        graph_from_text(json.dumps(data))


def test_a_missing_field_is_refused():
    for text in (SUM, WINDOW, TABLE, SCAN):
        for field in json.loads(text)["ops"][1].keys() - {"subtract"}:
            data = json.loads(text)
            del data["ops"][1][field]
            with pytest.raises(InputError, match=f"the graph cannot be read: KeyError: '{field}'"):
                graph_from_text(json.dumps(data))


def test_a_text_nested_without_end_is_refused():
    with pytest.raises(InputError, match="cannot be read"):
        graph_from_text("[" * 100_000)

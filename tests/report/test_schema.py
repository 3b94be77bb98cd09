"""docs/comparison.schema.json describes what is written, and docs/comparison.md names every field of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from fpgaprune.report import Comparison, comparison_to_data
from fpgaprune.report.data import comparison_to_text
from fpgaprune.resources import Kind
from tests.report.examples import EDGES, LEVELS, WRONG, example_comparison, named, point_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = json.loads((DOCS / "comparison.schema.json").read_text(encoding="utf-8"))


def valid(data):
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(data)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("edge", ["all", "names", *EDGES])
def test_real_data_is_valid(edge):
    comparison = {"all": example_comparison, "names": lambda: named(("<a>", "b", "c")), **EDGES}[edge]()
    data = json.loads(comparison_to_text(comparison))
    assert data == json.loads(json.dumps(comparison_to_data(comparison)))
    jsonschema.validate(data, SCHEMA)


def test_a_mismatch_is_valid():
    comparison = Comparison((replace(point_of(LEVELS[0]), verdict=WRONG),))
    data = comparison_to_data(comparison)
    assert data["points"][0]["verdict"]["first"]["layer"] == "fc2"
    jsonschema.validate(json.loads(json.dumps(data)), SCHEMA)


def test_a_resource_that_the_board_lacks_is_valid():
    point = point_of(LEVELS[4])
    cost = replace(point.resources.layers[0], uram=2)
    text = comparison_to_text(Comparison((replace(point, resources=replace(point.resources, layers=(cost,))),)))
    assert "Infinity" not in text
    data = json.loads(text)
    assert data["points"][0]["resources"]["utilisation"]["uram"] is None
    jsonschema.validate(data, SCHEMA)


def objects(value):
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from objects(each)


def test_the_schema_is_strict():
    data = json.loads(comparison_to_text(EDGES["pruning does not pay"]()))
    for each in list(objects(data)):
        each["added"] = 1
        assert not valid(data)
        del each["added"]
        for name in list(each):
            value = each.pop(name)
            assert not valid(data), name
            each[name] = value
    assert valid(data)


@pytest.mark.parametrize(("where", "value"), [("sparsity", 95.0), ("accuracy", 97.5), ("label", 3), ("layers", None)])
def test_wrong_values_are_refused(where, value):
    data = json.loads(comparison_to_text(example_comparison()))
    data["points"][0][where] = value
    assert not valid(data)


def test_kinds_are_those_of_the_code():
    assert SCHEMA["$defs"]["resources"]["properties"]["kind"]["enum"] == [kind.value for kind in Kind]


def test_the_page_names_every_field():
    text = (DOCS / "comparison.md").read_text(encoding="utf-8")
    named_fields = set(re.findall(r"`(\w+)`", text))
    fields = {name for each in objects(SCHEMA) if "required" in each for name in each["required"]}
    assert fields <= named_fields, fields - named_fields


def test_the_code_of_the_page_runs():
    text = (DOCS / "comparison.md").read_text(encoding="utf-8")
    names = {}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], names)  # noqa: S102  # our own documentation
    names["check"](example_comparison(), DOCS / "comparison.schema.json")

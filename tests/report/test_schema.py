"""docs/comparison.schema.json describes what is written, and docs/comparison.md names every field of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from fpgaprune.energy import KeptEnergy
from fpgaprune.report import Comparison, comparison_to_data
from fpgaprune.report.comparison import Provenance
from fpgaprune.report.data import comparison_to_text
from fpgaprune.resources import Kind
from tests.report.examples import EDGES, LEVELS, WRONG, example_comparison, named, point_of, several_boards

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


def test_several_boards_are_valid_and_each_is_a_comparison():
    data = json.loads(comparison_to_text(several_boards()))
    jsonschema.validate(data, SCHEMA)
    assert [each["board"]["name"] for each in data["comparisons"]] == ["pynq-z2", "kv260"]
    assert data["comparisons"][0] == json.loads(comparison_to_text(several_boards().groups[0]))
    del data["comparisons"][0]["points"]
    assert not valid(data)


def test_what_is_known_of_projects_is_valid():
    made = Provenance("0.1.0", "ab" * 32, {"prune": 0, "quantise": 3})
    points = [
        replace(point, made=made, energy=KeptEnergy(12.5, "counted"))
        for point in EDGES["pruning is explained"]().points
    ]
    data = json.loads(comparison_to_text(Comparison(tuple(points))))
    jsonschema.validate(data, SCHEMA)
    assert data["points"][2]["made"]["seeds"] == {"prune": 0, "quantise": 3}
    assert data["points"][2]["inputs"][0] == {"name": "x", "shape": [784], "read": 522}


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
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)  # noqa: S102  # our own documentation
    names["check"](example_comparison(), DOCS / "comparison.schema.json")
    text, frame = names["tables"](several_boards())
    assert len(text.splitlines()) == 1 + 5
    assert list(frame["board"]) == ["pynq-z2"] * 3 + ["kv260"] * 2

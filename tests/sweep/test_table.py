"""Tables: forms that say the same, units and kinds in every title, and what does not fit a terminal."""

from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace

import pytest
from rich.console import Console

from fpgaprune.errors import InputError
from fpgaprune.sweep import Column, Table, pages, print_table
from fpgaprune.sweep.table import Outcome
from tests.report.examples import LEVELS, point_of

TABLE = Table(
    (
        Column("design"),
        Column("lut", "", "estimate"),
        Column("latency", "ns", "csynth"),
        Column("fits"),
        Column("said"),
    ),
    (("a | b", 1234, 2.5, True, ""), ("c<d>", None, None, False, "failed: x")),
)


def test_titles_carry_unit_and_kind():
    assert [column.title for column in TABLE.columns][1:3] == ["lut (estimate)", "latency (ns, csynth)"]


def test_json_comes_back():
    assert Table.from_json(TABLE.to_json()) == TABLE


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"schema": "other"}), '{"schema": "fpgaprune-sweep-1"}'])
def test_damaged_json_is_refused(text):
    with pytest.raises(InputError, match="the table"):
        Table.from_json(text)


def test_csv_has_all_values():
    rows = list(csv.reader(io.StringIO(TABLE.to_csv())))
    assert rows[0][1] == "lut (estimate)"
    assert rows[1] == ["a | b", "1234", "2.5", "True", ""]
    assert rows[2][1:3] == ["", ""]


def test_markdown_and_notebook_escape_what_is_given():
    assert "a \\| b" in TABLE.to_markdown()
    assert "<td>c&lt;d&gt;</td>" in TABLE._repr_html_()


def test_pandas_has_titles_and_values():
    frame = TABLE.to_pandas()
    assert list(frame.columns) == [column.title for column in TABLE.columns]
    assert frame["lut (estimate)"][0] == 1234


def test_column_by_name():
    assert TABLE.column("fits") == (True, False)
    with pytest.raises(KeyError):
        TABLE.column("fit")


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match="5 values"):
        Table(TABLE.columns, (("x",),))


def _printed(table, **settings):
    text = io.StringIO()
    print_table(table, Console(file=text, **settings))
    return text.getvalue()


def test_narrow_terminal_gets_the_first_columns():
    columns = (Column("design"), Column("axis"), Column("lut", "", "estimate"), Column("ff", "", "estimate"))
    table = Table(columns, (("x" * 20, "y" * 30, 1234, 5678), ("z", "y", 1, 2)))
    narrow = _printed(table, width=40, force_terminal=True)
    assert "1,234" in narrow
    assert "yyy" not in narrow
    assert "yyy" in _printed(table, width=100, force_terminal=True)


def test_single_design_is_told_line_by_line():
    lines = _printed(Table(TABLE.columns, TABLE.rows[:1]), width=60).splitlines()
    assert [line.split("  ")[0].strip() for line in lines] == ["lut (estimate)", "latency (ns, csynth)", "fits"]


def test_titles_of_pages_tell_axes_apart_that_end_alike(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(pages, "write_report", lambda compared, *_: written.append(compared))
    settings = [
        {"prune.sparsity": 0.5, "quantise.weight_bits": 8, "quantise.layers.0.weight_bits": bits, "train.seed": 1}
        for bits in (4, 6)
    ]
    outcomes = [Outcome(f"design {at}", each, None, point_of(LEVELS[1])) for at, each in enumerate(settings)]
    pages.write_pages(outcomes, tmp_path, SimpleNamespace(each=map))
    assert [group.title for group in written[0].groups] == [
        f"quantise.weight_bits 8, quantise.layers.0.weight_bits {bits}, seed 1" for bits in (4, 6)
    ]

"""A resource that rises while LUTs fall is told wherever 'pruning pays' is."""

from __future__ import annotations

import io

from rich.console import Console

from fpgaprune.report import markdown, print_comparison
from fpgaprune.report.html import page
from fpgaprune.report.notes import notes
from tests.report.examples import EDGES, dearer_dsp, example_comparison
from tests.report.pages import parse

NOTE = "fc1: DSP rises from 2,796 to 3,100 in 50 %"


def test_the_design_with_most_is_named():
    assert notes(dearer_dsp()) == (NOTE,)


def test_nothing_is_said_where_nothing_rises():
    assert notes(example_comparison()) == ()
    assert [edge for edge in EDGES if notes(EDGES[edge]())] == ["DSPs rise"]


def test_it_is_told_everywhere():
    stream = io.StringIO()
    print_comparison(dearer_dsp(), Console(file=stream, width=100))
    assert f"- but {NOTE}" in stream.getvalue()
    assert f"- but {NOTE}" in markdown(dearer_dsp())
    root = parse(page(dearer_dsp()))
    assert root.one("ul", class_="notes").text == f"but {NOTE}"
    assert root.one("p", class_="pays").attributes["class"] == "pays plain"

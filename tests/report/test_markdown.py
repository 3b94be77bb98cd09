"""The table for a README: one row a design, nothing in a name means anything to Markdown."""

from __future__ import annotations

import re

import pytest

from fpgaprune.report import markdown
from tests.report.examples import EDGES, example_comparison, named, not_paying


def table(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_rows_are_designs_with_units_kinds_and_ratios():
    head, rule, *rows = table(markdown(example_comparison()))
    assert len({len(row) for row in (head, rule, *rows)}) == 1
    assert [row[0] for row in rows] == ["0 %", "50 %", "75 %", "90 %", "95 %"]
    last = dict(zip(head, rows[-1], strict=True))
    assert last == {
        "design": "95 %",
        "sparsity": "97.0 %",
        "accuracy (float)": "95.69 %",
        "accuracy (integer)": "95.32 %",
        "non-zeros": "1,589 (0.030x)",
        "LUT (estimate)": "29,387 (0.036x)",
        "FF (estimate)": "12,613 (0.032x)",
        "DSP (estimate)": "213 (0.071x)",
        "BRAM_18K (estimate)": "0",
        "fits board": "yes",
        "latency (cycles, estimate)": "8",
        "latency (ns, estimate)": "80",
        "interval (cycles, estimate)": "1",
        "strategy": "multiply",
        "C-simulation": "exact",
    }
    assert dict(zip(head, rows[0], strict=True))["fits board"] == "no (lacks LUT, FF, DSP)"


def test_it_says_kind_board_answer_and_findings():
    text = markdown(example_comparison())
    assert "TUL PYNQ-Z2, clock 10 ns. Kind of numbers: estimate, calibrated on open synthesis" in text
    assert "27.5 times fewer LUTs" in text
    assert "Does pruning pay? pruning pays in every layer." in text
    assert "- fc2: non-zeros fell from 2048 to 487" in markdown(not_paying())


@pytest.mark.parametrize("edge", EDGES)
def test_every_edge_is_a_table(edge):
    comparison = EDGES[edge]()
    lines = table(markdown(comparison))
    assert len(lines) == 2 + len(comparison.points)
    assert len(set(map(len, lines))) == 1


def test_foreign_names_break_neither_table_nor_page():
    text = markdown(named(("a|b`*_\n<i>", "x", "y")))
    assert len(set(map(len, table(text)))) == 1
    assert "<i>" not in text
    assert r"a\|b\`\*\_\\n&lt;i&gt; 95 %" in text

"""The table for a README: one row a design, nothing in a name means anything to Markdown."""

from __future__ import annotations

import re

import pytest

from fpgaprune.report import markdown
from tests.report.examples import EDGES, example_comparison, named, not_paying, with_energies


def tables(text):
    """Return every table as its rows."""
    found = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in each.splitlines()] for each in found
    ]


def test_rows_are_designs_with_units_kinds_and_ratios():
    head, rule, *rows = tables(markdown(example_comparison()))[0]
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


def test_energy_has_its_unit_kind_and_multiple():
    head, _, *rows = tables(markdown(with_energies()))[0]
    at = head.index("energy (pJ, estimate)")
    assert [row[at] for row in rows] == ["8,000.0 (1.00x)", "4,000.0 (0.50x)", "2,000.0 (0.25x)", "-", "-"]


def test_it_says_kind_board_answer_and_findings():
    text = markdown(example_comparison())
    assert "TUL PYNQ-Z2, clock 10 ns. Kind of numbers: estimate, calibrated on open synthesis" in text
    assert "27.5 times fewer LUTs" in text
    assert "Does pruning pay? pruning pays in every layer." in text
    text = markdown(not_paying())
    assert "Does pruning pay? pruning does not pay in fc2." in text
    assert "- fc2: non-zeros fell from 2,048 to 487 between 0 % and 75 %" in text
    assert "  - because: no reason was found" in text


def test_each_layer_has_a_row_for_each_measure_and_a_verdict():
    head, _, *rows = tables(markdown(not_paying()))[1]
    assert head == ["layer", "", "0 %", "75 %"]
    assert [row[0] for row in rows] == ["fc1"] * 6 + ["fc2"] * 6 + ["fc3"] * 6
    assert rows[6:12] == [
        ["fc2", "non-zeros", "2,048 (1.00x)", "487 (0.24x)"],
        ["fc2", "LUT (estimate)", "34,017 (1.00x)", "40,000 (1.18x)"],
        ["fc2", "FF (estimate)", "15,649 (1.00x)", "4,052 (0.26x)"],
        ["fc2", "DSP (estimate)", "166 (1.00x)", "60 (0.36x)"],
        ["fc2", "BRAM_18K (estimate)", "0", "0"],
        ["fc2", "pruning pays", "reference", "no"],
    ]


@pytest.mark.parametrize("edge", EDGES)
def test_every_edge_is_a_table(edge):
    comparison = EDGES[edge]()
    designs, *others = tables(markdown(comparison))
    assert len(designs) == 2 + len(comparison.points)
    assert len(others) == any(point.layers for point in comparison.points)
    assert all(len(set(map(len, each))) == 1 for each in (designs, *others))


def test_foreign_names_break_neither_table_nor_page():
    text = markdown(named(("a|b`*_\n<i>", "x", "y")))
    assert [set(map(len, each)) for each in tables(text)] == [{15}, {7}]
    assert "<i>" not in text
    assert r"a\|b\`\*\_\\n&lt;i&gt; 95 %" in text

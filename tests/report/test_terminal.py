"""The tables on the terminal: numbers, kinds, units, ratios, at every width, in ASCII when piped."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from fpgaprune.report import Comparison, print_comparison
from fpgaprune.report.tables import Column, Line, print_tables
from tests.report.examples import (
    EDGES,
    LEVELS,
    WRONG,
    example_comparison,
    missing_layer,
    named,
    not_paying,
    one_point,
    point_of,
    with_energies,
)


def printed(comparison, width=80, **options):
    stream = io.StringIO()
    print_comparison(comparison, Console(file=stream, width=width, **options))
    return stream.getvalue()


def rows(text, start, following=0):
    """Return the cells of the first line that begins with ``start`` and of lines after it."""
    lines = text.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith(start))
    return [re.split(r"\s{2,}", line.strip()) for line in lines[first : first + 1 + following]]


def test_designs_are_columns_with_kind_unit_ratio_and_share_of_the_board():
    text = printed(example_comparison())
    assert "TUL PYNQ-Z2 (xc7z020clg400-1), clock 10 ns" in text
    assert "estimate, calibrated on open synthesis" in " ".join(text.split())
    assert rows(text, "design") == [["design", "0 %", "50 %", "75 %", "90 %", "95 %"]]
    assert rows(text, "sparsity ", 3) == [
        ["sparsity", "0.0 %", "50.2 %", "75.2 %", "91.2 %", "97.0 %"],
        ["accuracy (float)", "97.94 %", "97.97 %", "97.76 %", "97.13 %", "95.69 %"],
        ["accuracy (integer)", "97.85 %", "97.88 %", "97.61 %", "96.88 %", "95.32 %"],
        ["non-zeros", "52,544", "26,143", "13,027", "4,643", "1,589"],
    ]
    assert rows(text, "LUT (estimate)", 2) == [
        ["LUT (estimate)", "807,537", "430,448", "226,034", "84,035", "29,387"],
        ["x dense", "1.00x", "0.53x", "0.28x", "0.10x", "0.036x"],
        ["% board", "1,518 %", "809.1 %", "424.9 %", "158.0 %", "55.2 %"],
    ]
    assert rows(text, "FF (estimate)", 2)[2] == ["% board", "366.9 %", "183.0 %", "92.0 %", "33.9 %", "11.9 %"]
    assert rows(text, "DSP (estimate)", 1)[1] == ["x dense", "1.00x", "0.73x", "0.46x", "0.19x", "0.071x"]
    assert rows(text, "BRAM_18K (estimate)") == [["BRAM_18K (estimate)", "0", "0", "0", "0", "0"]]
    assert rows(text, "fits board") == [["fits board", "no", "no", "no", "no", "yes"]]
    assert rows(text, "latency (cycles)", 2) == [
        ["latency (cycles)", "12", "10", "9", "9", "8"],
        ["latency (ns)", "120", "100", "90", "90", "80"],
        ["interval (cycles)", "1", "1", "1", "1", "1"],
    ]
    assert rows(text, "strategy") == [["strategy", *["multiply"] * 5]]
    assert rows(text, "C-simulation") == [["C-simulation", "not run", "exact", "exact", "exact", "exact"]]


def test_energy_has_its_unit_kind_and_multiple():
    text = printed(with_energies())
    assert rows(text, "energy", 1) == [
        ["energy (pJ, estimate)", "8,000.0", "4,000.0", "2,000.0", "-", "-"],
        ["x dense", "1.00x", "0.50x", "0.25x", "-", "-"],
    ]


def test_layers_are_dense_beside_pruned():
    text = printed(example_comparison(), width=125)
    assert rows(text, "fc2", 4)[1:] == [
        ["non-zeros", "2,048", "1.00x", "1,019", "0.50x", "487", "0.24x", "137 0.067x", "55 0.027x"],
        ["LUT", "34,017", "1.00x", "17,825", "0.52x", "8,968", "0.26x", "2,680 0.079x", "1,077 0.032x"],
        ["FF", "15,649", "1.00x", "7,883", "0.50x", "4,052", "0.26x", "1,403 0.090x", "718 0.046x"],
        ["DSP", "166", "1.00x", "104", "0.63x", "60", "0.36x", "17", "0.10x", "9 0.054x"],
    ]
    narrow = printed(example_comparison(), width=80)
    assert rows(narrow, "fc3", 4)[3:] == [
        ["LUT", "5,613", "2,976", "1,520", "642", "343"],
        ["1.00x", "0.53x", "0.27x", "0.11x", "0.061x"],
    ]


def test_a_layer_that_is_not_there_is_a_dash():
    found = [" ".join(" ".join(row).split()) for row in rows(printed(missing_layer(), width=80), "fc3", 2)]
    assert found == ["fc3", "non-zeros 84 1.00x - 18 0.21x", "LUT 1,520 1.00x - 343 0.23x"]
    found = [" ".join(" ".join(row).split()) for row in rows(printed(missing_layer(), width=80), "fc2", 2)]
    assert found == ["fc2", "non-zeros 487 1.00x 137 0.28x 0 0.00x", "LUT 8,968 1.00x 2,680 0.30x -"]


def test_pruning_pays_or_each_finding_is_told():
    assert "Does pruning pay? pruning pays in every layer" in printed(example_comparison())
    text = " ".join(printed(not_paying()).split())
    assert "Does pruning pay? pruning does not pay in fc2" in text
    assert str(not_paying().findings()[0]) in text
    assert "pays in every layer" not in text
    assert "because: no reason was found" in text
    assert "one design alone does not tell" in printed(one_point())


def test_the_answer_and_a_mismatch_are_told():
    text = " ".join(printed(example_comparison()).split())
    assert "The 95 % design fits the TUL PYNQ-Z2 with 27.5 times fewer LUTs" in text
    wrong = Comparison((point_of(LEVELS[0]), replace(point_of(LEVELS[4]), verdict=WRONG)))
    assert rows(printed(wrong), "C-simulation") == [["C-simulation", "exact", "3 mismatches"]]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("edge", [*EDGES, "all"])
def test_no_line_is_wider_than_the_console(width, edge):
    comparison = example_comparison() if edge == "all" else EDGES[edge]()
    text = printed(comparison, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert text.isascii()


def test_many_designs_go_into_several_tables_each_with_the_dense_one():
    points = [point_of((level[0] + extra, *level[1:])) for level in LEVELS for extra in (0, 1)]
    text = printed(Comparison(tuple(points)), width=80)
    heads = [line.split() for line in text.splitlines() if line.startswith("design ")]
    assert len(heads) > 1
    assert all(head[1] == "0" for head in heads)
    shown = {head[index] for head in heads for index in range(1, len(head), 2)}
    assert shown == {str(level[0] + extra) for level in LEVELS for extra in (0, 1)}


def test_foreign_names_are_text_and_ascii_when_piped():
    text = printed(named(("[red]x[/red]", "层\x1b[31m", "\udc80" + "n" * 40)), width=120)
    assert text.isascii()
    assert "[red]x[/red]" in text.replace("\n", "")
    assert "\x1b" not in text
    assert r"\u5c42\x1b[31m" in text
    assert r"\udc80" in text


def test_wide_cells_are_never_split():
    tables = io.StringIO()
    columns = [Column(Text("a head of several words")), Column(Text("b"))]
    line = Line(Text("cost"), (Text("123,456,789,012,345,678"), Text("1")))
    print_tables(Console(file=tables, width=140), "design", columns, [line])
    assert "123,456,789,012,345,678" in tables.getvalue()


def test_a_terminal_has_colours_and_lines():
    text = printed(not_paying(), width=100, force_terminal=True, color_system="standard")
    assert "\x1b[1;31m" in text
    assert "─" in text
    assert "\x1b" not in printed(not_paying(), width=100)


def test_wide_terminal_shows_foreign_names_as_they_are():
    assert "层" in printed(named(("a", "层", "c")), width=160, force_terminal=True, color_system=None)

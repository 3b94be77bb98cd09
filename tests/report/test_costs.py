"""Tables of one design and of boards: whole numbers at every width, units, what is no matrix, names that tell."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from fpgaprune import board
from fpgaprune.fit import Aim, Budget, Goal, chosen_layers, fit, rest
from fpgaprune.lower import lower
from fpgaprune.report import costs, print_boards, print_chosen, print_resources
from fpgaprune.resources import Kind, Resources
from tests.nets import PYNQ, mlp
from tests.report.examples import layer_resources

KINDS = {"0": "Linear 784 to 128"}
LAYERS = (
    layer_resources("0", (41366, 1_417_416, 124610, 12, 5)),
    layer_resources("0", (0, 1234, 0, 0, 1), strategy="window"),
    layer_resources("fc2", (2048, 34017, 15649, 166, 4)),
)
RESOURCES = Resources(Kind.ESTIMATE, 3.33, 4, 9, LAYERS)
NO_DSP = replace(PYNQ, resources=replace(PYNQ.resources, dsp=0))


def printed(function, *arguments, width=80):
    stream = io.StringIO()
    function(*arguments, Console(file=stream, width=width))
    return stream.getvalue()


def rows(text):
    """Return the cells of the rows of all tables, by what the first cell says, each table after the other."""
    found = {}
    for line in text.splitlines():
        first, *cells = re.split(r"\s{2,}", line.strip())
        found.setdefault(first, []).extend(cells)
    return found


@pytest.fixture(scope="module")
def fitted():
    goal = Goal(Aim.AREA, interval_cycles=30)
    return fit(mlp((24, 16, 4), 0.5), board.load("zcu104"), goal=goal, budget=Budget(dsp=0))


def chosen(fitted, width):
    layers = chosen_layers(lower(fitted.design), fitted.resources)
    return printed(print_chosen, fitted, layers, rest(layers, fitted.resources), {}, width=width)


def tables(fitted, width):
    yield printed(print_resources, RESOURCES, PYNQ, "net", KINDS, width=width)
    yield printed(print_boards, board.load_all(), width=width)
    yield chosen(fitted, width)


@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_no_line_is_wider_than_the_console(fitted, width):
    for text in tables(fitted, width):
        assert max(map(len, text.splitlines())) <= width
        assert text.isascii()


def test_no_number_is_cut_on_80_columns(fitted):
    for text, wide in zip(tables(fitted, 80), tables(fitted, 200), strict=True):
        assert set(re.findall(r"\d[\d,.]*", wide)) == set(re.findall(r"\d[\d,.]*", text))
        assert "…" not in text


def test_layers_have_names_that_tell_and_units():
    text = printed(print_resources, RESOURCES, PYNQ, "net", KINDS, width=140)
    assert "net on TUL PYNQ-Z2: estimate" in text
    found = rows(text)
    assert found["layer"] == ["non-zeros", "LUT", "FF", "DSP", "BRAM_18K", "[cycles]"]
    assert found["latency"] == []
    assert found["layer 0 (Linear 784 to 128)"] == ["41,366", "1,417,416", "124,610", "12", "0", "5"]
    assert found["layer 0 (window)"] == ["0", "1,234", "0", "0", "0", "1"]
    assert found["fc2"][0] == "2,048"
    assert found["all"] == ["43,414", "1,452,667", "140,259", "178", "0", "9"]
    assert found["of the board"] == ["2,731 %", "131.8 %", "80.9 %", "0.0 %"]
    assert "does not fit; latency 9 cycles, 30 ns, interval 4 cycles at 3.33 ns (all numbers: estimate)" in text


def test_one_design_of_usual_names_is_one_table_on_80_columns():
    small = replace(RESOURCES, layers=(layer_resources("0", (41366, 17_416, 14610, 12, 5)),))
    text = printed(print_resources, small, PYNQ, "net", {"0": "Linear 6 to 8"})
    assert text.count("non-zeros") == text.count("[cycles]") == text.count("layer 0 (Linear 6 to 8)") == 1


def test_what_was_chosen_adds_up(fitted):
    text = chosen(fitted, 200)
    found = rows(text)
    assert found["fc1"][1] == "folded"
    assert "interval" in text
    assert "[cycles]" in text
    luts = [int(found[name][-5].replace(",", "")) for name in ("fc1", "fc2", "everything else")]
    assert sum(luts) == fitted.resources.total("lut") == int(found["all"][1].replace(",", ""))


def test_ultraram_is_shown_where_the_board_has_it(fitted):
    assert "URAM" in chosen(fitted, 140)
    assert "URAM" not in printed(print_resources, RESOURCES, PYNQ, "net", {})


def test_a_line_says_kind_shares_and_speed():
    assert costs(RESOURCES, PYNQ).splitlines() == [
        "estimate: 1,452,667 LUT (2,731 %), 140,259 FF (131.8 %), 178 DSP (80.9 %), 0 BRAM_18K (0.0 %) of the "
        "TUL PYNQ-Z2: does not fit",
        "latency 9 cycles, 30 ns, interval 4 cycles at 3.33 ns",
    ]


def test_what_the_board_lacks_is_told_and_what_is_not_needed_is_left_out():
    assert "178 DSP (none there)" in costs(RESOURCES, NO_DSP)
    none = replace(RESOURCES, layers=(layer_resources("fc", (1, 2, 3, 0, 1)),))
    assert "DSP" not in costs(none, NO_DSP)


def test_a_design_of_no_kernels_is_a_table_of_zeros():
    text = printed(print_resources, replace(RESOURCES, layers=()), PYNQ, "net", {})
    assert rows(text)["all"] == ["0", "0", "0", "0", "0", "9"]


def test_boards_have_units_and_all_resources():
    found = rows(printed(print_boards, (PYNQ,), width=140))
    assert found["name"] == ["part", "clock [ns]", "LUT", "FF", "DSP", "BRAM_18K", "URAM", "static [W]"]
    assert found["pynq-z2"] == ["xc7z020clg400-1", "10", "53,200", "106,400", "220", "280", "0", f"{PYNQ.static_w:g}"]
    assert rows(printed(print_boards, (board.load("arty-a7-35t"),), width=140))["arty-a7-35t"][-1] == "-"

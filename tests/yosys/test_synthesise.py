"""Single modules through Yosys: what they take, what is refused, what is kept, and the proof of netlists."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest

from fpgaprune import tools
from fpgaprune.board import Family
from fpgaprune.errors import ToolError
from fpgaprune.lower import lower
from fpgaprune.rtl import print_kernel, timing
from fpgaprune.schedule import multiply, schedule
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.yosys import Cells, Equivalence, synthesise
from fpgaprune.yosys.synthesise import prove
from tests.nets import PYNQ, mlp

ADDER = """module adder (input wire clk, input wire [7:0] a, input wire [7:0] b, output reg [8:0] y);
  always @(posedge clk) y <= a + b;
endmodule
"""
CONSTANT = "module constant (input wire [3:0] a, output wire [3:0] y);\n  assign y = {a[0], 3'd5};\nendmodule\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FPGAPRUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("family", [Family.XC7, Family.XCUP])
def test_an_adder_is_a_table_a_bit_and_a_register_each(family):
    assert synthesise(ADDER, "adder", family) == Cells(lut=8, ff=9, carry=3)


def test_a_result_is_kept_and_a_damaged_one_made_again(cache, monkeypatch):
    first = synthesise(ADDER, "adder", Family.XC7)
    (entry,) = cache.rglob("*.json")
    kept = json.loads(entry.read_text())
    monkeypatch.setattr("fpgaprune.tools.run", None)  # nothing runs any more
    assert synthesise(ADDER, "adder", Family.XC7) == first
    entry.write_text(json.dumps(kept)[:-9])
    with pytest.raises(TypeError):
        synthesise(ADDER, "adder", Family.XC7)


def test_text_that_is_no_verilog_is_an_error_with_what_yosys_says():
    with pytest.raises(ToolError, match=r"Yosys fails on adder: .*syntax error"):
        synthesise(ADDER.replace("<=", "<=<="), "adder", Family.XC7)


def test_an_output_that_collapsed_is_refused():
    assert synthesise(CONSTANT, "constant", Family.XC7, moving={"y": [3]}) == Cells()
    with pytest.raises(ToolError, match="bit 1 of output y became a constant"):
        synthesise(CONSTANT, "constant", Family.XC7, moving={"y": [3, 1]})


def test_the_time_limit_ends_it_and_leaves_what_may_be_done():
    with pytest.raises(ToolError, match=r"Yosys on adder: .* took longer than its limit of 0.05 s; .*--timeout-s"):
        synthesise(ADDER, "adder", Family.XC7, timeout_s=0.05)


def test_the_memory_limit_is_told_as_such(monkeypatch):
    monkeypatch.setattr(sys.modules[synthesise.__module__], "MEMORY_BYTES", 270 << 20)  # most of what it takes
    with pytest.raises(ToolError, match=r"Yosys needs more than 0.264 GB for adder; fold this layer"):
        synthesise(ADDER, "adder", Family.XC7)


def test_what_yosys_says_goes_into_a_log(tmp_path):
    synthesise(ADDER, "adder", Family.XC7, log=tmp_path / "logs" / "adder.log")
    assert "Executing SYNTH_XILINX pass" in (tmp_path / "logs" / "adder.log").read_text()


def test_a_folder_that_cannot_be_written_keeps_nothing_and_the_result_is_the_same(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FPGAPRUNE_CACHE", str(tmp_path / "file" / "cache"))
    assert synthesise(ADDER, "adder", Family.XC7) == Cells(lut=8, ff=9, carry=3)


def product(attribute=""):
    return f"""module product (input wire clk, input wire [8:0] a, input wire [8:0] b, output reg [17:0] y);
  {attribute} reg [17:0] product;
  always @(posedge clk) begin
    product <= a * b;
    y <= product;
  end
endmodule
"""


def test_products_take_slices_unless_the_text_asks_for_none():
    assert synthesise(product(), "product", Family.XC7).dsp == 1
    soft = synthesise(product('(* use_dsp = "no" *)'), "product", Family.XC7)
    assert soft.dsp == 0
    assert soft.lut > 40


def table(words, read="y <= word"):
    filled = "\n".join(f"    words[{place}] = 16'd{word};" for place, word in enumerate(words))
    return f"""module table (input wire clk, input wire [9:0] a, output reg [15:0] y);
  (* rom_style = "block" *) reg [15:0] words [0:{len(words) - 1}];
  initial begin
{filled}
  end
  reg [15:0] word;
  always @(posedge clk) begin
    word <= words[a];
    {read};
  end
endmodule
"""


def test_a_table_that_is_lost_is_refused():
    words = [place * 61 % 65521 for place in range(1024)]
    assert synthesise(table(words), "table", Family.XC7) == Cells(ff=16, bram_18k=1)
    with pytest.raises(ToolError, match="the table words has words in the text, but is empty or gone in the netlist"):
        synthesise(table(words, read="y <= a"), "table", Family.XC7)


def test_without_pyosys_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ToolError, match=r"pip install 'fpgaprune\[synth\]'"):
        synthesise(ADDER, "adder", Family.XC7)


def test_a_netlist_is_proved_equal_to_its_text():
    assert prove(ADDER, "adder", Family.XC7) is Equivalence.PROVED


BROKEN = """
import json
import sys
from pathlib import Path
from fpgaprune.yosys import worker

path = Path(sys.argv[1])
job = json.loads(path.read_text())
job["flow"].append("setparam -set INIT 4'h7 t:LUT2")
path.write_text(json.dumps(job))
worker.main(path)
"""


@pytest.fixture
def broken(monkeypatch, tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    run = tools.run
    monkeypatch.setattr(
        "fpgaprune.tools.run", lambda words, **named: run([words[0], tmp_path / "broken.py", words[-1]], **named)
    )


@pytest.mark.usefixtures("broken")
def test_a_netlist_that_differs_from_its_text_is_refused():
    with pytest.raises(ToolError, match="adder: the netlist that Yosys makes differs from its text"):
        prove(ADDER, "adder", Family.XC7)


def test_a_proof_that_takes_too_long_is_none():
    assert prove(ADDER, "adder", Family.XC7, timeout_s=0.05) is Equivalence.UNPROVED


LOOKED_UP = """module looked_up (input wire clk, input wire [2:0] a, output reg [3:0] y);
  function [3:0] word;
    input [2:0] address;
    case (address)
      3'd0: word = 4'd7;
      3'd1: word = 4'd9;
      3'd5: word = 4'd3;
      default: word = 4'd0;
    endcase
  endfunction
  always @(posedge clk) y <= word(a);
endmodule
"""


def test_a_netlist_with_a_table_is_proved():
    assert prove(LOOKED_UP, "looked_up", Family.XC7) is Equivalence.PROVED


@pytest.mark.parametrize("planner", [multiply, adders_planner])
def test_netlists_of_small_kernels_are_proved(planner):
    lowered = lower(schedule(mlp((4, 3), 0.4, bits=3), PYNQ, planner=planner))
    text = print_kernel(lowered.kernels[0], *timing(lowered), "kernel")
    assert prove(text, "kernel", Family.XC7) is Equivalence.PROVED

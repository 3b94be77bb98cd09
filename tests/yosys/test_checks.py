"""What must not be missing in a netlist."""

from __future__ import annotations

import numpy as np

from fpgaprune.emit.vectors import random_inputs
from fpgaprune.lower import lower, run
from fpgaprune.schedule import Interface, multiply, schedule
from fpgaprune.yosys.checks import moving, moving_bits, tables
from fpgaprune.yosys.worker import filled
from tests.nets import PYNQ, mlp


def test_bits_that_take_both_values_move_and_those_of_signs_too():
    assert moving_bits(np.array([[0b0101, -1], [0b0100, 1]]), 4) == [0, 5, 6, 7]
    assert moving_bits(np.array([[6, 2], [6, 2]]), 3) == []


def test_bits_of_words_beyond_64_bits_move():
    assert moving_bits(np.array([[1 << 70], [0]], dtype=object), 72) == [70]


def test_rows_of_a_matrix_move_as_far_as_their_ends_do():
    lowered = lower(schedule(mlp((3, 2), weights=None, sparsity=0.0), PYNQ, planner=multiply))
    (kernel,) = lowered.kernels
    still = run(lowered, *(words[:1] for words in random_inputs(lowered.design.graph, 1)))
    bits, width = moving(kernel, still)["y"], kernel.result.word.width
    for row in range(2):
        differ = int(kernel.sums.low[row]) ^ int(kernel.sums.high[row])
        assert {row * width + bit for bit in range(width) if differ >> bit & 1} <= set(bits)


def test_beats_of_a_stream_share_their_bits():
    lowered = lower(schedule(mlp((3, 2), 0.0), PYNQ, interface=Interface.STREAM, planner=multiply))
    words = run(lowered, *random_inputs(lowered.design.graph, 8))
    for kernel in lowered.kernels:
        assert moving(kernel, words)["y0"]


TEXT = """
  (* rom_style = "block" *) reg [7:0] words_0 [0:1];
  reg [7:0] same [0:1], other;
  reg [7:0] even [0:1];
  reg [7:0] empty [0:1];
  initial begin
    words_0[0] = 8'd1;
    words_0[1] = 8'd2;
    even[0] = 8'd3;
    even[1] = 8'd3;
  end
"""


def test_tables_are_memories_that_the_text_fills_with_different_words():
    assert tables(TEXT) == {"words_0"}


def test_a_memory_is_filled_where_any_of_its_cells_has_a_one():
    cells = {
        "inner.words_0.0.0": {"type": "RAMB18E1", "parameters": {"INIT_00": "0000", "READ_WIDTH_A": "11"}},
        "inner.words_0.0.1": {"type": "RAMB18E1", "parameters": {"INIT_00": "x010"}},
        "words_1.0.0": {"type": "RAMB36E2", "parameters": {"INIT_3F": "xxxx", "INITP_00": "0000"}},
        "words_2.0.0.slice": {"type": "RAM64X1S", "parameters": {"INIT": "0000"}},
        "words_3.0.0": {"type": "LUT6", "parameters": {"INIT_00": "1"}},
    }
    assert filled(cells) == ["words_0"]

"""The text of folded matrices, and what it must not hold."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fpgaprune.emit import emit
from fpgaprune.lower import MatVecKernel, lower
from fpgaprune.schedule import Access, Interface, schedule
from tests.emit.test_emit import GOLDEN, tiny
from tests.fit.test_timing import convolutions
from tests.nets import PYNQ, folded, mlp, project

KINDS = {"lanes": folded(2), "banked": folded(2, Access.MEMORIES, 2)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["src/kernels/act1.cpp", "src/top.cpp"])
def test_the_text_of_a_tiny_network_is_the_golden_one(kind, path, update_golden):
    text = project(tiny(), planner=KINDS[kind]).files[path]
    golden = GOLDEN / f"tiny_{kind}" / path.removeprefix("src/").replace("/", "_")
    if update_golden:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def numbers(text, name):
    (found,) = re.findall(rf"{name}\[\d+\]\[\d+\] = {{(.*?)}};", text, re.DOTALL)
    return np.array([int(number) for number in re.findall(r"-?\d+", found)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("interface", list(Interface))
def test_the_weights_in_the_text_are_the_non_zeros_and_what_pads_the_shorter_lanes(kind, interface):
    lowered = lower(schedule(mlp((30, 20, 4), 0.7), PYNQ, interface=interface, planner=KINDS[kind]))
    first = lowered.kernels[0]
    found = numbers(emit(lowered).files["src/kernels/act1.cpp"], "weight")
    assert sorted(found[found != 0]) == sorted(first.weights.weight)
    assert (found == 0).sum() == first.program.lanes * first.program.slots - first.weights.nonzeros


def test_registers_are_chosen_among_the_elements_that_a_lane_reads():
    lowered = lower(schedule(mlp((30, 20, 4), 0.7), PYNQ, planner=folded(6)))
    text = emit(lowered).files["src/kernels/act1.cpp"]
    lanes = re.findall(r"lane_\d+\(int slot.*?\n}\n", text, re.DOTALL)
    assert len(lanes) == -(-lowered.kernels[0].weights.nonzeros // 6)
    for lane in lanes:
        read = re.findall(r"input = x\[(\d+)\]", lane)
        assert len(read) == len(set(read)) <= 6


def test_fabric_multipliers_are_bound_to_the_fabric():
    bound = "BIND_OP variable = product op = mul impl = fabric"
    for planner, expected in ((folded(3, fabric=True), True), (folded(3), False)):
        assert (bound in project(mlp(), planner=planner).files["src/kernels/act1.cpp"]) is expected


def test_a_parallel_design_of_lanes_is_processes_between_arrays():
    top = project(mlp(), planner=folded(4)).files["src/top.cpp"]
    assert "#pragma HLS DATAFLOW" in top
    assert "fpgaprune::enter<net_x_t, 6, 1>(x, x_beats);" in top
    assert "#pragma HLS PIPELINE" not in top


def test_a_convolution_of_a_parallel_design_is_folded_for_each_window():
    made = project(convolutions(), planner=folded(3))
    assert "enter<net_x_t, 2, 36>(x, x_beats);" in made.files["src/top.cpp"]
    assert "net_x_t x[72]" in made.files["src/top.h"]
    assert "bq_out[16]" in made.files["src/top.h"]
    kernel = made.files["src/kernels/aq.cpp"]
    assert "beat < 16" in kernel
    lowered = lower(schedule(convolutions(), PYNQ, planner=folded(3)))
    first = next(each for each in lowered.kernels if isinstance(each, MatVecKernel))
    assert first.weights.shape == (5, 18)
    assert first.source.beats == 16


def test_samples_of_several_vectors_share_memories_in_one_loop():
    kernel = project(convolutions(), planner=folded(20, Access.MEMORIES, 2)).files["src/kernels/aq.cpp"]
    assert "step < 18" in kernel
    assert "DEPENDENCE variable = memory type = inter direction = RAW" in kernel
    assert "DATAFLOW" not in kernel

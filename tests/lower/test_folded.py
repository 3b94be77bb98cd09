"""Designs with folded matrices: the interpreter, the pace of processes, FIFOs that hold and do not deadlock."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaprune.emit import emit
from fpgaprune.errors import GraphError
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed
from fpgaprune.ir import Add, Graph, Input, MatVec, Requantise, Tensor, Window
from fpgaprune.lower import MatVecKernel, lower, run, simulate
from fpgaprune.lower.simulate import interval_bound
from fpgaprune.resources import estimate
from fpgaprune.schedule import Access, Interface, schedule
from fpgaprune.sim.csim import build
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows
from tests.graphs import random_inputs, random_network_graph
from tests.nets import PYNQ, folded, mixed, mlp


def lowered_with(graph, planner, interface=Interface.PARALLEL):
    return lower(schedule(graph, PYNQ, interface=interface, planner=planner))


@given(seed=st.integers(0, 2**32), interface=st.sampled_from(list(Interface)))
@settings(max_examples=80, deadline=None)
def test_every_strategy_computes_what_evaluate_computes(seed, interface):
    graph = random_network_graph(seed)
    lowered = lowered_with(graph, mixed(seed), interface)
    inputs = random_inputs(graph, 7, seed)
    known = run(lowered, *inputs)
    for output, want in zip(lowered.outputs, evaluate(graph, *inputs), strict=True):
        assert np.array_equal(known[output.port.name].reshape(want.shape), want)


@pytest.mark.parametrize(("access", "banks"), [(Access.REGISTERS, 1), (Access.MEMORIES, 4)])
@pytest.mark.parametrize("reuse", [3, 10, 50])
def test_the_interval_of_a_design_is_its_longest_lane(access, banks, reuse):
    lowered = lowered_with(mlp((40, 30, 10), 0.5), folded(reuse, access, banks))
    intervals = [kernel.interval for kernel in lowered.kernels if isinstance(kernel, MatVecKernel)]
    assert lowered.interval == max(intervals)
    assert estimate(lowered).interval_cycles == max(intervals)
    if access is Access.REGISTERS:
        assert max(intervals) <= reuse


def ends(lowered, **how):
    """When two samples have left, if every process takes what the depths of FIFOs were worked out for."""
    pace = {kernel.name: interval_bound(kernel) for kernel in lowered.kernels}
    return simulate(lowered.inputs, lowered.kernels, lowered.outputs, pace=pace, **how).ends


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_samples_leave_as_early_as_with_fifos_without_limit(seed):
    lowered = lowered_with(random_network_graph(seed), mixed(seed), Interface.STREAM)
    assert ends(lowered, depths=lowered.depths) == ends(lowered)


def shortcut(side):
    """Three convolutions over a padded image, and what the first gives added to what the last gives."""
    padded, shape = Windows((3, 3), (1, 1), (1, 1), (1, 1), (1, 1)), (side, side, 2)
    weights = SparseMatrix.from_dense(np.arange(36).reshape(2, 18) % 3 - 1)
    word, sums = Fixed(True, 6, 3), Fixed(True, 20, 6)
    ops = [Input(Tensor("x", shape, word))]
    for number in range(3):
        ops.append(Window(Tensor(f"window{number}", (side, side, 18), word), ops[-1].output.name, padded))
        conv = Tensor(f"conv{number}", shape, sums)
        ops.append(MatVec(conv, f"window{number}", weights, word, np.zeros(2, dtype=int)))
        ops.append(Requantise(Tensor(f"act{number}", shape, word), conv.name, 0))
    ops.append(Add(Tensor("sum", shape, Fixed(True, 7, 3)), "act2", "act0"))
    return Graph(tuple(ops), ("sum",))


@pytest.mark.parametrize(("side", "reuse"), [(6, 4), (8, 8), (12, 3)])
def test_a_padded_window_beside_a_shortcut_keeps_up_with_the_lanes(side, reuse):
    lowered = lowered_with(shortcut(side), folded(reuse), Interface.STREAM)
    free = ends(lowered)
    assert ends(lowered, depths=lowered.depths) == free
    # at an even pace so little meets before the window that it stops what the lanes give where its image ends
    assert ends(lowered, depths={**lowered.depths, "act1": lowered.depths["act1"] // 2}) > free
    assert lowered.depths["act1"] >= lowered.depths["window2"], "words of an image are cheaper to hold than its windows"


def test_the_interval_beside_a_shortcut_is_that_of_the_lanes():
    lowered = lowered_with(shortcut(8), folded(8), Interface.STREAM)
    assert estimate(lowered).interval_cycles == 8 * 8 * lowered.interval


@pytest.mark.needs("g++", "make")
@pytest.mark.parametrize("interface", list(Interface))
@pytest.mark.parametrize("seed", [42, 44, 46, 51])
def test_threads_with_fifos_of_these_depths_finish(tmp_path, seed, interface):
    lowered = lowered_with(random_network_graph(seed), folded(4), interface)
    assert lowered.interval > 1, "this network has no matrix to fold; take another seed"
    emit(lowered).write(tmp_path / "net")
    build(tmp_path / "net", "testbench_bounded", timeout_s=300)
    done = subprocess.run(
        [tmp_path / "net" / "sim" / "build" / "testbench_bounded"],
        cwd=tmp_path / "net" / "tb",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.startswith("PASS")


@pytest.mark.parametrize(("access", "banks"), [(Access.REGISTERS, 1), (Access.MEMORIES, 2)])
def test_sums_of_wide_weights_do_not_overflow_in_the_interpreter(access, banks):
    graph = mlp((6, 4), 0.2, bits=62)
    inputs = random_inputs(graph, 9, 0)
    lowered = lowered_with(graph, folded(3, access, banks))
    (want,) = evaluate(graph, *inputs)
    assert np.array_equal(run(lowered, *inputs)[lowered.outputs[0].port.name].reshape(want.shape), want)


@pytest.mark.parametrize("field", ["weight", "column"])
def test_a_perturbed_lane_program_is_noticed(field):
    graph = mlp((12, 8, 4), 0.3)
    lowered = lowered_with(graph, folded(5))
    *_, last = lowered.kernels
    program = last.program
    values = np.array(getattr(program, field))
    values[0] = values[0] - 1 if values[0] > 1 else values[0] + 2
    vars(last)["program"] = replace(program, **{field: values})
    inputs = random_inputs(graph, 20, 1)
    try:
        known = run(lowered, *inputs)
    except GraphError:
        return  # the sum left its interval
    (want,) = evaluate(graph, *inputs)
    assert not np.array_equal(known[lowered.outputs[0].port.name].reshape(want.shape), want)

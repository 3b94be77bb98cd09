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
from fpgaprune.lower import MatVecKernel, lower, run, simulate
from fpgaprune.lower.simulate import interval_bound
from fpgaprune.lower.streams import firings
from fpgaprune.resources import estimate
from fpgaprune.schedule import Access, Interface, schedule
from fpgaprune.sim.csim import build
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


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_fifos_keep_up_with_the_slowest_process(seed):
    lowered = lowered_with(random_network_graph(seed), mixed(seed), Interface.STREAM)
    pace = {kernel.name: interval_bound(kernel) for kernel in lowered.kernels}
    found = simulate(lowered.inputs, lowered.kernels, lowered.outputs, pace=pace, depths=lowered.depths)
    cycles = [len(firings(kernel)[1]) * pace[kernel.name] for kernel in lowered.kernels]
    free = simulate(lowered.inputs, lowered.kernels, lowered.outputs, pace=pace)
    assert found.interval <= max(*cycles, free.interval, 1)


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

"""Processes and FIFOs of streaming designs."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaprune.emit import emit
from fpgaprune.errors import GraphError, InputError
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed
from fpgaprune.ir import Add, Gather, Graph, Input, MatMul, MatVec, Requantise, Reshape, Scan, Tensor, Window
from fpgaprune.lower import (
    AccumulateKernel,
    BufferKernel,
    ForkKernel,
    WindowKernel,
    WireKernel,
    lower,
    results,
    run,
)
from fpgaprune.lower.simulate import LEAST_DEPTH, SAMPLES, fifo_depths, latency_bound, simulate
from fpgaprune.resources import estimate
from fpgaprune.schedule import Interface, schedule
from fpgaprune.sim.csim import build
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows
from tests.graphs import random_inputs, random_network_graph
from tests.nets import PYNQ

S6 = Fixed(True, 6, 3)


def streamed(graph):
    return lower(schedule(graph, PYNQ, interface=Interface.STREAM))


@given(seed=st.integers(0, 2**32), interface=st.sampled_from(list(Interface)))
@settings(max_examples=120, deadline=None)
def test_kernels_compute_what_evaluate_computes(seed, interface):
    graph = random_network_graph(seed)
    lowered = lower(schedule(graph, PYNQ, interface=interface))
    inputs = random_inputs(graph, 9, seed)
    known = run(lowered, *inputs)
    for output, want in zip(lowered.outputs, evaluate(graph, *inputs), strict=True):
        assert np.array_equal(known[output.port.name].reshape(want.shape), want)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_every_port_of_a_streaming_design_has_one_writer_and_one_reader(seed):
    lowered = streamed(random_network_graph(seed))
    written = [port.name for port in (*lowered.inputs, *(p for k in lowered.kernels for p in results(k)))]
    read = [port.name for kernel in lowered.kernels for port in kernel.sources]
    read += [output.port.name for output in lowered.outputs]
    assert sorted(written) == sorted(read)
    assert len(set(written)) == len(written)
    inner = {port.name for kernel in lowered.kernels for port in results(kernel)}
    assert set(lowered.depths) == inner - {output.port.name for output in lowered.outputs}


def conv(shape=(5, 6, 2), windows=None, kept_columns=None):
    windows = windows or Windows((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    positions = windows.positions(shape[:-1])
    columns = windows.taps * shape[-1]
    weights = np.arange(1, 2 * columns + 1).reshape(2, columns) % 5 - 2
    if kept_columns is not None:
        weights = np.where(np.isin(np.arange(columns), kept_columns), 1, 0) * np.array([[1], [2]])
    return [
        Input(Tensor("x", shape, S6)),
        Window(Tensor("window", (*positions, columns), S6), "x", windows),
        MatVec(
            Tensor("conv", (*positions, 2), Fixed(True, 16, 6)),
            "window",
            SparseMatrix.from_dense(weights),
            Fixed(True, 4, 3),
            np.array([1, -1]),
        ),
    ]


def test_a_tap_or_channel_that_no_output_reads_leaves_the_line_buffer():
    whole = streamed(Graph(tuple(conv()), ("conv",)))
    middle_row_of_channel_1 = [7, 9, 11]
    pruned = streamed(Graph(tuple(conv(kept_columns=middle_row_of_channel_1)), ("conv",)))
    window = next(kernel for kernel in pruned.kernels if isinstance(kernel, WindowKernel))
    assert len(window.kept) == 3
    costs = [{layer.tensor: layer for layer in estimate(lowered).layers}["window"] for lowered in (whole, pruned)]
    assert costs[1].lut < costs[0].lut
    assert costs[1].ff < costs[0].ff
    text = emit(pruned).files["src/kernels/window.cpp"]
    assert "line_1" not in text  # the oldest row is read by nobody
    assert "line_1" in emit(whole).files["src/kernels/window.cpp"]


def test_line_buffers_are_sized_by_the_window_and_not_by_the_image():
    shapes = [(8, 6, 2), (32, 6, 2)]
    costs = [
        sum(layer.ff + layer.lut for layer in estimate(streamed(Graph(tuple(conv(s)), ("conv",)))).layers)
        for s in shapes
    ]
    counter_bits = 2  # 32 rows are counted with two flip-flops more than 8
    assert costs[1] - costs[0] <= counter_bits


def test_the_interval_of_a_design_is_that_of_its_slowest_process():
    resources = estimate(streamed(Graph(tuple(conv()), ("conv",))))
    assert resources.interval_cycles == 7 * 8  # the padded image, a position a cycle
    assert 56 < resources.latency_cycles < 80


def moving(lowered, **how):
    return simulate(lowered.inputs, lowered.kernels, lowered.outputs, **how)


def waits(lowered, depths):
    try:
        return moving(lowered, depths=depths).stalls > 0
    except GraphError:  # it waits for ever
        return True


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_with_the_computed_depths_no_process_waits_for_room_and_with_one_beat_less_one_does(seed):
    lowered = streamed(random_network_graph(seed, length=9))
    assert moving(lowered, depths=lowered.depths).stalls == 0
    for name, depth in lowered.depths.items():
        if depth > LEAST_DEPTH:
            assert waits(lowered, {**lowered.depths, name: depth - 1})


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_shallower_pipelines_and_slower_processes_do_not_deadlock_with_these_depths(seed):
    lowered = streamed(random_network_graph(seed, length=9))
    rng = np.random.default_rng(seed)
    for _ in range(4):
        latency = {kernel.name: int(rng.integers(0, latency_bound(kernel) + 1)) for kernel in lowered.kernels}
        pace = {kernel.name: int(rng.integers(1, 5)) for kernel in lowered.kernels}
        assert moving(lowered, depths=lowered.depths, latency=latency, pace=pace).interval >= 1


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_fifos_that_hold_every_beat_are_as_good_as_fifos_without_limit(seed):
    lowered = streamed(random_network_graph(seed, length=9))
    rng = np.random.default_rng(seed)
    every = {port.name: SAMPLES * port.beats for kernel in lowered.kernels for port in results(kernel)}
    latency = {kernel.name: int(rng.integers(0, latency_bound(kernel) + 1)) for kernel in lowered.kernels}
    pace = {kernel.name: int(rng.integers(1, 5)) for kernel in lowered.kernels}
    assert moving(lowered, depths=every, latency=latency, pace=pace) == moving(lowered, latency=latency, pace=pace)


def test_what_is_in_the_pipelines_of_a_long_branch_finds_room_in_the_short_one():
    eye = SparseMatrix.from_dense(np.ones((2, 2), dtype=int))
    ops = [Input(Tensor("x", (40, 2), S6))]
    for number in range(2):
        width = 10 + 6 * number
        out = Tensor(f"m{number}", (40, 2), Fixed(True, width, 3 * (number + 2)))
        ops.append(MatVec(out, ops[-1].output.name, eye, S6, np.zeros(2, dtype=int)))
    ops.append(Add(Tensor("y", (40, 2), Fixed(True, 24, 9)), "m1", "x"))
    lowered = streamed(Graph(tuple(ops), ("y",)))
    assert lowered.depths["x/1"] >= 2 * 4  # two pipelines of four cycles and more
    assert moving(lowered).interval == 40


def test_a_permutation_within_each_position_is_wires_and_one_across_positions_a_buffer():
    x = Tensor("x", (3, 2), S6)
    zeros = np.zeros(6, dtype=np.int64)
    swap = Gather(Tensor("y", (3, 2), S6), "x", np.array([1, 0, 3, 2, 5, 4]), zeros)
    turn = Gather(Tensor("y", (3, 2), S6), "x", np.array([4, 5, 2, 3, 0, 1]), zeros)
    assert isinstance(streamed(Graph((Input(x), swap), ("y",))).kernels[0], WireKernel)
    assert isinstance(streamed(Graph((Input(x), turn), ("y",))).kernels[0], BufferKernel)


def test_an_input_that_nobody_reads_is_emptied_and_one_that_leaves_is_copied():
    one, other = Tensor("x", (3, 2), S6), Tensor("w", (3, 2), S6)
    lowered = streamed(Graph((Input(one), Input(other)), ("w",)))
    forks = {kernel.source.name: len(kernel.results) for kernel in lowered.kernels if isinstance(kernel, ForkKernel)}
    assert forks == {"x": 0, "w": 1}


def test_windows_over_three_axes_are_refused():
    windows = Windows.plain((2, 2, 2))
    x = Tensor("x", (3, 3, 3, 1), S6)
    graph = Graph((Input(x), Window(Tensor("y", (2, 2, 2, 8), S6), "x", windows)), ("y",))
    with pytest.raises(InputError, match="y: a window over 3 axes"):
        streamed(graph)


def residual():
    """A branch that a window delays beside one that nothing delays, and a product that needs a whole operand first."""
    ops = conv((5, 6, 2))
    ops.append(Add(Tensor("sum", (5, 6, 2), Fixed(True, 17, 6)), "conv", "x"))
    ops.append(Reshape(Tensor("rows", (30, 2), Fixed(True, 17, 6)), "sum"))
    ops.append(MatMul(Tensor("scores", (30, 30), Fixed(True, 35, 12)), "rows", "rows"))
    return Graph(tuple(ops), ("scores",))


def run_bounded(lowered, folder):
    emit(lowered).write(folder)
    build(folder, "testbench_bounded", 300)
    return subprocess.run(
        ["../sim/build/testbench_bounded"], cwd=folder / "tb", capture_output=True, text=True, timeout=60
    )


@pytest.mark.needs("g++")
def test_threads_with_fifos_of_these_depths_finish_and_with_too_little_room_they_deadlock(tmp_path):
    lowered = streamed(residual())
    whole = run_bounded(lowered, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.startswith("PASS")
    short = replace(lowered, depths=dict.fromkeys(lowered.depths, 1))
    stuck = run_bounded(short, tmp_path / "short")
    assert stuck.returncode == 3
    assert "deadlock: every process waits for a stream" in stuck.stderr


@pytest.mark.needs("g++")
@pytest.mark.parametrize("seed", range(4))
def test_random_networks_do_not_deadlock_with_bounded_fifos(tmp_path, seed):
    result = run_bounded(streamed(random_network_graph(seed, length=9)), tmp_path / "net")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("PASS")


def test_processes_whose_rates_do_not_match_are_refused():
    lowered = streamed(Graph(tuple(conv()), ("conv",)))
    window, *rest = lowered.kernels
    hungry = replace(window, shape=(6, 6))  # reads more beats than the requantised image has
    half = replace(lowered.inputs[0], name="half", beats=30)
    before = ForkKernel("half", lowered.inputs[0], (half,))
    kernels = (before, replace(hungry, source=half), *rest)
    with pytest.raises(GraphError, match="the processes of this design wait for each other"):
        fifo_depths(lowered.inputs, kernels, lowered.outputs)


def test_a_mean_over_an_image_is_a_running_sum_and_needs_no_window_of_its_size():
    windows, wide = Windows.plain((8, 8)), Fixed(True, 20, 6)
    weights = np.tile(np.diag([3, 5, 0]), (1, 64))[:2]  # each row one channel, the third is read by nobody
    graph = Graph(
        (
            Input(Tensor("x", (8, 8, 3), S6)),
            Window(Tensor("all", (1, 1, 192), S6), "x", windows),
            MatVec(Tensor("y", (1, 1, 2), wide), "all", SparseMatrix.from_dense(weights), S6, np.ones(2, int)),
        ),
        ("y",),
    )
    lowered = streamed(graph)
    assert not any(isinstance(kernel, WindowKernel) for kernel in lowered.kernels)
    (sums,) = (kernel for kernel in lowered.kernels if isinstance(kernel, AccumulateKernel))
    assert (sums.source.beats, sums.result.beats, sums.result.size) == (64, 1, 2)
    assert sums.result.format.width == 12  # 64 words of six bits
    assert estimate(lowered).total("ff") < 64 * 6  # the image itself would take 64 * 2 * 6
    uneven = np.array(weights)
    uneven[0, 0] += 1
    ops = (*graph.ops[:2], replace(graph.ops[2], weights=SparseMatrix.from_dense(uneven)))
    assert any(isinstance(kernel, WindowKernel) for kernel in streamed(Graph(ops, ("y",))).kernels)


def test_the_last_step_of_a_sequence_is_all_that_a_stream_stores():
    body = (
        Input(Tensor("step", (3,), S6)),
        Input(Tensor("h", (3,), S6)),
        Requantise(Tensor("next", (3,), S6), "step", 0),
    )
    weights = np.zeros((2, 30), int)
    weights[:, 27:] = [[1, 2, 3], [3, 5, 7]]
    graph = Graph(
        (
            Input(Tensor("x", (10, 3), S6)),
            Scan(Tensor("states", (10, 3), S6), "x", Graph(body, ("next",)), (np.zeros(3, int),)),
            Reshape(Tensor("flat", (30,), S6), "states"),
            MatVec(
                Tensor("y", (2,), Fixed(True, 20, 6)), "flat", SparseMatrix.from_dense(weights), S6, np.ones(2, int)
            ),
        ),
        ("y",),
    )
    lowered = streamed(graph)
    (buffer,) = (kernel for kernel in lowered.kernels if isinstance(kernel, BufferKernel))
    assert (buffer.result.size, len(buffer.stored)) == (3, 1)
    inputs = random_inputs(graph, 9)
    got = run(lowered, *inputs)[lowered.outputs[0].port.name]
    assert np.array_equal(got.reshape(9, 2), evaluate(graph, *inputs)[0])

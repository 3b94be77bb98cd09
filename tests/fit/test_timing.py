"""The times of a design as bounds, against the simulation of its processes."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaprune.fit.fit import kernels_of
from fpgaprune.fit.points import Pricing
from fpgaprune.fit.problem import INTERVAL, LATENCY, Problem
from fpgaprune.fit.timing import timing
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.ir import Concat, Graph, Input, MatVec, Requantise, Scan, Tensor, Window
from fpgaprune.lower import lower
from fpgaprune.resources import estimate
from fpgaprune.schedule import Access, Folded, Interface, Multiply, schedule
from fpgaprune.windows import Windows
from tests.graphs import random_graph
from tests.nets import PYNQ, mlp, sparse_weights

S6 = Fixed(True, 6, 3)
S6_SAT = Fixed(True, 6, 3, Rounding.RND_CONV, Overflow.SAT)
PLANS = (Multiply(), Folded(1), Folded(4, Access.MEMORIES, 2))


def times(graph, interface, plan):
    """Return interval and latency by the bounds, and by the estimate."""
    lowered = lower(schedule(graph, PYNQ, interface=interface, planner=lambda _op, _source: plan))
    resources = estimate(lowered)
    kernels = kernels_of(lowered)
    latencies = {layer.tensor: layer.latency_cycles for layer in resources.layers}
    bounds = timing(lowered, latencies, {kernel.name: name for name, kernel in kernels.items()})
    pricing = Pricing.of(PYNQ, PYNQ.clock_ns)
    found = Problem({}, bounds, (), (), ()).times({name: pricing.point(each) for name, each in kernels.items()})
    return (found[INTERVAL], found[LATENCY]), (resources.interval_cycles, resources.latency_cycles)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("seed", [2, 6, 14, 19, 21, 28])
def test_a_graph_of_vectors_takes_exactly_as_long(seed, plan):
    bounds, estimated = times(random_graph(seed, length=7), Interface.PARALLEL, plan)
    assert bounds == estimated


def test_a_parallel_design_folds_convolutions_for_each_position():
    bounds, estimated = times(convolutions(), Interface.PARALLEL, Folded(2))
    stream = times(convolutions(), Interface.STREAM, Folded(2))
    assert (bounds, estimated) == stream


@pytest.mark.parametrize("plan", PLANS)
def test_dense_layers_take_exactly_as_long(plan):
    bounds, estimated = times(mlp((20, 9, 7, 3), 0.5), Interface.STREAM, plan)
    assert bounds == estimated


def matrix(name, source, rows, seed):
    weights = sparse_weights(np.random.default_rng(seed), rows, source.channels, 0.4, bits=6)
    out = Tensor(name, (*source.positions, rows), Fixed(True, 24, 6))
    quantised = Tensor(f"{name}q", out.shape, S6_SAT)
    return MatVec(out, source.name, weights, S6, np.zeros(rows, int)), Requantise(quantised, name, 0)


def convolutions():
    x = Tensor("x", (6, 6, 2), S6)
    ops = [Input(x), Window(Tensor("w", (4, 4, 18), S6), "x", Windows.plain((3, 3)))]
    ops += matrix("a", ops[-1].output, 5, 1)
    ops.append(Window(Tensor("v", (2, 2, 45), S6_SAT), "aq", Windows.plain((3, 3))))
    ops += matrix("b", ops[-1].output, 4, 2)
    return Graph(tuple(ops), ("bq",))


def recurrent():
    step, state, joined = Tensor("step", (3,), S6), Tensor("h", (9,), S6_SAT), Tensor("joined", (12,), S6)
    body = (Input(step), Input(state), Concat(joined, ("step", "h")), *matrix("sums", joined, 9, 3))
    scan = Scan(Tensor("y", (4, 9), S6_SAT), "x", Graph(body, ("sumsq",)), (np.zeros(9, int),))
    return Graph((Input(Tensor("x", (4, 3), S6)), scan), ("y",))


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("graph", [convolutions(), recurrent()], ids=["convolutions", "recurrent"])
def test_the_interval_of_a_stream_is_exact_and_its_latency_nearly(graph, plan):
    bounds, estimated = times(graph, Interface.STREAM, plan)
    assert bounds[0] == estimated[0]
    assert abs(bounds[1] - estimated[1]) <= 0.1 * estimated[1]


def test_every_time_is_computed_before_it_is_used():
    lowered = lower(schedule(convolutions(), PYNQ, interface=Interface.STREAM))
    latencies = {layer.tensor: layer.latency_cycles for layer in estimate(lowered).layers}
    bounds = timing(lowered, latencies, {kernel.name: name for name, kernel in kernels_of(lowered).items()})
    used = set()
    for bound in bounds:
        assert bound.target not in used
        used |= {name for name, _ in bound.after}
    assert all(factor > 0 for bound in bounds for _, factor in bound.after)

"""Every op, every kernel and every template is met by the random networks that the property tests draw."""

from __future__ import annotations

from typing import get_args

import pytest

from fpgaprune import ir
from fpgaprune.emit.describe import describe
from fpgaprune.emit.emitter import kernel_views
from fpgaprune.emit.names import names_of
from fpgaprune.emit.top import top_view
from fpgaprune.emit.views import TEMPLATES
from fpgaprune.lower import kernels, lower
from fpgaprune.resources import estimate
from fpgaprune.schedule import Interface, schedule
from tests.graphs import random_network_graph
from tests.nets import PYNQ, mixed

SEEDS = range(60)


def members(union):
    return {member for part in get_args(union) for member in (members(part) or {part})}


@pytest.fixture(scope="module")
def drawn():
    """Return the ops, kernels and views of random networks in both interfaces."""
    graphs = {seed: random_network_graph(seed) for seed in SEEDS}
    ops = {type(op) for graph in graphs.values() for op in graph.ops}
    found, views = set(), set()
    for seed, graph in graphs.items():
        for interface in Interface:
            lowered = lower(schedule(graph, PYNQ, interface=interface, planner=mixed(seed)))
            found |= {type(kernel) for kernel in lowered.every_kernel}
            names = names_of(lowered)
            views |= {type(view) for view, _ in kernel_views(lowered, names, top_view(lowered, names))}
            priced = {layer.tensor for layer in estimate(lowered).layers if layer.strategy != "port"}
            assert priced == {kernel.name for kernel in lowered.every_kernel}
            assert all(describe(kernel, lowered.design) for kernel in lowered.every_kernel)
    return ops, found, views


def test_every_op_is_drawn(drawn):
    assert drawn[0] == set(ir.OPS)


def test_every_kernel_is_lowered_to_interpreted_and_estimated(drawn):
    assert drawn[1] == members(kernels.Kernel)


def test_every_template_is_used(drawn):
    assert drawn[2] == set(TEMPLATES)

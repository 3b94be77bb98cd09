"""Netlists compute what kernels compute, in words that hold it, and are cut where the estimate says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fpgaprune.board import Family
from fpgaprune.digits import signed_digits
from fpgaprune.errors import GraphError
from fpgaprune.fabric import FABRICS
from fpgaprune.fixed import Fixed
from fpgaprune.lower import MatVecKernel, Port, lower, pipeline, run
from fpgaprune.lower.netlist import lanes_of, merged_group, merged_rows, netlist, rows_of
from fpgaprune.lower.nodes import (
    Constant,
    Element,
    Netlist,
    Product,
    Sum,
    Term,
    cuts,
    is_multiplier,
    latency,
    operands,
    takes_time,
)
from fpgaprune.lower.operations import operations
from fpgaprune.schedule import Access, multiply, schedule
from fpgaprune.schedule.adders import adders_planner
from tests.graphs import random_graph, random_inputs, random_network_graph
from tests.nets import PYNQ, folded, mlp

BUDGETS = (1.0, 3.65, 7.3, 30.0)
XC7 = FABRICS[Family.XC7]


def lowered(graph, planner=multiply):
    return lower(schedule(graph, PYNQ, planner=planner))


@pytest.mark.parametrize("planner", [multiply, adders_planner])
@pytest.mark.parametrize("first", [0, 50, 100])
def test_netlists_of_random_networks_compute_what_their_kernels_do(first, planner):
    for seed in range(first, first + 50):
        graph = random_network_graph(seed) if seed % 2 else random_graph(seed, length=7)
        made = lowered(graph, planner)
        known = run(made, *random_inputs(graph, 6, seed))
        for kernel in made.kernels:
            sources = [known[port.name][:, 0] for port in kernel.sources]
            wanted = known[kernel.result.name][:, 0]
            got = netlist(kernel).run(*sources)
            assert (got == wanted[: len(got)]).all(), (seed, kernel)


def test_operands_come_before_the_nodes_that_read_them():
    made = netlist(lowered(mlp((8, 6, 4)), adders_planner).kernels[0])
    assert all(max(operands(node), default=-1) < place for place, node in enumerate(made.nodes))


def test_a_value_outside_its_interval_is_an_error():
    port = Port("x", 2, Fixed(False, 4, 0))
    nodes = (Element(0, 15, 0, 0), Element(0, 15, 0, 1), Sum(0, 29, 0, 1))
    made = Netlist((port,), nodes, (Term(2),))
    assert made.run(np.array([[14, 15]])) == [[29]]
    with pytest.raises(GraphError, match=r"value 2 \(Sum\) leaves its interval 0…29"):
        made.run(np.array([[15, 15]]))


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("planner", [multiply, adders_planner])
def test_matrices_are_cut_where_the_pipeline_says(planner, budget):
    for seed in range(5):
        for kernel in lowered(mlp((24, 16, 8), 0.4, seed), planner).kernels:
            assert isinstance(kernel, MatVecKernel)
            assert cuts(netlist(kernel), XC7, budget) == pipeline.cuts(kernel, XC7, budget)


def test_a_matrix_has_as_many_multipliers_as_the_estimate_counts():
    kernel = lowered(mlp((24, 16, 8), 0.4)).kernels[0]
    weights = kernel.weights.weight
    many = signed_digits(weights) > 2
    pairs = set(zip(kernel.weights.column[many].tolist(), weights[many].tolist(), strict=True))
    assert sum(map(is_multiplier, netlist(kernel).nodes)) == len(pairs)
    odd = {(column, weight // (weight & -weight) if weight > 0 else weight) for column, weight in pairs}
    assert len(odd) < len(pairs)  # synthesis shares the multipliers of 53 and 106
    assert len(odd) == pipeline.multipliers(operations(kernel))


def test_no_stage_takes_longer_than_the_budget_unless_one_operation_does():
    made = netlist(lowered(mlp((24, 16, 8), 0.2)).kernels[0])
    for budget in BUDGETS:
        after = (0, *cuts(made, XC7, budget), max(made.levels))
        for first, last in pairwise(after):
            delays = [XC7.adder_ns] * (last - first)
            if first == 0:
                delays[0] = XC7.multiplier_ns
            assert len(delays) == 1 or sum(delays) <= budget


def test_a_product_of_two_words_stands_in_a_register():
    port = Port("x", 1, Fixed(True, 8, 0))
    product = Product(-(1 << 14), 1 << 14, 0, 1)
    made = Netlist((port, port), (Element(-128, 127, 0, 0), Element(-128, 127, 1, 0), product), (Term(2),))
    assert cuts(made, XC7, 1000.0) == (1,)
    assert latency(made, XC7, 1000.0) == 2


def test_constants_take_no_time_and_wires_have_no_register():
    assert not takes_time(Constant(3, 3))
    made = Netlist((), (Constant(3, 3),), (Term(0, 2),), registered=False)
    assert latency(made, XC7, 1.0) == 0
    assert made.run().tolist() == [[12]]


@pytest.mark.parametrize("reuse", [1, 3, 100])
def test_rows_are_made_of_the_parts_in_registers(reuse):
    graph = mlp((12, 9), 0.3)
    made = lowered(graph, folded(reuse))
    kernel = made.kernels[-1]
    (x,) = random_inputs(graph, 7)
    program = kernel.program
    parts = np.zeros((len(program.part_row), 7), dtype=np.int64)
    np.add.at(parts, program.part, (x[:, program.column] * program.weight).T)
    assert (merged_rows(kernel).run(parts.T) == run(made, x)[kernel.result.name][:, 0]).all()


@pytest.mark.parametrize("banks", [1, 2, 3])
def test_rows_are_made_of_the_parts_in_memories(banks):
    graph = mlp((12, 9), 0.3)
    made = lowered(graph, folded(4, Access.MEMORIES, banks))
    kernel = made.kernels[-1]
    (x,) = random_inputs(graph, 7)
    program, rows = kernel.program, run(made, x)[kernel.result.name][:, 0]
    for group in np.unique(program.banks.group).tolist():
        for row in rows_of(kernel, group).tolist():
            terms = np.zeros((7, len(lanes_of(kernel, group)) + 1), dtype=np.int64)
            for index, lane in enumerate(lanes_of(kernel, group)):
                mine = (program.lane == lane) & (program.part_row[program.part] == row)
                terms[:, index] = x[:, program.column[mine]] @ program.weight[mine]
            terms[:, -1] = kernel.bias[row]
            assert (merged_group(kernel, group).run(terms)[:, 0] == rows[:, row]).all()

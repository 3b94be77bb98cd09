"""The text of printed Verilog: a golden file, names, and a file for every kernel that there is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.ir import Graph, Input, MatVec
from fpgaprune.lower import kernels, lower
from fpgaprune.rtl import TOP, port_names, print_kernel, print_rtl, timing
from fpgaprune.rtl.top import CONTROL
from fpgaprune.schedule import Access, Interface, multiply, schedule
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sparse import SparseMatrix
from tests.graphs import random_network_graph
from tests.nets import PYNQ, folded, mixed, mlp

GOLDEN = Path(__file__).parent.parent / "golden" / "tiny_rtl"
U4 = Fixed(False, 4, 4, Rounding.RND, Overflow.SAT)
PLANNERS = (multiply, adders_planner, folded(2), folded(2, Access.MEMORIES, 2))


def tiny():
    weights = [np.array([[3, 0, -2], [0, 5, 0]]), np.array([[1, -1]])]
    matrices = [SparseMatrix.from_dense(matrix) for matrix in weights]
    return mlp((3, 2, 1), activation=U4, bits=4, weights=matrices, biases=[[1, -7], [5]])


def lowered(graph, planner=multiply, name="net", interface=Interface.PARALLEL):
    return lower(schedule(graph, PYNQ, name=name, planner=planner, interface=interface))


@pytest.mark.parametrize("path", ["top.v", "net_act1.v", "net_fc2.v"])
def test_the_text_of_a_tiny_network_is_the_golden_one(path, update_golden):
    text = print_rtl(lowered(tiny()))[path]
    golden = GOLDEN / path
    if update_golden:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("planner", PLANNERS)
def test_equal_designs_have_equal_text(planner):
    graph = mlp((8, 6, 4))
    assert print_rtl(lowered(graph, planner)) == print_rtl(lowered(graph, planner))


@pytest.mark.parametrize("planner", PLANNERS)
def test_a_kernel_is_printed_alone_under_any_name(planner):
    made = lowered(mlp((8, 6, 4)), planner)
    text = print_kernel(made.kernels[-1], *timing(made), "other")
    assert text == print_rtl(made)["net_fc2.v"].replace("net_fc2", "other")


def test_every_kernel_is_printed_in_a_file_of_its_own():
    met = set()
    for seed in range(40):
        made = lowered(random_network_graph(seed), mixed(seed), interface=Interface.STREAM)
        files = print_rtl(made)
        assert set(files) == {TOP, *(f"{name}.v" for name in modules_of(files) if f"{name}.v" in files)}
        assert len(files) == 1 + len(made.kernels)
        met |= {type(kernel) for kernel in made.every_kernel}
    assert met == members(kernels.Kernel)


def members(union):
    return {member for part in get_args(union) for member in (members(part) or {part})}


def modules_of(files):
    return {name for text in files.values() for name in re.findall(r"^module (\w+)", text, re.MULTILINE)}


def test_modules_of_a_design_have_names_of_their_own():
    for seed in range(20):
        files = print_rtl(lowered(random_network_graph(seed), mixed(seed), interface=Interface.STREAM))
        text = "\n".join(files.values())
        assert len(re.findall(r"^module ", text, re.MULTILINE)) == len(modules_of(files))


def renamed(graph, names):
    """Return the graph with tensors renamed."""

    def of(name):
        return names.get(name, name)

    ops = []
    for op in graph.ops:
        output = replace(op.output, name=of(op.output.name))
        ops.append(
            replace(op, output=output) if isinstance(op, Input) else replace(op, output=output, input=of(op.input))
        )
    return Graph(tuple(ops), tuple(map(of, graph.outputs)))


@pytest.mark.parametrize("name", [*CONTROL, "module", "reg", "net", "x_valid", "always"])
@pytest.mark.parametrize("planner", [multiply, folded(2)])
def test_tensors_may_be_called_what_the_text_calls_something_else(name, planner):
    made = lowered(renamed(mlp((3, 2)), {"x": name}), planner)
    port = port_names(made).inputs[name]
    assert port not in (*CONTROL, "module", "reg", "net", "always")
    assert re.search(rf"input wire \[23:0\] {port},", print_rtl(made)[TOP])


@pytest.mark.parametrize("planner", [multiply, adders_planner])
def test_sparse_pipelines_have_less_text(planner):
    dense, sparse = ("".join(print_rtl(lowered(mlp((24, 16), zeros, 3), planner)).values()) for zeros in (0.0, 0.9))
    assert len(sparse) < 0.3 * len(dense)


@pytest.mark.parametrize("planner", [folded(3), folded(3, Access.MEMORIES), folded(3, Access.MEMORIES, 4)])
def test_lanes_have_the_weights_that_are_not_zero(planner):
    graph = mlp((24, 16), 0.9, 3)
    (op,) = (op for op in graph.ops if isinstance(op, MatVec))
    counts = re.findall(r"non-zero weights: (\d+)", print_rtl(lowered(graph, planner))["net_fc1.v"])
    assert sum(map(int, counts)) == op.weights.nonzeros

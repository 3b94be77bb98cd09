"""RTL simulation: printed Verilog computes what evaluate computes, and broken text is told. Designs share builds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fpgaprune.errors import InputError, ToolError
from fpgaprune.ir import Graph
from fpgaprune.lower import lower
from fpgaprune.resources import estimate
from fpgaprune.rtl import TOP, print_rtl
from fpgaprune.schedule import Access, Interface, multiply, schedule
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sim.rtl import rtlsim
from tests.graphs import random_graph, random_inputs, random_network_graph
from tests.nets import PYNQ, folded, mixed, mlp

needs_verilator = pytest.mark.needs("verilator", "g++", "make")


class Designs:
    """Designs of different names, with random inputs for each."""

    def __init__(self, samples=10):
        self.samples = samples
        self.lowered, self.inputs = [], []

    def add(self, graph, planner=multiply, interface=Interface.PARALLEL, **changes):
        seed = len(self.lowered)
        made = lower(schedule(graph, PYNQ, name=f"net{seed}", planner=planner, interface=interface))
        self.lowered.append(replace(made, **changes) if changes else made)
        self.inputs.append(random_inputs(graph, self.samples, seed))

    def run(self):
        """Return what each design did, having checked that all are exact."""
        runs = rtlsim(self.lowered, self.inputs)
        assert [run.verdict.first for run in runs] == [None] * len(runs)
        assert all(run.verdict.exact for run in runs)
        return zip(self.lowered, runs, strict=True)


@needs_verilator
def test_pipelines_are_exact_and_take_the_cycles_that_are_estimated():
    designs = Designs()
    for planner in (multiply, adders_planner):
        designs.add(mlp((16, 32, 16, 5)), planner)
        designs.add(mlp((12, 9, 5), 0.8, 3), planner)
    for lowered, run in designs.run():
        assert (run.interval, run.latency) == (1, estimate(lowered).latency_cycles)


@needs_verilator
def test_names_that_end_in_an_underscore_are_names():
    entry, first, *rest = mlp((4, 3, 2)).ops
    named = replace(entry, output=replace(entry.output, name="input_"))
    graph = Graph((named, replace(first, input="input_"), *rest), (rest[-1].output.name,))
    designs = Designs()
    designs.add(graph)
    designs.add(graph, folded(2), Interface.STREAM)
    assert len(list(designs.run())) == 2


@needs_verilator
def test_random_pipelines_are_exact():
    designs = Designs()
    for seed in range(30):
        graph = random_network_graph(seed) if seed % 3 else random_graph(seed, length=7)
        designs.add(graph, adders_planner if seed % 2 else multiply)
    assert {run.interval for _, run in designs.run()} == {1}


@needs_verilator
def test_folded_matrices_are_exact_and_no_slower_than_their_interval():
    designs = Designs()
    planners = [
        folded(1 << 20),
        folded(3),
        folded(1),
        folded(5, fabric=True),
        folded(4, Access.MEMORIES),
        folded(7, Access.MEMORIES, 3),
        folded(1, Access.MEMORIES, 2),
        mixed(7),
    ]
    for planner in planners:
        designs.add(mlp((9, 12, 4), 0.4), planner)
    designs.add(mlp((300, 8), 0.5), folded(700, Access.MEMORIES))  # tables of block RAM
    for lowered, run in designs.run():
        assert run.interval <= lowered.interval


@needs_verilator
def test_random_streams_are_exact():
    designs = Designs(6)
    for seed in range(12):
        designs.add(random_network_graph(seed), mixed(seed), Interface.STREAM)
    seed = 14
    graph = random_network_graph(seed)
    depths = lower(schedule(graph, PYNQ, interface=Interface.STREAM)).depths
    designs.add(graph, interface=Interface.STREAM, depths=dict.fromkeys(depths, 9000))  # FIFOs of block RAM
    designs.run()


@pytest.mark.slow
@needs_verilator
@pytest.mark.parametrize("interface", list(Interface))
@pytest.mark.parametrize("first", range(1000, 2000, 25))
def test_a_thousand_random_networks_are_exact(first, interface):
    designs = Designs()
    for seed in range(first, first + 25):
        designs.add(random_network_graph(seed), mixed(seed), interface)
    designs.run()


@needs_verilator
def test_a_broken_text_is_told_by_its_output_and_a_hanging_one_by_its_beats():
    designs = Designs()
    for planner in (multiply, folded(2), multiply, folded(2)):
        designs.add(mlp((3, 2), 0.0), planner)
    texts = [dict(print_rtl(lowered)) for lowered in designs.lowered]
    texts[0]["net0_fc1.v"] = perturbed(texts[0]["net0_fc1.v"], " * -", " * ")
    texts[1]["net1_fc1.v"] = perturbed(texts[1]["net1_fc1.v"], "{done[", "{1'b0 & done[")
    runs = rtlsim(designs.lowered, designs.inputs, files=texts)
    assert [run.verdict.exact for run in runs] == [False, False, True, True]
    assert runs[0].verdict.first.layer == "fc1 (steady)"
    assert runs[0].verdict.first.got != runs[0].verdict.first.expected
    assert runs[1].verdict.first.layer == "fc1 (steady), number of beats"
    assert (runs[1].verdict.first.got, runs[1].verdict.first.expected) == (0, 10)


def perturbed(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


@needs_verilator
def test_text_that_is_not_verilog_is_an_error():
    designs = Designs()
    designs.add(mlp((3, 2)))
    with pytest.raises(ToolError, match=r"Verilator does not build the Verilog:[\s\S]*Error"):
        rtlsim(designs.lowered, designs.inputs, files=[{TOP: "module net0 (input wire clk; endmodule"}])


@needs_verilator
def test_the_first_error_of_many_is_told():
    designs = Designs()
    designs.add(mlp((3, 2)))
    wrong = "".join(f"  assign x{number} = y;\n" for number in range(40))
    text = f"module net0 (input wire clk);\n  assign first = nothing;\n{wrong}endmodule\n"
    with pytest.raises(ToolError, match=r"Verilog:\n%Error[^\n]*net0[^\n]*:2:[\s\S]*…\n"):
        rtlsim(designs.lowered, designs.inputs, files=[{TOP: text}])


def test_without_verilator_the_error_names_it(monkeypatch):
    monkeypatch.setenv("FPGAPRUNE_VERILATOR", "no-such-program")
    designs = Designs()
    designs.add(mlp((3, 2)))
    with pytest.raises(ToolError, match="verilator is needed for simulation of Verilog but was not found"):
        designs.run()


def test_inputs_that_do_not_fit_are_refused():
    designs = Designs()
    designs.add(mlp((3, 2)))
    with pytest.raises(InputError, match="must have shape"):
        rtlsim(designs.lowered, [(designs.inputs[0][0][:, :2],)])

"""What only the vendor tool reads, such as the narrow words of memories, computes the same as what is simulated."""

from __future__ import annotations

import subprocess

import pytest

from fpgaprune.schedule import Access, Interface
from fpgaprune.schedule.adders import adders_planner
from tests.graphs import random_inputs, random_network_graph
from tests.nets import folded, mlp, project

PLANNERS = {"adders": adders_planner, "lanes": folded(4), "banked": folded(4, Access.MEMORIES, 2)}


@pytest.mark.needs("g++", "make")
@pytest.mark.parametrize("interface", list(Interface))
@pytest.mark.parametrize("strategy", PLANNERS)
def test_the_branches_for_synthesis_are_exact_too(tmp_path, strategy, interface):
    for number, graph in enumerate((mlp((12, 9, 5), 0.5), random_network_graph(53))):
        folder = tmp_path / f"net{number}"
        inputs = random_inputs(graph, 20, number)
        project(graph, inputs, interface=interface, planner=PLANNERS[strategy]).write(folder)
        changed = 0
        for path in (*(folder / "src").rglob("*.cpp"), folder / "src" / "kernel.h"):
            text = path.read_text()
            changed += text.count("__SYNTHESIS__")
            path.write_text(text.replace("__SYNTHESIS__", "FPGAPRUNE_SIMULATION"))
        assert changed > 5
        command = ["make", "-s", "-C", folder / "sim", "CXXFLAGS=-O0 -Wno-unknown-pragmas"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert "PASS: 20 samples" in done.stdout, done.stderr[-2000:]

"""The estimate against open synthesis: slices and cycles are the same, tables and registers inside its intervals."""

from __future__ import annotations

import pytest

from fpgaprune import board
from fpgaprune.emit.vectors import random_inputs
from fpgaprune.lower import lower
from fpgaprune.passes import optimise
from fpgaprune.resources import estimate
from fpgaprune.rtl import print_rtl
from fpgaprune.schedule import Access, multiply, schedule
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sim.rtl import rtlsim
from fpgaprune.yosys import Cells, open_synthesis
from tests.nets import folded, mlp

NETS = [
    pytest.param(name, planner, sparsity, seed, id=f"{name} {seed}")
    for name, planner, sparsity, seed in (
        ("pynq-z2", multiply, 0.5, 1),
        ("zcu104", multiply, 0.8, 2),
        ("pynq-z2", adders_planner, 0.8, 3),
        ("zcu104", adders_planner, 0.5, 4),
        ("pynq-z2", folded(8), 0.5, 5),
        ("zcu104", folded(4), 0.5, 6),
        ("zcu104", folded(16, Access.MEMORIES, 2), 0.5, 7),
    )
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FPGAPRUNE_CACHE", str(tmp_path / "cache"))


@pytest.mark.needs("verilator")
@pytest.mark.parametrize(("name", "planner", "sparsity", "seed"), NETS)
def test_the_estimate_holds_in_open_synthesis(name, planner, sparsity, seed):
    graph = optimise(mlp((12, 8, 4), sparsity, seed))
    lowered = lower(schedule(graph, board.load(name), planner=planner))
    told, texts = estimate(lowered), print_rtl(lowered)
    (run,) = rtlsim([lowered], [random_inputs(graph, 6)], files=[texts])
    assert run.verdict.exact
    assert run.latency == told.latency_cycles
    assert run.interval <= told.interval_cycles  # that of the C++, whose loops over memories start anew
    counted = sum(open_synthesis(lowered, texts).values(), Cells())
    assert counted.dsp == told.total("dsp")
    for amount, count in (("lut", counted.lut), ("ff", counted.ff)):
        low, high = told.bounds(amount)
        assert low <= count <= high, amount

"""Yosys' own simulator in the place of Verilator."""

from __future__ import annotations

import os

import pytest

from fpgaprune import tools
from fpgaprune.emit.vectors import random_inputs
from fpgaprune.lower import lower
from fpgaprune.resources import estimate
from fpgaprune.rtl import print_rtl
from fpgaprune.schedule import Access, Interface, multiply, schedule
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sim.rtl import rtlsim
from fpgaprune.yosys.cxxrtl import PortView, simulator
from tests.nets import PYNQ, folded, mlp

VARIABLE = tools.TOOLS["verilator"].variable


@pytest.fixture
def without(monkeypatch):
    """A machine without Verilator."""
    find = tools.find
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(
        "fpgaprune.tools.find",
        lambda name: None if name == "verilator" and VARIABLE not in os.environ else find(name),
    )


def simulated(designs, **named):
    inputs = [random_inputs(each.design.graph, 12) for each in designs]
    with simulator() as name:
        assert name == "CXXRTL"
        return rtlsim(designs, inputs, **named)


@pytest.mark.usefixtures("without")
@pytest.mark.needs("g++")
def test_designs_are_exact_and_take_the_cycles_that_are_estimated():
    designs = [
        lower(schedule(mlp((5, 4, 3), 0.4), PYNQ, name=f"net{number}", interface=interface, planner=planner))
        for number, (planner, interface) in enumerate(
            [
                (adders_planner, Interface.PARALLEL),
                (multiply, Interface.STREAM),
                (folded(3), Interface.PARALLEL),
                (folded(4, Access.MEMORIES, 2), Interface.STREAM),
            ]
        )
    ]
    runs = simulated(designs)
    assert all(run.verdict.exact for run in runs)
    for run, told in zip(runs[:3], map(estimate, designs), strict=False):  # memories are quicker than the C++
        assert (run.latency, run.interval) == (told.latency_cycles, told.interval_cycles)
    assert VARIABLE not in os.environ


@pytest.mark.usefixtures("without")
@pytest.mark.needs("g++")
def test_a_wrong_text_is_not_exact():
    lowered = lower(schedule(mlp((5, 3), 0.4), PYNQ, planner=adders_planner))
    texts = {name: text.replace(" + ", " - ", 1) for name, text in print_rtl(lowered).items()}
    (run,) = simulated([lowered], files=[texts])
    assert not run.verdict.exact


def test_verilator_is_taken_where_it_is(monkeypatch):
    monkeypatch.setattr("fpgaprune.tools.find", lambda name: name)
    with simulator() as name:
        assert name == "Verilator"


@pytest.mark.usefixtures("without")
def test_a_variable_that_names_nothing_is_left_to_be_refused(monkeypatch):
    monkeypatch.setenv(VARIABLE, "no-such-verilator")
    with simulator() as name:
        assert (name, os.environ[VARIABLE]) == ("Verilator", "no-such-verilator")


def test_ports_have_the_names_and_the_types_that_cxxrtl_and_the_testbench_use():
    assert PortView("d0_x0", 64, enters=True).member == "p_d0__x0"
    assert [PortView("x", bits, enters=True).type for bits in (1, 64, 65, 97)] == [
        "uint64_t",
        "uint64_t",
        "VlWide<3>",
        "VlWide<4>",
    ]

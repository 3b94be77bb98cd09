"""A project through open synthesis: the Verilog, the counts that are kept with it, and what is refused."""

from __future__ import annotations

import json
import os
import re
import sys

import pytest

from fpgaprune import tools
from fpgaprune.cli import main
from fpgaprune.errors import InputError, MismatchError, ToolError
from fpgaprune.lower import lower
from fpgaprune.resources import Kind, estimate
from fpgaprune.rtl import print_rtl
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sim import ProjectFolder
from fpgaprune.yosys import open_synthesis, synth
from tests.nets import folded, mlp, project


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FPGAPRUNE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def net(tmp_path):
    folder = tmp_path / "net"
    project(mlp((6, 4, 3), 0.4), planner=adders_planner).write(folder)
    return folder


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["fpgaprune", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr()


@pytest.mark.needs("verilator")
@pytest.mark.parametrize("planner", [adders_planner, folded(3)])
def test_counts_are_those_of_exact_verilog_and_near_the_estimate(tmp_path, planner):
    project(mlp((6, 4, 3), 0.4), planner=planner).write(tmp_path / "net")
    loaded = ProjectFolder.load(tmp_path / "net")
    found, told = synth(loaded), estimate(lower(loaded.design))
    assert found.kind is Kind.OPEN_SYNTHESIS
    assert (found.latency_cycles, found.interval_cycles) == (told.latency_cycles, told.interval_cycles)
    assert found.total("dsp") == told.total("dsp")
    assert 0.5 < found.total("lut") / told.total("lut") < 2
    assert (tmp_path / "net" / "rtl" / "top.v").is_file()


@pytest.mark.needs("g++")
def test_without_verilator_yosys_simulates_as_well(net, monkeypatch):
    find, variable = tools.find, tools.TOOLS["verilator"].variable
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(
        "fpgaprune.tools.find", lambda name: None if name == "verilator" and variable not in os.environ else find(name)
    )
    said = []
    found = synth(ProjectFolder.load(net), progress=said.append)
    assert said[0] == "simulating the Verilog with CXXRTL"
    assert said[-1] == "3 of 3 modules synthesised"
    assert found.total("lut") > 0
    assert {path.name for path in (net / "reports" / "yosys").iterdir()} == {"net.log", "net_act1.log", "net_fc2.log"}


def test_a_row_that_collapsed_is_refused(net):
    lowered = lower(ProjectFolder.load(net).design)
    texts = dict(print_rtl(lowered))
    texts["net_fc2.v"] = re.sub(r"(assign y\[0 .*= )\w+;", r"\g<1>1'd0;", texts["net_fc2.v"])
    with pytest.raises(ToolError, match="net_fc2: bit 0 of output y became a constant"):
        open_synthesis(lowered, texts)


@pytest.mark.needs("verilator")
def test_the_command_keeps_counts_that_estimate_tells(net, monkeypatch, capsys):
    code, said = run(monkeypatch, capsys, "synth", str(net), "--tool", "yosys", "--json")
    assert code == 0
    told = json.loads(said.out)
    assert told["kind"] == "open-synthesis"
    assert told["total"]["lut"] > 0
    code, said = run(monkeypatch, capsys, "estimate", str(net), "--json")
    assert [each["total"] for each in json.loads(said.out)["measurements"]] == [told["total"]]
    code, said = run(monkeypatch, capsys, "estimate", str(net))
    assert "open-synthesis: " in said.out


@pytest.mark.needs("verilator")
def test_verilog_that_is_not_exact_is_not_counted(net, monkeypatch):
    loaded = ProjectFolder.load(net)

    def wrong(graph, *inputs):
        from fpgaprune.evaluate import evaluate

        return tuple(words + 1 for words in evaluate(graph, *inputs))

    monkeypatch.setattr("fpgaprune.sim.rtl.evaluate", wrong)
    with pytest.raises(MismatchError, match="the Verilog"):
        synth(loaded)
    assert not (net / "reports" / "open-synthesis.json").exists()


def test_an_edited_project_is_refused(net):
    source = net / "src" / "kernels" / "act1.cpp"
    source.write_text(source.read_text() + "\n")
    with pytest.raises(InputError, match="changed since the project was generated"):
        synth(ProjectFolder.load(net))

"""Vendor runs with fake tools: every stage, what is not run twice, and all that can go wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fpgaprune.cli import main
from fpgaprune.emit.project import Project
from fpgaprune.errors import InputError, ToolError
from fpgaprune.resources import Kind
from fpgaprune.schedule import Interface
from fpgaprune.sim import ProjectFolder
from fpgaprune.vendor import Maker, import_report, resources, stored, synth
from fpgaprune.vendor.tie import Identity
from tests.nets import mlp, project
from tests.vendor import written
from tests.vendor.written import Module

FAKES = Path(__file__).parent.parent / "fakes"
VARIABLES = (
    "FPGAPRUNE_VITIS",
    "FPGAPRUNE_VIVADO",
    "XILINX_VITIS",
    "XILINX_HLS",
    "XILINX_VIVADO",
)


@pytest.fixture(scope="module")
def text():
    return project(mlp((4, 3, 2), sparsity=0.3))


@pytest.fixture
def net(text, tmp_path):
    return ProjectFolder.load(text.write(tmp_path / "net"))


@pytest.fixture(autouse=True)
def tools(tmp_path, monkeypatch):
    """Only the tools in a folder of our own, which begins with all of them; calls are recorded beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("vitis-run", "vitis_hls", "vivado"):
        (folder / name).symlink_to(FAKES / name)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{folder}:{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_CALLS", str(tmp_path / "calls"))
    return folder


@pytest.fixture
def calls(tmp_path):
    """Return the calls since the last time, one word for each stage."""

    def taken():
        path = tmp_path / "calls"
        words = path.read_text().split("\n")[:-1] if path.exists() else []
        path.unlink(missing_ok=True)
        return words

    return taken


def test_vitis_gives_csynth_layer_by_layer(net, calls):
    found = synth(net, Maker.VITIS)
    assert calls() == ["vitis-run csynth", "vitis-run export"]
    assert found.kind is Kind.CSYNTH
    assert (found.clock_ns, found.latency_cycles, found.interval_cycles) == (10.0, 7, 1)
    assert found.measured.tool == "Vitis HLS 2023.2"
    assert (found.measured.achieved_ns, found.measured.timing_met) == (7.331, True)
    assert [(layer.tensor, layer.lut, layer.dsp, layer.latency_cycles) for layer in found.layers] == [
        ("act1", 20, 1, 2),
        ("fc2", 21, 1, 2),
        ("", 18, 0, 0),
    ]
    assert found.layers[-1].layer == "all else"
    assert [found.total(amount) for amount in ("lut", "ff", "dsp", "bram_18k")] == [59, 24, 2, 3]
    assert found.total("nonzeros") == sum(kernel["nonzeros"] for kernel in net.manifest["kernels"])


def test_vivado_makes_the_rtl_first_and_keeps_both_of_its_stages(net, calls):
    said = []
    found = synth(net, Maker.VIVADO, progress=said.append)
    assert calls() == ["vitis-run csynth", "vivado synthesis", "vivado route"]
    assert found.kind is Kind.POST_ROUTE
    assert found.latency_cycles == 7  # as C synthesis scheduled it
    measured = found.measured
    assert (measured.tool, measured.achieved_ns, measured.carry) == ("Vivado 2023.2", 8.75, 17)
    assert (measured.total_w, measured.dynamic_w, measured.static_w) == (0.142, 0.037, 0.105)
    assert resources(net, Kind.POST_SYNTHESIS).total("lut") == 59
    assert any(text.startswith("route") for text in said)
    assert all(source.tagged for source in stored(net, Kind.POST_ROUTE).sources)


def test_a_stream_design_has_processes(tmp_path):
    made = project(mlp((4, 3, 2), sparsity=0.3), interface=Interface.STREAM)
    found = synth(ProjectFolder.load(made.write(tmp_path / "stream")), Maker.VIVADO)
    assert {layer.tensor for layer in found.layers} >= {"act1", "fc2"}
    assert found.total("lut") == 59


def test_what_is_finished_is_not_run_again(net, calls, monkeypatch):
    first = synth(net, Maker.VITIS)
    calls()
    assert synth(net, Maker.VITIS) == first
    assert calls() == []
    synth(net, Maker.VIVADO)
    assert calls() == ["vivado synthesis", "vivado route"]
    monkeypatch.setenv("FAKE_VERSION", "2024.1")
    assert synth(net, Maker.VIVADO).measured.tool == "Vivado 2024.1"
    assert calls() == ["vitis-run csynth", "vivado synthesis", "vivado route"]
    synth(net, Maker.VITIS)
    assert calls() == ["vitis-run export"]


def test_reports_that_are_there_are_read_again_and_not_made(net, calls, tmp_path):
    first = synth(net, Maker.VIVADO)
    calls()
    (net.path / "reports" / "post-route.json").unlink()
    assert synth(net, Maker.VIVADO) == first
    (tmp_path / "other").write_text(written.flat(Module(net.design.name, 99), "2024.1"))
    import_report(net, tmp_path / "other")
    assert resources(net, Kind.POST_ROUTE).total("lut") == 99
    assert synth(net, Maker.VIVADO) == first
    assert calls() == []


def test_a_report_that_was_changed_makes_its_stage_run_again(net, calls):
    first = synth(net, Maker.VIVADO)
    calls()
    next((net.path / "reports").glob("*/route_power.rpt")).write_text("changed")
    assert synth(net, Maker.VIVADO) == first
    assert calls() == ["vivado route"]


def test_a_component_of_vitis_unified_is_found(net, calls, monkeypatch):
    monkeypatch.setenv("FAKE_COMPONENT", "1")
    assert synth(net, Maker.VITIS).total("lut") == 59
    assert synth(net, Maker.VIVADO).kind is Kind.POST_ROUTE
    assert calls() == ["vitis-run csynth", "vitis-run export", "vivado synthesis", "vivado route"]


def test_results_that_are_gone_are_made_again(net, calls):
    synth(net, Maker.VIVADO)
    calls()
    next((net.path / "reports").glob("*/route_power.rpt")).unlink()
    synth(net, Maker.VIVADO)
    assert calls() == ["vivado route"]
    next((net.path / "reports").glob("*/synthesis.dcp")).unlink()
    synth(net, Maker.VIVADO)
    assert calls() == ["vivado synthesis", "vivado route"]


def test_a_changed_script_runs_again_and_a_changed_source_is_refused(net, calls):
    synth(net, Maker.VITIS)
    calls()
    script = net.path / "scripts" / "run_hls.tcl"
    script.write_text(script.read_text() + "# mine\n")
    synth(net, Maker.VITIS)
    assert calls() == ["vitis-run csynth", "vitis-run export"]
    source = net.path / "src" / "top.cpp"
    source.write_text(source.read_text() + "// mine\n")
    with pytest.raises(InputError, match=r"src/top.cpp changed since .* generate the project again"):
        synth(net, Maker.VITIS)
    assert calls() == []


def test_the_older_programs_and_reports_are_used_as_well(net, calls, tools, monkeypatch):
    (tools / "vitis-run").unlink()
    monkeypatch.setenv("FAKE_VERSION", "2020.1")
    found = synth(net, Maker.VITIS)
    assert calls() == ["vitis_hls csynth", "vitis_hls export"]
    assert [layer.layer for layer in found.layers] == ["all else"]  # that report knows no modules
    assert found.total("lut") == 59


@pytest.mark.parametrize(("variable", "folder"), [("XILINX_HLS", "hls"), ("XILINX_VITIS", "vitis")])
def test_the_vendors_variables_lead_to_the_tools(net, calls, tools, tmp_path, monkeypatch, variable, folder):
    for name in ("vitis-run", "vitis_hls"):
        (tools / name).unlink()
    root = tmp_path / folder / "bin"
    root.mkdir(parents=True)
    (root / "vitis_hls").symlink_to(FAKES / "vitis_hls")
    monkeypatch.setenv(variable, str(root.parent))
    synth(net, Maker.VITIS)
    assert calls()[0] == "vitis_hls csynth"


def test_a_variable_of_ours_decides_alone(net, calls, tools, monkeypatch):
    monkeypatch.setenv("FPGAPRUNE_VITIS", str(tools / "vitis_hls"))
    synth(net, Maker.VITIS)
    assert calls()[0] == "vitis_hls csynth"
    monkeypatch.setenv("FPGAPRUNE_VITIS", str(tools / "none"))
    with pytest.raises(ToolError, match="vitis-run or vitis_hls is needed"):
        synth(net, Maker.VITIS)


def test_a_missing_tool_is_named_with_the_remedy(net, tools):
    (tools / "vivado").unlink()
    with pytest.raises(ToolError, match=r"vivado is needed .* settings64.sh, or set FPGAPRUNE_VIVADO"):
        synth(net, Maker.VIVADO)


def test_a_tool_without_a_version_is_refused(net, monkeypatch):
    monkeypatch.setenv("FAKE_VERSION", "nonsense")
    with pytest.raises(ToolError, match="does not say a version"):
        synth(net, Maker.VITIS)


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (
            "fail",
            r"csynth: vitis-run 2023.2 failed with exit code 1; its log is .*csynth.log:\n.*undeclared identifier",
        ),
        ("silent", r"ended without its results; .*\n.*Pre-synthesis failed"),
        ("licence", r"found no licence \(XILINXD_LICENSE_FILE .*\n.*valid license was not found"),
        ("garbage", r"csynth ended, but its report cannot be used: .*csynth.xml: it is no report that can be read"),
        ("nan", r"csynth.xml: 'nan.*' is not a number"),
    ],
)
def test_a_failure_is_told_and_the_stage_starts_again(net, calls, monkeypatch, mode, message):
    monkeypatch.setenv("FAKE_MODE", mode)
    with pytest.raises(ToolError, match=message):
        synth(net, Maker.VITIS)
    assert stored(net, Kind.CSYNTH) is None
    monkeypatch.delenv("FAKE_MODE")
    calls()
    assert synth(net, Maker.VITIS).total("lut") == 59
    assert calls() == ["vitis-run csynth", "vitis-run export"]


def test_a_failure_in_a_later_stage_keeps_the_earlier_ones(net, calls, monkeypatch):
    monkeypatch.setenv("FAKE_MODE", "garbage")
    monkeypatch.setenv("FAKE_AT", "route")
    with pytest.raises(ToolError, match="route ended, but its report cannot be used"):
        synth(net, Maker.VIVADO)
    monkeypatch.delenv("FAKE_MODE")
    calls()
    synth(net, Maker.VIVADO)
    assert calls() == ["vivado route"]


def is_alive(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def hear_interrupts():
    """A shell lets what it starts in the background ignore them, and they inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup


def end(pids):
    """Whether processes that were killed are gone, which a busy machine takes a moment for."""
    deadline = time.monotonic() + 20
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(is_alive, pids))


def children(tmp_path):
    path, deadline = tmp_path / "calls.pids", time.monotonic() + 60
    while not path.exists() or len(path.read_text().split()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return [int(word) for word in path.read_text().split()]


def test_the_time_limit_ends_the_tool_and_its_children(net, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_MODE", "hang")
    with pytest.raises(
        ToolError, match=r"csynth: vitis-run 2023.2 took longer than its limit of 5 s .*\n.*working on csynth"
    ):
        synth(net, Maker.VITIS, timeout_s=5)
    assert end(children(tmp_path))
    assert stored(net, Kind.CSYNTH) is None


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP)],
)
def test_an_interrupted_run_ends_its_tools_and_goes_on_where_it_was(net, calls, tmp_path, number, code):
    environment = os.environ | {"FAKE_MODE": "hang", "FAKE_AT": "synthesis"}
    words = [sys.executable, "-m", "fpgaprune.cli", "synth", str(net.path), "--tool", "vivado"]
    run = subprocess.Popen(words, env=environment, preexec_fn=hear_interrupts)
    pids = children(tmp_path)
    run.send_signal(number)
    assert run.wait(timeout=60) == code
    assert end(pids)
    assert calls() == ["vitis-run csynth", "vivado synthesis"]
    assert synth(net, Maker.VIVADO).kind is Kind.POST_ROUTE
    assert calls() == ["vivado synthesis", "vivado route"]


def test_the_tool_of_a_killed_run_keeps_the_folder_until_it_ends(net, tmp_path):
    environment = os.environ | {"FAKE_MODE": "hang"}
    words = [sys.executable, "-m", "fpgaprune.cli", "synth", str(net.path), "--tool", "vitis"]
    run = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
    pids = children(tmp_path)
    run.kill()
    run.wait(timeout=60)
    try:
        with pytest.raises(ToolError, match="the tool of one that was killed; wait for it, or end it"):
            synth(net, Maker.VITIS)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    assert end(pids)
    assert synth(net, Maker.VITIS).kind is Kind.CSYNTH


def test_two_runs_in_one_folder_do_not_mix(net, tmp_path):
    environment = os.environ | {"FAKE_MODE": "hang"}
    words = [sys.executable, "-m", "fpgaprune.cli", "synth", str(net.path), "--tool", "vitis"]
    run = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL, preexec_fn=hear_interrupts)
    children(tmp_path)
    try:
        with pytest.raises(ToolError, match="another synthesis is at work"):
            synth(net, Maker.VITIS)
    finally:
        run.send_signal(signal.SIGINT)
        run.wait(timeout=60)


def test_a_damaged_state_is_told(net):
    (net.path / "reports").mkdir()
    (net.path / "reports" / "stages.json").write_text("{")
    with pytest.raises(InputError, match=r"stages.json is damaged .* delete it"):
        synth(net, Maker.VITIS)


def test_the_identity_is_the_digest_that_the_generator_gave(net, text):
    assert isinstance(text, Project)
    assert Identity.of(net).digest == text.digest()


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line in this process and return exit code, standard output and standard error."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["fpgaprune", *map(str, words)])
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = capsys.readouterr()
        return leaving.value.code or 0, out, err

    return call


def test_the_command_prints_tables_or_json_and_fails_with_two(net, run, tools):
    code, out, _ = run("synth", net.path, "--tool", "vivado")
    assert code == 0
    for word in ("post-route", "all else", "Vivado 2023.2", "period 8.75 ns of 10 ns, timing met", "power 0.142 W"):
        assert word in out
    code, out, _ = run("synth", net.path, "--tool", "vitis", "--json")
    data = json.loads(out)
    assert (code, data["kind"], data["total"]["lut"]) == (0, "csynth", 59)
    assert data["measured"]["tool"] == "Vitis HLS 2023.2"
    (tools / "vivado").unlink()
    shutil.rmtree(net.path / "reports")
    code, out, err = run("synth", net.path, "--tool", "vivado")
    assert (code, out) == (2, "")
    assert err.startswith("error: vivado is needed")


@pytest.mark.needs("tclsh")
@pytest.mark.parametrize(("script", "last"), [("run_hls.tcl", "export_design"), ("build_vivado.tcl", "report_power")])
def test_the_scripts_run_their_stages_and_leave_the_projects_tag(net, tmp_path, script, last):
    """The commands of the tools are only printed; the rest of the scripts is run."""
    top, tag = net.design.name, f"fpgaprune_{Identity.of(net).tag}"
    (net.path / "scripts" / f"{top}_hls" / tag / "syn" / "verilog").mkdir(parents=True)
    (net.path / "scripts" / f"{top}_hls" / tag / "syn" / "verilog" / "net.v").write_text("")
    prelude = tmp_path / "prelude.tcl"
    prelude.write_text("proc unknown {args} { puts $args }\nsource [lindex $argv 0]\n")

    def lines(**environment):
        words = ["tclsh", str(prelude), script]
        result = subprocess.run(
            words, cwd=net.path / "scripts", env=os.environ | environment, capture_output=True, text=True, check=False
        )
        return result.returncode, [line for line in result.stdout.splitlines() if line]

    code, said = lines()
    assert code == 0
    assert said[-1].startswith(last)
    assert tag in "\n".join(said)
    assert lines(FPGAPRUNE_STAGES="nothing")[0] == 1
    code, said = lines(FPGAPRUNE_STAGES={"run_hls.tcl": "export", "build_vivado.tcl": "route"}[script])
    assert code == 0
    assert not any(line.startswith(("csynth_design", "synth_design", "open_project -reset")) for line in said)


@pytest.mark.needs("tclsh")
def test_the_script_of_hls_implements_what_it_synthesised(net, tmp_path):
    def said(stages):
        prelude = tmp_path / "prelude.tcl"
        prelude.write_text("proc unknown {args} { puts $args }\nsource run_hls.tcl\n")
        words, environment = ["tclsh", str(prelude)], os.environ | {"FPGAPRUNE_STAGES": stages}
        result = subprocess.run(
            words,
            cwd=net.path / "scripts",
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return result.stdout

    assert "open_project -reset" in said("csynth impl")
    assert "open_project -reset" not in said("impl")
    assert "export_design -flow impl -format ip_catalog" in said("impl")


@pytest.mark.needs("tclsh")
def test_rtl_without_a_tag_must_be_newer_than_the_project(net, tmp_path):
    rtl = net.path / "scripts" / f"{net.design.name}_hls" / "hls" / "syn" / "verilog"
    rtl.mkdir(parents=True)
    (rtl / "net.v").write_text("")
    prelude = tmp_path / "prelude.tcl"
    prelude.write_text("proc unknown {args} { puts $args }\nsource build_vivado.tcl\n")

    def run():
        words = ["tclsh", str(prelude)]
        return subprocess.run(words, cwd=net.path / "scripts", capture_output=True, text=True, check=False)

    assert run().returncode == 0
    os.utime(rtl, (0, 0))
    found = run()
    assert found.returncode == 1
    assert "is older than the project: run C synthesis again" in found.stdout

"""What the fake tools do: they record each call and lay down reports in the real places, or fail in a chosen way.

The environment decides: FAKE_CALLS is a file that gets a line for each call, FAKE_VERSION the version they claim,
FAKE_MODE how they behave, FAKE_AT the only stage at which they do so, FAKE_COMPONENT that HLS makes a component.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.vendor import written
from tests.vendor.written import Module

BANNERS = {
    "vitis-run": "****** vitis-run v{} (64-bit)\n  **** SW Build 4026344 on 2023-10-11-15:42:10\n",
    "vitis_hls": "Vitis HLS - High-Level Synthesis from C, C++ and OpenCL v{} (64-bit)\n",
    "vivado": "vivado v{} (64-bit)\nTool Version Limit: 2023.10\nSW Build 4029153\n",
}
OPTIONS = {"vitis-run": ("--mode", "hls", "--tcl"), "vitis_hls": ("-f",), "vivado": ("-mode", "batch")}


def say(text):
    """Write a line to the log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(program):
    """Behave as a program of the vendor."""
    words = sys.argv[1:]
    version = os.environ.get("FAKE_VERSION", "2023.2")
    if words in (["--version"], ["-version"]):
        say(BANNERS[program].format(version))
        return
    assert tuple(words[: len(OPTIONS[program])]) == OPTIONS[program], words
    assert Path(words[-1]).is_file(), words
    stage = os.environ["FPGAPRUNE_STAGES"]
    with Path(os.environ["FAKE_CALLS"]).open("a") as file:
        file.write(f"{program} {stage}\n")
    say(f"INFO: [{program} 1-1] working on {stage}")
    mode = os.environ.get("FAKE_MODE", "well") if os.environ.get("FAKE_AT", stage) == stage else "well"
    run = Run(Path.cwd().parent, stage, version)
    getattr(run, mode)()


class Run:
    """A run in a project's folder."""

    def __init__(self, root, stage, version):
        self.root, self.stage, self.version = root, stage, version
        self.manifest = json.loads((root / "fpgaprune.json").read_text())
        self.tag = f"fpgaprune_{os.environ['FPGAPRUNE_TAG']}"

    def top(self):
        """Return the design as a module: one for each kernel."""
        word = "process" if self.manifest["interface"] == "stream" else "layer"
        kernels = [f"{word}_{kernel['cpp']}" for kernel in self.manifest["kernels"]]
        parts = tuple(Module(name, 20 + number, 10, 1, latency=2) for number, name in enumerate(kernels))
        return Module(
            self.manifest["name"], 25 * len(parts) + 9, 12 * len(parts), len(parts), 1, 1, latency=7, parts=parts
        )

    def well(self):
        """Leave what the stage leaves."""
        {"csynth": self.csynth, "export": self.export}.get(self.stage, self.vivado)()

    def write(self, path, text):
        """Write a file of the project."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    @property
    def solution(self):
        """The folder of the HLS solution."""
        return f"scripts/{self.manifest['name']}_hls/{'hls' if 'FAKE_COMPONENT' in os.environ else self.tag}"

    def csynth(self):
        """Leave RTL and the report, under the name of the version."""
        part, clock = self.manifest["part"], f"{self.manifest['clock_ns']:.2f}"
        text = written.xml(self.top(), self.version, part=part, clock=clock)
        name = "csynth.xml" if self.version >= "2020.2" else f"{self.manifest['name']}_csynth.xml"
        self.write(f"{self.solution}/syn/report/{name}", text)
        self.write(f"{self.solution}/syn/verilog/net.v", "module net; endmodule\n")

    def export(self):
        """Leave an exported IP."""
        assert (self.root / self.solution / "syn/verilog/net.v").is_file()
        self.write(f"{self.solution}/impl/export.zip", "zip")

    def vivado(self):
        """Leave the reports of a stage and its checkpoint."""
        assert (self.root / self.solution / "syn/verilog/net.v").is_file()
        state = {"synthesis": "Synthesized", "route": "Routed"}[self.stage]
        folder, top, part = f"reports/{self.tag}", self.top(), self.manifest["part"]
        said = {"version": self.version, "state": state, "command": f"report -file {self.root}/{folder}/x.rpt"}
        self.write(f"{folder}/{self.stage}_utilization.rpt", written.flat(top, device=part, **said))
        self.write(f"{folder}/{self.stage}_hierarchy.rpt", written.hierarchy(top, device=part, **said))
        period = f"{self.manifest['clock_ns']:.3f}"
        timing = written.timing(top.name, device=part.rpartition("-")[0], period=period, **said)
        self.write(f"{folder}/{self.stage}_timing.rpt", timing)
        self.write(f"{folder}/{self.stage}_power.rpt", written.power(top.name, device=part, **said))
        self.write(f"{folder}/{self.stage}.dcp", "checkpoint")

    def fail(self):
        """Fail as on a mistake in the source."""
        say("ERROR: [HLS 207-2163] use of undeclared identifier 'x'")
        sys.exit(1)

    def silent(self):
        """End well and leave nothing, as the tools do on some errors."""
        say("ERROR: [HLS 200-70] Pre-synthesis failed.")

    def licence(self):
        """Find no licence."""
        say("ERROR: [Common 17-345] A valid license was not found for feature 'Synthesis' and/or device 'xc7z020'.")
        sys.exit(1)

    def garbage(self):
        """Leave reports that say nothing sensible."""
        self.well()
        made = f"{self.solution}/syn/report/*" if self.stage == "csynth" else f"reports/*/{self.stage}_*.rpt"
        for path in self.root.glob(made):
            path.write_bytes(b"\x00\xffgarbage" * 1000)

    def nan(self):
        """Leave a report with a number that is none."""
        self.well()
        for path in self.root.glob(f"{self.solution}/syn/report/*"):
            path.write_text(path.read_text().replace("<LUT>", "<LUT>nan"))

    def hang(self):
        """Work for ever, with a child that does too, and leave half of the results."""
        self.well()
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(os.environ["FAKE_CALLS"]).with_suffix(".pids").write_text(f"{os.getpid()} {child.pid}")
        time.sleep(600)

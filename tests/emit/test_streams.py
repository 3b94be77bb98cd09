"""The text of streaming designs: hostile names, warnings, layout, and the vendor's own stream header."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import chain, count

import numpy as np
import pytest

from fpgaprune.evaluate import evaluate
from fpgaprune.ir import Scan
from fpgaprune.schedule import Interface
from fpgaprune.serialise import graph_from_text, graph_to_text
from fpgaprune.sim import ProjectFolder, csim
from tests.graphs import random_inputs, random_network_graph
from tests.nets import project

HOSTILE = [
    *('"; rm -rf / #', "a\nb", "<script>", "../../etc/passwd", "int", "net", "i", "x", "y", "w", "beat", "Beat"),
    *("scan_x", "scan_beat", "scan_next_0", "x_beat", "words", "memory", "window", "hls", "stream", "fpgaprune"),
    *("layer_x", "process_x", "net_kernels", "row", "column", "\u03bb"),
]


def hostile(graph):
    """Return the graph with every tensor, those in loops too, under a hostile name."""
    fresh = chain(HOSTILE, (f"x?{number}" for number in count()))
    names = {}

    def renamed(value, key=""):
        if isinstance(value, dict):
            return {inner: renamed(item, inner) for inner, item in value.items()}
        if isinstance(value, list):
            return [renamed(item, key) for item in value]
        if isinstance(value, str) and key in ("name", "input", "left", "right", "sources", "outputs", "layer"):
            if value not in names:
                names[value] = next(fresh)
            return names[value]
        return value

    return graph_from_text(json.dumps(renamed(json.loads(graph_to_text(graph)))))


def with_a_loop(start):
    return next(g for g in map(random_network_graph, count(start)) if any(isinstance(op, Scan) for op in g.ops))


@pytest.mark.needs("g++", "make")
@pytest.mark.parametrize("start", [0, 100])
@pytest.mark.parametrize("interface", list(Interface))
def test_hostile_names_reach_no_code_and_the_project_stays_exact(tmp_path, start, interface):
    graph = with_a_loop(start)
    renamed = hostile(graph)
    inputs = random_inputs(graph, 20, start)
    for got, want in zip(evaluate(renamed, *inputs), evaluate(graph, *inputs), strict=True):
        assert np.array_equal(got, want)
    made = project(renamed, inputs, interface=interface)
    for path, text in made.files.items():
        assert re.fullmatch(r"[A-Za-z0-9_./-]+", path)
        if not path.endswith(".json"):
            assert not re.search(r"rm -rf /|<script>|\.\./etc|\u03bb", text)
    assert csim(ProjectFolder.load(made.write(tmp_path / "net"))).exact


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("streams", ["-DFPGAPRUNE_SIMULATION", "-UFPGAPRUNE_SIMULATION"])
def test_streaming_designs_compile_without_a_warning_on_both_stream_headers(tmp_path, compiler, streams):
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}, which is not installed")
    folder = project(with_a_loop(40), interface=Interface.STREAM).write(tmp_path / "net")
    flags = ["-std=c++14", "-O0", "-Wall", "-Wextra", "-Werror", streams]
    command = [compiler, *flags, "-isystem", str(folder / "include" / "ap_types"), "-c", "design.cpp", "-o", "x.o"]
    subprocess.run(command, check=True, cwd=folder / "sim")


def test_a_streaming_design_is_a_network_of_processes_with_axi_streams():
    files = project(with_a_loop(0), interface=Interface.STREAM).files
    top = files["src/top.cpp"]
    assert "#pragma HLS DATAFLOW" in top
    assert "#pragma HLS INTERFACE mode = axis port = x" in top
    assert top.count("#pragma HLS STREAM") == top.count('");')
    assert "AXI4-Streams" in files["README.md"]
    manifest = json.loads(files["fpgaprune.json"])
    assert manifest["interface"] == "stream"
    assert manifest["inputs"][0]["beats"] >= 1
    for name in re.findall(r"process_(\w+)\(", top):
        assert f"src/kernels/{name}.cpp" in files
        assert f"{name}.cpp" in files["scripts/run_hls.tcl"]


def test_the_same_network_gives_the_same_project():
    made = [project(random_network_graph(7), interface=Interface.STREAM).digest() for _ in range(2)]
    assert made[0] == made[1]

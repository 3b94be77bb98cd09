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
from fpgaprune.fixed import Fixed
from fpgaprune.ir import Gather, Graph, Input, Scan, Tensor, Window
from fpgaprune.lower import BufferKernel, Port
from fpgaprune.schedule import Interface
from fpgaprune.serialise import graph_from_text, graph_to_text
from fpgaprune.sim import ProjectFolder, csim
from fpgaprune.windows import Windows
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


S6 = Fixed(True, 6, 3)


def kernel_text(*ops):
    files = project(Graph(ops, (ops[-1].output.name,)), interface=Interface.STREAM).files
    return files[f"src/kernels/{ops[-1].output.name}.cpp"]


def test_every_loop_inside_a_pipelined_one_is_unrolled():
    for path, text in project(with_a_loop(0), interface=Interface.STREAM).files.items():
        if path.startswith("src/kernels/"):
            for loop in re.findall(r"for \(int (?:i|r|s) = .*\n.*\n(.*)", text):
                assert loop == "#pragma HLS UNROLL", path


def test_a_loops_body_is_inlined_into_its_pipeline():
    graph = with_a_loop(0)
    files = project(graph, interface=Interface.STREAM).files
    (loop,) = [text for path, text in files.items() if path.startswith("src/kernels/") and "scan_beat" in text]
    assert "#pragma HLS PIPELINE\n" in loop
    called = re.findall(r"layer_(\w+)\(", loop)
    assert called
    for name in called:
        text = files[f"src/kernels/{name}.cpp"]
        assert "#pragma HLS INLINE\n" in text
        assert "PIPELINE" not in text


@pytest.mark.parametrize(("beats", "looped"), [(1, False), (2, True)])
def test_a_process_of_one_beat_has_no_loop(beats, looped):
    text = kernel_text(Input(Tensor("x", (beats, 3), S6)), Gather(Tensor("y", (beats, 2), S6), "x", *picked(beats)))
    process = text[text.index("void process_y") :]
    assert ("for (int beat" in process) is looped
    assert process.count("#pragma HLS PIPELINE II = 1") == 1


def picked(beats):
    index = (np.arange(beats)[:, np.newaxis] * 3 + [2, 0]).ravel()
    return index, np.zeros(len(index), dtype=np.int64)


def windows_text(columns, stride):
    count = len(range(0, columns - 2, stride))
    taps = Window(Tensor("y", (2, count, 18), S6), "x", Windows((3, 3), (1, stride), (1, 1), (0, 0), (0, 0)))
    return kernel_text(Input(Tensor("x", (4, columns, 2), S6)), taps)


@pytest.mark.parametrize(("columns", "memory"), [(7, False), (8, True)])
def test_narrow_lines_are_registers_and_wide_ones_memories_that_are_read_before_they_are_written(columns, memory):
    text = windows_text(columns, 1)
    assert text.count("#pragma HLS DEPENDENCE variable = line_") == 2 * memory
    assert text.count("ARRAY_RESHAPE variable = line_") == 2 * memory
    assert text.count("ARRAY_PARTITION variable = line_") == 2 * (not memory)
    last_read = max(match.start() for match in re.finditer(r"= line_\d\[", text))
    assert last_read < min(match.start() for match in re.finditer(r"line_\d\[.*\] = ", text))


@pytest.mark.parametrize(("stride", "table"), [(1, False), (2, False), (3, True), (4, False)])
def test_a_stride_that_is_no_power_of_two_is_a_table_and_no_divider(stride, table):
    text = windows_text(9, stride)
    assert ("ends_column" in text) is table
    assert ("%" in text) is (stride in (2, 4))


ORDERS = {
    "flip": (np.arange(12).reshape(4, 3)[::-1], True, (1, 1, 1)),
    "flip of words too": (np.arange(12).reshape(4, 3)[::-1, ::-1], True, (1, 1, 1)),
    "words of one beat": (np.array([[3, 4, 4], [2, 1, 0]]), True, (2, 1, 2)),
    "transpose": (np.arange(12).reshape(4, 3).T, False, (3, 3, 3, 3)),
    "patternless": (np.array([[3, 0], [11, 0], [3, 5]]), False, (2, 2)),
    "all at once": (np.arange(12).reshape(1, 12), False, (1,) * 12),
    "one beat of many": (np.array([[6, 7, 8]]), False, (1, 1, 1)),
}


@pytest.mark.parametrize("name", ORDERS)
def test_a_buffer_is_a_memory_where_a_beat_comes_from_one_beat(name):
    index, in_memory, candidates = ORDERS[name]
    source, result = (Port(name, size, S6, beats) for name, beats, size in (("x", 4, 3), ("y", *index.shape)))
    kernel = BufferKernel("y", source, result, index.ravel(), np.zeros(index.size, dtype=np.int64))
    assert kernel.in_memory is in_memory
    assert kernel.candidates == candidates

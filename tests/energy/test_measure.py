"""Switching comes from C-simulation: its trace equals the interpreter's, and what differs or is missing is told."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from fpgaprune.emit.names import names_of
from fpgaprune.energy import energy, of_words
from fpgaprune.energy.estimate import STORED
from fpgaprune.energy.measure import inside_loops, keep_trace, read_trace
from fpgaprune.errors import InputError, MismatchError, ToolError
from fpgaprune.evaluate import trace
from fpgaprune.fixed import Fixed
from fpgaprune.lower import ForkKernel, lower, run
from fpgaprune.schedule import Interface, schedule
from fpgaprune.sim import ProjectFolder
from fpgaprune.sim.csim import build, stored_inputs
from tests.graphs import random_inputs, random_network_graph
from tests.nets import PYNQ, folded, mlp, project

pytestmark = pytest.mark.needs("g++", "make")

DESIGNS = {
    "parallel": (mlp((6, 5, 3), 0.3, seed=4), Interface.PARALLEL, {}),
    "lanes": (mlp((6, 5, 3), 0.3, seed=4), Interface.PARALLEL, {"planner": folded(4)}),
    "stream": (random_network_graph(3), Interface.STREAM, {}),
}


@pytest.fixture(scope="module", params=DESIGNS)
def built(request, tmp_path_factory):
    graph, interface, named = DESIGNS[request.param]
    path = project(graph, interface=interface, **named).write(tmp_path_factory.mktemp("built") / "net")
    build(path, "testbench_trace", 600)
    return ProjectFolder.load(path)


def test_the_trace_of_c_simulation_equals_the_interpreter(built, tmp_path):
    lowered = lower(built.design)
    inputs = random_inputs(built.design.graph, 5)
    words, names = run(lowered, *inputs), names_of(lowered)
    keep_trace(built, inputs, tmp_path / "trace.dat", 600)
    found = read_trace(tmp_path / "trace.dat")
    kernels = [kernel for kernel in lowered.kernels if not isinstance(kernel, ForkKernel)]
    assert found.keys() == {names[kernel.name] for kernel in kernels}
    for kernel in kernels:
        assert np.array_equal(found[names[kernel.name]], words[kernel.result.name].reshape(5, -1))


def test_stored_vectors_are_what_is_measured_unless_others_are_given(built):
    lowered = lower(built.design)
    words = run(lowered, *stored_inputs(built))
    found = energy(built)
    told = of_words(lowered, words | inside_loops(lowered, words), inputs=STORED)
    assert (found.simulated, told.simulated) == (True, False)
    assert replace(found, simulated=False) == told
    assert found.samples == 32
    given = energy(built, random_inputs(built.design.graph, 4))
    assert (given.samples, given.inputs) == (4, "the inputs that were given")


def test_too_few_inputs_and_inputs_that_do_not_fit_are_refused(built):
    shapes = [op.output.shape for op in built.design.graph.inputs]
    for samples in (0, 1):
        with pytest.raises(InputError, match=f"give at least 2 samples, not {samples}"):
            energy(built, tuple(np.zeros((samples, *shape), dtype=int) for shape in shapes))
    with pytest.raises(InputError, match="must have shape"):
        energy(built, tuple(np.zeros((3, *shape, 2), dtype=int) for shape in shapes))
    with pytest.raises(InputError, match="out of the range"):
        energy(built, tuple(np.full((3, *shape), 1 << 40) for shape in shapes))


def test_loops_are_computed_step_by_step_as_the_definition_does():
    seen = 0
    for seed in range(40):
        graph = random_network_graph(seed)
        lowered = lower(schedule(graph, PYNQ, interface=Interface.STREAM))
        inputs = random_inputs(graph, 3, seed)
        inside, wanted = inside_loops(lowered, run(lowered, *inputs)), trace(lowered.design.graph, *inputs)
        for name, words in inside.items():
            if name in wanted:
                assert np.array_equal(words.reshape(3, -1), wanted[name].reshape(3, -1))
                seen += 1
        if seen > 20:
            return
    pytest.fail("no network with loops was drawn")


def test_a_changed_weight_is_told_by_its_layer(tmp_path):
    folder = ProjectFolder.load(project(mlp((6, 5, 3), 0.3, seed=4)).write(tmp_path / "net"))
    source = tmp_path / "net" / "src" / "kernels" / "act1.cpp"
    pattern = r"(weight\[\] = \{\s*)(-?\d+)"
    source.write_text(re.sub(pattern, lambda match: f"{match[1]}{int(match[2]) + 1}", source.read_text(), count=1))
    with pytest.raises(MismatchError, match=r"fc1'?: the C\+\+ does not compute .*act1\.cpp\).*fpgaprune csim"):
        energy(folder)


def test_stored_vectors_that_are_missing_or_damaged_are_told_with_the_remedy(tmp_path):
    folder = ProjectFolder.load(project(mlp((6, 5, 3), 0.3, seed=4)).write(tmp_path / "net"))
    vectors, remedy = tmp_path / "net" / "tb" / "input.dat", "give --inputs, or generate the project again"
    for text, message in (("1 2 x\n", "decimal integers"), ("1 2 3\n", "6 words a line")):
        vectors.write_text(text)
        with pytest.raises(InputError, match=rf"input\.dat are damaged: .*{message}.*{remedy}"):
            energy(folder)
    vectors.write_text("")
    with pytest.raises(InputError, match=r"net: .*give at least 2 samples, not 0"):
        energy(folder)
    vectors.unlink()
    with pytest.raises(InputError, match=rf"input\.dat cannot be read: .*{remedy}"):
        energy(folder)


def test_a_missing_compiler_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    folder = ProjectFolder.load(project(mlp()).write(tmp_path / "net"))
    monkeypatch.setenv("FPGAPRUNE_CXX", "no-such-compiler")
    with pytest.raises(ToolError, match="install it"):
        energy(folder)


def test_words_beyond_64_bits_are_measured(tmp_path):
    wide = mlp((3, 2), 0.0, activation=Fixed(True, 70, 60))
    folder = ProjectFolder.load(project(wide).write(tmp_path / "net"))
    found = energy(folder)
    assert found.dynamic_pj > 0
    assert found.layers[0].value_bits > 2 * 70

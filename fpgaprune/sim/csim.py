"""C-simulation: build the synthesised C++, run it in a process of its own, compare every output word."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune import tools
from fpgaprune.emit.vectors import from_text, random_inputs, to_text
from fpgaprune.errors import InputError, ToolError
from fpgaprune.evaluate import check_inputs, evaluate, trace
from fpgaprune.sim.verdict import Mismatch, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fpgaprune.fixed import IntArray
    from fpgaprune.ir import Graph
    from fpgaprune.sim.folder import ProjectFolder

DEFAULT_TIMEOUT_S = 1800.0
SYNTHESISED = "the C++ that is synthesised"


def csim(
    folder: ProjectFolder,
    inputs: tuple[IntArray, ...] | None = None,
    *,
    samples: int | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    jobs: int | None = None,
) -> Verdict:
    """Build a project, run it on given inputs (samples, *shape), or ``samples`` random ones, or its stored vectors.

    ``jobs`` compilers run at once, by default as many as there are cores. On a mismatch a second, traced run finds the
    first layer that differs.

    Raises:
        InputError: inputs that do not fit the graph.
        ToolError: no compiler, a failed build, a crash, or the time limit.
    """
    graph = folder.design.graph
    chosen = _inputs(folder, inputs, samples)
    expected = evaluate(graph, *chosen)
    start = time.perf_counter()
    program = build(folder.path, "testbench", timeout_s, jobs)
    built = time.perf_counter()
    got = simulate(program, graph, chosen, timeout_s)
    done = time.perf_counter()
    wrong = [left != right for left, right in zip(_flat(got), _flat(expected), strict=True)]
    mismatches = sum(int(flags.sum()) for flags in wrong)
    return Verdict(
        text=SYNTHESISED,
        samples=len(chosen[0]),
        words=sum(flags.size for flags in wrong),
        mismatches=mismatches,
        first=_first(folder, chosen, got, expected, wrong, timeout_s) if mismatches else None,
        edited=folder.edited(),
        build_s=built - start,
        run_s=done - built,
    )


def _inputs(folder: ProjectFolder, inputs: tuple[IntArray, ...] | None, samples: int | None) -> tuple[IntArray, ...]:
    graph = folder.design.graph
    if inputs is None and samples is None:
        inputs = stored_inputs(folder)
    elif inputs is None:
        inputs = random_inputs(graph, samples or 0)
    if check_inputs(graph, inputs) == 0:
        msg = "there is nothing to simulate: give at least one sample"
        raise InputError(msg)
    return inputs


def stored_inputs(folder: ProjectFolder) -> tuple[IntArray, ...]:
    """Return the inputs (samples, *shape) that are kept in a project.

    Raises:
        InputError: they are missing or damaged.
    """
    path = folder.path / "tb" / "input.dat"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the stored vectors {path} cannot be read: {error}; give --inputs, or generate the project again"
        raise InputError(msg) from error
    ports = [op.output for op in folder.design.graph.inputs]
    try:
        parts = from_text(text, tuple(port.size for port in ports))
    except InputError as error:
        msg = f"the stored vectors {path} are damaged: {error}; give --inputs, or generate the project again"
        raise InputError(msg) from error
    return tuple(part.reshape(-1, *port.shape) for part, port in zip(parts, ports, strict=True))


def build(path: Path, target: str, timeout_s: float, jobs: int | None = None) -> Path:
    """Build a testbench of the project's Makefile and return the program.

    Raises:
        ToolError: no make or compiler, or it failed; the message has the first error and the last lines of its log.
    """
    compiler = tools.require("g++")
    at_once = str(jobs or os.cpu_count() or 1)
    command: list[str | Path] = [tools.require("make"), "-j", at_once, f"CXX={compiler}", f"build/{target}"]
    result = tools.run(command, cwd=path / "sim", timeout_s=timeout_s)
    if result.returncode:
        msg = f"the C++ of {path} does not compile:\n{tools.failure(result.stderr)}"
        raise ToolError(msg)
    return path / "sim" / "build" / target


def simulate(
    program: Path, graph: Graph, inputs: tuple[IntArray, ...], timeout_s: float = DEFAULT_TIMEOUT_S
) -> tuple[IntArray, ...]:
    """Return the words of each output (samples, *shape) that a testbench program computes.

    Raises:
        ToolError: it crashed, ran out of time, or wrote something else than its outputs.
    """
    text = _execute(program, "--write", inputs, timeout_s)
    tensors = [graph.tensors[name] for name in graph.outputs]
    try:
        parts = from_text(text, tuple(tensor.size for tensor in tensors))
        return tuple(part.reshape(len(inputs[0]), *tensor.shape) for part, tensor in zip(parts, tensors, strict=True))
    except (InputError, ValueError) as error:
        msg = f"{program.name} wrote no complete outputs: {error}"
        raise ToolError(msg) from error


def _execute(program: Path, mode: str, inputs: tuple[IntArray, ...], timeout_s: float) -> str:
    with executed(program, mode, inputs, timeout_s) as output:
        return output.read_text(encoding="ascii")


@contextmanager
def executed(program: Path, mode: str, inputs: tuple[IntArray, ...], timeout_s: float) -> Iterator[Path]:
    """Run a testbench program on inputs (samples, *shape) and yield the file that it wrote, which is then removed.

    Raises:
        ToolError: it crashed or ran out of time.
    """
    with tempfile.TemporaryDirectory(prefix="fpgaprune-") as scratch:
        vectors, output = Path(scratch) / "input.dat", Path(scratch) / "output.dat"
        vectors.write_text(to_text(inputs), encoding="ascii")
        command: list[str | Path] = [program.resolve(), mode, vectors, output]
        result = tools.run(command, cwd=Path(scratch), timeout_s=timeout_s)
        if result.returncode:
            msg = f"{program.name} failed with exit code {result.returncode}: {tools.tail(result.stderr)}"
            raise ToolError(msg)
        yield output


def _flat(tensors: tuple[IntArray, ...]) -> list[IntArray]:
    return [values.reshape(len(values), -1) for values in tensors]


def _first(
    folder: ProjectFolder,
    inputs: tuple[IntArray, ...],
    got: tuple[IntArray, ...],
    expected: tuple[IntArray, ...],
    wrong: list[IntArray],
    timeout_s: float,
) -> Mismatch:
    sample = min(int(np.flatnonzero(flags.any(axis=1))[0]) for flags in wrong if flags.any())
    one = tuple(values[sample : sample + 1] for values in inputs)
    found = _trace_mismatch(folder, one, sample, timeout_s)
    if found is not None:
        return found
    outputs = zip(folder.design.graph.outputs, _flat(got), _flat(expected), wrong, strict=True)
    name, left, right, flags = next(output for output in outputs if output[3][sample].any())
    element = int(np.flatnonzero(flags[sample])[0])
    return Mismatch(name, element, sample, int(left[sample, element]), int(right[sample, element]))


def _trace_mismatch(folder: ProjectFolder, one: tuple[IntArray, ...], sample: int, timeout_s: float) -> Mismatch | None:
    """Return the first kernel whose words differ; None where only the copies to the outputs do."""
    program = build(folder.path, "testbench_trace", timeout_s)
    lines = (line.split() for line in _execute(program, "--trace", one, timeout_s).splitlines())
    traced = {line[0]: [int(word) for word in line[1:]] for line in lines}
    wanted = trace(folder.design.graph, *one)
    for kernel in folder.manifest["kernels"]:
        words = traced[kernel["cpp"]]
        for element, (got, expected) in enumerate(zip(words, wanted[kernel["name"]].reshape(-1), strict=True)):
            if got != int(expected):
                return Mismatch(kernel["layer"], element, sample, got, int(expected))
    return None

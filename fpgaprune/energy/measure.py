"""The words of every port, measured in C-simulation and checked against what the kernels compute in Python."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.emit.names import names_of
from fpgaprune.errors import InputError, MismatchError, ToolError
from fpgaprune.evaluate import check_inputs
from fpgaprune.fixed import as_mantissas
from fpgaprune.lower import ForkKernel, Lowered, ScanKernel, layer_of, run
from fpgaprune.paths import fresh_file
from fpgaprune.sim.csim import build, executed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fpgaprune.fixed import IntArray
    from fpgaprune.lower.interpret import Words
    from fpgaprune.sim import ProjectFolder

_LEAST = 2
"""Samples from which something can toggle."""


def check_samples(folder: ProjectFolder, inputs: tuple[IntArray, ...]) -> None:
    """Refuse inputs (samples, *shape) of which no switching can be seen.

    Raises:
        InputError: inputs that do not fit the graph, or fewer than two samples.
    """
    samples = check_inputs(folder.design.graph, inputs)
    if samples < _LEAST:
        msg = (
            f"{folder.path}: switching is seen from one input to the next: give at least {_LEAST} samples, "
            f"not {samples}"
        )
        raise InputError(msg)


def measured(
    folder: ProjectFolder, lowered: Lowered, inputs: tuple[IntArray, ...], trace: Mapping[str, IntArray]
) -> Words:
    """Return the words of every port (samples, beats, size) that a project's C++ computes of inputs (samples, *shape).

    The trace of the C++ has the result of every kernel and must equal what the kernels compute in Python, whose words
    are returned. Those inside loops are not traced: they are computed in Python from the words that enter the loop.

    Raises:
        MismatchError: the C++ computes something else than the kernels; the message names the first layer.
    """
    words = run(lowered, *inputs)
    _compare(folder, lowered, words, trace)
    return words | inside_loops(lowered, words)


def keep_trace(
    folder: ProjectFolder, inputs: tuple[IntArray, ...], path: Path, timeout_s: float, jobs: int | None = None
) -> None:
    """Write what the traced testbench of a project computes of inputs (samples, *shape) into a file.

    ``jobs`` compilers run at once, by default as many as there are cores.

    Raises:
        InputError: the file cannot be written.
        ToolError: no compiler, a failed build, a crash, or the time limit.
    """
    program = build(folder.path, "testbench_trace", timeout_s, jobs)
    with executed(program, "--trace", inputs, timeout_s) as output, fresh_file(path) as target:
        shutil.copyfile(output, target)


def read_trace(path: Path) -> dict[str, IntArray]:
    """Return the words (samples, words) of each tensor by its C++ name in a file of `keep_trace`.

    Raises:
        ToolError: it has something else.
    """
    found: dict[str, list[IntArray]] = {}
    try:
        with path.open(encoding="ascii") as lines:
            for line in lines:
                name, *fields = line.split()
                found.setdefault(name, []).append(as_mantissas(list(map(int, fields))))
        return {name: as_mantissas(np.stack(rows)) for name, rows in found.items()}
    except (OSError, ValueError) as error:
        msg = f"the traced testbench wrote no complete trace: {error}"
        raise ToolError(msg) from error


def _compare(folder: ProjectFolder, lowered: Lowered, words: Words, trace: Mapping[str, IntArray]) -> None:
    names = names_of(lowered)
    for kernel in lowered.kernels:
        if isinstance(kernel, ForkKernel):
            continue
        expected, got = words[kernel.result.name], trace.get(names[kernel.name])
        if got is None or not np.array_equal(got, expected.reshape(len(expected), -1)):
            edited = ", ".join(folder.edited())
            msg = (
                f"layer {layer_of(kernel)!r}: the C++ does not compute what the kernels compute"
                f"{f' (edited since it was generated: {edited})' if edited else ''}; "
                f"`fpgaprune csim {folder.path}` tells more"
            )
            raise MismatchError(msg)


def inside_loops(lowered: Lowered, words: Words) -> Words:
    """Return the words inside all loops (samples, steps * beats, size)."""
    found: Words = {}
    for kernel in lowered.kernels:
        if isinstance(kernel, ScanKernel):
            found |= _steps(lowered, kernel, words[kernel.source.name])
    return found


def _steps(lowered: Lowered, kernel: ScanKernel, entering: IntArray) -> Words:
    inputs = (kernel.step, *(state.before for state in kernel.states))
    body = Lowered(lowered.design, inputs, kernel.body, (), {})
    states = [np.tile(as_mantissas(list(state.initial)), (len(entering), 1)) for state in kernel.states]
    steps = []
    for beat in range(kernel.source.beats):
        known = run(body, entering[:, beat], *states)
        states = [known[state.after.name].reshape(len(entering), -1) for state in kernel.states]
        steps.append(known)
    return {name: np.concatenate([step[name] for step in steps], axis=1) for name in steps[0]}

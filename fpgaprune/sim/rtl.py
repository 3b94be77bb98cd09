"""RTL simulation: build printed Verilog with Verilator, run it with and without pauses, compare every output word."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune import tools
from fpgaprune.emit.render import render
from fpgaprune.errors import ToolError
from fpgaprune.evaluate import check_inputs, evaluate
from fpgaprune.rtl import port_names, print_rtl
from fpgaprune.sim.verdict import Mismatch, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fpgaprune.fixed import IntArray
    from fpgaprune.lower import Lowered, Port

DEFAULT_TIMEOUT_S = 1800.0
TEXT = "the Verilog"
KINDS = ("steady", "paused", "reset")
"""The runs of each design: without a pause, with random ones, and after a reset in the midst of one with pauses."""

_PATIENCE = 100_000
"""Cycles without a beat after which a design is taken to hang."""


@dataclass(frozen=True)
class RtlRun:
    """What a design did: its verdict over all runs, and without pauses the cycles to the first and between samples."""

    verdict: Verdict
    latency: int
    interval: int


@dataclass(frozen=True)
class StreamView:
    """A port of a design as the testbench sees it: ``beats`` of ``bits`` bits a sample."""

    name: str
    port: str
    enters: bool
    bits: int
    beats: int

    @property
    def words(self) -> int:
        """Words of 32 bits of a beat."""
        return -(-self.bits // 32)

    @property
    def mask(self) -> int:
        """The bits of the last word."""
        return (1 << self.bits - 32 * (self.words - 1)) - 1


@dataclass(frozen=True)
class DesignView:
    """A design under test; ``streams`` tells whether its ports are streams or one pipeline's."""

    name: str
    module: str
    streams: bool
    inputs: tuple[StreamView, ...]
    outputs: tuple[StreamView, ...]


@dataclass(frozen=True)
class BenchView:
    """What the templates of the testbench see."""

    designs: tuple[DesignView, ...]

    @property
    def streams(self) -> tuple[StreamView, ...]:
        """All streams of all designs."""
        return tuple(stream for design in self.designs for stream in (*design.inputs, *design.outputs))


def rtlsim(
    designs: Sequence[Lowered],
    inputs: Sequence[tuple[IntArray, ...]],
    *,
    files: Sequence[Mapping[str, str]] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> tuple[RtlRun, ...]:
    """Simulate designs of different names in one build, each on as many samples (samples, *shape) of its inputs.

    ``files`` is the Verilog of each design, by default what `print_rtl` gives.

    Raises:
        InputError: inputs that do not fit a graph.
        UnsupportedError: a kernel that is not printed.
        ToolError: no Verilator, a failed build, a crash, or the time limit.
    """
    for lowered, given in zip(designs, inputs, strict=True):
        check_inputs(lowered.design.graph, given)
    texts = [print_rtl(lowered) for lowered in designs] if files is None else files
    bench = BenchView(tuple(_design(lowered, number) for number, lowered in enumerate(designs)))
    with tempfile.TemporaryDirectory(prefix="fpgaprune-") as scratch:
        start = time.perf_counter()
        program = _build(Path(scratch), bench, designs, texts, timeout_s)
        built = time.perf_counter()
        entering = _beats(bench, inputs, [lowered.inputs for lowered in designs])
        traces = _traces(bench, _run(program, entering, timeout_s))
        taken = built - start, time.perf_counter() - built
    return tuple(
        _judged(lowered, given, design, traces, taken)
        for lowered, given, design in zip(designs, inputs, bench.designs, strict=True)
    )


def _design(lowered: Lowered, number: int) -> DesignView:
    names, name = port_names(lowered), f"d{number}"

    def stream(side: str, place: int, port: Port, own: str) -> StreamView:
        """Streams are numbered, since Verilator renames what has two underscores, such as the valid of ``input_``."""
        return StreamView(f"{name}_{side}{place}", own, side == "in", port.size * port.word.width, port.beats)

    inputs = tuple(stream("in", place, port, names.inputs[port.name]) for place, port in enumerate(lowered.inputs))
    outputs = tuple(
        stream("out", place, output.port, names.outputs[output.name]) for place, output in enumerate(lowered.outputs)
    )
    return DesignView(name, lowered.design.name, lowered.design.is_dataflow, inputs, outputs)


_FLAGS = (
    *("--cc", "--exe", "--build", "-j", "2", "--top-module", "bench", "-Mdir", "build", "-CFLAGS", "-O0"),
    *("-MAKEFLAGS", "OPT_FAST=-O0", "-MAKEFLAGS", "OPT_GLOBAL=-O0", "--x-initial", "unique", "--x-assign", "unique"),
    *("-Wall", "-Wno-WIDTH", "-Wno-UNUSED", "-Wno-DECLFILENAME"),  # sums are as wide as their result
)


def _build(
    folder: Path, bench: BenchView, designs: Sequence[Lowered], texts: Sequence[Mapping[str, str]], timeout_s: float
) -> Path:
    paths = []
    for lowered, files in zip(designs, texts, strict=True):
        for name, text in files.items():
            path = folder / f"{lowered.design.name}_{name}"
            path.write_text(text, encoding="ascii")
            paths.append(path.name)
    for name in ("bench.v", "bench.cpp"):
        (folder / name).write_text(render(f"verilog/{name}.j2", bench), encoding="ascii")
    command: list[str | Path] = [tools.require("verilator"), *_FLAGS, "bench.v", "bench.cpp", *paths]
    result = tools.run(command, cwd=folder, timeout_s=timeout_s)
    if result.returncode:
        msg = f"Verilator does not build the Verilog:\n{tools.failure(result.stdout + result.stderr)}"
        raise ToolError(msg)
    return folder / "build" / "Vbench"


_RANDOM = ("+verilator+seed+1", "+verilator+rand+reset+2")
"""Registers start with random bits."""


def _run(program: Path, beats: str, timeout_s: float) -> str:
    (program.parent / "input.dat").write_text(beats, encoding="ascii")
    command: list[str | Path] = [program, "input.dat", str(_PATIENCE), *_RANDOM]
    result = tools.run(command, cwd=program.parent, timeout_s=timeout_s)
    if result.returncode:
        msg = f"the simulation failed with exit code {result.returncode}: {tools.tail(result.stderr)}"
        raise ToolError(msg)
    return result.stdout


def _beats(bench: BenchView, inputs: Sequence[tuple[IntArray, ...]], ports: Sequence[tuple[Port, ...]]) -> str:
    """Return the number of samples, then every beat of every stream that enters as a hexadecimal number a line."""
    lines = [str(len(inputs[0][0]))]
    for design, given, entering in zip(bench.designs, inputs, ports, strict=True):
        for stream, values, port in zip(design.inputs, given, entering, strict=True):
            words = values.reshape(-1, port.size).astype(object)
            lines += [f"{_packed(beat, port.word.width):0{8 * stream.words}x}" for beat in words]
    return "\n".join(lines)


def _packed(words: IntArray, width: int) -> int:
    mask = (1 << width) - 1
    return sum((int(word) & mask) << width * place for place, word in enumerate(words))


def _unpacked(beat: int, port: Port) -> list[int]:
    width, sign = port.word.width, 1 << port.word.width - 1
    words = [beat >> width * place & (1 << width) - 1 for place in range(port.size)]
    return [(word ^ sign) - sign for word in words] if port.word.signed else words


@dataclass(frozen=True)
class _Trace:
    """What moved over a stream in one run: the cycles of the first and last beat of each sample, -1 for none; beats."""

    count: int
    cycles: tuple[int, ...]
    beats: tuple[int, ...]


def _traces(bench: BenchView, text: str) -> dict[tuple[str, str], _Trace]:
    """Return (stream, kind of run) → what moved, as the testbench wrote it."""
    lines, leaving = iter(text.splitlines()), {stream.name for stream in bench.streams if not stream.enters}
    found = {}
    for line in lines:
        name, kind, count, *cycles = line.split()
        beats = tuple(int(beat, 16) for beat in islice(lines, int(count))) if name in leaving else ()
        found[name, kind] = _Trace(int(count), tuple(map(int, cycles)), beats)
    return found


def _judged(
    lowered: Lowered,
    given: tuple[IntArray, ...],
    design: DesignView,
    traces: Mapping[tuple[str, str], _Trace],
    taken: tuple[float, float],
) -> RtlRun:
    expected = evaluate(lowered.design.graph, *given)
    differing: list[Mismatch] = []
    words = 0
    for kind in KINDS:
        for output, stream, wanted in zip(lowered.outputs, design.outputs, expected, strict=True):
            rows = wanted.reshape(len(wanted), -1).tolist()
            words += wanted.size
            differing += _differences(f"{output.name} ({kind})", traces[stream.name, kind], rows, output.port)
    latency, interval = _times(design, traces)
    verdict = Verdict(TEXT, len(given[0]), words, len(differing), next(iter(differing), None), (), *taken)
    return RtlRun(verdict, latency, interval)


def _times(design: DesignView, traces: Mapping[tuple[str, str], _Trace]) -> tuple[int, int]:
    """Return the cycles from a sample's first beat to its last, and those between the ends of two samples."""
    entered, left = (
        np.array([traces[stream.name, "steady"].cycles for stream in side]).reshape(len(side), -1, 2)
        for side in (design.inputs, design.outputs)
    )
    ends = left[..., 1].max(axis=0)
    return int(ends[0] - entered[:, 0, 0].max()), -(-int(ends[-1] - ends[0]) // max(1, len(ends) - 1))


def _differences(layer: str, trace: _Trace, rows: Sequence[Sequence[int]], port: Port) -> Iterator[Mismatch]:
    """Yield the words that differ, or the number of beats where that does."""
    beats = [row[start : start + port.size] for row in rows for start in range(0, len(row), port.size)]
    if trace.count != len(beats):
        yield Mismatch(f"{layer}, number of beats", 0, trace.count // port.beats, trace.count, len(beats))
    for place, (packed, beat) in enumerate(zip(trace.beats, beats, strict=False)):
        sample, position = divmod(place, port.beats)
        for element, (got, expected) in enumerate(zip(_unpacked(packed, port), beat, strict=True)):
            if got != expected:
                yield Mismatch(layer, position * port.size + element, sample, got, int(expected))

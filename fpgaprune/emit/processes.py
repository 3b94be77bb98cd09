"""Views of the processes of a design."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.emit.cpp import as_table, literal, smallest_type, table, word_type
from fpgaprune.emit.functions import (
    beat_type,
    function_name,
    function_view,
    matmul_view,
    source_names,
)
from fpgaprune.emit.views import (
    AccumulateView,
    BufferView,
    Declaration,
    ForkView,
    KernelView,
    LineView,
    ProcessView,
    RomView,
    ScanView,
    StateView,
    Step,
    StreamView,
    TableView,
    WindowView,
)
from fpgaprune.lower import (
    AccumulateKernel,
    ArgMaxKernel,
    BufferKernel,
    ConstantKernel,
    ElementKernel,
    ForkKernel,
    MatMulKernel,
    MatVecKernel,
    MaximumKernel,
    ProductKernel,
    ScanKernel,
    TableKernel,
    WindowKernel,
    WireKernel,
    grid,
    results,
)
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fpgaprune.lower import Kernel, Port
    from fpgaprune.sparse import Int64Array


def process_name(identifier: str) -> str:
    """Return the name of a kernel's process."""
    return f"process_{identifier}"


def process_signature(kernel: Kernel, identifier: str) -> str:
    """Return the signature of a kernel's process: its streams in, then its streams out."""
    names = [*_stream_names(kernel), *_result_names(kernel)]
    ports = [*kernel.sources, *results(kernel)]
    streams = [f"hls::stream<{beat_type(port)}> &{name}" for port, name in zip(ports, names, strict=True)]
    return f"void {process_name(identifier)}({', '.join(streams)})"


def _stream_names(kernel: Kernel) -> tuple[str, ...]:
    """Return the names of the streams that a process reads."""
    if isinstance(kernel, ScanKernel):
        return ("scan_x",)  # the body's arrays have the names of tensors, which must not meet these
    return source_names(kernel)


def _result_names(kernel: Kernel) -> tuple[str, ...]:
    if isinstance(kernel, ForkKernel):
        return tuple(f"y{number}" for number in range(len(kernel.results)))
    return ("scan_y",) if isinstance(kernel, ScanKernel) else ("y",)


def process_view(kernel: Kernel, design: str, names: Mapping[str, str], comment: str) -> KernelView:
    """Return the view of a kernel's process for its template."""
    identifier = names[kernel.name]
    declared = Declaration(comment, process_signature(kernel, identifier))
    match kernel:
        case MatMulKernel() if not kernel.is_whole:
            return matmul_view(kernel, design, identifier, declared, None, streaming=True, inline=False)
        case ConstantKernel():
            return _rom(kernel, design, identifier, declared)
        case WindowKernel():
            return _window(kernel, design, identifier, declared)
        case AccumulateKernel():
            source, result = _stream(kernel.source, "x"), _stream(kernel.result, "y")
            beats, size = kernel.source.beats, kernel.result.size
            words = _numbers("words", identifier, kernel.words)
            return AccumulateView(design, comment, declared.signature, words, source, result, beats, size)
        case BufferKernel():
            return _buffer(kernel, design, identifier, declared)
        case ScanKernel():
            return _scan(kernel, design, names, declared)
        case ForkKernel():
            source = _stream(kernel.source, "x")
            count = kernel.source.beats
            return ForkView(design, comment, declared.signature, count, source, _result_names(kernel))
        case (
            MatVecKernel()
            | ElementKernel()
            | ProductKernel()
            | TableKernel()
            | MaximumKernel()
            | ArgMaxKernel()
            | WireKernel()
            | MatMulKernel()
        ):
            sources = tuple(
                _stream(port, name) for port, name in zip(kernel.sources, source_names(kernel), strict=True)
            )
            arguments = ", ".join(f"{stream.local}.word" for stream in (*sources, _stream(kernel.result, "y")))
            call = f"{function_name(identifier)}({arguments})"
            result = _stream(kernel.result, "y")
            process = ProcessView(declared.signature, kernel.result.beats, sources, result, call)
            return function_view(kernel, design, identifier, comment, process, inline=True)
        case _:
            assert_never(kernel)


def _stream(port: Port, name: str) -> StreamView:
    return StreamView(name, beat_type(port), f"{name}_beat")


def _numbers(kind: str, identifier: str, values: Int64Array) -> TableView:
    return TableView(smallest_type(values), f"{kind}_of_{identifier}", table(as_table(values)))


def _rom(kernel: ConstantKernel, design: str, identifier: str, declared: Declaration) -> RomView:
    result = kernel.result
    beats = kernel.values.reshape(result.beats, result.size).tolist()
    words = ",\n".join(f"    {{{', '.join(literal(int(word), result.word) for word in beat)}}}" for beat in beats)
    entries = TableView(word_type(result.word), f"words_of_{identifier}", words)
    stream = _stream(result, "y")
    return RomView(design, declared.comment, declared.signature, entries, stream, result.beats, result.size)


def _window(kernel: WindowKernel, design: str, identifier: str, declared: Declaration) -> WindowView:
    plan, scope = _Plan(kernel), f"window_of_{identifier}"
    rows, columns = plan.axes
    places = {"row": rows.from_start("row"), "column": columns.from_start("column")}
    ends = {name: axis.ends for name, axis in zip(places, plan.axes, strict=True) if axis.is_divided}
    completing = [
        f"{scope}::ends_{name}[{places[name]}]" if name in ends else axis.completing(name)
        for name, axis in zip(places, plan.axes, strict=True)
    ]
    deepest = [line for line in plan.lines if line.words]
    return WindowView(
        design=design,
        comment=declared.comment,
        signature=declared.signature,
        scope=scope,
        word=word_type(kernel.result.word),  # which also holds the padding
        source=_stream(kernel.source, "x"),
        result=_stream(kernel.result, "y"),
        stored=_numbers("stored", identifier, plan.stored),
        kept=tuple(_numbers(kind, identifier, values) for kind, values in plan.kept.items()),
        ends=tuple(TableView("bool", f"ends_{name}", table(values)) for name, values in ends.items()),
        size=kernel.result.size,
        words=len(plan.stored),
        fill=literal(kernel.fill, kernel.result.word),
        row_start=rows.start,
        row_stop=rows.stop,
        column_start=columns.start,
        column_stop=columns.stop,
        width=columns.stop - columns.start,
        narrow=columns.stop - columns.start < _NARROW,
        place=places["column"],
        reads=_all((rows.within("row", 0, rows.size), columns.within("column", 0, columns.size))),
        enters=_all((rows.entering("row"), columns.entering("column"))),
        complete=_all(completing),
        rows=rows.kernel,
        span=(columns.kernel - 1) * columns.dilation + 1,
        lines=tuple(deepest),
        newest=plan.newest(len(deepest)),
    )


_NARROW = 8
"""Columns below which a line is registers: a memory is read again before the word written last is in it."""


class _Axis:
    """One axis of a window process: where it starts and stops, and conditions on its counter."""

    def __init__(self, kernel: WindowKernel, axis: int) -> None:
        windows, places = kernel.windows, grid(kernel)[axis]
        self.size = kernel.shape[axis]
        self.start, self.stop = int(places[0]), int(places[-1]) + 1
        self.kernel, self.stride = windows.kernel[axis], windows.stride[axis]
        self.dilation, self.before = windows.dilation[axis], windows.before[axis]
        self.after = windows.after[axis]

    @classmethod
    def single(cls) -> _Axis:
        """The one row of a sequence."""
        axis = cls.__new__(cls)
        axis.size = axis.stop = axis.kernel = axis.stride = axis.dilation = 1
        axis.start = axis.before = axis.after = 0
        return axis

    def within(self, name: str, low: int, high: int) -> str:
        """Whether the counter lies in ``low``…``high - 1``; empty where it always does."""
        parts = [f"{name} >= {low}"] if self.start < low else []
        parts += [f"{name} < {high}"] if self.stop > high else []
        return " && ".join(parts)

    def entering(self, name: str) -> str:
        """Whether the place is not cropped away."""
        return self.within(name, -self.before, self.size + self.after)

    def from_start(self, name: str) -> str:
        """Return the expression of the counter as an index, from 0."""
        return f"{name} - {self.start}" if self.start > 0 else f"{name} + {-self.start}" if self.start else name

    @property
    def first(self) -> int:
        """The place that completes the first window."""
        return (self.kernel - 1) * self.dilation - self.before

    @property
    def is_divided(self) -> bool:
        """Whether the stride is no power of two, of which the remainder would take a divider."""
        return self.stride & (self.stride - 1) != 0

    @property
    def ends(self) -> Int64Array:
        """For each place, from the first on: 1 where it is the last of a window, else 0."""
        places = np.arange(self.start, self.stop) - self.first
        return as_table((places >= 0) & (places % self.stride == 0))

    def completing(self, name: str) -> str:
        """Whether the place is the last of a window."""
        first = self.first
        parts = [f"{name} >= {first}"] if self.start < first else []
        if self.stride > 1:
            offset = f"({name} - {first})" if first > 0 else f"({name} + {-first})" if first else name
            parts.append(f"{offset} % {self.stride} == 0")
        return " && ".join(parts)


def _all(conditions: Sequence[str]) -> str:
    return " && ".join(condition for condition in conditions if condition) or "true"


class _Plan:
    """Which words a window process stores, and for how long: a word leaves where its last tap that is read ends."""

    def __init__(self, kernel: WindowKernel) -> None:
        two = len(kernel.shape) == 2
        self.axes = (_Axis(kernel, 0), _Axis(kernel, 1)) if two else (_Axis.single(), _Axis(kernel, 0))
        columns = self.axes[1]
        row, column, word = kernel.kept_taps
        delays = kernel.row_delays
        order = np.argsort(-delays, kind="stable")
        self.stored = order[delays[order] >= 0]
        place = np.zeros(kernel.source.size, dtype=np.int64)
        place[self.stored] = np.arange(len(self.stored))
        self.kept = {"row": row, "column": column * columns.dilation, "word": place[word]}
        self._delays = delays

    @property
    def lines(self) -> list[LineView]:
        """A line for each row of delay; line d holds the words that a tap reads more than d rows later."""
        rows = self.axes[0]
        depth = (rows.kernel - 1) * rows.dilation
        before = ["words", *(f"delayed_{number}" for number in range(depth))]
        counts = [int((self._delays > number).sum()) for number in range(depth)]
        return [LineView(f"{number}", count, before[number]) for number, count in enumerate(counts)]

    def newest(self, lines: int) -> tuple[str, ...]:
        """Return, for each row of the window, the array with its newest words, "" where no tap reads that row."""
        rows = self.axes[0]
        delays = [(rows.kernel - 1 - row) * rows.dilation for row in range(rows.kernel)]
        return tuple("words" if not delay else f"delayed_{delay - 1}" if delay <= lines else "" for delay in delays)


def _buffer(kernel: BufferKernel, design: str, identifier: str, declared: Declaration) -> BufferView:
    source, result = kernel.source, kernel.result
    stored = kernel.stored
    beats, words = kernel.beats - stored.start, kernel.words
    place = f"beat * {result.size} + i"
    if kernel.in_memory:
        beats, same = beats[:, 0], bool((words == words[0]).all())
        place_of_word = "i" if same else place
        words = words[0] if same else words
        value = f"held[word_of_{identifier}[{place_of_word}]]"
    else:
        place = "i" if result.beats == 1 else place
        value = f"memory[beat_of_{identifier}[{place}]][word_of_{identifier}[{place}]]"
    tables = [_numbers(kind, identifier, values.ravel()) for kind, values in (("beat", beats), ("word", words))]
    if kernel.shift.any():
        tables.append(_numbers("shift", identifier, kernel.shift))
        value = f"{word_type(result.word)}({word_type(result.word)}({value}) << {tables[2].name}[{place}])"
    return BufferView(
        design=design,
        comment=declared.comment,
        signature=declared.signature,
        scope=f"order_of_{identifier}",
        word=word_type(source.word),
        source=_stream(source, "x"),
        result=_stream(result, "y"),
        source_beats=source.beats,
        stored_beats=len(stored),
        first_stored=stored.start,
        stores=_all(
            (f"beat >= {stored.start}" * (stored.start > 0), f"beat < {stored.stop}" * (stored.stop < source.beats))
        ),
        source_size=source.size,
        result_beats=result.beats,
        result_size=result.size,
        result_word=word_type(result.word),
        in_memory=kernel.in_memory,
        tables=tuple(tables),
        value=value,
    )


def works_in_turn(kernel: ScanKernel) -> bool:
    """Whether the kernels of a body work one after the other, as folded matrices do not fit into one pipeline."""
    return any(isinstance(inner, MatVecKernel) and isinstance(inner.plan, Folded) for inner in kernel.body)


def _scan(kernel: ScanKernel, design: str, names: Mapping[str, str], declared: Declaration) -> ScanView:
    states = tuple(
        StateView(
            names[state.before.name],
            word_type(state.before.word),
            state.before.size,
            ", ".join(literal(word, state.before.word) for word in state.initial),
            names[state.after.name],
        )
        for state in kernel.states
    )
    return ScanView(
        design=design,
        comment=declared.comment,
        signature=declared.signature,
        beats=kernel.source.beats,
        source=_stream(kernel.source, "scan_x"),
        result=_stream(kernel.result, "scan_y"),
        step=names[kernel.step.name],
        reads_step=any(port == kernel.step for inner in kernel.body for port in inner.sources),
        in_turn=works_in_turn(kernel),
        states=states,
        steps=tuple(step_view(inner, names) for inner in kernel.body),
        index=kernel.index,
        output_size=kernel.result.size,
    )


def step_view(kernel: Kernel, names: Mapping[str, str]) -> Step:
    """Return the array that a kernel's function fills and the call that fills it."""
    (result,) = results(kernel)
    name = names[kernel.name]
    arguments = ", ".join([*(names[port.name] for port in kernel.sources), name])
    return Step(name, name, word_type(result.word), result.size, f"{function_name(name)}({arguments})")

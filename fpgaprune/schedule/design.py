"""A graph with a strategy for each matrix, a board, a clock and an interface."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.intervals import verify
from fpgaprune.ir import MatVec, Reshape, Scan, Window
from fpgaprune.passes import optimise
from fpgaprune.passes.drop_rows import pick_rows
from fpgaprune.paths import identifier
from fpgaprune.schedule.loops import forward_loops
from fpgaprune.schedule.sums import is_summed
from fpgaprune.schedule.vectors import as_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.board import Board
    from fpgaprune.ir import Graph, Tensor

PARALLEL_LIMIT = 4096
"""Elements of a vector that the vendor tool still gives a register each (AMD UG1399, array partition)."""


PORT_BITS = 4096
"""Bits of the widest AXI4-Stream port that the vendor tool builds (AMD UG1399)."""

_MOST_AXES = 2


class Strategy(enum.Enum):
    """How a matrix is built."""

    MULTIPLY = "multiply"  # one constant multiplication for each non-zero weight, interval 1


class Interface(enum.Enum):
    """How vectors enter and leave the design."""

    PARALLEL = "parallel"  # all elements in one cycle
    STREAM = "stream"  # one position after the other (AXI4-Stream)


@dataclass(frozen=True, eq=False)
class Design:
    """What is to be built: ``strategies`` has one entry for each `MatVec` of the graph, by its tensor's name.

    Raises:
        InputError: a matrix without a strategy, a clock period that is not positive.
    """

    name: str
    graph: Graph
    board: Board
    clock_ns: float
    interface: Interface
    strategies: Mapping[str, Strategy]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.clock_ns) and self.clock_ns > 0):
            msg = f"the clock period must be a positive number of ns, not {self.clock_ns}"
            raise InputError(msg)
        for op in matrices(self.graph):
            if op.output.name not in self.strategies:
                msg = f"{op.output.name}: no strategy was chosen for this matrix"
                raise InputError(msg)


def matrices(graph: Graph) -> tuple[MatVec, ...]:
    """Return the matrices of a graph, those in the bodies of its loops included."""
    found: list[MatVec] = []
    for op in graph.ops:
        if isinstance(op, MatVec):
            found.append(op)
        elif isinstance(op, Scan):
            found += matrices(op.body)
    return tuple(found)


def schedule(
    graph: Graph,
    board: Board,
    *,
    name: str = "net",
    clock_ns: float | None = None,
    interface: Interface = Interface.PARALLEL,
    strategy: Strategy = Strategy.MULTIPLY,
) -> Design:
    """Clean the graph up, verify it, and choose a strategy for each matrix; the clock defaults to the board's.

    A parallel design is a graph of vectors alone; in a streaming one only the bodies of loops are.

    Raises:
        GraphError: a format that does not hold what reaches it.
        InputError: a network too large for the interface, a bad clock.
    """
    verify(graph)
    clean = optimise(graph)
    shaped = _parallel(clean) if interface is Interface.PARALLEL else _streaming(clean)
    strategies = {op.output.name: strategy for op in matrices(shaped)}
    return Design(
        identifier(name), shaped, board, board.clock_ns if clock_ns is None else clock_ns, interface, strategies
    )


def _parallel(graph: Graph) -> Graph:
    vectors = as_vectors(graph)
    clean = vectors if vectors is graph else optimise(vectors)
    for tensor in clean.tensors.values():
        if tensor.size > PARALLEL_LIMIT:
            msg = (
                f"{tensor.name}: {tensor.size} elements are more than the {PARALLEL_LIMIT} that a parallel interface "
                "can hold in registers; use the stream interface (--io stream), or smaller layers"
            )
            raise InputError(msg)
    return clean


def _streaming(graph: Graph) -> Graph:
    for op in graph.ops:
        if isinstance(op, Window) and len(op.windows.kernel) > _MOST_AXES:
            msg = (
                f"{op.output.name}: a window over {len(op.windows.kernel)} axes cannot be streamed; a stream knows "
                "rows and columns, so merge the other axes, or use the parallel interface (--io parallel)"
            )
            raise InputError(msg)
    loops = forward_loops(graph)
    clean = loops if loops is graph else optimise(loops)
    prepared = pick_rows(clean, _flattens)  # a stream stores only the steps that the matrix reads
    bodies = [op.body for op in prepared.ops if isinstance(op, Scan)]
    for tensor in (tensor for part in (prepared, *bodies) for tensor in part.tensors.values()):
        if tensor.channels > PARALLEL_LIMIT and not _is_summed_up(tensor, prepared):
            msg = (
                f"{tensor.name}: {tensor.channels} words side by side are more than the {PARALLEL_LIMIT} that one beat "
                "of a stream can hold; use fewer channels, a smaller window, or pooling before flattening"
            )
            raise InputError(msg)
    for name in (*(op.output.name for op in prepared.inputs), *prepared.outputs):
        tensor = prepared.tensors[name]
        if tensor.channels * tensor.format.width > PORT_BITS:
            msg = (
                f"{name}: a beat of {tensor.channels} words of {tensor.format.width} bits is wider than a port, "
                f"which has {PORT_BITS}; give the model its input in rows, or use --io parallel"
            )
            raise InputError(msg)
    return prepared


def _flattens(op: Reshape, graph: Graph) -> bool:
    return len(op.output.shape) == 1 and len(graph.tensors[op.input].shape) > 1


def _is_summed_up(tensor: Tensor, graph: Graph) -> bool:
    """Whether a tensor is a window over everything, which lowering makes a running sum of where it can."""
    op = graph.producers.get(tensor.name)
    return isinstance(op, Window) and op.output.size == op.output.channels and is_summed(op, graph)

"""A graph with a plan for each matrix, a board, a clock and an interface."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from fpgaprune.errors import InputError
from fpgaprune.intervals import verify
from fpgaprune.ir import MatVec, Reshape, Scan, Tensor, Window
from fpgaprune.passes import optimise
from fpgaprune.passes.drop_rows import pick_rows
from fpgaprune.paths import identifier
from fpgaprune.schedule.loops import forward_loops
from fpgaprune.schedule.plans import Access, Folded, Multiply, Plan
from fpgaprune.schedule.sums import is_summed, summed_matrix, sums_tensor
from fpgaprune.schedule.vectors import as_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fpgaprune.board import Board
    from fpgaprune.ir import Graph

PARALLEL_LIMIT = 4096
"""Elements of a vector that the vendor tool still gives a register each (AMD UG1399, array partition)."""


PORT_BITS = 4096
"""Bits of the widest AXI4-Stream port that the vendor tool builds (AMD UG1399)."""

_MOST_AXES = 2


class Interface(enum.Enum):
    """How vectors enter and leave the design."""

    PARALLEL = "parallel"  # all elements in one cycle
    STREAM = "stream"  # one position after the other (AXI4-Stream)


@dataclass(frozen=True, eq=False)
class Design:
    """What is to be built: ``plans`` has one for each `MatVec` of the graph that has weights, by its tensor's name.

    Where it ``is_by_position`` tensors are beats, one for each position; else each is one vector.

    Raises:
        InputError: a matrix without a plan, a clock period that is not positive.
    """

    name: str
    graph: Graph
    board: Board
    clock_ns: float
    interface: Interface
    is_by_position: bool
    plans: Mapping[str, Plan]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.clock_ns) and self.clock_ns > 0):
            msg = f"the clock period must be a positive number of ns, not {self.clock_ns}"
            raise InputError(msg)
        for op in matrices(self.graph):
            if op.weights.nonzeros:
                _check_plan(op, self.plans.get(op.output.name))

    @property
    def is_dataflow(self) -> bool:
        """Whether kernels are processes joined by streams; else they are one pipeline that takes a vector a cycle."""
        return self.is_by_position or any(isinstance(plan, Folded) for plan in self.plans.values())


_SPARE_LANES = 1024
"""Lanes beyond the non-zeros of a matrix that are suffered: waste, but no waste of memory."""


def _check_plan(op: MatVec, plan: Plan | None) -> None:
    name = op.output.name
    if plan is None:
        msg = f"{name}: no plan was made for this matrix"
        raise InputError(msg)
    if isinstance(plan, Folded) and plan.access is Access.MEMORIES:
        _check_memories(name, plan, op)


def _check_memories(name: str, plan: Folded, op: MatVec) -> None:
    """Refuse memories in far larger numbers than there is something for them to hold."""
    rows, columns = op.weights.shape
    for count, what, most, held in (
        (plan.lanes, "lanes with memories", op.weights.nonzeros, "non-zeros"),
        (plan.banks, "banks", columns, "columns"),
        (plan.groups, "groups of rows", rows, "rows"),
    ):
        if count > most + _SPARE_LANES:
            msg = f"{name}: {count} {what} are far more than its {most} {held} can use"
            raise InputError(msg)


Planner: TypeAlias = Callable[[MatVec, Tensor], Plan]
"""Makes the plan of a matrix that has weights; it is given the tensor that the matrix reads, too."""


def multiply(_op: MatVec, _source: Tensor) -> Plan:
    """Plan one constant multiplication for each non-zero weight."""
    return Multiply()


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
    planner: Planner = multiply,
) -> Design:
    """Clean the graph up, verify it, and plan each matrix; the clock defaults to the board's.

    A parallel design is a graph of vectors alone; in a streaming one only the bodies of loops are. Where a planner
    folds a matrix that works on several positions, a parallel design is built as a stream between ports that are
    arrays, so that the matrix is folded for each position and its tables are there once.

    Raises:
        GraphError: a format that does not hold what reaches it.
        InputError: a network too large for the interface, a bad clock.
    """
    verify(graph)
    clean = optimise(graph)
    clock = board.clock_ns if clock_ns is None else clock_ns
    shaped, by_position, plans = _shaped(clean, interface, planner)
    return Design(identifier(name), shaped, board, clock, interface, by_position, plans)


def _shaped(graph: Graph, interface: Interface, planner: Planner) -> tuple[Graph, bool, dict[str, Plan]]:
    """Return the graph as it is built, whether that is by position, and the plans."""
    if interface is Interface.STREAM or is_foldable_by_position(graph):
        shaped = _by_position(graph, interface)
        plans = _plans(shaped, planner, by_position=True)
        if interface is Interface.STREAM or any(isinstance(plan, Folded) for plan in plans.values()):
            return shaped, True, plans
    vectors = _parallel(graph)
    return vectors, False, _plans(vectors, planner, by_position=False)


def _plans(graph: Graph, planner: Planner, *, by_position: bool) -> dict[str, Plan]:
    return {
        op.output.name: planner(op, source)
        for op, source in _planned(graph, streaming=by_position)
        if op.weights.nonzeros
    }


def is_foldable_by_position(graph: Graph) -> bool:
    """Whether matrices work on several positions or steps, and no window is over more axes than a stream knows."""
    several = any(isinstance(op, Scan) or (isinstance(op, MatVec) and op.output.positions) for op in graph.ops)
    return several and _too_many_axes(graph) is None


def _planned(graph: Graph, *, streaming: bool) -> Iterator[tuple[MatVec, Tensor]]:
    """Yield each matrix as it is built, and what it reads: in a stream that can be the sums over a window."""
    for op in graph.ops:
        if isinstance(op, MatVec):
            source = graph.tensors[op.input]
            window = graph.producers[op.input]
            if streaming and isinstance(window, Window) and is_summed(window, graph):
                summed = graph.tensors[window.input].format
                yield summed_matrix(op, window), sums_tensor(window, summed.low, summed.high)
            else:
                yield op, source
        elif isinstance(op, Scan):
            yield from _planned(op.body, streaming=False)


def _parallel(graph: Graph) -> Graph:
    vectors = as_vectors(graph)
    clean = vectors if vectors is graph else optimise(vectors)
    for tensor in clean.tensors.values():
        _require_registers(tensor)
    return clean


def _too_many_axes(graph: Graph) -> Window | None:
    """Return a window that a stream cannot make."""
    windows = (op for op in graph.ops if isinstance(op, Window))
    return next((op for op in windows if len(op.windows.kernel) > _MOST_AXES), None)


def _by_position(graph: Graph, interface: Interface) -> Graph:
    """Return a graph as it is built where each position is a beat."""
    prepared = _streamed(graph)
    for name in (*(op.output.name for op in prepared.inputs), *prepared.outputs):
        if interface is Interface.STREAM:
            _require_port(prepared.tensors[name])
        else:
            _require_registers(prepared.tensors[name])
    return prepared


def _streamed(graph: Graph) -> Graph:
    if op := _too_many_axes(graph):
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
    return prepared


def _require_port(tensor: Tensor) -> None:
    if tensor.channels * tensor.format.width > PORT_BITS:
        msg = (
            f"{tensor.name}: a beat of {tensor.channels} words of {tensor.format.width} bits is wider than a port, "
            f"which has {PORT_BITS}; give the model its input in rows, or use --io parallel"
        )
        raise InputError(msg)


def _require_registers(tensor: Tensor) -> None:
    if tensor.size > PARALLEL_LIMIT:
        msg = (
            f"{tensor.name}: {tensor.size} elements are more than the {PARALLEL_LIMIT} that a parallel interface "
            "can hold in registers; use the stream interface (--io stream), or smaller layers"
        )
        raise InputError(msg)


def _flattens(op: Reshape, graph: Graph) -> bool:
    return len(op.output.shape) == 1 and len(graph.tensors[op.input].shape) > 1


def _is_summed_up(tensor: Tensor, graph: Graph) -> bool:
    """Whether a tensor is a window over everything, which lowering makes a running sum of where it can."""
    op = graph.producers.get(tensor.name)
    return isinstance(op, Window) and op.output.size == op.output.channels and is_summed(op, graph)

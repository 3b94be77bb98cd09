"""A graph with a strategy for each matrix, a board, a clock and an interface."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.intervals import verify
from fpgaprune.ir import MatVec
from fpgaprune.passes import optimise
from fpgaprune.paths import identifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.board import Board
    from fpgaprune.ir import Graph

PARALLEL_LIMIT = 4096
"""Elements of a vector that the vendor tool still gives a register each (AMD UG1399, array partition)."""


class Strategy(enum.Enum):
    """How a matrix is built."""

    MULTIPLY = "multiply"  # one constant multiplication for each non-zero weight, interval 1


class Interface(enum.Enum):
    """How vectors enter and leave the design."""

    PARALLEL = "parallel"  # all elements in one cycle


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
        for op in self.graph.ops:
            if isinstance(op, MatVec) and op.output.name not in self.strategies:
                msg = f"{op.output.name}: no strategy was chosen for this matrix"
                raise InputError(msg)


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

    Raises:
        GraphError: a format that does not hold what reaches it.
        InputError: a vector too long for the parallel interface, a bad clock.
    """
    verify(graph)
    clean = optimise(graph)
    for tensor in clean.tensors.values():
        if interface is Interface.PARALLEL and tensor.size > PARALLEL_LIMIT:
            msg = (
                f"{tensor.name}: {tensor.size} elements are more than the {PARALLEL_LIMIT} that a parallel interface "
                "can hold in registers; use smaller layers or a smaller input"
            )
            raise InputError(msg)
    strategies = {op.output.name: strategy for op in clean.ops if isinstance(op, MatVec)}
    return Design(identifier(name), clean, board, clock_ns or board.clock_ns, interface, strategies)

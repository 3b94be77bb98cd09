"""The passes in their order, run until none of them finds anything more to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from fpgaprune.errors import GraphError
from fpgaprune.intervals import verify
from fpgaprune.ir import Graph
from fpgaprune.passes.absorb_wires import absorb_wires
from fpgaprune.passes.drop_dead import drop_dead
from fpgaprune.passes.drop_identities import drop_identities
from fpgaprune.passes.fold_affine import fold_affine
from fpgaprune.passes.merge_rows import merge_rows
from fpgaprune.passes.narrow import narrow
from fpgaprune.passes.propagate_constants import propagate_constants

Pass: TypeAlias = Callable[[Graph], Graph]

PIPELINE: tuple[Pass, ...] = (
    fold_affine,
    propagate_constants,
    drop_identities,
    absorb_wires,
    merge_rows,
    drop_dead,
    narrow,
)
"""Each pass returns the graph object itself where it changes nothing."""

_ROUNDS = 64
"""Far more than a network needs: each round but the last removes weights, elements or bits."""


def optimise(graph: Graph, pipeline: tuple[Pass, ...] = PIPELINE, *, debug: bool = False) -> Graph:
    """Return the cleaned-up graph; with ``debug`` every intermediate graph is verified.

    Raises:
        GraphError: a pass broke the graph, or the passes do not settle.
    """
    for _ in range(_ROUNDS):
        before = graph
        for step in pipeline:
            graph = step(graph)
            if debug:
                verify(graph)
        if graph is before:
            return graph
    msg = f"the passes did not settle in {_ROUNDS} rounds; please report this graph"
    raise GraphError(msg)

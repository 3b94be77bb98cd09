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
from fpgaprune.passes.drop_rows import drop_rows
from fpgaprune.passes.factor_rows import factor_rows
from fpgaprune.passes.fold_affine import fold_affine
from fpgaprune.passes.merge_rows import merge_rows
from fpgaprune.passes.narrow import narrow, narrow_body
from fpgaprune.passes.propagate_constants import propagate_constants
from fpgaprune.passes.rewrite import all_names, map_bodies
from fpgaprune.passes.trim_tables import trim_tables
from fpgaprune.passes.trim_windows import trim_windows

Pass: TypeAlias = Callable[[Graph], Graph]

_SHARED: tuple[Pass, ...] = (
    fold_affine,
    propagate_constants,
    drop_identities,
    absorb_wires,
    merge_rows,
    factor_rows,
    drop_dead,
    drop_rows,
    trim_windows,
    trim_tables,
)


def optimise_bodies(graph: Graph) -> Graph:
    """Run the passes inside each loop; its inputs, states and outputs keep their shapes and formats."""
    body_pipeline = (*_SHARED, narrow_body, optimise_bodies)
    for step in body_pipeline:
        graph = _in_bodies(graph, step)
    return graph


def _in_bodies(graph: Graph, step: Pass) -> Graph:
    """Change bodies unless a tensor would take a name that another part of the graph has; names differ throughout."""
    names = all_names(graph)

    def change(body: Graph) -> Graph:
        own, changed = all_names(body), step(body)
        added = all_names(changed) - own
        if added & names:
            return body
        names.update(added)
        return changed

    return map_bodies(graph, change)


PIPELINE: tuple[Pass, ...] = (*_SHARED, narrow, optimise_bodies)
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

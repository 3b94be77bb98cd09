"""Pull wires (gathers) into the matrices that read them, and past requantisations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fixed import bounds
from fpgaprune.ir import Gather, Graph, MatVec, Requantise, Tensor
from fpgaprune.passes.rewrite import fresh_name
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from fpgaprune.ir import Op


def absorb_wires(graph: Graph) -> Graph:
    """Let matrices read through wires, join wires that follow each other, and requantise each wired element once."""
    for position, op in enumerate(graph.ops):
        source = graph.producers.get(op.inputs[0]) if op.inputs else None
        if isinstance(source, Gather):
            absorbed = _absorb(op, source, graph)
            if absorbed is not None:
                ops = (*graph.ops[:position], *absorbed, *graph.ops[position + 1 :])
                return absorb_wires(Graph(ops, graph.outputs))
    return graph


def _absorb(op: Op, wires: Gather, graph: Graph) -> tuple[Op, ...] | None:
    match op:
        case MatVec():
            return _into_matrix(op, wires, graph.tensors[wires.input].size)
        case Gather():
            shift = wires.shift[op.index] + op.shift
            return (replace(op, input=wires.input, index=wires.index[op.index], shift=shift),)
        case Requantise():
            return _requantise_once(op, wires, graph)
        case _:
            return None


def _into_matrix(op: MatVec, wires: Gather, columns: int) -> tuple[Op, ...] | None:
    weights = op.weights
    largest = max(abs(end) for end in bounds(weights.weight))
    if largest * max(len(wires.index), 1) << int(wires.shift.max(initial=0)) >= 1 << 63:
        return None  # the combined weights might not fit in 64 bits; the wires stay, and cost nothing
    combined = SparseMatrix.from_terms(
        (weights.shape[0], columns),
        weights.row,
        wires.index[weights.column],
        weights.weight << wires.shift[weights.column],
    )
    low, high = bounds(combined.weight)
    fmt = op.weight_format
    weight_format = fmt if fmt.holds(low, high) else fmt.with_range(low, high)
    return (replace(op, input=wires.input, weights=combined, weight_format=weight_format),)


def _requantise_once(op: Requantise, wires: Gather, graph: Graph) -> tuple[Op, ...] | None:
    wanted = np.stack([wires.index, wires.shift], axis=1)
    distinct, place = np.unique(wanted, axis=0, return_inverse=True)
    count = len(distinct)
    if count == len(wanted):
        return None
    narrow_name = fresh_name(f"{op.input}_distinct", graph.tensors)
    once_name = fresh_name(f"{op.output.name}_distinct", graph.tensors)
    narrow = replace(
        wires,
        output=Tensor(narrow_name, (count,), wires.output.format),
        index=distinct[:, 0],
        shift=distinct[:, 1],
    )
    once = replace(op, output=Tensor(once_name, (count,), op.output.format), input=narrow_name)
    spread = Gather(op.output, once_name, place.reshape(-1), np.zeros(len(wanted), dtype=np.int64))
    if not _is_every_wire(narrow, graph.tensors[wires.input]):
        return narrow, once, spread
    return replace(once, input=wires.input), spread


def _is_every_wire(wires: Gather, source: Tensor) -> bool:
    return len(wires.index) == source.size and not wires.shift.any() and bool((np.diff(wires.index) == 1).all())

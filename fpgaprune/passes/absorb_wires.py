"""Pull wires (gathers) into the matrices that read them, and past requantisations and tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fixed import bounds
from fpgaprune.ir import Gather, Graph, MatVec, Requantise, Reshape, Table, Tensor
from fpgaprune.passes.rewrite import all_names, channel_wires, fresh_name, is_every_wire
from fpgaprune.sparse import SparseMatrix

if TYPE_CHECKING:
    from fpgaprune.ir import Op
    from fpgaprune.sparse import Int64Array


def absorb_wires(graph: Graph) -> Graph:
    """Let matrices read through wires, join wires that follow each other, and requantise each wired element once."""
    while (changed := _absorb_one(graph)) is not None:
        graph = changed
    return graph


def _absorb_one(graph: Graph) -> Graph | None:
    for position, op in enumerate(graph.ops):
        source = graph.producers.get(op.inputs[0]) if op.inputs else None
        absorbed = None
        if isinstance(source, Gather):
            absorbed = _absorb(op, source, graph)
        elif isinstance(op, Gather) and isinstance(source, Reshape):
            absorbed = (replace(op, input=source.input),)  # wires count elements, whatever the shape
        if absorbed is not None:
            return Graph((*graph.ops[:position], *absorbed, *graph.ops[position + 1 :]), graph.outputs)
    return None


def _absorb(op: Op, wires: Gather, graph: Graph) -> tuple[Op, ...] | None:
    match op:
        case MatVec():
            return _into_matrix(op, wires, graph)
        case Gather():
            shift = wires.shift[op.index] + op.shift
            return (replace(op, input=wires.input, index=wires.index[op.index], shift=shift),)
        case Reshape() if graph.only_consumer(wires.output.name) is op:
            return (replace(wires, output=op.output),)
        case Requantise() | Table():
            return _once(op, wires, graph)
        case _:
            return None


def _into_matrix(op: MatVec, wires: Gather, graph: Graph) -> tuple[Op, ...] | None:
    """Read the wires' source: at each position where they do the same at all, else as a vector if the op reads one."""
    source = graph.tensors[wires.input]
    channels = channel_wires(wires, source)
    if channels is not None:
        combined = _combined(op, *channels, source.channels)
        return None if combined is None else (replace(combined, input=source.name),)
    combined = None if op.output.positions else _combined(op, wires.index, wires.shift, source.size)
    if combined is None:
        return None
    flat = Tensor(fresh_name(f"{source.name}_flat", all_names(graph)), (source.size,), source.format)
    return Reshape(flat, source.name), replace(combined, input=flat.name)


def _combined(op: MatVec, index: Int64Array, shift: Int64Array, columns: int) -> MatVec | None:
    """Return the matrix that reads ``columns`` elements itself, of which column c is ``index[c]``, shifted left."""
    weights = op.weights
    largest = max(abs(end) for end in bounds(weights.weight))
    if largest * max(len(index), 1) << int(shift.max(initial=0)) >= 1 << 63:
        return None  # the combined weights might not fit in 64 bits; the wires stay, and cost nothing
    combined = SparseMatrix.from_terms(
        (weights.shape[0], columns),
        weights.row,
        index[weights.column],
        weights.weight << shift[weights.column],
    )
    low, high = bounds(combined.weight)
    fmt = op.weight_format
    return replace(op, weights=combined, weight_format=fmt if fmt.holds(low, high) else fmt.with_range(low, high))


def _once(op: Requantise | Table, wires: Gather, graph: Graph) -> tuple[Op, ...] | None:
    """Compute what repeats once, then wire it; outside vectors only where that is all that the wires read."""
    shifts = int(wires.shift.max(initial=0)) + 1
    distinct, place = np.unique(wires.index * shifts + wires.shift, return_inverse=True)
    count = len(distinct)
    if count == wires.output.size:
        return None
    names = all_names(graph)
    narrow_name = fresh_name(f"{op.input}_distinct", names)
    once_name = fresh_name(f"{op.output.name}_distinct", names)
    narrow = Gather(
        Tensor(narrow_name, (count,), wires.output.format), wires.input, distinct // shifts, distinct % shifts
    )
    spread = Gather(op.output, once_name, place.reshape(-1), np.zeros(wires.output.size, dtype=np.int64))
    source = graph.tensors[wires.input]
    if is_every_wire(narrow, source):
        return replace(op, output=Tensor(once_name, source.shape, op.output.format), input=wires.input), spread
    if op.output.positions:
        return None
    return narrow, replace(op, output=Tensor(once_name, (count,), op.output.format), input=narrow_name), spread

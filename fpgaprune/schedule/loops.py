"""Loops as a streaming design builds them: from the first step to the last, over vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.ir import Gather, Graph, Input, Reshape, Scan, Tensor
from fpgaprune.passes.rewrite import all_names, take_name
from fpgaprune.schedule.vectors import as_vectors

if TYPE_CHECKING:
    from fpgaprune.ir import Op


def forward_loops(graph: Graph) -> Graph:
    """Return the graph with loops that run backwards fed with the turned sequence, and bodies of vectors."""
    if not any(isinstance(op, Scan) for op in graph.ops):
        return graph
    taken = all_names(graph)
    return Graph(tuple(new for op in graph.ops for new in _forward(op, graph, taken)), graph.outputs)


def _forward(op: Op, graph: Graph, taken: set[str]) -> tuple[Op, ...]:
    if not isinstance(op, Scan):
        return (op,)
    source = graph.tensors[op.input]
    steps = source.shape[0]
    before: list[Op] = []
    after: list[Op] = []
    read = source
    if len(source.shape) != 2:
        read = Tensor(take_name(f"{op.output.name}_steps", taken), (steps, source.size // steps), source.format)
        before.append(Reshape(read, source.name))
    made = op.output
    if len(op.output.shape) != 2:
        made = Tensor(take_name(f"{op.output.name}_results", taken), (steps, op.output.size // steps), op.output.format)
        after.append(Reshape(op.output, made.name))
    if op.reverse:
        turned = Tensor(take_name(f"{op.output.name}_turned", taken), read.shape, read.format)
        before.append(_flip(turned, read.name))
        backwards = Tensor(take_name(f"{op.output.name}_backwards", taken), made.shape, made.format)
        after.insert(0, _flip(made, backwards.name))
        read, made = turned, backwards
    body = as_vectors(_flat_interface(op.body, taken), taken)
    initial = tuple(values.reshape(-1) for values in op.initial)
    return (*before, Scan(made, read.name, body, initial, op.result), *after)


def _flat_interface(body: Graph, taken: set[str]) -> Graph:
    """Return a body whose step and states are vectors; inside they have their shapes."""
    ops: list[Op] = []
    for op in body.ops:
        if isinstance(op, Input) and len(op.output.shape) != 1:
            flat = Tensor(take_name(f"{op.output.name}_vector", taken), (op.output.size,), op.output.format)
            ops += [Input(flat), Reshape(op.output, flat.name)]
        else:
            ops.append(op)
    outputs = []
    for name in body.outputs:
        tensor = body.tensors[name]
        outputs.append(name)
        if len(tensor.shape) != 1:
            flat = Tensor(take_name(f"{name}_next", taken), (tensor.size,), tensor.format)
            ops.append(Reshape(flat, name))
            outputs[-1] = flat.name
    return Graph(tuple(ops), tuple(outputs))


def _flip(output: Tensor, source: str) -> Gather:
    index = np.arange(output.size).reshape(output.shape)[::-1].reshape(-1)
    return Gather(output, source, index, np.zeros(output.size, dtype=np.int64))

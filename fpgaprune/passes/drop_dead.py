"""Drop the elements of vectors, and the ops, that no output depends on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from fpgaprune.ir import Add, Constant, Gather, Graph, Input, MatVec, Op, Requantise, Reshape, Tensor
from fpgaprune.passes.rewrite import fresh_name, making, reading

if TYPE_CHECKING:
    from collections.abc import Mapping

Flags = npt.NDArray[np.bool_]


def drop_dead(graph: Graph) -> Graph:
    """Keep only the neurons that reach an output; inputs and outputs, the design's interface, keep their shape."""
    live = _liveness(graph)
    if all(flags.all() for op, flags in zip(graph.ops, live.values(), strict=True) if not isinstance(op, Input)):
        return graph
    builder = _Builder(graph, live)
    for op in graph.ops:
        if isinstance(op, Input) or live[op.output.name].any():
            builder.append(op)
    return Graph(tuple(builder.ops), graph.outputs)


def _liveness(graph: Graph) -> dict[str, Flags]:
    """Return which elements of each tensor reach an output, in the order of the ops."""
    live = {op.output.name: np.full(op.output.shape, op.output.name in graph.outputs) for op in graph.ops}
    for op in reversed(graph.ops):
        flags = live[op.output.name]
        if flags.any() and (flags.ndim != 1 or isinstance(op, Reshape)):
            flags[...] = True  # elements of a matrix or an image are kept or dropped together
        _mark_inputs(op, flags, live)
    return live


def _mark_inputs(op: Op, flags: Flags, live: dict[str, Flags]) -> None:
    match op:
        case Input() | Constant():
            pass
        case MatVec():
            live[op.input][op.weights.column[flags[op.weights.row]]] = True
        case Requantise() | Add():
            for name in op.inputs:
                live[name] |= flags
        case Reshape():
            live[op.input] |= flags.reshape(live[op.input].shape)
        case Gather():
            live[op.input][op.index[flags]] = True
        case _:
            assert_never(op)


class _Builder:
    """The new ops, and which elements of each tensor they still carry."""

    def __init__(self, graph: Graph, live: Mapping[str, Flags]) -> None:
        self.ops: list[Op] = []
        self._graph = graph
        self._kept = {
            op.output.name: np.ones(op.output.shape, dtype=bool) if isinstance(op, Input) else live[op.output.name]
            for op in graph.ops
        }
        self._names: dict[str, object] = dict(graph.tensors)

    def append(self, op: Op) -> None:
        kept = self._kept[op.output.name]
        tensor = op.output if kept.all() else replace(op.output, shape=(int(kept.sum()),))
        match op:
            case Input():
                self.ops.append(op)
            case Constant():
                self.ops.append(Constant(tensor, op.values[kept] if not kept.all() else op.values))
            case MatVec():
                self.ops.append(self._rows(op, kept, tensor))
            case Requantise() | Add():
                self._append_elementwise(op, kept, tensor)
            case Reshape():
                self.ops.append(making(op, tensor))
            case Gather():
                places = np.cumsum(self._kept[op.input]) - 1
                index = places[op.index[kept]]
                self.ops.append(Gather(tensor, op.input, index, op.shift[kept]))
            case _:
                assert_never(op)

    def _rows(self, op: MatVec, kept: Flags, tensor: Tensor) -> Op:
        """The live rows; with no weight among them nothing is read, and the input may be gone."""
        rows = op.weights.select_rows(kept)
        if not rows.nonzeros:
            return Constant(tensor, op.bias[kept])
        weights = rows.select_columns(self._kept[op.input])
        return replace(op, output=tensor, weights=weights, bias=op.bias[kept])

    def _append_elementwise(self, op: Requantise | Add, kept: Flags, tensor: Tensor) -> None:
        """An input that another op keeps more of is first wired down to the elements that this one needs."""
        renamed = {}
        for name in op.inputs:
            carried = self._kept[name]
            if not np.array_equal(carried, kept):
                renamed[name] = self._wire_down(name, kept)
        self.ops.append(making(reading(op, renamed), tensor))

    def _wire_down(self, name: str, kept: Flags) -> str:
        wired = fresh_name(f"{name}_live", self._names)
        self._names[wired] = None
        index = (np.cumsum(self._kept[name]) - 1)[kept]
        tensor = Tensor(wired, (len(index),), self._graph.tensors[name].format)
        self.ops.append(Gather(tensor, name, index, np.zeros(len(index), dtype=np.int64)))
        return wired

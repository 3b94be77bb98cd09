"""Which channels of each tensor reach an output: one flag a channel, for all positions together."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from fpgaprune.ir import (
    Add,
    ArgMax,
    Concat,
    Constant,
    Gather,
    Graph,
    Input,
    MatMul,
    MatVec,
    Maximum,
    Multiply,
    Op,
    Requantise,
    Reshape,
    Scan,
    Table,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.fixed import IntArray
    from fpgaprune.ir import Tensor

Flags: TypeAlias = npt.NDArray[np.bool_]


def liveness(graph: Graph) -> dict[str, Flags]:
    """Return, by the name of a tensor, which of its channels an output depends on; of a vector, which elements.

    A tensor without elements is kept whole; it costs nothing.
    """
    return _liveness(graph, {name: np.ones(graph.tensors[name].channels, dtype=bool) for name in graph.outputs})


def body_liveness(op: Scan, result: Flags) -> dict[str, Flags]:
    """Return which channels of the tensors in a loop's body the given ones of its result depend on, at any step.

    A state has the same ones when it is read and when it is made. The step keeps a channel if nothing reads it, for
    its length is the number of steps.
    """
    tensors, outputs = op.body.tensors, op.body.outputs
    step, *states = (each.output.name for each in op.body.inputs)
    seeds = {name: np.zeros(tensors[name].channels, dtype=bool) for name in (*states, *outputs)}
    seeds[outputs[op.result]] |= result.any() if _makes_scalars(op) else result
    while True:
        live = _liveness(op.body, seeds)
        if all(np.array_equal(live[state], live[new]) for state, new in zip(states, outputs, strict=True)):
            live[step][0] |= not live[step].any()
            return live
        for state, new in zip(states, outputs, strict=True):
            seeds[state] |= live[state] | live[new]
            seeds[new] |= seeds[state]


def _makes_scalars(op: Scan) -> bool:
    """Whether the last axis of the result is the steps."""
    return not op.body.tensors[op.body.outputs[op.result]].shape


def _liveness(graph: Graph, seeds: Mapping[str, Flags]) -> dict[str, Flags]:
    live = {
        name: seeds[name].copy() if name in seeds else np.full(tensor.channels, not tensor.size)
        for name, tensor in graph.tensors.items()
    }
    for op in reversed(graph.ops):
        name = op.output.name
        live[name] = complete(op, live[name], graph.tensors)
        for source, flags in zip(op.inputs, wanted(op, live[name], graph.tensors), strict=True):
            live[source] |= flags
    return live


def complete(op: Op, flags: Flags, tensors: Mapping[str, Tensor]) -> Flags:
    """Return the channels of an op's output that are there if those of ``flags`` are.

    Most ops can make any channels alone. A reshape that joins positions keeps or drops a channel at all of them, a
    loop makes what it keeps in its state, and a channel of a product of matrices is a position of a factor.
    """
    if not flags.any() or not op.output.size:
        return flags
    match op:
        case MatMul():
            return np.ones_like(flags)
        case Reshape():
            inner, outer = tensors[op.input].channels, op.output.channels
            if outer % inner == 0:
                return np.tile(flags.reshape(-1, inner).any(axis=0), outer // inner)
            return flags if inner % outer == 0 else np.ones_like(flags)
        case Scan():
            result = op.body.outputs[op.result]
            return np.ones_like(flags) if _makes_scalars(op) else body_liveness(op, flags)[result]
        case _:
            return flags


def wanted(op: Op, flags: Flags, tensors: Mapping[str, Tensor]) -> tuple[Flags, ...]:
    """Return for each input the channels that an op needs for those of its output in ``flags``, which is complete."""
    if not flags.any() or not op.output.size:
        return tuple(np.zeros(tensors[name].channels, dtype=bool) for name in op.inputs)
    match op:
        case Input() | Constant():
            return ()
        case MatVec():
            return (_marked(tensors[op.input], op.weights.column[flags[op.weights.row]]),)
        case Requantise() | Table():
            return (flags,)
        case Add() | Multiply():
            return flags, flags
        case MatMul() | ArgMax():
            return tuple(np.ones(tensors[name].channels, dtype=bool) for name in op.inputs)
        case Window():
            channels = tensors[op.input].channels
            return (_marked(tensors[op.input], window_elements(op, channels)[flags] % channels),)
        case Maximum():
            return (np.tile(flags, tensors[op.input].channels // op.output.channels),)
        case Reshape():
            inner, outer = tensors[op.input].channels, op.output.channels
            if outer % inner == 0:
                return (flags[:inner],)
            return (np.tile(flags, inner // outer) if inner % outer == 0 else np.ones(inner, dtype=bool),)
        case Concat():
            return tuple(split_channels(op, flags, tensors))
        case Gather():
            index = op.index.reshape(math.prod(op.output.positions), op.output.channels)
            return (_marked(tensors[op.input], index[:, flags].reshape(-1) % tensors[op.input].channels),)
        case Scan():
            return (_wanted_steps(op, flags, tensors[op.input]),)
        case _:
            assert_never(op)


def _wanted_steps(op: Scan, flags: Flags, source: Tensor) -> Flags:
    step = op.body.inputs[0].output
    live = body_liveness(op, flags)[step.name]
    return live if step.shape else np.ones(source.channels, dtype=bool)


def _marked(tensor: Tensor, channels: IntArray) -> Flags:
    flags = np.zeros(tensor.channels, dtype=bool)
    flags[channels] = True
    return flags


def window_elements(op: Window, channels: int) -> IntArray:
    """Return which elements of the full window come out, of ``taps * channels``."""
    return np.arange(op.windows.taps * channels) if op.kept is None else op.kept


def split_channels(op: Concat, flags: Flags, tensors: Mapping[str, Tensor]) -> list[Flags]:
    """Return the flags of each part of what was joined."""
    ends = list(accumulate(tensors[name].channels for name in op.sources))
    return np.split(flags, ends[:-1])

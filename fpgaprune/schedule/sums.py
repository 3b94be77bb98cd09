"""Means and sums over a whole image, which a stream adds up beat by beat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.fixed import Fixed
from fpgaprune.ir import MatVec, Tensor
from fpgaprune.windows import Windows

if TYPE_CHECKING:
    from fpgaprune.ir import Graph, Window
    from fpgaprune.sparse import Int64Array, SparseMatrix


def is_summed(op: Window, graph: Graph) -> bool:
    """Whether a window over everything is read by a matrix alone that treats all taps alike."""
    source, reader = graph.tensors[op.input], graph.only_consumer(op.output.name)
    if not (source.positions and isinstance(reader, MatVec)) or op.windows.taps == 1:
        return False
    everything = op.windows == replace(Windows.plain(source.positions), stride=op.windows.stride)
    return everything and summed_words(op, graph) is not None and _treats_taps_alike(reader.weights, op.windows.taps)


def summed_words(op: Window, graph: Graph) -> Int64Array | None:
    """Return the channels that a window gives out, where they are those of each tap."""
    channels, taps = graph.tensors[op.input].channels, op.windows.taps
    if op.kept is None:
        return np.arange(channels)
    if op.kept.size % taps:
        return None
    of_taps = op.kept.reshape(taps, -1) - np.arange(taps)[:, np.newaxis] * channels
    return of_taps[0] if (of_taps == of_taps[0]).all() and of_taps.max(initial=0) < channels else None


def summed_matrix(op: MatVec, window: Window) -> MatVec:
    """Return the matrix that reads the sums over all taps instead of the taps, which it treats alike."""
    first_tap = np.arange(op.weights.shape[1]) < op.weights.shape[1] // window.windows.taps
    return replace(op, weights=op.weights.select_columns(first_tap))


def sums_tensor(window: Window, low: int, high: int) -> Tensor:
    """Return the sums over all taps of words in ``low``…``high``, in the format that holds them."""
    taps, made = window.windows.taps, window.output
    exact = Fixed(True, 1, made.format.fraction).with_range(low * taps, high * taps)
    return Tensor(f"{made.name}/sum", (made.channels // taps,), exact)


def _treats_taps_alike(weights: SparseMatrix, taps: int) -> bool:
    """Whether each row has one weight for all taps of a channel, or none."""
    channels = weights.shape[1] // taps
    order = np.lexsort((weights.column // channels, weights.column % channels, weights.row))
    if len(order) % taps:
        return False
    row, channel, weight = (
        part[order].reshape(-1, taps) for part in (weights.row, weights.column % channels, weights.weight)
    )
    return all(bool((part == part[:, :1]).all()) for part in (row, channel, weight))

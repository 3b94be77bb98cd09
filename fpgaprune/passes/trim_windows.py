"""Cut windows to the taps that are read, so that a line buffer holds no row and no column for a pruned one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.ir import Graph, Window
from fpgaprune.passes.rewrite import rebuilt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.ir import Tensor
    from fpgaprune.sparse import Int64Array
    from fpgaprune.windows import Windows


def trim_windows(graph: Graph) -> Graph:
    """Shrink the kernel of each window to the smallest that covers the taps of which something is kept."""
    return rebuilt(graph, (_trimmed(op, graph.tensors) if isinstance(op, Window) else op for op in graph.ops))


def _trimmed(op: Window, tensors: Mapping[str, Tensor]) -> Window:
    channels = tensors[op.input].channels
    if op.kept is None or not op.kept.size:
        return op
    tap, channel = np.divmod(op.kept, channels)
    place = np.stack(np.unravel_index(tap, op.windows.kernel))
    first, last = place.min(axis=1), place.max(axis=1)
    windows = _cut(op.windows, first, last)
    if windows == op.windows:
        return op
    kept = np.ravel_multi_index(tuple(place - first[:, np.newaxis]), windows.kernel) * channels + channel
    return replace(op, windows=windows, kept=None if kept.size == windows.taps * channels else kept)


def _cut(windows: Windows, first: Int64Array, last: Int64Array) -> Windows:
    """Keep the taps ``first``…``last`` of each axis; cropping by the steps cut away leaves every tap at its place."""
    behind = np.array(windows.kernel) - 1 - last
    return replace(
        windows,
        kernel=_axes(last - first + 1),
        before=_axes(windows.before - first * windows.dilation),
        after=_axes(windows.after - behind * windows.dilation),
    )


def _axes(entries: Int64Array) -> tuple[int, ...]:
    return tuple(int(entry) for entry in entries)

"""Operations that only move elements: torch itself moves the index, and no layer is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, fx

from fpgaprune.capture.layout import Place, settled, squeezed
from fpgaprune.capture.origin import base_name
from fpgaprune.capture.reading import Arguments, Constant, Reading, Result, Value, shape_of
from fpgaprune.capture.refusals import refused
from fpgaprune.windows import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Callable


def same(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:  # noqa: ARG001  # a Reader
    """Elide an operation that leaves values as they are."""
    return reading.values[node.all_input_nodes[0]]


def same_type(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Elide a conversion between float32 and float64: quantisation decides the format anyway."""
    if node.meta["val"].dtype not in (torch.float32, torch.float64):
        kind = str(node.meta["val"].dtype).removeprefix("torch.")
        refused(node, f"the conversion to {kind}", "leave number formats to quantisation")
    return same(reading, node, arguments)


def like(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:  # noqa: ARG001  # a Reader
    """Read a constant that has nothing but the shape of its argument."""
    (source,) = node.all_input_nodes
    return Constant(node.name, _called(reading, node, torch.zeros(shape_of(source), dtype=source.meta["val"].dtype)))


def part_of_several(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:  # noqa: ARG001  # a Reader
    """Select one of several results; torch makes the others, of a batch normalisation say, for training only."""
    source, place = node.args
    several = reading.values[source] if isinstance(source, fx.Node) else None
    if not isinstance(several, tuple):
        msg = f"{node} selects from {source}, which is one tensor"
        raise TypeError(msg)
    if not isinstance(place, int) or place >= len(several):
        if "lstm" in str(source):
            refused(node, "the cell state of an LSTM as an output", "use its sequence, or its last hidden state")
        refused(node, f"result {place} of {source}", "use its first result, or torch.argmax for the place of it")
    return several[place]


def reshaped(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:  # noqa: ARG001  # a Reader
    """Read a view, in whatever spelling."""
    return _moved(reading, node, lambda index: index.reshape(shape_of(node)))


def moved(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:  # noqa: ARG001  # a Reader
    """Read an operation whose result has elements of its one argument, or zeros."""
    return _moved(reading, node, lambda index: _called(reading, node, index))


def padded(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a pad of any mode."""
    value = arguments.plain("value")
    if arguments.plain("mode") in (None, "constant"):
        pad = arguments.plain("pad")
        return _moved(reading, node, lambda index: torch.nn.functional.pad(index, pad), float(value or 0))
    return moved(reading, node, arguments)


def masked(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read masked_fill with a constant mask."""
    mask, value = arguments.constant("mask").tensor, arguments.plain("value")
    number = float(arguments.constant("value").tensor) if isinstance(value, fx.Node) else float(value)
    return covered(reading, node, arguments.result("self"), mask, number)


def covered(reading: Reading, node: fx.Node, source: Result, mask: Tensor, fill: float) -> Result:
    """Return the source, broadcast to the shape of the node, with a number wherever the mask is true."""
    shape = shape_of(node)
    changed = _moved_result(reading, node, source, lambda index: index.expand(shape).masked_fill(mask, 0), fill)
    assert isinstance(changed, Result)  # noqa: S101  # masked_fill returns one tensor
    return changed


def _moved(reading: Reading, node: fx.Node, change: Callable[[Tensor], Any], fill: float = 0.0) -> Value:
    sources = [value for value in map(reading.values.get, node.all_input_nodes) if isinstance(value, Result)]
    if len(sources) != 1:
        refused(node, f"{node.target} with places that depend on the input", "use constant indices")
    return _moved_result(reading, node, sources[0], change, fill)


def _moved_result(
    reading: Reading, node: fx.Node, source: Result, change: Callable[[Tensor], Any], fill: float
) -> Value:
    """Return the source with its index changed as if it were the tensor itself; what becomes zero becomes the fill.

    Doubles hold the index: torch does not pad, flip or interpolate integers in every way.
    """
    held = source.index == OUTSIDE
    coded = torch.from_numpy(np.where(held, -1, source.index + 1)).double()
    outcome = change(coded)
    outcomes = [outcome] if isinstance(outcome, Tensor) else outcome
    if held.any() and fill != source.fill and any((each == 0).any() for each in outcomes):
        place = Place(reading, node, base_name(node, "pad"))
        return _moved_result(reading, node, settled(place, source), change, fill)
    results = [_decoded(node, source, each, source.fill if held.any() else fill) for each in outcomes]
    return results[0] if isinstance(outcome, Tensor) else tuple(results)


def _decoded(node: fx.Node, source: Result, outcome: Tensor, fill: float) -> Result:
    coded = outcome.contiguous().numpy().astype(np.int64)
    index = np.where(coded > 0, coded - 1, OUTSIDE)
    unmoved = squeezed(index.shape) == squeezed(source.shape) and np.array_equal(index.ravel(), source.index.ravel())
    return Result(source.layer, index, fill, source.moved if unmoved else node)


def _called(reading: Reading, node: fx.Node, index: Tensor) -> Any:  # noqa: ANN401  # one tensor or several
    def given(source: fx.Node) -> Any:  # noqa: ANN401  # whatever stands for a tensor
        value = reading.values[source]
        return value.tensor if isinstance(value, Constant) else index

    args, kwargs = fx.node.map_arg((node.args, node.kwargs), given)
    target: Any = node.target
    return target(*args, **kwargs)

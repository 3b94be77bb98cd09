"""Readers of hls4ml's layers over images and sequences: convolution, pooling, padding, cropping, resizing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.errors import UnsupportedError
from fpgaprune.fixed import Fixed
from fpgaprune.frontend.building import (
    append_convolution,
    append_max_pool,
    append_wires,
)
from fpgaprune.frontend.element_readers import AS_A_MODULE
from fpgaprune.frontend.reading import Terms, matrix, real_weights
from fpgaprune.ir import Reshape, Tensor, Window
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import OUTSIDE, Windows

if TYPE_CHECKING:
    from fpgaprune.frontend.reading import Node, Reading

SIZES, ENDS = ("height", "width"), (("top", "bottom"), ("left", "right"))
"""How hls4ml names the axes of positions, and the ends of each; a sequence has the last."""


def read_conv(reading: Reading, node: Node, result: Tensor) -> None:
    """Read a convolution, pointwise or not."""
    weight = real_weights(node)
    flat = weight.reshape(-1, weight.shape[-1])
    columns, rows = np.nonzero(flat)
    _append_conv(reading, node, result, (flat.shape[1], flat.shape[0]), (rows, columns, flat[columns, rows]))


def read_depthwise(reading: Reading, node: Node, result: Tensor) -> None:
    """Read a depthwise convolution; a channel may have several results, which lie side by side."""
    weight = real_weights(node)
    *_, channels, multiplier = weight.shape
    flat = weight.reshape(-1, channels, multiplier)
    taps, places, copies = np.nonzero(flat)
    terms = (places * multiplier + copies, taps * channels + places, flat[taps, places, copies])
    _append_conv(reading, node, result, (channels * multiplier, flat.shape[0] * channels), terms)


def _append_conv(reading: Reading, node: Node, result: Tensor, shape: tuple[int, int], terms: Terms) -> None:
    source = _image(reading, node)
    if any(node.get_attr(name, 1) not in (1, [1, 1], (1, 1)) for name in _DILATIONS):
        msg = f"{node.name}: hls4ml ignores the dilation of a convolution; {AS_A_MODULE}"
        raise UnsupportedError(msg)
    product = matrix(node, source, "weight", shape, terms)
    windows = _windows(node, source, "filt")
    append_convolution(reading.builder, result, source, windows, *product, reading.title(node))


_DILATIONS = ("dilation", "dilation_width", "dilation_height")


def read_pooling(reading: Reading, node: Node, result: Tensor) -> None:
    """Read max pooling, or average pooling over windows whose size is a power of two."""
    source = _image(reading, node)
    _append_pooling(reading, node, result, source, _windows(node, source, "pool"))


def read_global_pooling(reading: Reading, node: Node, result: Tensor) -> None:
    """Read pooling over all positions."""
    source = _image(reading, node)
    shape = (*(1,) * len(source.positions), source.channels)
    pooled = Tensor(reading.builder.fresh(f"{result.name}_pooled"), shape, result.format)
    _append_pooling(reading, node, pooled, source, Windows.plain(source.positions))
    reading.builder.append(Reshape(result, pooled.name))


def _append_pooling(reading: Reading, node: Node, result: Tensor, source: Tensor, windows: Windows) -> None:
    if node.get_attr("pool_op") == "Max":
        append_max_pool(reading.builder, result, source, windows)
        return
    padded = (windows.index(source.positions) == OUTSIDE).any() and not node.get_attr("count_pad", False)
    if padded or windows.taps & (windows.taps - 1):
        msg = (
            f"{node.name}: an average over {windows.taps} elements{' without its padding' if padded else ''} is not"
            f" exact in hls4ml; use unpadded windows whose size is a power of two, or {AS_A_MODULE}"
        )
        raise UnsupportedError(msg)
    places = np.arange(windows.taps * source.channels)
    ones = SparseMatrix.from_terms(
        (source.channels, places.size), places % source.channels, places, np.ones_like(places)
    )
    share = Fixed(False, 1, windows.taps.bit_length() - 1)
    none = np.zeros(source.channels, dtype=np.int64)
    append_convolution(reading.builder, result, source, windows, ones, share, none, reading.title(node))


def read_padding(reading: Reading, node: Node, result: Tensor) -> None:
    """Read zeros around the positions."""
    _append_border(reading, node, result, "pad", 1)


def read_cropping(reading: Reading, node: Node, result: Tensor) -> None:
    """Read positions cut off, which is negative padding."""
    _append_border(reading, node, result, "crop", -1)


def _append_border(reading: Reading, node: Node, result: Tensor, kind: str, sign: int) -> None:
    source = _image(reading, node)
    ones = (1,) * len(source.positions)
    before, after = (tuple(sign * size for size in sizes) for sizes in _border(node, source, kind))
    exact = reading.builder.unchanged(result, source)
    reading.builder.append(Window(exact, source.name, Windows(ones, ones, ones, before, after)))
    reading.builder.settle(result, exact)


def read_resize(reading: Reading, node: Node, result: Tensor) -> None:
    """Read the nearest neighbour of each new position, in hls4ml's own arithmetic."""
    source = _image(reading, node)
    if node.get_attr("algorithm") != "nearest":
        msg = f"{node.name}: resizing by {node.get_attr('algorithm')!r} is not supported; use 'nearest'"
        raise UnsupportedError(msg)
    places = np.arange(source.size).reshape(source.shape)
    for axis, (old, new) in enumerate(zip(source.positions, result.positions, strict=True)):
        ratio = (old << 16) // new + 1  # as nnet_image.h
        places = places.take((np.arange(new) * ratio) >> 16, axis=axis)
    append_wires(reading.builder, result, source, places.ravel())


def _image(reading: Reading, node: Node) -> Tensor:
    if node.get_attr("data_format", "channels_last") != "channels_last":
        msg = f"{node.name}: channels first are not supported; set HLSConfig's ChannelsLastConversion to 'full'"
        raise UnsupportedError(msg)
    source = reading.source(node)
    if len(source.positions) not in (1, 2):
        msg = f"{node.name}: a window over a tensor of shape {source.shape} is not supported; {AS_A_MODULE}"
        raise UnsupportedError(msg)
    return source


def _windows(node: Node, source: Tensor, kind: str) -> Windows:
    axes = SIZES[-len(source.positions) :]
    kernel, stride = (tuple(int(node.get_attr(f"{name}_{axis}")) for axis in axes) for name in (kind, "stride"))
    before, after = _border(node, source, "pad")
    return Windows(kernel, stride, (1,) * len(axes), before, after)


def _border(node: Node, source: Tensor, kind: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    ends = ENDS[-len(source.positions) :]
    before, after = zip(*((int(node.get_attr(f"{kind}_{end}")) for end in pair) for pair in ends), strict=True)
    return before, after

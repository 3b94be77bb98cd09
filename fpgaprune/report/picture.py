"""Where the non-zeros of a layer are, as a small PNG that a page carries inside."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from typing import TYPE_CHECKING

from fpgaprune.report.scales import strength

if TYPE_CHECKING:
    from collections.abc import Sequence

INK = bytes((0x1F, 0x78, 0xC8))
"""The colour of non-zeros, which shows on white and on black; the share of them is its opacity."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


MOST_CELLS = 128 * 128
"""Pixels of the finest picture."""


def coarse(grid: Sequence[Sequence[float]], cells: int) -> Sequence[Sequence[float]]:
    """Return a picture of at most so many pixels, each the mean of a block, or the picture itself if it has no more."""
    block = math.ceil(math.sqrt(len(grid) * len(grid[0]) / cells))
    if block <= 1:
        return grid
    bands = [grid[at : at + block] for at in range(0, len(grid), block)]
    return [
        [_mean([value for row in band for value in row[at : at + block]]) for at in range(0, len(grid[0]), block)]
        for band in bands
    ]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def data_uri(grid: Sequence[Sequence[float]]) -> str:
    """Return a grid of shares as a PNG in a ``data:`` address, one pixel a share."""
    return f"data:image/png;base64,{base64.b64encode(png(grid)).decode()}"


def png(grid: Sequence[Sequence[float]]) -> bytes:
    """Return a grid of shares (all rows of one length, at least one share) as a PNG (W3C, PNG, third edition)."""
    header = struct.pack(">IIBBBBB", len(grid[0]), len(grid), 8, 6, 0, 0, 0)  # 8 bits each of red, green, blue, opacity
    rows = b"".join(b"\0" + b"".join(INK + bytes((round(255 * strength(share)),)) for share in row) for row in grid)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

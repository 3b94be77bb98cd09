"""Windows that slide over the positions of a tensor: what convolution, pooling, padding and cropping share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from fpgaprune.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Iterator

Axes: TypeAlias = tuple[int, ...]
IndexArray: TypeAlias = npt.NDArray[np.int64]

OUTSIDE = -1
"""The index of a tap that lies in the padding."""


@dataclass(frozen=True)
class Windows:
    """A window over one or more axes of positions, one entry an axis; the units are positions.

    ``before`` and ``after`` pad the ends of an axis; negative padding crops it.

    Raises:
        GraphError: entries for different numbers of axes, or a kernel, stride or dilation below one.
    """

    kernel: Axes
    stride: Axes
    dilation: Axes
    before: Axes
    after: Axes

    def __post_init__(self) -> None:
        parts = (self.kernel, self.stride, self.dilation, self.before, self.after)
        if not self.kernel or len({len(part) for part in parts}) != 1:
            msg = f"a window must have one entry an axis in each of its fields, not {parts}"
            raise GraphError(msg)
        if min(*self.kernel, *self.stride, *self.dilation) < 1:
            msg = f"kernel, stride and dilation of a window must be at least 1, not {parts[:3]}"
            raise GraphError(msg)

    @classmethod
    def plain(cls, kernel: Axes) -> Windows:
        """Return windows that move by one and see no padding."""
        ones, zeros = (1,) * len(kernel), (0,) * len(kernel)
        return cls(kernel, ones, ones, zeros, zeros)

    @property
    def taps(self) -> int:
        """Positions that a window sees."""
        return math.prod(self.kernel)

    def positions(self, shape: Axes) -> Axes:
        """Return the number of windows along each axis of positions of the given shape.

        Raises:
            GraphError: another number of axes, or no window fits.
        """
        if len(shape) != len(self.kernel):
            msg = f"a window over {len(self.kernel)} axes cannot slide over positions {shape}"
            raise GraphError(msg)
        counts = tuple(
            (size + before + after - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, stride, dilation, before, after in zip(shape, *self._parts(), strict=True)
        )
        if min(counts) < 1:
            msg = f"no window of {self.kernel} with dilation {self.dilation} fits into positions {shape}"
            raise GraphError(msg)
        return counts

    def index(self, shape: Axes) -> IndexArray:
        """Return the flat position of every tap (windows, taps), both in row-major order; `OUTSIDE` in the padding."""
        flat = np.zeros((1, 1), dtype=np.int64)
        inside = np.ones((1, 1), dtype=bool)
        for size, places in zip(shape, self._axis_places(shape), strict=True):
            within = (places >= 0) & (places < size)
            flat = _spread(flat * size, places.clip(0, size - 1))
            inside = _spread(inside.astype(np.int64) * 2, within.astype(np.int64)) == 3
        return np.where(inside, flat, OUTSIDE)

    def _parts(self) -> tuple[Axes, ...]:
        return self.kernel, self.stride, self.dilation, self.before, self.after

    def _axis_places(self, shape: Axes) -> Iterator[IndexArray]:
        """Yield, for each axis, where each tap of each window lies (windows, taps)."""
        for axis, count in enumerate(self.positions(shape)):
            starts = np.arange(count)[:, np.newaxis] * self.stride[axis] - self.before[axis]
            yield starts + np.arange(self.kernel[axis]) * self.dilation[axis]


def _spread(outer: IndexArray, inner: IndexArray) -> IndexArray:
    """Return ``outer + inner`` for every pair of windows and every pair of taps, row-major."""
    total = outer[:, np.newaxis, :, np.newaxis] + inner[np.newaxis, :, np.newaxis, :]
    return total.reshape(outer.shape[0] * inner.shape[0], outer.shape[1] * inner.shape[1])

"""Windows: how many fit, and where each of their taps lies."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune.errors import GraphError
from fpgaprune.windows import OUTSIDE, Windows

ONE_AXIS = st.tuples(
    st.integers(1, 7), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(-2, 3), st.integers(-2, 3)
)


def slow_index(windows, shape):
    """The flat place of each tap of each window, counted out one by one."""
    strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    rows = []
    for window in itertools.product(*map(range, windows.positions(shape))):
        row = []
        for tap in itertools.product(*map(range, windows.kernel)):
            place = [
                window[axis] * windows.stride[axis] - windows.before[axis] + tap[axis] * windows.dilation[axis]
                for axis in range(len(shape))
            ]
            inside = all(0 <= at < size for at, size in zip(place, shape, strict=True))
            row.append(sum(at * step for at, step in zip(place, strides, strict=True)) if inside else OUTSIDE)
        rows.append(row)
    return rows


@given(st.lists(ONE_AXIS, min_size=1, max_size=3))
def test_taps_lie_where_they_are_counted_out(axes):
    shape, *parts = zip(*axes, strict=True)
    windows = Windows(*parts)
    if any(size + before + after < dilation * (kernel - 1) + 1 for size, kernel, _, dilation, before, after in axes):
        with pytest.raises(GraphError, match="no window of"):
            windows.positions(shape)
    else:
        index = windows.index(shape)
        assert index.shape == (int(np.prod(windows.positions(shape))), windows.taps)
        assert index.tolist() == slow_index(windows, shape)


@given(st.integers(3, 9), st.integers(3, 9), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1))
def test_the_number_of_windows_is_torchs(rows, columns, kernel, stride, dilation, padding):
    windows = Windows(*((part, part) for part in (kernel, stride, dilation, padding, padding)))
    image = torch.zeros(1, 1, rows, columns)
    weight = torch.zeros(1, 1, kernel, kernel)
    if min(rows, columns) + 2 * padding > dilation * (kernel - 1):
        expected = torch.nn.functional.conv2d(image, weight, stride=stride, dilation=dilation, padding=padding).shape[
            2:
        ]
        assert windows.positions((rows, columns)) == tuple(expected)


def test_plain_windows_move_by_one_and_see_no_padding():
    windows = Windows.plain((2, 3))
    assert windows.taps == 6
    assert windows.positions((4, 5)) == (3, 3)
    assert windows.index((2, 4)).tolist() == [[0, 1, 2, 4, 5, 6], [1, 2, 3, 5, 6, 7]]


def test_negative_padding_crops():
    windows = Windows((1,), (1,), (1,), (-1,), (-2,))
    assert windows.index((6,)).ravel().tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (((1,), (1,), (1,), (0,), (0, 0)), "one entry an axis in each"),
        (((), (), (), (), ()), "one entry an axis in each"),
        (((0,), (1,), (1,), (0,), (0,)), "at least 1, not"),
        (((1,), (0,), (1,), (0,), (0,)), "at least 1, not"),
        (((1, 1), (1, 1), (1, -1), (0, 0), (0, 0)), "at least 1, not"),
    ],
)
def test_windows_that_make_no_sense_are_refused(parts, message):
    with pytest.raises(GraphError, match=message):
        Windows(*parts)


def test_windows_over_another_number_of_axes_are_refused():
    with pytest.raises(GraphError, match=r"a window over 1 axes cannot slide over positions \(4, 4\)"):
        Windows.plain((2,)).positions((4, 4))

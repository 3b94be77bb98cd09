"""Recorded series, (steps, channels) or (channels, steps) a sample, standardised by their training part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from aeon.datasets import load_japanese_vowels
from seglearn.datasets import load_watch

from fpgaprune.api import Data

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]
    Samples = tuple[FloatArray, npt.NDArray[np.int64]]

WATCH_WINDOW = 64  # steps, at 50 a second
WATCH_TEST_SUBJECTS = (8, 9, 10)
VOWEL_STEPS = 29  # of the longest recording


def watch() -> Data:
    """Return windows (6 channels, 64 steps) of shoulder exercises in 7 classes, recorded by a watch.

    Three of the ten persons are for test alone. Training windows overlap by half, test windows do not.
    Recordings: Burns et al. 2018, "Shoulder physiotherapy exercise recognition", which seglearn carries.
    """
    recorded = load_watch()
    unseen = np.isin(recorded["subject"], WATCH_TEST_SUBJECTS)
    train_x, train_y = _windows(recorded, ~unseen, WATCH_WINDOW // 2)
    test_x, test_y = _windows(recorded, unseen, WATCH_WINDOW)
    mean, deviation = train_x.mean(axis=(0, 1)), train_x.std(axis=(0, 1))
    train_x, test_x = (np.moveaxis((x - mean) / deviation, 2, 1) for x in (train_x, test_x))
    return Data.from_arrays(train_x, train_y, test_x, test_y)


def _windows(recorded: dict[str, list[FloatArray]], chosen: npt.NDArray[np.bool_], stride: int) -> Samples:
    """Return the windows (n, steps, channels) of the chosen recordings, and the class of each."""
    x, y = [], []
    for index in np.flatnonzero(chosen):
        series = recorded["X"][index]
        starts = range(0, len(series) - WATCH_WINDOW + 1, stride)
        x += [series[start : start + WATCH_WINDOW] for start in starts]
        y += [recorded["y"][index]] * len(starts)
    return np.stack(x), np.array(y)


def vowels() -> Data:
    """Return Japanese vowels (29 steps, 12 cepstral coefficients) by 9 speakers, 270 for training and 370 for test.

    Recordings are 7 to 29 steps long; zeros in front bring them to 29, so that the last step is always speech.
    Recordings: Kudo, Toyama & Shimbo 1999, which aeon carries.
    """
    train_x, train_y = load_japanese_vowels("train")
    test_x, test_y = load_japanese_vowels("test")
    steps = np.concatenate(train_x, axis=1)
    mean, deviation = steps.mean(axis=1, keepdims=True), steps.std(axis=1, keepdims=True)
    train, test = ([(series - mean) / deviation for series in part] for part in (train_x, test_x))
    classes = [labels.astype(np.int64) - 1 for labels in (train_y, test_y)]
    return Data.from_arrays(_padded(train), classes[0], _padded(test), classes[1], batch_size=32)


def _padded(recordings: list[FloatArray]) -> FloatArray:
    """Return recordings (channels, any number of steps) as one array (n, steps, channels), zeros in front."""
    padded = [np.pad(series, ((0, 0), (VOWEL_STEPS - series.shape[1], 0))) for series in recordings]
    return np.stack(padded).swapaxes(1, 2)

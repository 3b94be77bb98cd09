"""The small layers that larger operations are made of; each function adds one and returns its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fpgaprune.capture.records import (
    Add,
    Affine,
    Clip,
    ConstantLayer,
    Conv,
    Function,
    FunctionKind,
    Gather,
    Linear,
    Maximum,
    Multiply,
)

if TYPE_CHECKING:
    from fpgaprune.capture.layout import Place
    from fpgaprune.capture.records import FloatArray
    from fpgaprune.fixed import Fixed
    from fpgaprune.windows import Windows


def clipped(place: Place, name: str, source: str, low: float | None, high: float | None) -> str:
    """Add a Clip."""
    return place.add(Clip(name, source, place.shape(source), low, high, place.where))


def in_format(place: Place, name: str, source: str, to: Fixed) -> str:
    """Add a Clip that has a format of its own."""
    return place.add(Clip(name, source, place.shape(source), None, None, place.where, to))


def scaled(place: Place, name: str, source: str, scale: float, bias: float = 0.0) -> str:
    """Add an Affine that is part of an operation, with one scale and one bias for all channels."""
    channels = place.shape(source)[-1]
    return channelwise(place, name, source, np.full(channels, scale), np.full(channels, bias), trainable=False)


def channelwise(
    place: Place, name: str, source: str, scale: FloatArray, bias: FloatArray, *, trainable: bool = True
) -> str:
    """Add an Affine."""
    positions = place.shape(source)[:-1]
    return place.add(Affine(name, source, scale, bias, place.where, positions, trainable))


def looked_up(place: Place, name: str, source: str, kind: FunctionKind, parameter: float = 0.0) -> str:
    """Add a Function, and before it a Clip without ends: quantisation narrows there what the table must reach."""
    index = clipped(place, place.reading.names.take(f"{name}.index"), source, None, None)
    return place.add(Function(name, index, place.shape(source), kind, parameter, place.where))


def added(place: Place, name: str, left: str, right: str, *, subtract: bool = False) -> str:
    """Add an Add."""
    return place.add(Add(name, left, right, place.shape(left), place.where, subtract))


def multiplied(place: Place, name: str, left: str, right: str) -> str:
    """Add a Multiply."""
    return place.add(Multiply(name, left, right, place.shape(left), place.where))


def constant(place: Place, name: str, values: FloatArray) -> str:
    """Add a ConstantLayer."""
    return place.add(ConstantLayer(name, values, place.where))


def largest(place: Place, name: str, source: str) -> str:
    """Add a Maximum."""
    return place.add(Maximum(name, source, (*place.shape(source)[:-1], 1), place.where))


def summed(place: Place, name: str, source: str, factor: float = 1.0) -> str:
    """Add a Linear that sums the channels at each position and multiplies the sum by the factor."""
    *positions, channels = place.shape(source)
    weight = np.full((1, channels), factor)
    return place.add(
        Linear(name, source, weight, np.zeros(1), where=place.where, positions=tuple(positions), trainable=False)
    )


def window_sums(place: Place, name: str, source: str, windows: Windows, factor: float) -> str:
    """Add a depthwise Conv that sums each channel in each window and multiplies the sums by the factor."""
    *positions, channels = place.shape(source)
    weight = np.full((channels, 1, *windows.kernel), factor)
    found = windows.positions(tuple(positions))
    return place.add(
        Conv(name, source, weight, np.zeros(channels), windows, channels, found, where=place.where, trainable=False)
    )


def repeated(place: Place, name: str, source: str, channels: int) -> str:
    """Add a Gather that gives a layer (*positions, 1) as many channels."""
    positions = place.shape(source)[:-1]
    index = np.repeat(np.arange(place.reading.size(source)), channels)
    return place.add(Gather(name, source, (*positions, channels), index, place.where))


def gathered(place: Place, name: str, source: str, start: int, stop: int) -> str:
    """Add a Gather that takes a range of a vector."""
    return place.add(Gather(name, source, (stop - start,), np.arange(start, stop), place.where))

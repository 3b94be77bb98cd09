"""A captured model in float64: what calibration watches, and what capture is checked with."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import torch
from typing_extensions import assert_never

from fpgaprune.capture.records import (
    Add,
    Affine,
    ArgMax,
    BatchNorm,
    Clip,
    Concat,
    ConstantLayer,
    Conv,
    FloatArray,
    Function,
    FunctionKind,
    Gather,
    InputLayer,
    Layer,
    Linear,
    MatMul,
    Maximum,
    MaxPool,
    Multiply,
    Reshape,
    Scan,
)
from fpgaprune.fixed import from_float, to_float
from fpgaprune.several import OneOrMore, as_tuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fpgaprune.capture.network import Network
    from fpgaprune.windows import Windows


def trace(network: Network, x: OneOrMore[FloatArray]) -> dict[str, FloatArray]:
    """Return the result of every layer by its name (samples, *shape) for inputs (samples, *the user's order).

    Several inputs are a tuple. Layers in the body of a Scan have a result for each step: (samples * steps, *shape).
    """
    known = {
        layer.name: _ordered(np.asarray(values, dtype=np.float64), layer)
        for layer, values in zip(network.inputs, as_tuple(x), strict=True)
    }
    _run(network.layers, known)
    return known


def _ordered(values: FloatArray, layer: InputLayer) -> FloatArray:
    axes = [axis + 1 for axis in layer.axes]
    return values.transpose(0, *axes) if axes else values


def _run(layers: Iterable[Layer], known: dict[str, FloatArray]) -> None:
    """Add the results of the layers to those known; those of inputs are."""
    samples = len(next(iter(known.values())))
    for layer in layers:
        if isinstance(layer, Scan):
            known |= _scanned(layer, known[layer.source])
        elif not isinstance(layer, InputLayer):
            known[layer.name] = _step(layer, [known[name] for name in layer.sources], samples)


def _step(layer: Layer, read: list[FloatArray], samples: int) -> FloatArray:
    match layer:
        case ConstantLayer():
            return np.broadcast_to(layer.values, (samples, *layer.shape))
        case Linear():
            return read[0] @ layer.weight.T + layer.bias
        case Conv():
            return _convolved(layer, read[0])
        case BatchNorm():
            return read[0] * layer.scale + layer.offset
        case Affine():
            return read[0] * layer.scale + layer.bias
        case Clip():
            limited = _clipped(read[0], layer.low, layer.high)
            return limited if layer.to is None else to_float(from_float(limited, layer.to), layer.to.fraction)
        case Function():
            return _looked_up(layer, read[0])
        case Add():
            return read[0] - read[1] if layer.subtract else read[0] + read[1]
        case Multiply():
            return read[0] * read[1]
        case MatMul():
            return _products(*read)
        case MaxPool():
            return _pooled(layer.windows, read[0])
        case Maximum():
            return _largest(read[0])
        case ArgMax():
            return _place_of_largest(read[0])
        case Reshape():
            return read[0].reshape(samples, *layer.shape)
        case Gather():
            return read[0].reshape(samples, -1)[:, layer.index].reshape(samples, *layer.shape)
        case Concat():
            return np.concatenate(read, axis=-1)
        case InputLayer() | Scan():
            msg = f"{layer.name} is run by its network"
            raise AssertionError(msg)
        case _:
            assert_never(layer)


def _convolved(layer: Conv, values: FloatArray) -> FloatArray:
    convolve = torch.nn.functional.conv1d if len(layer.positions) == 1 else torch.nn.functional.conv2d
    weight, bias, windows = torch.tensor(layer.weight), torch.tensor(layer.bias), layer.windows
    image = _channels_first(windows, values, 0.0)
    return _channels_last(convolve(image, weight, bias, windows.stride, 0, windows.dilation, layer.groups))


def _pooled(windows: Windows, values: FloatArray) -> FloatArray:
    pool = torch.nn.functional.max_pool1d if len(windows.kernel) == 1 else torch.nn.functional.max_pool2d
    image = _channels_first(windows, values, -torch.inf)
    return _channels_last(pool(image, windows.kernel, windows.stride, 0, windows.dilation))


def _channels_first(windows: Windows, values: FloatArray, fill: float) -> torch.Tensor:
    """Return the values (samples, channels, *positions), padded or cropped as the windows say."""
    ends = [end for axis in zip(windows.before, windows.after, strict=True) for end in reversed(axis)]
    return torch.nn.functional.pad(torch.tensor(np.moveaxis(values, -1, 1)), ends[::-1], value=fill)


def _channels_last(image: torch.Tensor) -> FloatArray:
    return np.ascontiguousarray(np.moveaxis(image.numpy(), 1, -1))


def _products(left: FloatArray, right: FloatArray) -> FloatArray:
    products: FloatArray = left @ right.swapaxes(-1, -2)
    return products


def _largest(values: FloatArray) -> FloatArray:
    largest: FloatArray = values.max(axis=-1, keepdims=True)
    return largest


def _place_of_largest(values: FloatArray) -> FloatArray:
    places: FloatArray = values.argmax(axis=-1).astype(np.float64)
    return places[..., np.newaxis]


def _clipped(values: FloatArray, low: float | None, high: float | None) -> FloatArray:
    limits = (-np.inf if low is None else low, np.inf if high is None else high)
    clipped: FloatArray = np.clip(values, *limits)
    return clipped


def _scanned(scan: Scan, sequence: FloatArray) -> dict[str, FloatArray]:
    """Return the results of the scan and of the layers in its body."""
    samples, steps = sequence.shape[:2]
    states = [np.broadcast_to(values, (samples, *values.shape)) for values in scan.initial]
    step_name = next(layer.name for layer in scan.body if isinstance(layer, InputLayer))
    places: dict[str, list[FloatArray]] = defaultdict(lambda: [np.empty(0)] * steps)
    for place in reversed(range(steps)) if scan.reverse else range(steps):
        known = {step_name: sequence[:, place], **dict(zip(scan.state_names, states, strict=True))}
        _run(scan.body, known)
        states = [known[name] for name in scan.new_states]
        for name, values in known.items():
            places[name][place] = values
    results = {name: np.stack(values, axis=1) for name, values in places.items()}
    inside = {name: values.reshape(samples * steps, *values.shape[2:]) for name, values in results.items()}
    return {**inside, scan.name: results[scan.new_states[scan.result]]}


def _looked_up(layer: Function, values: FloatArray) -> FloatArray:
    found: FloatArray = function_of(layer.kind, torch.tensor(values), layer.parameter).numpy()
    return found


def function_of(kind: FunctionKind, x: torch.Tensor, parameter: float) -> torch.Tensor:
    """Return the function of each element, in torch, so that it has a gradient."""
    functional = torch.nn.functional
    match kind:
        case FunctionKind.SIGMOID:
            return x.sigmoid()
        case FunctionKind.TANH:
            return x.tanh()
        case FunctionKind.SILU:
            return functional.silu(x)
        case FunctionKind.GELU:
            return functional.gelu(x)
        case FunctionKind.GELU_TANH:
            return functional.gelu(x, approximate="tanh")
        case FunctionKind.ELU:
            return functional.elu(x, parameter)
        case FunctionKind.SOFTPLUS:
            return functional.softplus(x, parameter)
        case FunctionKind.EXP:
            return x.exp()
        case FunctionKind.LOG:
            return x.log()
        case FunctionKind.RECIPROCAL:
            return x.reciprocal()
        case FunctionKind.RSQRT:
            return (x + parameter).rsqrt()
        case _:
            assert_never(kind)

"""What a quantised model computes, in numpy's int64 and from the records alone: an oracle for the torch module."""

from __future__ import annotations

import numpy as np

from fpgaprune.fixed import clip, requantise
from fpgaprune.quantise import (
    QuantisedAdd,
    QuantisedAffine,
    QuantisedArgMax,
    QuantisedClip,
    QuantisedConcat,
    QuantisedConstant,
    QuantisedConv,
    QuantisedFunction,
    QuantisedGather,
    QuantisedInput,
    QuantisedLinear,
    QuantisedMatMul,
    QuantisedMaximum,
    QuantisedMaxPool,
    QuantisedMultiply,
    QuantisedReshape,
    QuantisedScan,
)


def integers(model, inputs):
    """Layer → mantissas (samples, *shape) for mantissas of the input; (samples, steps, *shape) inside of loops."""
    known = {model.input.name: inputs}
    run(model.layers, known, model.formats)
    return known


def run(layers, known, formats):
    samples = len(next(iter(known.values())))
    for layer in layers:
        if isinstance(layer, QuantisedScan):
            known |= scanned(layer, known[layer.source], formats)
        elif not isinstance(layer, QuantisedInput):
            known[layer.name] = result(layer, [known[name] for name in layer.sources], formats, samples)


def result(layer, read, formats, samples):
    words = [formats[name] for name in layer.sources]
    if isinstance(layer, (QuantisedLinear, QuantisedConv, QuantisedAffine, QuantisedAdd)) or hasattr(layer, "left"):
        exact = total(layer, read, words)
        assert layer.accumulator.holds(int(exact.min()), int(exact.max())), layer.name
        return requantise(exact, layer.accumulator.fraction, layer.format)
    match layer:
        case QuantisedConstant():
            return np.broadcast_to(layer.values, (samples, *layer.shape))
        case QuantisedClip():
            return requantise(clip(read[0], layer.low, layer.high), words[0].fraction, layer.format)
        case QuantisedFunction():
            return layer.values[read[0] - layer.low]
        case QuantisedMaxPool():
            return taps(layer.windows, read[0], words[0].low).max(axis=2).reshape(samples, *layer.shape)
        case QuantisedMaximum():
            return read[0].max(axis=-1, keepdims=True)
        case QuantisedArgMax():
            return read[0].argmax(axis=-1)[..., np.newaxis]
        case QuantisedReshape():
            return read[0].reshape(samples, *layer.shape)
        case QuantisedGather():
            return read[0].reshape(samples, -1)[:, layer.index].reshape(samples, *layer.shape)
        case QuantisedConcat():
            return np.concatenate(list(aligned(read, words, layer.format.fraction)), axis=-1)
        case _:
            raise AssertionError(layer)


def total(layer, read, words):
    match layer:
        case QuantisedLinear():
            return read[0] @ layer.weight.T + layer.bias
        case QuantisedConv():
            seen = taps(layer.windows, read[0], 0)
            sums = seen.reshape(*seen.shape[:2], -1) @ layer.matrix.T + layer.bias
            return sums.reshape(len(sums), *layer.shape)
        case QuantisedAffine():
            return read[0] * layer.scale + layer.bias
        case QuantisedAdd():
            left, right = aligned(read, words, layer.accumulator.fraction)
            return left - right if layer.subtract else left + right
        case QuantisedMultiply():
            return read[0] * read[1]
        case QuantisedMatMul():
            return np.einsum("...nk,...mk->...nm", *read)


def aligned(read, words, fraction):
    return (values << (fraction - word.fraction) for values, word in zip(read, words, strict=True))


def taps(windows, values, fill):
    """The values (samples, windows, taps, channels) that windows see; what is outside is ``fill``."""
    samples, *positions, channels = values.shape
    flat = values.reshape(samples, -1, channels)
    outside = np.full((samples, 1, channels), fill)
    return np.concatenate([flat, outside], axis=1)[:, windows.index(tuple(positions))]  # -1 is the last


def scanned(scan, sequence, formats):
    samples, steps = sequence.shape[:2]
    step_name = scan.body[0].name
    states = [np.broadcast_to(values, (samples, *values.shape)) for values in scan.initial]
    places = [None] * steps
    for place in range(steps)[::-1] if scan.reverse else range(steps):
        known = {step_name: sequence[:, place], **dict(zip(scan.state_names, states, strict=True))}
        run(scan.body, known, formats)
        states = [known[name] for name in scan.new_states]
        places[place] = known
    stacked = {name: np.stack([known[name] for known in places], axis=1) for name in places[0]}
    return {**stacked, scan.name: stacked[scan.new_states[scan.result]]}

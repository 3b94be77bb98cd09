"""Normalisations and softmax."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from fpgaprune.capture import parts
from fpgaprune.capture.elementwise import NEGLIGIBLE
from fpgaprune.capture.layout import Place, by_storage, in_rows
from fpgaprune.capture.records import BatchNorm, FunctionKind
from fpgaprune.capture.refusals import refused
from fpgaprune.windows import OUTSIDE

if TYPE_CHECKING:
    from torch import fx

    from fpgaprune.capture.layout import Rows
    from fpgaprune.capture.reading import Arguments, Reading, Result, Value
    from fpgaprune.capture.records import FloatArray
    from fpgaprune.windows import Axes


def batch_norm(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a batch normalisation with fixed statistics."""
    return (_batch_norm(Place.of(reading, node, "batch_norm"), arguments, arguments.result("input")),)


def _batch_norm(place: Place, arguments: Arguments, source: Result) -> Result:
    mean, variance = arguments.array("running_mean"), arguments.array("running_var")
    eps = float(arguments.plain("eps"))
    if (variance + eps <= 0).any():
        refused(place.node, f"a variance of {variance.min()} with eps={eps}", "train the batch normalisation again")
    rows = in_rows(place, source, (1,))
    name = place.add(
        BatchNorm(
            place.name,
            rows.layer,
            gamma=_weights(arguments, "weight", mean, 1.0),
            beta=_weights(arguments, "bias", mean, 0.0),
            mean=mean,
            variance=variance,
            eps=eps,
            where=place.where,
            positions=rows.shape[:-1],
        )
    )
    return rows.result(name)


def _weights(arguments: Arguments, name: str, like: FloatArray, default: float) -> FloatArray:
    return arguments.array(name) if arguments.optional(name) else np.full_like(like, default)


def layer_norm(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a layer normalisation over the last axes."""
    place, source = Place.of(reading, node, "layer_norm"), arguments.result("input")
    rows = in_rows(place, source, _last(arguments))
    affine = arguments.optional("weight") is not None or arguments.optional("bias") is not None
    normal = _normalised(place.within("normal") if affine else place, rows, float(arguments.plain("eps")))
    return rows.result(_with_weights(place, arguments, normal) if affine else normal)


def rms_norm(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a normalisation by the root of the mean square over the last axes."""
    place, source = Place.of(reading, node, "rms_norm"), arguments.result("input")
    rows = in_rows(place, source, _last(arguments))
    given = arguments.plain("eps")
    eps = torch.finfo(node.meta["val"].dtype).eps if given is None else float(given)
    affine = arguments.optional("weight") is not None
    inner = place.within("normal") if affine else place
    normal = _divided(inner, rows.layer, eps)
    return rows.result(_with_weights(place, arguments, normal) if affine else normal)


def _last(arguments: Arguments) -> Axes:
    return tuple(range(-len(arguments.plain("normalized_shape")), 0))


def _with_weights(place: Place, arguments: Arguments, layer: str) -> str:
    like = np.ones(place.shape(layer)[-1])
    weights = (_weights(arguments, name, like, default).reshape(-1) for name, default in (("weight", 1), ("bias", 0)))
    return parts.channelwise(place, place.name, layer, *weights)


def group_norm(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a normalisation of groups of channels, each over all of its positions."""
    place, source = Place.of(reading, node, "group_norm"), arguments.result("input")
    return _group_norm(place, arguments, source, int(arguments.plain("num_groups")))


def instance_norm(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read an instance normalisation, with its own statistics or with fixed ones."""
    place, source = Place.of(reading, node, "instance_norm"), arguments.result("input")
    if not arguments.plain("use_input_stats"):
        return _batch_norm(place, arguments, source)
    return _group_norm(place, arguments, source, source.shape[1])


def _group_norm(place: Place, arguments: Arguments, source: Result, groups: int) -> Result:
    samples, channels, *positions = source.shape
    grouped = replace(source, index=source.index.reshape(samples, groups, channels // groups, *positions))
    rows = in_rows(place, grouped, by_storage(grouped, range(2, grouped.index.ndim)))
    affine = arguments.optional("weight") is not None
    normal = rows.result(_normalised(place.within("normal") if affine else place, rows, float(arguments.plain("eps"))))
    whole = replace(normal, index=normal.index.reshape(source.shape))
    if not affine:
        return whole
    channelled = in_rows(place, whole, (1,))
    return channelled.result(_with_weights(place, arguments, channelled.layer))


def _normalised(place: Place, rows: Rows, eps: float) -> str:
    """Return the channels at each position, less their mean, over their standard deviation."""
    count = rows.shape[-1]
    mean = parts.summed(place, place.part("mean"), rows.layer, 1 / count)
    means = parts.repeated(place, place.part("means"), mean, count)
    centred = parts.added(place, place.part("centred"), rows.layer, means, subtract=True)
    return _divided(place, centred, eps)


def _divided(place: Place, layer: str, eps: float) -> str:
    """Return the channels at each position over the root of their mean square plus ``eps``."""
    count = place.shape(layer)[-1]
    square = parts.multiplied(place, place.part("square"), layer, layer)
    variance = parts.summed(place, place.part("variance"), square, 1 / count)
    inverse = parts.looked_up(place, place.part("inverse"), variance, FunctionKind.RSQRT, eps)
    inverses = parts.repeated(place, place.part("inverses"), inverse, count)
    return parts.multiplied(place, place.name, layer, inverses)


def softmax(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a softmax over any axis."""
    return softmax_of(Place.of(reading, node, "softmax"), arguments.result("self"), int(arguments.plain("dim")))


def softmax_of(place: Place, source: Result, axis: int) -> Result:
    """Return the softmax over an axis; what a mask makes minus infinity, or nearly so, becomes an exact zero."""
    source, mask = _unmasked(place, source, axis % source.index.ndim)
    rows = in_rows(place, source, (axis,))
    exponentials = _exponentials(place, _shifted(place, rows.layer))
    if mask is not None:
        allowed = parts.constant(place, place.part("mask"), _in_rows_order(mask, rows))
        exponentials = parts.multiplied(place, place.part("masked"), exponentials, allowed)
    total = parts.summed(place, place.part("sum"), exponentials)
    inverse = parts.looked_up(place, place.part("inverse"), total, FunctionKind.RECIPROCAL)
    inverses = parts.repeated(place, place.part("inverses"), inverse, rows.shape[-1])
    return rows.result(parts.multiplied(place, place.name, exponentials, inverses))


def log_softmax(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read the logarithm of a softmax over any axis."""
    place = Place.of(reading, node, "log_softmax")
    rows = in_rows(place, arguments.result("self"), (int(arguments.plain("dim")),))
    shifted = _shifted(place, rows.layer)
    total = parts.summed(place, place.part("sum"), _exponentials(place, shifted))
    log = parts.looked_up(place, place.part("log"), total, FunctionKind.LOG)
    logs = parts.repeated(place, place.part("logs"), log, rows.shape[-1])
    return rows.result(parts.added(place, place.name, shifted, logs, subtract=True))


def _shifted(place: Place, layer: str) -> str:
    """Return the channels less the largest at their position, so that none is above zero."""
    largest = parts.largest(place, place.part("max"), layer)
    repeated = parts.repeated(place, place.part("maxes"), largest, place.shape(layer)[-1])
    return parts.added(place, place.part("shifted"), layer, repeated, subtract=True)


def _exponentials(place: Place, layer: str) -> str:
    return parts.looked_up(place, place.part("exp"), layer, FunctionKind.EXP)


def _unmasked(place: Place, source: Result, axis: int) -> tuple[Result, FloatArray | None]:
    """Return the tensor with another element of its row wherever it is masked, and a mask that is zero there.

    That element leaves the largest of the row as it is.
    """
    allowed = source.index != OUTSIDE
    if source.fill > NEGLIGIBLE or allowed.all():
        return source, None
    if not allowed.any(axis=axis).all():
        refused(place.node, "a softmax over masked elements only", "leave one element of each row unmasked")
    first = np.expand_dims(allowed.argmax(axis=axis), axis)
    stand_ins = np.take_along_axis(source.index, first, axis=axis)
    return replace(source, index=np.where(allowed, source.index, stand_ins)), allowed.astype(np.float64)


def _in_rows_order(values: FloatArray, rows: Rows) -> FloatArray:
    return values.transpose((*rows.outer, *rows.inner)).reshape(rows.shape)

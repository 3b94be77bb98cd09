"""Operations on one element at a time: limits, functions, sums and products."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from fpgaprune.capture import parts
from fpgaprune.capture.export import operation_name
from fpgaprune.capture.layout import Place, alike, in_rows, in_storage_order, settled
from fpgaprune.capture.reading import Arguments, Constant, Reading, Result, Value, as_numbers
from fpgaprune.capture.records import Affine, Conv, FloatArray, FunctionKind, Linear
from fpgaprune.capture.refusals import refused
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.windows import OUTSIDE

if TYPE_CHECKING:
    from torch import fx

Reader: TypeAlias = Callable[[Reading, "fx.Node", Arguments], Value]
Operand: TypeAlias = Result | FloatArray
"""What an operation reads: a tensor that depends on the input, or one or more constant numbers."""


NEGLIGIBLE = -1e4
"""What is as good as minus infinity before a softmax: its exponential is zero in any number format."""

_SOFTMAX = frozenset({"softmax.int", "_softmax", "_safe_softmax"})


def unary(place: Place, result: Result, step: Callable[[str], str]) -> Result:
    """Return what a step on each element makes of the tensor, in the order that it has in memory."""
    source = settled(place, result)
    return replace(source, layer=step(source.layer))


def looked_up(place: Place, result: Result, kind: FunctionKind, parameter: float = 0.0) -> Result:
    """Return a function of each element."""
    return unary(place, result, lambda layer: parts.looked_up(place, place.name, layer, kind, parameter))


def function(kind: FunctionKind, operation: str, parameter: str = "") -> Reader:
    """Return the reader of an operation that one table is enough for; ``parameter`` names its argument, if any."""

    def read(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
        place = Place.of(reading, node, operation)
        number = float(arguments.plain(parameter)) if parameter else 0.0
        return looked_up(place, arguments.result("self"), kind, number)

    return read


def clip(operation: str, low: float | str | None, high: float | str | None) -> Reader:
    """Return the reader of an operation that limits each element; an end may be the name of an argument."""

    def read(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
        ends = [arguments.plain(end) if isinstance(end, str) else end for end in (low, high)]
        bottom, top = (None if end is None or math.isinf(end) else float(end) for end in ends)
        if bottom is not None and top is not None and bottom > top:
            refused(node, f"the empty clamp {bottom}…{top}", "exchange its ends")
        place = Place.of(reading, node, operation)
        return unary(
            place, arguments.result("self"), lambda layer: parts.clipped(place, place.name, layer, bottom, top)
        )

    return read


def in_format(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a FixedPoint of `fpgaprune.prune`."""
    signed, width, fraction = (arguments.plain(name) for name in ("signed", "width", "fraction"))
    to = Fixed(signed, width, fraction, Rounding(arguments.plain("rounding")), Overflow(arguments.plain("overflow")))
    place = Place.of(reading, node, "fixed")
    return unary(place, arguments.result("x"), lambda layer: parts.in_format(place, place.name, layer, to))


def threshold(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a threshold that is a ReLU."""
    if arguments.plain("threshold") != 0 or arguments.plain("value") != 0:
        refused(node, "a threshold other than at 0 to 0", "use torch.relu or torch.clamp")
    return clip("threshold", 0.0, None)(reading, node, arguments)


def gelu(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read both kinds of GELU."""
    kind = FunctionKind.GELU_TANH if arguments.plain("approximate") == "tanh" else FunctionKind.GELU
    return function(kind, "gelu")(reading, node, arguments)


def elu(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read elu, with the scales that other exponential units put before and after it."""
    place = Place.of(reading, node, "elu")
    numbers = (float(arguments.plain(name)) for name in ("alpha", "scale", "input_scale"))
    return _elu(place, arguments.result("self"), *numbers)


def selu(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read selu."""
    return _elu(Place.of(reading, node, "selu"), arguments.result("self"), _SELU_ALPHA, _SELU_SCALE, 1.0)


def celu(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read celu."""
    alpha = float(arguments.plain("alpha"))
    return _elu(Place.of(reading, node, "celu"), arguments.result("self"), 1.0, alpha, 1 / alpha)


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def _elu(place: Place, result: Result, alpha: float, scale: float, input_scale: float) -> Result:
    """Return ``scale * x`` above zero, else ``scale * alpha * (exp(input_scale * x) - 1)``.

    Both celu and elu with scales have ``elu(x * input_scale)`` in them, where the branch above zero is right as well.
    """
    if scale == input_scale == 1:
        return looked_up(place, result, FunctionKind.ELU, alpha)

    def step(layer: str) -> str:
        inside = parts.scaled(place, place.part("scaled"), layer, input_scale)
        curve = parts.looked_up(place, place.part("elu"), inside, FunctionKind.ELU, alpha)
        return parts.scaled(place, place.name, curve, scale)

    return unary(place, result, step)


def log_sigmoid(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``log(sigmoid(x))``, which is ``-softplus(-x)``."""
    place = Place.of(reading, node, "log_sigmoid")

    def step(layer: str) -> str:
        negative = parts.scaled(place, place.part("negative"), layer, -1)
        curve = parts.looked_up(place, place.part("softplus"), negative, FunctionKind.SOFTPLUS, 1.0)
        return parts.scaled(place, place.name, curve, -1)

    return unary(place, arguments.result("self"), step)


def mish(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``x * tanh(softplus(x))``."""
    place = Place.of(reading, node, "mish")

    def step(layer: str) -> str:
        softplus = parts.looked_up(place, place.part("softplus"), layer, FunctionKind.SOFTPLUS, 1.0)
        gate = parts.looked_up(place, place.part("tanh"), softplus, FunctionKind.TANH)
        return parts.multiplied(place, place.name, layer, gate)

    return unary(place, arguments.result("self"), step)


def glu(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read the product of one half of the channels with the sigmoid of the other."""
    place, source = Place.of(reading, node, "glu"), arguments.result("self")
    left, right = np.split(source.index, 2, axis=arguments.plain("dim"))
    gate = looked_up(place.within("sigmoid"), replace(source, index=right), FunctionKind.SIGMOID)
    return product(place, replace(source, index=left), gate)


def hardsigmoid(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``clip(x / 6 + 1 / 2, 0, 1)``."""
    place = Place.of(reading, node, "hardsigmoid")

    def step(layer: str) -> str:
        line = parts.scaled(place, place.part("line"), layer, 1 / 6, 1 / 2)
        return parts.clipped(place, place.name, line, 0.0, 1.0)

    return unary(place, arguments.result("self"), step)


def hardswish(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``x * clip(x + 3, 0, 6) / 6``."""
    place = Place.of(reading, node, "hardswish")

    def step(layer: str) -> str:
        line = parts.scaled(place, place.part("line"), layer, 1.0, 3.0)
        gate = parts.clipped(place, place.part("gate"), line, 0.0, 6.0)
        return parts.scaled(place, place.name, parts.multiplied(place, place.part("product"), layer, gate), 1 / 6)

    return unary(place, arguments.result("self"), step)


def leaky_relu(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``max(x, 0) + slope * min(x, 0)``; in evaluation a random slope is the mean of its ends."""
    ends = [name for name in ("negative_slope", "lower", "upper") if name in arguments]
    slope = sum(float(arguments.plain(name)) for name in ends) / len(ends)
    place = Place.of(reading, node, "leaky_relu")
    return unary(
        place,
        arguments.result("self"),
        lambda layer: _bent(place, layer, lambda low: parts.scaled(place, place.part("slope"), low, slope)),
    )


def prelu(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a leaky ReLU with a trained slope, one for all or one for each channel."""
    place, source, slopes = Place.of(reading, node, "prelu"), arguments.result("self"), arguments.array("weight")

    def bent(layer: str) -> str:
        slope = np.broadcast_to(slopes, place.shape(layer)[-1:])
        zero = np.zeros_like(slope)
        return _bent(place, layer, lambda low: parts.channelwise(place, place.part("slope"), low, slope, zero))

    if slopes.size == 1:
        return unary(place, source, bent)
    rows = in_rows(place, source, (1,))
    return rows.result(bent(rows.layer))


def _bent(place: Place, layer: str, slope: Callable[[str], str]) -> str:
    above = parts.clipped(place, place.part("above"), layer, 0.0, None)
    below = slope(parts.clipped(place, place.part("below"), layer, None, 0.0))
    return parts.added(place, place.name, above, below)


def absolute(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``max(x, 0) - min(x, 0)``."""
    place = Place.of(reading, node, "abs")

    def step(layer: str) -> str:
        above = parts.clipped(place, place.part("above"), layer, 0.0, None)
        below = parts.clipped(place, place.part("below"), layer, None, 0.0)
        return parts.added(place, place.name, above, below, subtract=True)

    return unary(place, arguments.result("self"), step)


def add(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``self + alpha * other``."""
    place = Place.of(reading, node, "add")
    left, right = operands(place, arguments)
    return total(place, left, times(place, right, _alpha(arguments)))


def subtract(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``self - alpha * other``."""
    place = Place.of(reading, node, "sub")
    left, right = operands(place, arguments)
    return difference(place, left, times(place, right, _alpha(arguments)))


def subtract_from(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``other - alpha * self``."""
    place = Place.of(reading, node, "rsub")
    left, right = operands(place, arguments)
    return difference(place, right, times(place, left, _alpha(arguments)))


def multiply(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a product."""
    place = Place.of(reading, node, "mul")
    return product(place, *operands(place, arguments))


def divide(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a quotient; by a tensor, it is the product with its reciprocal."""
    place = Place.of(reading, node, "div")
    left, right = operands(place, arguments)
    if isinstance(right, Result):
        return product(place, left, looked_up(place.within("inverse"), right, FunctionKind.RECIPROCAL))
    if (right == 0).any():
        refused(node, "a division by zero", "leave it out")
    return product(place, left, 1 / right)


def negate(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a change of sign."""
    place = Place.of(reading, node, "neg")
    return with_numbers(place, arguments.result("self"), scale=np.array(-1.0))


def power(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read a power with a small whole exponent, or an inverse or inverse root."""
    place, source = Place.of(reading, node, "pow"), arguments.result("self")
    exponent = 2 if "exponent" not in arguments else arguments.plain("exponent")
    if exponent in (2, 3, 4):
        return _whole_power(place, source, int(exponent))
    if exponent == -1:
        return looked_up(place, source, FunctionKind.RECIPROCAL)
    if exponent != -0.5:
        refused(node, f"a power with the exponent {exponent}", "use 2, 3, 4, -1 or -0.5")
    return looked_up(place, source, FunctionKind.RSQRT)


def _whole_power(place: Place, source: Result, exponent: int) -> Result:
    def step(layer: str) -> str:
        value = layer
        for left in range(exponent - 2, -1, -1):
            value = parts.multiplied(place, place.part("factor") if left else place.name, value, layer)
        return value

    return unary(place, source, step)


def larger(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``maximum(a, b)``, which is ``b + relu(a - b)``."""
    place = Place.of(reading, node, "maximum")
    left, right = operands(place, arguments)
    excess = difference(place.within("excess"), left, right)
    return total(place, right, _limited(place.within("above"), excess, 0.0, None))


def smaller(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``minimum(a, b)``, which is ``b + min(a - b, 0)``."""
    place = Place.of(reading, node, "minimum")
    left, right = operands(place, arguments)
    excess = difference(place.within("excess"), left, right)
    return total(place, right, _limited(place.within("below"), excess, None, 0.0))


def _limited(place: Place, result: Result, low: float | None, high: float | None) -> Result:
    return unary(place, result, lambda layer: parts.clipped(place, place.name, layer, low, high))


def operands(place: Place, arguments: Arguments) -> tuple[Operand, Operand]:
    """Return the two operands; at least one depends on the input."""
    left, right = (_operand(place, arguments, name) for name in ("self", "other"))
    return left, right


def _operand(place: Place, arguments: Arguments, name: str) -> Operand:
    value = arguments.value(name)
    if isinstance(value, Result):
        return value
    if isinstance(value, Constant):
        return numbers_of(place, value)
    number: FloatArray = np.array(float(arguments.plain(name)))
    return number


def numbers_of(place: Place, constant: Constant) -> FloatArray:
    """Return a constant of any type that float64 holds."""
    if constant.tensor.dtype in (torch.bool, torch.int32, torch.int64):
        constant = replace(constant, tensor=constant.tensor.double())
    values = as_numbers(place.node, constant)
    if np.isnan(values).any() or np.isposinf(values).any():
        refused(place.node, f"{constant.name!r} with NaN or infinite values", "make all of its values finite")
    return values


def _alpha(arguments: Arguments) -> float:
    alpha = arguments.plain("alpha")
    return 1.0 if alpha is None else float(alpha)


def times(place: Place, value: Operand, factor: float) -> Operand:
    """Return an operand times a number."""
    if factor == 1:
        return value
    if isinstance(value, Result):
        return with_numbers(place.within("scaled"), value, scale=np.array(factor))
    return value * factor


def total(place: Place, left: Operand, right: Operand) -> Result:
    """Return the sum of two operands, of which at least one depends on the input."""
    if isinstance(left, Result) and isinstance(right, Result):
        one, two, result = alike(place, left, right)
        return replace(result, layer=parts.added(place, place.name, one, two))
    if isinstance(left, Result):
        return with_numbers(place, left, bias=_numbers(right))
    return total(place, right, left)


def difference(place: Place, left: Operand, right: Operand) -> Result:
    """Return the left operand minus the right one."""
    if isinstance(left, Result) and isinstance(right, Result):
        one, two, result = alike(place, left, right)
        return replace(result, layer=parts.added(place, place.name, one, two, subtract=True))
    if isinstance(left, Result):
        return with_numbers(place, left, bias=-_numbers(right))
    assert isinstance(right, Result)  # noqa: S101  # a sum of constants is a constant
    return with_numbers(place, right, scale=np.array(-1.0), bias=left)


def product(place: Place, left: Operand, right: Operand) -> Result:
    """Return the product of two operands, of which at least one depends on the input."""
    if isinstance(left, Result) and isinstance(right, Result):
        one, two, result = alike(place, left, right)
        return replace(result, layer=parts.multiplied(place, place.name, one, two))
    if isinstance(left, Result):
        return with_numbers(place, left, scale=_numbers(right))
    return product(place, right, left)


def _numbers(value: Operand) -> FloatArray:
    assert not isinstance(value, Result)  # noqa: S101  # the caller saw to it
    return value


def with_numbers(
    place: Place, source: Result, scale: FloatArray | None = None, bias: FloatArray | None = None
) -> Result:
    """Return ``scale * source + bias`` for constants, either of which may be left out.

    What is added to a Linear or a Conv alone goes into its bias; constants that differ along the channels at most
    become an Affine, and others a tensor of their own.
    """
    if scale is None and bias is not None:
        masked = bias <= NEGLIGIBLE if _feeds_softmax(place.node) else np.isneginf(bias)
        if masked.any():
            return _masked(place, source, bias, masked)
    if any(np.isinf(values).any() for values in (scale, bias) if values is not None):
        refused(place.node, "a constant with infinite values", "add minus infinity right before a softmax only")
    factor, summand = _like(scale, bias, 1.0), _like(bias, scale, 0.0)
    if factor.size == 1 and factor.ndim <= source.index.ndim:
        settled_source = settled(place, source)
        return replace(settled_source, layer=_affine(place, settled_source, factor.reshape(1), summand.reshape(1)))
    wide, factor = in_storage_order(place, source, factor)
    _, summand = in_storage_order(place, wide, summand)
    rows = [values.reshape(-1, values.shape[-1]) for values in (factor, summand)]
    if all((values == values[0]).all() for values in rows):
        return replace(wide, layer=_affine(place, wide, *(values[0] for values in rows)))
    return replace(wide, layer=_with_tensors(place, wide.layer, factor, summand))


def _like(values: FloatArray | None, other: FloatArray | None, default: float) -> FloatArray:
    shape = np.broadcast_shapes(*(each.shape for each in (values, other) if each is not None))
    return np.broadcast_to(np.array(default) if values is None else values, shape)


def _feeds_softmax(node: fx.Node) -> bool:
    readers = {operation_name(user.target) for user in node.users}
    within = operation_name(node.target) == "scaled_dot_product_attention"
    return within or (bool(readers) and readers <= _SOFTMAX)


def _masked(place: Place, source: Result, bias: FloatArray, masked: npt.NDArray[np.bool_]) -> Result:
    """Return a sum with a constant that holds minus infinity: what a softmax leaves out."""
    finite = np.where(masked, 0.0, bias)
    moved = with_numbers(place, source, bias=finite) if finite.any() else source
    index = np.where(masked, OUTSIDE, moved.index)
    return replace(moved, index=index, fill=-math.inf)


def _affine(place: Place, source: Result, scale: FloatArray, bias: FloatArray) -> str:
    """Return a layer with a scale and a bias for each channel, or one for all."""
    layer = place.reading.layers[source.layer]
    alone = not place.reading.is_shared(source)
    if isinstance(layer, (Linear, Conv)) and layer.trainable and (scale == 1).all() and alone:
        names = [value.name for value in place.read_values if isinstance(value, Constant)]
        return place.add(replace(layer, bias=layer.bias + bias, bias_name=layer.bias_name or "".join(names[:1])))
    if isinstance(layer, Affine) and not layer.trainable and alone:
        return place.add(replace(layer, scale=layer.scale * scale, bias=layer.bias * scale + bias))
    channels = place.shape(source.layer)[-1:]
    scales, biases = (np.broadcast_to(values, channels) for values in (scale, bias))
    return parts.channelwise(place, place.name, source.layer, scales, biases, trainable=False)


def _with_tensors(place: Place, layer: str, scale: FloatArray, bias: FloatArray) -> str:
    """Return a layer with a scale and a bias for each element."""
    if (scale != 1).any():
        factor = parts.constant(place, place.part("scale"), scale)
        name = place.part("scaled") if bias.any() else place.name
        layer = parts.multiplied(place, name, layer, factor)
    if bias.any():
        summand = parts.constant(place, place.part("constant"), bias)
        layer = parts.added(place, place.name, layer, summand)
    return layer

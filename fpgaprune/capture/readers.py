"""One reader for each ATen operation that a quantised network can hold; everything else is refused by name."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import fx

from fpgaprune.capture.origin import where
from fpgaprune.capture.reading import Arguments, Constant, Reading, Value, as_array, shape_of
from fpgaprune.capture.records import Add, BatchNorm, Clip, FloatArray, Linear, Reshape
from fpgaprune.capture.refusals import refused, refused_operation

if TYPE_CHECKING:
    from collections.abc import Mapping

Reader: TypeAlias = Callable[[Reading, fx.Node, Arguments], Value]

_aten = torch.ops.aten


def read(reading: Reading, node: fx.Node) -> Value:
    """Return what one call stands for, having added the layer that it becomes.

    Raises:
        UnsupportedError: the operation is not in the table, or its arguments are beyond what it can take.
    """
    if reading.is_constant(node):
        return reading.fold(node)
    if node.target not in READERS:
        refused_operation(node)
    return READERS[node.target](reading, node, Arguments(reading, node))


def _same(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:  # noqa: ARG001  # a Reader
    """Elide an operation that leaves values as they are."""
    return reading.values[node.all_input_nodes[0]]


def _same_type(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Elide a conversion between float32 and float64: quantisation decides the format anyway."""
    if node.meta["val"].dtype not in (torch.float32, torch.float64):
        kind = str(node.meta["val"].dtype).removeprefix("torch.")
        refused(node, f"the conversion to {kind}", "leave number formats to quantisation")
    return _same(reading, node, arguments)


def _first_of_several(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Elide the selection of a batch normalisation's first result; torch makes the others for training only."""
    if node.args[1] != 0:
        refused_operation(node)
    return _same(reading, node, arguments)


def _linear(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    weight, bias = arguments.constant("weight"), arguments.optional("bias")
    return _add_linear(reading, node, arguments.layer("input"), weight, arguments.array("weight"), bias)


def _addmm(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    for factor in ("alpha", "beta"):
        if arguments.plain(factor) != 1:
            refused(node, f"addmm with {factor}={arguments.plain(factor)}", "multiply the factor into the weights")
    weight, bias = arguments.constant("mat2"), arguments.constant("self")
    return _add_linear(reading, node, arguments.layer("mat1"), weight, arguments.array("mat2").T, bias)


def _matmul(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    right = "mat2" if "mat2" in arguments else "other"
    weight = arguments.constant(right)
    return _add_linear(reading, node, arguments.layer("self"), weight, arguments.array(right).T, None)


def _add_linear(
    reading: Reading, node: fx.Node, layer: str, weight: Constant, matrix: FloatArray, bias: Constant | None
) -> Value:
    _check_vector(reading, node, layer)
    if matrix.ndim != 2:
        refused(node, f"a product with {weight.name!r} of shape {matrix.shape}", "use a matrix, as nn.Linear does")
    size = len(matrix)
    offset = np.zeros(size) if bias is None else _row_vector(node, as_array(node, bias), size)
    name = reading.name_for(node, "linear")
    bias_name = "" if bias is None else bias.name
    return reading.add(Linear(name, layer, matrix, offset, weight.name, bias_name, where(node)))


def _row_vector(node: fx.Node, values: FloatArray, size: int) -> FloatArray:
    """Return a constant that is added to a tensor (batch, size) as (size,)."""
    if math.prod(values.shape[:-1]) != 1 or values.shape[-1:] not in ((), (1,), (size,)):
        refused(node, f"adding a constant of shape {values.shape} to {size} values", f"give it the shape ({size},)")
    return np.broadcast_to(values.reshape(-1), (size,))


def _check_vector(reading: Reading, node: fx.Node, layer: str) -> None:
    shape = reading.layers[layer].shape
    if len(shape) != 1:
        refused(node, f"this operation on inputs {_batch(shape)}", "flatten them first, with nn.Flatten")


def _batch(shape: tuple[int, ...]) -> str:
    return f"({', '.join(['batch', *map(str, shape)])})"


def _batch_norm(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    layer = arguments.layer("input")
    _check_vector(reading, node, layer)
    mean, variance = arguments.array("running_mean"), arguments.array("running_var")
    eps = float(arguments.plain("eps"))
    if (variance + eps <= 0).any():
        refused(node, f"a variance of {variance.min()} with eps={eps}", "train the batch normalisation again")
    return reading.add(
        BatchNorm(
            reading.name_for(node, "batch_norm"),
            layer,
            gamma=arguments.array("weight") if arguments.optional("weight") else np.ones_like(mean),
            beta=arguments.array("bias") if arguments.optional("bias") else np.zeros_like(mean),
            mean=mean,
            variance=variance,
            eps=eps,
            where=where(node),
        )
    )


def _relu(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    return _add_clip(reading, node, arguments.layer("self"), "relu", (0.0, None))


def _relu6(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    return _add_clip(reading, node, arguments.layer("self"), "relu6", (0.0, 6.0))


def _hardtanh(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    ends = (arguments.plain("min_val"), arguments.plain("max_val"))
    return _add_clip(reading, node, arguments.layer("self"), "hardtanh", ends)


def _clamp(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    ends = (arguments.plain("min"), arguments.plain("max"))
    return _add_clip(reading, node, arguments.layer("self"), "clamp", ends)


def _add_clip(
    reading: Reading, node: fx.Node, layer: str, operation: str, ends: tuple[float | None, float | None]
) -> Value:
    low, high = (None if end is None or math.isinf(end) else float(end) for end in ends)
    if low is not None and high is not None and low > high:
        refused(node, f"the empty clamp {low}…{high}", "exchange its ends")
    shape = reading.layers[layer].shape
    return reading.add(Clip(reading.name_for(node, operation), layer, shape, low, high, where(node)))


def _add(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    if arguments.plain("alpha") != 1:
        refused(node, f"add with alpha={arguments.plain('alpha')}", "multiply the factor into the weights before")
    left, right = arguments.value("self"), arguments.value("other")
    if left is None or right is None:
        refused(node, "adding a number to a tensor", "put it into the bias of a Linear")
    if isinstance(right, Constant):
        return _merge_bias(reading, node, arguments.layer("self"), right)
    if isinstance(left, Constant):
        return _merge_bias(reading, node, right, left)
    return _add_layers(reading, node, left, right)


def _merge_bias(reading: Reading, node: fx.Node, name: str, constant: Constant) -> Value:
    layer = reading.layers[name]
    shared = any(len(source.users) > 1 for source, value in reading.values.items() if value == name)
    if not isinstance(layer, Linear) or shared:
        remedy = "put it into the bias of the Linear before it"
        refused(node, f"adding the constant {constant.name!r} to a result that is no Linear's alone", remedy)
    added = _row_vector(node, as_array(node, constant), len(layer.bias))
    merged = replace(layer, bias=layer.bias + added, bias_name=layer.bias_name or constant.name)
    reading.layers[name] = merged
    return name


def _add_layers(reading: Reading, node: fx.Node, left: str, right: str) -> Value:
    shape, other = reading.layers[left].shape, reading.layers[right].shape
    if shape != other:
        refused(node, f"adding tensors of shapes {_batch(shape)} and {_batch(other)}", "give both the same shape")
    return reading.add(Add(reading.name_for(node, "add"), left, right, shape, where(node)))


def _reshape(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:  # noqa: ARG001  # a Reader
    source = node.all_input_nodes[0]
    layer = reading.values[source]
    assert isinstance(layer, str)  # noqa: S101  # the only tensor of the call, and it is no constant
    before, after = shape_of(source), shape_of(node)
    if after[:1] != before[:1]:
        refused(node, f"a change of shape from {before} to {after}", "keep the batch as the first axis")
    if before == after:
        return layer
    return reading.add(Reshape(reading.name_for(node, "reshape"), layer, after[1:], where(node)))


READERS: Mapping[object, Reader] = {
    _aten.linear.default: _linear,
    _aten.addmm.default: _addmm,
    _aten.mm.default: _matmul,
    _aten.matmul.default: _matmul,
    _aten._native_batch_norm_legit_no_training.default: _batch_norm,
    _aten.relu.default: _relu,
    _aten.relu6.default: _relu6,
    _aten.hardtanh.default: _hardtanh,
    _aten.clamp.default: _clamp,
    _aten.clamp_min.default: _clamp,
    _aten.clamp_max.default: _clamp,
    _aten.add.Tensor: _add,
    _aten.view.default: _reshape,
    _aten.squeeze.default: _reshape,
    _aten.squeeze.dim: _reshape,
    _aten.squeeze.dims: _reshape,
    _aten.unsqueeze.default: _reshape,
    _aten.clone.default: _same,
    _aten.detach.default: _same,
    _aten.alias.default: _same,
    _aten._to_copy.default: _same_type,
    _aten.type_as.default: _same_type,
    operator.getitem: _first_of_several,
}

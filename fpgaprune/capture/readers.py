"""One reader for each ATen operation that a quantised network can hold; everything else is refused by name."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from torch import fx

from fpgaprune.capture import attention, elementwise, joins, moves, normalise, pooling, products, recurrent
from fpgaprune.capture.export import operation_name
from fpgaprune.capture.reading import Arguments, Reading, Value
from fpgaprune.capture.records import FunctionKind
from fpgaprune.capture.refusals import refused_operation

if TYPE_CHECKING:
    from collections.abc import Mapping

Reader: TypeAlias = Callable[[Reading, fx.Node, Arguments], Value]


def read(reading: Reading, node: fx.Node) -> Value:
    """Return what one call stands for, having added the layers that it becomes.

    Raises:
        UnsupportedError: the operation is not in the table, or its arguments are beyond what it can take.
    """
    if reading.is_constant(node):
        return reading.fold(node)
    reader = READERS.get("getitem" if node.target is operator.getitem else operation_name(node.target))
    if reader is None:
        refused_operation(node)
    return reader(reading, node, Arguments(reading, node))


def _refused(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:  # noqa: ARG001  # a Reader
    """Refuse an operation by its own name rather than by those of what torch defines it by."""
    refused_operation(node)


_REFUSED = """
conv_transpose1d conv_transpose2d.input conv_transpose3d.input max_pool3d col2im bilinear fft_fft
logsumexp hardshrink softshrink cosine_similarity
"""
_VALUES_LEFT_ALONE = "clone detach alias contiguous lift_fresh_copy"
_VIEWS = "view _unsafe_view reshape squeeze squeeze.dim squeeze.dims unsqueeze flatten.using_ints unflatten.int"
_SHAPES = "zeros_like ones_like full_like new_zeros new_ones new_full"
_MOVES = """
permute transpose.int t select.int slice.Tensor expand repeat tile flip roll split.Tensor split_with_sizes chunk
unsafe_split.Tensor unsafe_split_with_sizes unsafe_chunk unbind.int index.Tensor index_select narrow diagonal tril triu
pixel_shuffle pixel_unshuffle channel_shuffle repeat_interleave.self_int im2col unfold movedim.int movedim.intlist
upsample_nearest1d upsample_nearest1d.vec upsample_nearest2d upsample_nearest2d.vec
_upsample_nearest_exact1d _upsample_nearest_exact1d.vec _upsample_nearest_exact2d _upsample_nearest_exact2d.vec
reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d
"""

READERS: Mapping[str, Reader] = {
    **dict.fromkeys(_REFUSED.split(), _refused),
    "getitem": moves.part_of_several,
    **dict.fromkeys(_VALUES_LEFT_ALONE.split(), moves.same),
    **dict.fromkeys(_VIEWS.split(), moves.reshaped),
    **dict.fromkeys(_MOVES.split(), moves.moved),
    **dict.fromkeys(_SHAPES.split(), moves.like),
    "_to_copy": moves.same_type,
    "type_as": moves.same_type,
    "pad": moves.padded,
    "constant_pad_nd": moves.padded,
    "masked_fill.Scalar": moves.masked,
    "masked_fill.Tensor": moves.masked,
    "where.self": joins.chosen,
    "where.ScalarOther": joins.chosen,
    "where.ScalarSelf": joins.chosen,
    "cat": joins.concatenated,
    "stack": joins.stacked,
    "linear": products.linear,
    "addmm": products.add_product,
    "baddbmm": products.add_product,
    "mm": products.matmul,
    "bmm": products.matmul,
    "matmul": products.matmul,
    "conv1d": products.convolution,
    "conv1d.padding": products.convolution,
    "conv2d": products.convolution,
    "conv2d.padding": products.convolution,
    "conv3d": products.convolution,
    "conv3d.padding": products.convolution,
    "max_pool1d": pooling.max_pool(1),
    "max_pool2d": pooling.max_pool(2),
    "max_pool1d_with_indices": pooling.max_pool(1),
    "max_pool2d_with_indices": pooling.max_pool(2),
    "avg_pool1d": pooling.average_pool(1),
    "avg_pool2d": pooling.average_pool(2),
    "adaptive_max_pool1d": pooling.adaptive_max_pool(1),
    "adaptive_max_pool2d": pooling.adaptive_max_pool(2),
    "adaptive_avg_pool1d": pooling.adaptive_average_pool(1),
    "adaptive_avg_pool2d": pooling.adaptive_average_pool(2),
    "mean": pooling.mean,
    "mean.dim": pooling.mean,
    "sum": pooling.total,
    "sum.dim_IntList": pooling.total,
    "amax": pooling.largest,
    "max": pooling.largest,
    "max.dim": pooling.largest,
    "amin": pooling.smallest,
    "min": pooling.smallest,
    "min.dim": pooling.smallest,
    "argmax": pooling.place_of_largest,
    "_native_batch_norm_legit_no_training": normalise.batch_norm,
    "layer_norm": normalise.layer_norm,
    "rms_norm": normalise.rms_norm,
    "group_norm": normalise.group_norm,
    "instance_norm": normalise.instance_norm,
    "softmax.int": normalise.softmax,
    "_softmax": normalise.softmax,
    "_safe_softmax": normalise.softmax,
    "log_softmax.int": normalise.log_softmax,
    "_log_softmax": normalise.log_softmax,
    "scaled_dot_product_attention": attention.attention,
    "lstm.input": recurrent.recurrent("lstm", recurrent.lstm_cell, 2),
    "gru.input": recurrent.recurrent("gru", recurrent.gru_cell, 1),
    "rnn_tanh.input": recurrent.recurrent("rnn", recurrent.simple_cell(FunctionKind.TANH), 1),
    "rnn_relu.input": recurrent.recurrent("rnn", recurrent.simple_cell(None), 1),
    "lstm.data": recurrent.packed,
    "gru.data": recurrent.packed,
    "rnn_tanh.data": recurrent.packed,
    "rnn_relu.data": recurrent.packed,
    "fpgaprune.to_fixed": elementwise.in_format,
    "relu": elementwise.clip("relu", 0.0, None),
    "relu6": elementwise.clip("relu6", 0.0, 6.0),
    "hardtanh": elementwise.clip("hardtanh", "min_val", "max_val"),
    "clamp": elementwise.clip("clamp", "min", "max"),
    "clamp_min": elementwise.clip("clamp", "min", None),
    "clamp_max": elementwise.clip("clamp", None, "max"),
    "threshold": elementwise.threshold,
    "sigmoid": elementwise.function(FunctionKind.SIGMOID, "sigmoid"),
    "tanh": elementwise.function(FunctionKind.TANH, "tanh"),
    "silu": elementwise.function(FunctionKind.SILU, "silu"),
    "exp": elementwise.function(FunctionKind.EXP, "exp"),
    "log": elementwise.function(FunctionKind.LOG, "log"),
    "reciprocal": elementwise.function(FunctionKind.RECIPROCAL, "reciprocal"),
    "rsqrt": elementwise.function(FunctionKind.RSQRT, "rsqrt"),
    "softplus": elementwise.function(FunctionKind.SOFTPLUS, "softplus", "beta"),
    "gelu": elementwise.gelu,
    "elu": elementwise.elu,
    "selu": elementwise.selu,
    "celu": elementwise.celu,
    "log_sigmoid": elementwise.log_sigmoid,
    "mish": elementwise.mish,
    "glu": elementwise.glu,
    "hardsigmoid": elementwise.hardsigmoid,
    "hardswish": elementwise.hardswish,
    "leaky_relu": elementwise.leaky_relu,
    "rrelu": elementwise.leaky_relu,
    "prelu": elementwise.prelu,
    "abs": elementwise.absolute,
    "add.Tensor": elementwise.add,
    "sub.Tensor": elementwise.subtract,
    "rsub.Scalar": elementwise.subtract_from,
    "rsub.Tensor": elementwise.subtract_from,
    "mul.Tensor": elementwise.multiply,
    "div.Tensor": elementwise.divide,
    "neg": elementwise.negate,
    "pow.Tensor_Scalar": elementwise.power,
    "square": elementwise.power,
    "maximum": elementwise.larger,
    "minimum": elementwise.smaller,
}

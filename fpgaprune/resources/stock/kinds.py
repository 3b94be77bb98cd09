"""The configurations of hls4ml's templates, and what each is for the estimate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError, suggest
from fpgaprune.resources.stock.values import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Mapping[str, Role] = {
    **dict.fromkeys(("dense", "layer", "einsum_dense", "dense_batch", "dense_latency", "dense_resource"), Role.DENSE),
    **dict.fromkeys(
        ("conv", "conv1d", "conv2d", "depthconv1d", "depthconv2d", "depthwise_conv1d", "depthwise_conv2d"), Role.CONV
    ),
    **dict.fromkeys(("pointwise_conv1d", "pointwise_conv2d", "sepconv1d", "sepconv2d"), Role.CONV),
    **dict.fromkeys(("gru", "lstm", "simple_rnn", "single_layer"), Role.RECURRENT),
    **dict.fromkeys(("pooling1d", "pooling2d", "global_pooling1d", "global_pooling2d"), Role.POOL),
    **dict.fromkeys(("padding1d", "padding2d", "cropping1d", "cropping2d", "resize"), Role.PAD),
    **dict.fromkeys(
        ("activ", "relu", "linear", "leaky_relu", "elu", "selu", "prelu", "thresholded_relu"), Role.ELEMENTS
    ),
    **dict.fromkeys(
        ("sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "softplus", "softsign", "quantized_tanh"), Role.ELEMENTS
    ),
    **dict.fromkeys(("binary_tanh", "ternary_tanh", "unary_lut", "batchnorm", "layernorm"), Role.ELEMENTS),
    **dict.fromkeys(("batchnorm_quantized_tanh", "normalize", "embed", "merge", "concat", "dot"), Role.ELEMENTS),
    **dict.fromkeys(("broadcast", "transpose", "repack", "clone", "bidirectional", "time_distributed"), Role.ELEMENTS),
    **dict.fromkeys(("argmax_softmax", "softmax", "softmax_multidim"), Role.SOFTMAX),
}
"""Configurations by name, without their ending ``_config`` and the number of the layer."""

_ENDING = re.compile(r"_?config\d*(_\w+)?$")


def role(kind: str, name: str) -> Role:
    """Return what a layer is for the estimate.

    Raises:
        InputError: hls4ml has no such configuration.
    """
    short = _ENDING.sub("", kind.removeprefix("nnet::"))
    try:
        return KINDS[short]
    except KeyError:
        known = [f"{each}_config" for each in KINDS]
        msg = f"{name}: unknown layer kind {kind!r}{suggest(kind, known)}; known are {', '.join(known)}"
        raise InputError(msg) from None

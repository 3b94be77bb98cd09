"""Every operation that is read computes what torch computes, in float64."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from fpgaprune.capture import (
    Add,
    Affine,
    ArgMax,
    BatchNorm,
    Clip,
    Concat,
    ConstantLayer,
    Conv,
    Function,
    Gather,
    InputLayer,
    Linear,
    MatMul,
    Maximum,
    MaxPool,
    Multiply,
    Reshape,
    Scan,
    capture,
    trace,
)
from fpgaprune.errors import UnsupportedError

IMAGE = (4, 6, 8)
TALL = (3, 7, 5)
SERIES = (4, 8)
STEPS = (5, 8)


class Written(nn.Module):
    """A module whose forward pass is given, and the modules that it uses."""

    def __init__(self, forward, *modules):
        super().__init__()
        self.written = forward
        self.parts = nn.ModuleList(modules)

    def forward(self, x):
        return self.written(x, *self.parts)


def first(x, module):
    """Return the first of a module's results."""
    return module(x)[0]


def model(forward, *makers):
    """Return a model in float64 with weights and statistics that are not those of a fresh one."""
    torch.manual_seed(0)
    module = Written(forward, *(make() for make in makers)).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.7, 0.9)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.uniform_(-1, 1)
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return module


def samples_of(shape, seed=0):
    return torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 2


def captured(module, shape):
    """Return the network of a model, having compared it with the model on inputs that capture did not see."""
    network = capture(module, samples_of(shape))
    x = samples_of(shape, seed=1)
    with torch.no_grad():
        expected = module(x).double().numpy()
    got = trace(network, x.numpy())[network.output]
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    _refuse_waste(network)
    return network


def _refuse_waste(network):
    """Every layer is used, wires are merged, and what a table reads can be narrowed."""
    layers = network.by_name
    for layer in network.every_layer:
        assert network.consumers[layer.name] or layer.name in network.leaving or isinstance(layer, InputLayer)
        if isinstance(layer, (Gather, Reshape)):
            assert not isinstance(layers[layer.source], Reshape)
        if isinstance(layer, Function):
            index = layers[layer.source]
            assert (type(index), index.name, index.low, index.high) == (Clip, f"{layer.name}.index", None, None)


def of(module, *args, **kwargs):
    return functools.partial(module, *args, **kwargs)


def apply(x, module):
    return module(x)


def mask(size):
    return torch.ones(size, size).tril()


def causal(size):
    return nn.Transformer.generate_square_subsequent_mask(size, dtype=torch.float64)


def unrolled(cell):
    def forward(x, module):
        state = None
        for step in range(x.shape[1]):
            state = module(x[:, step], state)
        return state[0] if isinstance(state, tuple) else state

    return forward, cell


CONVOLUTIONS = {
    "conv2d": (IMAGE, apply, of(nn.Conv2d, 4, 3, 3)),
    "conv2d with all numbers": (TALL, apply, of(nn.Conv2d, 3, 4, (3, 2), (2, 1), (2, 1), (1, 2), bias=False)),
    "grouped conv2d": (IMAGE, apply, of(nn.Conv2d, 4, 6, 3, groups=2, padding=1)),
    "depthwise conv2d": (IMAGE, apply, of(nn.Conv2d, 4, 8, 3, groups=4)),
    "pointwise conv2d": (IMAGE, apply, of(nn.Conv2d, 4, 5, 1)),
    "conv2d same": (TALL, apply, of(nn.Conv2d, 3, 2, (4, 3), padding="same", dilation=(1, 2))),
    "conv2d valid": (TALL, apply, of(nn.Conv2d, 3, 2, 3, padding="valid")),
    "conv2d reflect": (TALL, apply, of(nn.Conv2d, 3, 2, 3, padding=1, padding_mode="reflect")),
    "conv2d circular": (TALL, apply, of(nn.Conv2d, 3, 2, 3, padding=(2, 1), padding_mode="circular")),
    "conv1d": (SERIES, apply, of(nn.Conv1d, 4, 3, 3, 2, 1, 2)),
    "conv1d replicate": (SERIES, apply, of(nn.Conv1d, 4, 3, 3, padding=1, padding_mode="replicate")),
    "conv1d same": (SERIES, apply, of(nn.Conv1d, 4, 3, 4, padding="same")),
    "one channel": ((1, 6, 6), apply, of(nn.Conv2d, 1, 2, 3)),
    "one column": ((2, 6, 1), apply, of(nn.Conv2d, 2, 2, (3, 1))),
    "channels last all along": (
        (6, 8, 4),
        lambda x, c: c(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1),
        of(nn.Conv2d, 4, 3, 3),
    ),
    "padded before": (IMAGE, lambda x, c: c(functional.pad(x, (1, 2, 0, 1))), of(nn.Conv2d, 4, 3, 3, padding=1)),
    "padded with ones before": (
        IMAGE,
        lambda x, c: c(functional.pad(x, (1, 2, 0, 1), value=1.0)),
        of(nn.Conv2d, 4, 3, 3, padding=1),
    ),
    "cropped before": (IMAGE, lambda x, c: c(functional.pad(x, (-1, 1, 0, -2))), of(nn.Conv2d, 4, 3, 3)),
    "conv after linear": (STEPS, lambda x, f, c: c(f(x).mT), of(nn.Linear, 8, 4), of(nn.Conv1d, 4, 3, 2)),
    "residual block": (
        IMAGE,
        lambda x, a, b, n: (x + n(b(a(x).relu()))).relu(),
        of(nn.Conv2d, 4, 6, 3, padding=1),
        of(nn.Conv2d, 6, 4, 3, padding=1),
        of(nn.BatchNorm2d, 4),
    ),
}
POOLS = {
    "max_pool2d": (IMAGE, lambda x: functional.max_pool2d(x, 2)),
    "max_pool2d with all numbers": (TALL, lambda x: functional.max_pool2d(x, (3, 2), (2, 1), (1, 0), (2, 1))),
    "max_pool2d ceil": (TALL, lambda x: functional.max_pool2d(x, 2, ceil_mode=True)),
    "max_pool2d padded and ceil": (TALL, lambda x: functional.max_pool2d(x, 3, 2, 1, ceil_mode=True)),
    "max_pool2d with a window left out": (TALL, lambda x: functional.max_pool2d(x, 2, 3, 1, ceil_mode=True)),
    "max_pool1d": (SERIES, lambda x: functional.max_pool1d(x, 3, 2, 1, ceil_mode=True)),
    "max pool with indices": (IMAGE, lambda x: functional.max_pool2d(x, 2, return_indices=True)[0]),
    "max pool of minus infinity": (
        IMAGE,
        lambda x: functional.max_pool2d(functional.pad(x, (0, 1, 1, 0), value=-torch.inf), 2),
    ),
    "avg_pool2d": (IMAGE, lambda x: functional.avg_pool2d(x, (2, 4))),
    "avg_pool2d padded": (TALL, lambda x: functional.avg_pool2d(x, 3, 2, 1)),
    "avg_pool2d padded, not counted": (TALL, lambda x: functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    "avg_pool2d ceil": (TALL, lambda x: functional.avg_pool2d(x, 2, ceil_mode=True)),
    "avg_pool2d ceil and padded": (TALL, lambda x: functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True)),
    "avg_pool2d with a divisor": (TALL, lambda x: functional.avg_pool2d(x, 3, divisor_override=5)),
    "avg_pool1d": (SERIES, lambda x: functional.avg_pool1d(x, 3, 2, 1)),
    "adaptive average to one": (IMAGE, lambda x: functional.adaptive_avg_pool2d(x, 1)),
    "adaptive average": (IMAGE, lambda x: functional.adaptive_avg_pool2d(x, (2, None))),
    "adaptive average in overlapping windows": (SERIES, lambda x: functional.adaptive_avg_pool1d(x, 7)),
    "adaptive average made larger": (IMAGE, lambda x: functional.adaptive_avg_pool2d(x[..., :1], (3, 7))),
    "adaptive average in windows of two sizes": (IMAGE, lambda x: functional.adaptive_avg_pool2d(x, (3, 4))),
    "adaptive average of padding": (IMAGE, lambda x: functional.adaptive_avg_pool2d(functional.pad(x, (1, 2)), (3, 4))),
    "adaptive maximum in windows of two sizes": (IMAGE, lambda x: functional.adaptive_max_pool2d(x, (4, 3))),
    "adaptive maximum": (IMAGE, lambda x: functional.adaptive_max_pool2d(x, 2)),
    "adaptive maximum of a sequence": (SERIES, lambda x: functional.adaptive_max_pool1d(x, 1)),
    "mean of positions": (IMAGE, lambda x, c: c(x).mean((2, 3)), of(nn.Conv2d, 4, 3, 3)),
    "mean of channels": (IMAGE, lambda x: x.mean(1)),
    "mean of rows, kept": (IMAGE, lambda x: x.mean(-2, keepdim=True)),
    "mean of all": (IMAGE, lambda x: x.mean((1, 2, 3))),
    "mean of steps": (STEPS, lambda x: x.mean(1)),
    "sum": (IMAGE, lambda x: x.sum((1, 3))),
    "sum of steps": (STEPS, lambda x: x.sum(dim=1, keepdim=True)),
    "amax": (IMAGE, lambda x: x.amax((2, 3))),
    "amax of features": (STEPS, lambda x: x.amax(-1)),
    "max": (IMAGE, lambda x: x.max(1).values),
    "max of steps": (STEPS, lambda x: x.max(dim=1, keepdim=True)[0]),
    "min": (IMAGE, lambda x: x.min(2)[0]),
    "amin": (STEPS, lambda x: x.amin(-1)),
    "argmax": (IMAGE, lambda x: x.argmax(1)),
    "argmax of logits": ((8,), lambda x: x.argmax(dim=-1, keepdim=True)),
}
NORMS = {
    "batch_norm of vectors": ((4,), apply, of(nn.BatchNorm1d, 4)),
    "batch_norm of sequences": (SERIES, apply, of(nn.BatchNorm1d, 4)),
    "batch_norm of images": (IMAGE, apply, of(nn.BatchNorm2d, 4)),
    "batch_norm of features": (STEPS, lambda x, n: n(x.mT).mT, of(nn.BatchNorm1d, 8)),
    "layer_norm": (STEPS, apply, of(nn.LayerNorm, 8)),
    "layer_norm of vectors": ((8,), apply, of(nn.LayerNorm, 8, bias=False)),
    "layer_norm of two axes": (STEPS, apply, of(nn.LayerNorm, (5, 8))),
    "layer_norm without affine": (STEPS, apply, of(nn.LayerNorm, 8, elementwise_affine=False, eps=0.1)),
    "layer_norm of channels": (IMAGE, lambda x, n: n(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), of(nn.LayerNorm, 4)),
    "group_norm": (IMAGE, apply, of(nn.GroupNorm, 2, 4)),
    "group_norm of one group": (IMAGE, apply, of(nn.GroupNorm, 1, 4)),
    "group_norm without affine": (SERIES, apply, of(nn.GroupNorm, 2, 4, affine=False)),
    "instance_norm": (IMAGE, apply, of(nn.InstanceNorm2d, 4, affine=True)),
    "instance_norm with statistics": (IMAGE, apply, of(nn.InstanceNorm2d, 4, track_running_stats=True)),
    "rms_norm": (STEPS, apply, of(nn.RMSNorm, 8)),
    "rms_norm without affine": (STEPS, apply, of(nn.RMSNorm, 8, eps=0.1, elementwise_affine=False)),
    "softmax": (IMAGE, lambda x: x.softmax(1)),
    "softmax of the last axis": (IMAGE, lambda x: functional.softmax(x, dim=-1)),
    "softmax of rows": (IMAGE, lambda x: x.softmax(2)),
    "softmin": ((8,), lambda x: functional.softmin(x, dim=1)),
    "log_softmax": ((8,), lambda x: functional.log_softmax(x, dim=1)),
    "log_softmax of channels": (IMAGE, lambda x: x.log_softmax(1)),
    "masked softmax": (STEPS, lambda x: (x @ x.mT).masked_fill(mask(5) == 0, -torch.inf).softmax(-1)),
    "softmax after a mask that is added": (STEPS, lambda x: (x @ x.mT + causal(5)).softmax(-1)),
    "softmax after a mask by a large number": (
        STEPS,
        lambda x: (x @ x.mT).masked_fill(mask(5) == 0, -1e9).softmax(-1),
    ),
    "softmax after a large summand": (STEPS, lambda x: (x @ x.mT + (1 - mask(5)) * -1e4).softmax(-1)),
    "softmax of where": (STEPS, lambda x: torch.where(mask(5).bool(), x @ x.mT, -torch.inf).softmax(-1)),
}
ATTENTION = {
    "attention": (STEPS, lambda x: functional.scaled_dot_product_attention(x, x, x)),
    "causal attention": (STEPS, lambda x: functional.scaled_dot_product_attention(x, x, x, is_causal=True)),
    "attention with a mask": (
        STEPS,
        lambda x: functional.scaled_dot_product_attention(x, x, x, attn_mask=mask(5).bool(), scale=0.3),
    ),
    "attention with a summand": (
        STEPS,
        lambda x: functional.scaled_dot_product_attention(x, x, x, attn_mask=causal(5) + mask(5)),
    ),
    "cross attention": (STEPS, lambda x: functional.scaled_dot_product_attention(x[:, :2], x, x.exp())),
    "grouped queries": (
        STEPS,
        lambda x: _heads_of(functional.scaled_dot_product_attention(*_grouped(x), enable_gqa=True)),
    ),
    "heads": (
        STEPS,
        first_of_attention := lambda x, a: a(x, x, x)[0],
        of(nn.MultiheadAttention, 8, 2, batch_first=True),
    ),
    "heads without weights": (
        STEPS,
        lambda x, a: a(x, x, x, need_weights=False)[0],
        of(nn.MultiheadAttention, 8, 2, batch_first=True, bias=False),
    ),
    "attention weights": (STEPS, lambda x, a: a(x, x, x)[1], of(nn.MultiheadAttention, 8, 2, batch_first=True)),
    "one head, steps first": (
        STEPS,
        lambda x, a: first_of_attention(x.transpose(0, 1), a).transpose(0, 1),
        of(nn.MultiheadAttention, 8, 1),
    ),
    "causal heads": (
        STEPS,
        lambda x, a: a(x, x, x, attn_mask=causal(5), need_weights=False)[0],
        of(nn.MultiheadAttention, 8, 4, batch_first=True),
    ),
    "causal heads with weights": (
        STEPS,
        lambda x, a: a(x, x, x, attn_mask=causal(5))[0],
        of(nn.MultiheadAttention, 8, 4, batch_first=True),
    ),
    "another key and value": (
        STEPS,
        lambda x, a: a(x[:, :2], x, x.relu())[0],
        of(nn.MultiheadAttention, 8, 2, batch_first=True),
    ),
    "transformer layer": (STEPS, apply, of(nn.TransformerEncoderLayer, 8, 2, 12, batch_first=True)),
    "transformer layer, norm first": (
        STEPS,
        apply,
        of(nn.TransformerEncoderLayer, 8, 2, 12, batch_first=True, norm_first=True, activation="gelu"),
    ),
    "two transformer layers": (
        STEPS,
        apply,
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), 2),
    ),
    "class token": (
        STEPS,
        lambda x, c: torch.cat([c.weight.expand(len(x), -1, -1), x], 1)[:, 0] + x[:, 1],
        of(nn.Linear, 8, 1),
    ),
    "positions": (STEPS, lambda x, p: x + p.weight[:5], of(nn.Embedding, 9, 8)),
}


def _grouped(x):
    return x.view(-1, 5, 4, 2).transpose(1, 2), *(x[..., :4].reshape(-1, 5, 2, 2).transpose(1, 2) for _ in range(2))


def _heads_of(x):
    return x.transpose(1, 2).flatten(2)


RECURRENT = {
    "lstm": (STEPS, first, of(nn.LSTM, 8, 3, batch_first=True)),
    "lstm last step": (STEPS, lambda x, r: r(x)[0][:, -1], of(nn.LSTM, 8, 3, batch_first=True)),
    "lstm state": (STEPS, lambda x, r: r(x)[1][0][-1], of(nn.LSTM, 8, 3, 2, batch_first=True)),
    "lstm in both directions": (STEPS, first, of(nn.LSTM, 8, 3, 2, batch_first=True, bidirectional=True)),
    "states in both directions": (
        STEPS,
        lambda x, r: torch.cat([*r(x)[1][0][-2:]], 1),
        of(nn.LSTM, 8, 3, 2, batch_first=True, bidirectional=True),
    ),
    "all states": (
        STEPS,
        lambda x, r: r(x)[1].transpose(0, 1),
        of(nn.GRU, 8, 3, 2, batch_first=True, bidirectional=True),
    ),
    "lstm without bias": (STEPS, first, of(nn.LSTM, 8, 3, batch_first=True, bias=False)),
    "lstm, steps first": (STEPS, lambda x, r: r(x.transpose(0, 1))[0].transpose(0, 1), of(nn.LSTM, 8, 3)),
    "lstm, given a state": (
        STEPS,
        lambda x, r, s: r(x, tuple(each.expand(1, len(x), 3).contiguous() for each in (s.weight, -s.weight)))[0],
        of(nn.LSTM, 8, 3, batch_first=True),
        of(nn.Linear, 3, 1),
    ),
    "gru": (STEPS, first, of(nn.GRU, 8, 3, batch_first=True)),
    "gru without bias": (STEPS, first, of(nn.GRU, 8, 3, batch_first=True, bias=False)),
    "gru state": (STEPS, lambda x, r: r(x)[1].squeeze(0), of(nn.GRU, 8, 3, batch_first=True)),
    "rnn": (STEPS, first, of(nn.RNN, 8, 3, 2, batch_first=True, dropout=0.5)),
    "relu rnn": (STEPS, first, of(nn.RNN, 8, 3, nonlinearity="relu", batch_first=True, bidirectional=True)),
    "rnn over columns": (SERIES, lambda x, r: r(x.mT)[0].mT, of(nn.RNN, 4, 3, batch_first=True)),
    "lstm then linear": (
        STEPS,
        lambda x, r, f: f(r(x)[0][:, -1]),
        of(nn.LSTM, 8, 3, batch_first=True),
        of(nn.Linear, 3, 2),
    ),
    "linear on every state": (
        STEPS,
        lambda x, r, f: f(r(x)[0]),
        of(nn.GRU, 8, 3, batch_first=True),
        of(nn.Linear, 3, 2),
    ),
    "stacked lstm and gru": (
        STEPS,
        lambda x, r, s: s(r(x)[0])[0],
        of(nn.LSTM, 8, 3, batch_first=True),
        of(nn.GRU, 3, 4, batch_first=True),
    ),
    "lstm cell": (STEPS, *unrolled(of(nn.LSTMCell, 8, 3))),
    "gru cell": (STEPS, *unrolled(of(nn.GRUCell, 8, 3))),
    "rnn cell": (STEPS, *unrolled(of(nn.RNNCell, 8, 3, nonlinearity="relu"))),
    "convolution then lstm": (
        SERIES,
        lambda x, c, r: r(c(x).mT)[0],
        of(nn.Conv1d, 4, 6, 3),
        of(nn.LSTM, 6, 3, batch_first=True),
    ),
}
FUNCTIONS = {
    name: (IMAGE, apply, make)
    for name, make in {
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "silu": nn.SiLU,
        "gelu": nn.GELU,
        "gelu by tanh": of(nn.GELU, "tanh"),
        "elu": of(nn.ELU, 0.7),
        "selu": nn.SELU,
        "celu": of(nn.CELU, 1.7),
        "leaky_relu": of(nn.LeakyReLU, 0.2),
        "rrelu": nn.RReLU,
        "prelu": of(nn.PReLU, 4),
        "prelu of one": nn.PReLU,
        "hardsigmoid": nn.Hardsigmoid,
        "hardswish": nn.Hardswish,
        "softplus": of(nn.Softplus, 2.0),
        "log_sigmoid": nn.LogSigmoid,
        "mish": nn.Mish,
        "softsign": nn.Softsign,
        "tanhshrink": nn.Tanhshrink,
        "threshold": of(nn.Threshold, 0, 0),
        "glu": of(nn.GLU, 1),
        "dropout2d": nn.Dropout2d,
        "alpha dropout": nn.AlphaDropout,
        "feature alpha dropout": nn.FeatureAlphaDropout,
    }.items()
}
ELEMENTWISE = {
    "exp": (IMAGE, lambda x: x.exp()),
    "log": (IMAGE, lambda x: (x.abs() + 1).log()),
    "rsqrt": (IMAGE, lambda x: (x.square() + 1).rsqrt()),
    "reciprocal": (IMAGE, lambda x: (x * x + 1).reciprocal()),
    "powers": (IMAGE, lambda x: x**2 + x.pow(3) - x**4 + (x**2 + 1) ** -1 + (x**2 + 1) ** -0.5),
    "numbers": (IMAGE, lambda x: 2 - (x * 2 - 1) / 3 + 0.5),
    "numbers on both sides": (IMAGE, lambda x: -x + 3 * x + (1 + x)),
    "number over tensor": (IMAGE, lambda x: 2 / (x.abs() + 1)),
    "tensors": (IMAGE, lambda x: (x * x.relu() - x) / (x.abs() + 1)),
    "alpha": (IMAGE, lambda x: torch.add(x, x.relu(), alpha=2) + torch.sub(x, x.relu(), alpha=-0.5)),
    "alpha of a number": (IMAGE, lambda x: torch.add(x, 3, alpha=0)),
    "rsub": (IMAGE, lambda x: torch.rsub(x, x.relu(), alpha=2)),
    "maximum": (IMAGE, lambda x: torch.maximum(x, x.flip(3)) + torch.minimum(x, torch.tensor(0.3))),
    "factor of each channel": (IMAGE, lambda x, n: n(x) * n.weight[:, None, None] + 1, of(nn.BatchNorm2d, 4)),
    "summand of each channel": (IMAGE, lambda x, c: c(x) + c.bias.view(1, -1, 1, 1), of(nn.Conv2d, 4, 4, 3)),
    "summand of each position": (
        IMAGE,
        lambda x, c: c(x) + c.weight[0, 0],
        of(nn.Conv2d, 4, 4, (6, 8), padding="same"),
    ),
    "difference from a constant": (STEPS, lambda x, f: f.weight - x, of(nn.Linear, 8, 5)),
    "factor of each element": (STEPS, lambda x, f: f.weight * x, of(nn.Linear, 8, 5)),
    "mask of booleans": (STEPS, lambda x: x[..., :5] * mask(5).bool()),
    "broadcast of a constant": (STEPS, lambda x, f: x[:, :, None] + f.weight, of(nn.Linear, 8, 3)),
    "broadcast": (IMAGE, lambda x: x * x.mean((2, 3), keepdim=True).sigmoid()),
    "broadcast the other way": (IMAGE, lambda x: x.mean(1, keepdim=True) - x),
    "outer product": (STEPS, lambda x: x[:, :, :, None] * x[:, :, None]),
    "squeeze and excite": (
        IMAGE,
        lambda x, c, f: c(x) * f(c(x).mean((2, 3))).sigmoid()[:, :, None, None],
        of(nn.Conv2d, 4, 3, 3),
        of(nn.Linear, 3, 3),
    ),
    "different orders": (IMAGE, lambda x, c: x + c(x), of(nn.Conv2d, 4, 4, 3, padding=1)),
    "different orders behind functions": (
        IMAGE,
        lambda x, c: x.flatten(2).relu() + c(x).flatten(2),
        of(nn.Conv2d, 4, 4, 3, padding=1),
    ),
    "different orders, both behind a slice": (
        IMAGE,
        lambda x, c: c(x)[:, 1:] + x[:, :3],
        of(nn.Conv2d, 4, 4, 3, padding=1),
    ),
    "zeros": (IMAGE, lambda x: x + torch.zeros_like(x) + x.new_ones(4, 1, 1)),
    "clamp of a slice": (IMAGE, lambda x: x[:, 1:3].clamp(-0.5, 0.25)),
}
PRODUCTS = {
    "linear on steps": (STEPS, apply, of(nn.Linear, 8, 3)),
    "linear on images": (IMAGE, apply, of(nn.Linear, 8, 3, bias=False)),
    "linear on channels": (IMAGE, lambda x, f: f(x.permute(0, 2, 3, 1)), of(nn.Linear, 4, 3)),
    "flatten first": (IMAGE, lambda x, f: f(x.flatten(1)), of(nn.Linear, 4 * 6 * 8, 3)),
    "flatten behind a convolution": (
        TALL,
        lambda x, c, f: f(c(x).relu().flatten(1)),
        of(nn.Conv2d, 3, 2, 3),
        of(nn.Linear, 2 * 5 * 3, 4),
    ),
    "product of tensors": (STEPS, lambda x: x @ x.mT),
    "product of transposed tensors": (STEPS, lambda x: x.mT @ x),
    "bmm": (STEPS, lambda x: torch.bmm(x, x.transpose(1, 2))),
    "baddbmm": (STEPS, lambda x: torch.baddbmm(x @ x.mT, x, x.mT, beta=2, alpha=0.5)),
    "vectors": (STEPS, lambda x: (x @ x[:, :1].mT).squeeze(-1)),
    "constant from the left": (STEPS, lambda x, f: f.weight @ x, of(nn.Linear, 5, 3)),
    "constant vector": (STEPS, lambda x, f: x @ f.bias, of(nn.Linear, 5, 8)),
    "constant vector from the left": (STEPS, lambda x, f: f.bias @ x, of(nn.Linear, 2, 5)),
    "constant batch": (STEPS, lambda x, f: x.unsqueeze(1) @ f.weight.view(3, 8, 2), of(nn.Linear, 2, 24)),
    "products of broadcast batches": (IMAGE, lambda x: x @ x[:, :1].mT),
    "einsum": (STEPS, lambda x: torch.einsum("bij,bkj->bki", x, x)),
    "einsum with a weight": (STEPS, lambda x, f: torch.einsum("bij,kj->bki", x, f.weight), of(nn.Linear, 8, 3)),
    "addmm of results": ((8,), lambda x, f: torch.addmm(f(x), x, f.weight, alpha=0.5, beta=2), of(nn.Linear, 8, 8)),
}
MOVES = {
    "cat of channels": (IMAGE, lambda x, c: torch.cat([c(x), x, x], 1), of(nn.Conv2d, 4, 2, 3, padding=1)),
    "cat of rows": (IMAGE, lambda x: torch.cat([x.relu(), x], 2)),
    "cat of steps": (STEPS, lambda x: torch.cat([x, x.relu(), x], 1)),
    "cat of vectors": ((8,), lambda x, f: torch.cat([f(x), x, x], -1), of(nn.Linear, 8, 3)),
    "cat with nothing": ((8,), lambda x: torch.cat([torch.zeros(len(x), 0), x], 1)),
    "cat with a constant": (
        STEPS,
        lambda x, f: torch.cat([x, f.weight.expand(len(x), -1, -1)], 1),
        of(nn.Linear, 8, 3),
    ),
    "stack": (STEPS, lambda x: torch.stack([x, x.relu()], 1)),
    "stack behind": (STEPS, lambda x: torch.stack([x, x.relu()], -1)),
    "chunk": (IMAGE, lambda x: x.chunk(2, 1)[1] - x.chunk(2, 1)[0]),
    "split": (IMAGE, lambda x: x.split([1, 3], 1)[1]),
    "unbind": (IMAGE, lambda x: x.unbind(1)[1] + x.unbind(2)[0].sum(1, keepdim=True)),
    "slices": (IMAGE, lambda x: x[:, 1:, ::2, -1]),
    "index": (IMAGE, lambda x: x[:, [0, 2]] + x.index_select(1, torch.tensor([3, 3]))),
    "narrow": (IMAGE, lambda x: x.narrow(2, 1, 2)),
    "flip": (IMAGE, lambda x: x.flip(2, 1)),
    "roll": (IMAGE, lambda x: x.roll((1, 2), (2, 3))),
    "permute": (IMAGE, lambda x: x.permute(0, 2, 3, 1).contiguous()),
    "transposes": (STEPS, lambda x: x.transpose(1, 2).relu().swapaxes(1, 2) + x.mT.movedim(1, 2)),
    "views": (IMAGE, lambda x: x.flatten(1).unflatten(1, (8, 24)).view(-1, 4, 48).reshape(len(x), 2, 96)),
    "squeezes": (IMAGE, lambda x: x.unsqueeze(1).mean(2).squeeze(1).unsqueeze(-1).squeeze(3)),
    "expand": (IMAGE, lambda x: x.mean(1, keepdim=True).expand(-1, 3, -1, -1).relu()),
    "repeat": (IMAGE, lambda x: x.repeat(1, 2, 1, 2) + x.tile(1, 2, 1, 2)),
    "repeat_interleave": (IMAGE, lambda x: x.repeat_interleave(2, 1)),
    "upsampling": (IMAGE, lambda x: functional.interpolate(x, scale_factor=2)),
    "upsampling to a size": (IMAGE, lambda x: functional.interpolate(x, size=(9, 24))),
    "upsampling of a sequence": (SERIES, lambda x: functional.interpolate(x, scale_factor=3)),
    "pixel_shuffle": (IMAGE, lambda x: functional.pixel_unshuffle(functional.pixel_shuffle(x, 2) * 2, 2)),
    "channel shuffle": (IMAGE, apply, of(nn.ChannelShuffle, 2)),
    "pad": (IMAGE, lambda x: functional.pad(x, (1, 2, -1, 1))),
    "pad with a value": (IMAGE, lambda x: functional.pad(x, (1, 2), value=3.0)),
    "pad twice": (IMAGE, lambda x: functional.pad(functional.pad(x, (1, 2), value=3.0), (1, 1), value=-1.0)),
    "pad of a sequence": (SERIES, lambda x, c: functional.pad(c(x), (2, 0)).relu(), of(nn.Conv1d, 4, 2, 3)),
    "pad by reflection": (IMAGE, lambda x: functional.pad(x, (1, 2, 1, 1), mode="reflect")),
    "pad by replication": (SERIES, lambda x: functional.pad(x, (1, 2), mode="replicate")),
    "pad in a circle": (IMAGE, lambda x: functional.pad(x, (1, 2, 1, 1), mode="circular")),
    "windows": (IMAGE, lambda x: functional.unfold(x, 3, padding=1)),
    "sliding windows": (SERIES, lambda x: x.unfold(2, 3, 2)),
    "tril": (STEPS, lambda x: x.tril() - x.triu(1)),
    "masked_fill": (STEPS, lambda x: x[..., :5].masked_fill(mask(5) == 0, 0.5)),
    "where": (STEPS, lambda x: torch.where(mask(5).bool(), x[..., :5], x[..., 3:])),
    "where with a number": (STEPS, lambda x: torch.where(mask(5).bool(), 0.25, x[..., :5])),
    "where with constants": (
        STEPS,
        lambda x, f: torch.where(mask(5).bool(), f.weight, x[..., :5]),
        of(nn.Linear, 5, 5),
    ),
    "only a slice of a state": (STEPS, lambda x: torch.cat([x, x.relu()], 1)[:, 5:]),
}
OPERATIONS = {
    **CONVOLUTIONS,
    **POOLS,
    **NORMS,
    **ATTENTION,
    **RECURRENT,
    **FUNCTIONS,
    **ELEMENTWISE,
    **PRODUCTS,
    **MOVES,
}


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_computes_what_torch_does(name):
    shape, forward, *makers = OPERATIONS[name]
    captured(model(forward, *makers), shape)


def kinds(network):
    return [type(layer) for layer in network.every_layer]


def test_an_image_arrives_channels_last():
    module = model(lambda x, c, n: n(c(x)).relu(), of(nn.Conv2d, 4, 3, 3, padding=1), of(nn.BatchNorm2d, 3))
    network = captured(module, IMAGE)
    assert kinds(network) == [InputLayer, Conv, BatchNorm, Clip, Gather]
    assert (network.input.shape, network.input.axes) == ((6, 8, 4), (1, 2, 0))
    conv, norm, relu, output = network.layers[1:]
    assert (conv.name, conv.weight_name, conv.bias_name) == ("parts.0", "parts.0.weight", "parts.0.bias")
    assert conv.shape == norm.shape == relu.shape == (6, 8, 3)
    assert (output.name, output.shape) == ("output", (3, 6, 8))


LAYERS = {
    "one channel needs no wires": ((1, 4, 4), apply, [of(nn.Conv2d, 1, 2, 4)], [Conv, Reshape]),
    "a residual stays channels last": (
        IMAGE,
        lambda x, c: (x + c(x)).mean((2, 3)),
        [of(nn.Conv2d, 4, 4, 3, padding=1)],
        [Conv, Add, Conv, Reshape],
    ),
    "a pad goes into the windows": (
        SERIES,
        lambda x, c: c(functional.pad(x, (2, 1))).mT,
        [of(nn.Conv1d, 4, 2, 3)],
        [Conv],
    ),
    "another pad does not": (
        SERIES,
        lambda x, c: c(functional.pad(x, (2, 1), value=1.0)).mT,
        [of(nn.Conv1d, 4, 2, 3)],
        [Reshape, ConstantLayer, Concat, Gather, Conv],
    ),
    "permutations cancel": (STEPS, lambda x: x.mT.relu().unsqueeze(1).permute(0, 3, 2, 1).squeeze(3), [], [Clip]),
    "a sequence has its channels last": (STEPS, lambda x, f: f(x).mT.relu().mT, [of(nn.Linear, 8, 3)], [Linear, Clip]),
    "views are merged": (IMAGE, lambda x: x.flatten(1).view(-1, 4, 48).view(-1, 8, 24).relu(), [], [Clip, Reshape]),
    "slices of a cat find their parts": (
        STEPS,
        lambda x, f: torch.cat([x.relu(), f(x)], 2).split(8, 2)[1],
        [of(nn.Linear, 8, 8)],
        [Linear],
    ),
    "numbers are merged": (STEPS, lambda x: (x * 2 - 1) / 3 + 1, [], [Affine]),
    "a summand goes into a bias": (
        IMAGE,
        lambda x, c: (c(x) + 1).mean((2, 3)),
        [of(nn.Conv2d, 4, 3, 3)],
        [Conv, Conv, Reshape],
    ),
    "a shared result keeps its bias": (
        STEPS,
        lambda x, f: (y := f(x)) * (y + 1),
        [of(nn.Linear, 8, 3)],
        [Linear, Affine, Multiply],
    ),
    "softmax": (
        (8,),
        lambda x: x.softmax(1),
        [],
        [Maximum, Gather, Add, Clip, Function, Linear, Clip, Function, Gather, Multiply],
    ),
    "layer_norm": (
        (8,),
        apply,
        [of(nn.LayerNorm, 8)],
        [Linear, Gather, Add, Multiply, Linear, Clip, Function, Gather, Multiply, Affine],
    ),
    "products": (STEPS, lambda x: x @ x.mT, [], [MatMul]),
    "the largest step": (STEPS, lambda x: x.amax(1), [], [MaxPool, Reshape]),
    "the largest channel": (STEPS, lambda x: x.argmax(2, keepdim=True), [], [ArgMax]),
    "rnn": (
        STEPS,
        first,
        [of(nn.RNN, 8, 3, batch_first=True)],
        [InputLayer, InputLayer, Concat, Linear, Clip, Function, Scan],
    ),
    "only the last layer's state is kept": (
        STEPS,
        lambda x, r: r(x)[1][1],
        [of(nn.RNN, 8, 3, 2, batch_first=True, nonlinearity="relu")],
        [*[InputLayer, InputLayer, Concat, Linear, Clip, Scan] * 2, Gather],
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_operations_become_these_layers(name):
    shape, forward, makers, expected = LAYERS[name]
    assert kinds(captured(model(forward, *makers), shape)) == [InputLayer, *expected]


def test_parts_of_operations_are_not_trainable():
    network = captured(
        model(
            lambda x, p, c, n: n(functional.avg_pool2d(c(functional.hardswish(p(x))), 2)).mean(-1),
            of(nn.PReLU, 4),
            of(nn.Conv2d, 4, 3, 3),
            of(nn.LayerNorm, 3),
        ),
        IMAGE,
    )
    weighted = {layer.name: layer.trainable for layer in network.layers if isinstance(layer, (Linear, Conv, Affine))}
    assert [name for name, trainable in weighted.items() if trainable] == ["parts.0.slope", "parts.1", "parts.2"]


def test_a_recurrent_layer_has_one_matrix_for_each_step():
    network = captured(model(lambda x, r: r(x)[0][:, -1], of(nn.LSTM, 8, 3, 2, batch_first=True)), STEPS)
    linears = [layer for layer in network.every_layer if isinstance(layer, Linear)]
    assert [layer.name for layer in linears] == ["parts.0.layer0.gates", "parts.0.layer1.gates"]
    assert [layer.weight.shape for layer in linears] == [(12, 11), (12, 6)]
    assert linears[0].weight_name == "parts.0.weight_ih_l0+parts.0.weight_hh_l0"
    last = network.by_name[network.output]
    assert (type(last), last.source, last.index.tolist()) == (Gather, "parts.0.layer1", [12, 13, 14])


def test_a_reverse_direction_begins_at_the_last_step():
    module = model(lambda x, r: r(x)[1][1], of(nn.GRU, 8, 3, batch_first=True, bidirectional=True))
    network = captured(module, STEPS)
    assert network.by_name["parts.0.layer0.backward"].reverse
    assert network.by_name[network.output].index.tolist() == [0, 1, 2]
    assert "parts.0.layer0" not in network.by_name


@pytest.mark.parametrize("name", ["masked softmax", "softmax after a large summand", "causal attention"])
def test_a_mask_keeps_all_values_small(name):
    network = captured(model(OPERATIONS[name][1]), STEPS)
    assert max(np.abs(values).max() for values in trace(network, samples_of(STEPS).numpy()).values()) < 1000


def test_masked_elements_get_no_probability():
    module = model(lambda x: (x @ x.mT + causal(5)).softmax(-1))
    network = captured(module, STEPS)
    known = trace(network, samples_of(STEPS).numpy() + np.arange(5)[:, np.newaxis] * 300)
    assert (known[network.output][:, ~np.tri(5, dtype=bool)] == 0).all()
    assert np.allclose(known[network.output].sum(-1), 1)
    assert all(np.isfinite(values).all() for values in known.values())


@pytest.mark.parametrize(
    ("forward", "maker", "message"),
    [
        (lambda x, r: r(x)[1][1][0], of(nn.LSTM, 8, 3, batch_first=True), "the cell state of an LSTM as an output"),
        (first, of(nn.LSTM, 8, 3, batch_first=True, proj_size=2), "a recurrent layer with proj_size is not supported"),
        (first, of(nn.GRU, 8, 3), "a recurrent layer over 5 sequences of one sample is not .* want batch_first=True"),
        (
            lambda x, r: r(x, x.mean(1)[None])[0],
            of(nn.GRU, 8, 8, batch_first=True),
            "an initial state that depends on the input is not supported; leave the initial state out",
        ),
    ],
    ids=["cell state", "projection", "steps first", "initial state"],
)
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_recurrent_layers_beyond_reach_are_refused(forward, maker, message):
    with pytest.raises(UnsupportedError, match=rf"^parts.0 \(test_operations.py:\d+\): {message}"):
        capture(model(forward, maker), samples_of(STEPS))


def test_one_sample_will_do_as_an_example():
    module = model(lambda x: x - x.mean(0))
    with pytest.raises(UnsupportedError, match="mixes samples"):
        capture(module, torch.zeros(1, 3))
    with pytest.raises(UnsupportedError, match="mixes samples"):
        capture(module, torch.ones(4, 3))

"""What a model holds that cannot be translated, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from fpgaprune.capture.origin import where
from fpgaprune.errors import UnsupportedError

if TYPE_CHECKING:
    from torch import fx

_SMOOTH = "use nn.ReLU, which costs next to nothing, or one of the smooth functions nn.SiLU, nn.Tanh and nn.Sigmoid"
STATISTICS = "call model.eval() and keep track_running_stats=True, so that it has fixed statistics"
_ROOT = "use x * torch.rsqrt(x + eps) or nn.LayerNorm"
_CONDITION = "use torch.relu, torch.clamp, torch.maximum, or a condition that is constant"
_OTHER = "write it with layers of torch.nn, such as Linear, Conv2d, MaxPool2d, LayerNorm and LSTM"

_COMPARISONS = frozenset("eq ne gt ge lt le logical_and logical_or logical_not".split())

#: Words in the name of an ATen operation → what to do instead.
REMEDIES = {
    "conv_transpose": "use nearest upsampling followed by a Conv",
    "upsample": "use mode='nearest'",
    "bilinear": "use a Linear on each factor, then a product",
    "grid_sampler": "use nearest upsampling and slices",
    "conv": "use nn.Conv1d or nn.Conv2d",
    "pool3d": "use pooling over one axis or two",
    "fractional_max_pool": "use nn.MaxPool2d",
    "lstm": "use nn.LSTM on a plain tensor",
    "gru": "use nn.GRU on a plain tensor",
    "rnn": "use nn.RNN on a plain tensor",
    "embedding": "give the model what the embedding returns: its input must be numbers, not indices",
    "dropout": "pass training=self.training to dropout, so that it ends with model.eval()",
    "batch_norm": STATISTICS,
    "bernoulli": "call model.eval(), or leave it out",
    "norm": "use nn.LayerNorm, nn.RMSNorm or nn.BatchNorm2d",
    "var": "use nn.LayerNorm, nn.GroupNorm or nn.BatchNorm2d",
    "std": "use nn.LayerNorm, nn.GroupNorm or nn.BatchNorm2d",
    "sqrt": _ROOT,
    "cosine": "use nn.LayerNorm or nn.RMSNorm, then a product",
    "logsumexp": "use torch.log_softmax",
    "cumsum": "use a Linear with a triangular weight",
    "clamp": "give clamp plain numbers",
    "where": _CONDITION,
    "masked": "use a constant mask",
    "sort": "use torch.amax",
    "topk": "use torch.amax",
    "div": "use a plain quotient",
    "softmin": "use softmax of the negative",
    "shrink": _SMOOTH,
    "erf": _SMOOTH,
    "sin": _SMOOTH,
    "cos": _SMOOTH,
    "atan": _SMOOTH,
    "expm1": "use torch.exp or nn.ELU",
    "log1p": "use torch.log or nn.Softplus",
    "fft": "use a Linear with the transform's matrix",
}


def refused(node: fx.Node, what: str, remedy: str) -> NoReturn:
    """Refuse a node by its place in the model.

    Raises:
        UnsupportedError: always.
    """
    msg = f"{where(node)}: {what} is not supported; {remedy}"
    raise UnsupportedError(msg)


def refused_operation(node: fx.Node) -> NoReturn:
    """Refuse an operation that has no reader.

    Raises:
        UnsupportedError: always.
    """
    name = str(node.target)
    stem = name.removeprefix("aten.").rpartition(".")[0] or name
    found = next((text for word, text in REMEDIES.items() if word in stem), _OTHER)
    remedy = _CONDITION if stem in _COMPARISONS else found
    refused(node, f"the operation {stem}", remedy)

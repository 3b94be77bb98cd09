"""What a model holds that cannot be translated, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from fpgaprune.capture.origin import where
from fpgaprune.errors import UnsupportedError

if TYPE_CHECKING:
    from torch import fx

_NOT_YET = "this version reads models of Linear, BatchNorm1d, ReLU, clamps, additions and reshapes"
_SMOOTH = "use nn.ReLU, nn.ReLU6 or nn.Hardtanh, which cost next to nothing"
_STATISTICS = "call model.eval() and keep track_running_stats=True, so that it has fixed statistics"

#: Words in the name of an ATen operation → what to do instead.
REMEDIES = {
    "conv": _NOT_YET,
    "lstm": _NOT_YET,
    "gru": _NOT_YET,
    "rnn": _NOT_YET,
    "attention": _NOT_YET,
    "pool": _NOT_YET,
    "softmax": "end the model at its logits: the largest logit is the largest probability",
    "sigmoid": _SMOOTH,
    "tanh": _SMOOTH,
    "gelu": _SMOOTH,
    "silu": _SMOOTH,
    "elu": _SMOOTH,
    "leaky": _SMOOTH,
    "softplus": _SMOOTH,
    "hardswish": _SMOOTH,
    "dropout": "pass training=self.training to dropout, so that it ends with model.eval()",
    "batch_norm": _STATISTICS,
    "layer_norm": "use nn.BatchNorm1d, which folds into the weights",
    "sub": "negate the weights of the Linear before it and add",
    "mul": "multiply the factor into the weights of the Linear before it",
    "div": "multiply the inverse into the weights of the Linear before it",
    "neg": "negate the weights of the Linear before it",
    "clamp": "give clamp plain numbers",
    "maximum": "use torch.relu or torch.clamp",
    "where": "use torch.relu or torch.clamp",
    "threshold": "use torch.relu or torch.clamp",
    "permute": "give the inputs in the order that the next layer reads",
    "transpose": "give the inputs in the order that the next layer reads",
    "expand": "give both summands the same shape",
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
    remedy = next((text for word, text in REMEDIES.items() if word in stem), _NOT_YET)
    refused(node, f"the operation {stem}", remedy)

"""Sums of squares of what each prunable tensor of a module is multiplied with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from fpgaprune.prune.criteria.recurrent import recurrent_inputs
from fpgaprune.prune.forward import copied

#: Parameters, each with its sums of squares in float64, of a shape that broadcasts to that of the parameter.
Squares: TypeAlias = Iterator[tuple[Tensor, Tensor]]
#: The arguments of a call of a module, defaults included → the squares of this call.
Observer: TypeAlias = Callable[..., Squares]


def linear(module: nn.Linear) -> Observer:
    """Return the observer of a linear layer."""

    def observe(x: Tensor, *_: Any) -> Squares:  # noqa: ANN401  # what a subclass takes besides
        yield module.weight, _columns(x)

    return observe


def convolution(module: nn.Conv1d | nn.Conv2d) -> Observer:
    """Return the observer of a convolution: each tap sees the positions that stride, dilation and padding give it.

    With squared inputs, the derivative of the sum of all outputs for a weight is the sum of the squares that it meets.
    """
    bare = _bare(module)

    def observe(x: Tensor, *_: Any) -> Squares:  # noqa: ANN401  # what a subclass takes besides
        with torch.enable_grad():
            total = bare(x.detach().double() ** 2).sum()
        yield module.weight, torch.autograd.grad(total, bare.weight)[0]

    return observe


def recurrent(module: nn.RNNBase) -> Observer:
    """Return the observer of a recurrent layer: inputs and hidden states of all steps, of each gate alike."""

    def observe(x: object, start: object = None, *_: Any) -> Squares:  # noqa: ANN401  # what a subclass takes besides
        for matrix, vectors in recurrent_inputs(module, x, start):
            yield matrix, _columns(vectors)

    return observe


def attention(module: nn.MultiheadAttention) -> Observer:
    """Return the observer of attention: queries, keys and values, and the joined heads that go into ``out_proj``."""
    heads = copied(module)  # with the identity in the place of out_proj, which is never called as a module
    with torch.no_grad():
        heads.out_proj.weight.copy_(torch.eye(module.embed_dim))
        if heads.out_proj.bias is not None:
            heads.out_proj.bias.zero_()

    def observe(*arguments: Any) -> Squares:  # noqa: ANN401  # those of MultiheadAttention.forward
        columns = [_columns(part) for part in arguments[:3]]
        joined = getattr(module, "in_proj_weight", None)
        if joined is not None:
            yield joined, torch.stack(columns).repeat_interleave(module.embed_dim, dim=0)
        else:
            yield from zip((module.q_proj_weight, module.k_proj_weight, module.v_proj_weight), columns, strict=True)
        yield module.out_proj.weight, _columns(heads(*arguments)[0])

    return observe


#: Module type → what makes the observer of one: the same types as those of ``PRUNABLE``.
OBSERVERS: dict[type[nn.Module], Callable[..., Observer]] = {
    nn.Linear: linear,
    nn.Conv1d: convolution,
    nn.Conv2d: convolution,
    nn.RNN: recurrent,
    nn.LSTM: recurrent,
    nn.GRU: recurrent,
    nn.MultiheadAttention: attention,
}


def observer(module: nn.Module) -> Observer | None:
    """Return the observer of a module, None where it holds no prunable tensor."""
    return next((make(module) for kind, make in OBSERVERS.items() if isinstance(module, kind)), None)


def _columns(vectors: Tensor) -> Tensor:
    """Return the sums of squares (columns,) over all dimensions but the last."""
    return (vectors.detach().double() ** 2).flatten(0, -2).sum(0) if vectors.ndim > 1 else vectors.double() ** 2


def _bare(module: nn.Conv1d | nn.Conv2d) -> nn.Conv1d | nn.Conv2d:
    """Return a convolution of the same geometry in float64, without a bias."""
    kind: Callable[..., nn.Conv1d | nn.Conv2d] = nn.Conv1d if isinstance(module, nn.Conv1d) else nn.Conv2d
    return kind(
        module.in_channels,
        module.out_channels,
        module.kernel_size,
        module.stride,
        module.padding,
        module.dilation,
        module.groups,
        bias=False,
        padding_mode=module.padding_mode,
        device=module.weight.device,
        dtype=torch.float64,
    )

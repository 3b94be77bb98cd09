"""The check of a cut: what is left of the model computes what it did when the channels that are gone were zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError
from fpgaprune.prune.forward import copied, mode, run
from fpgaprune.prune.shrinkage import INPUTS
from fpgaprune.several import as_tuple, mapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from fpgaprune.prune.forward import Tensors
    from fpgaprune.prune.shrinkage import Kept, Shrinkage


def cut_changes(model: nn.Module, x: Tensors, shrinkage: Shrinkage) -> str:
    """Return what a cut changes beside taking its channels away, or nothing.

    A copy that is cut must give what a copy gives whose layers read zeros in place of the channels that are cut out.
    Both run in float64; they differ by rounding alone, as the cut changes the order in which sums are taken, where a
    channel in a wrong place would differ by as much as the values themselves.

    Raises:
        InputError: the model does not run on ``x``.
    """
    x = mapped(lambda tensor: tensor.double() if tensor.is_floating_point() else tensor, x)
    whole, cut = copied(model).double(), copied(model).double()
    shrinkage.cut_(cut)
    for name, sides in shrinkage.layers.items():
        if INPUTS in sides:
            module = whole.get_submodule(name)
            module.register_forward_pre_hook(_zeroing(_axis(module), sides[INPUTS]))
    with mode(whole, training=False), mode(cut, training=False), torch.no_grad():
        expected = as_tuple(run(whole, x))
        try:
            given = as_tuple(run(cut, x))
        except InputError as error:
            return f"without them {error}"
    same = len(expected) == len(given) and all(map(_agree, expected, given))
    return "" if same else "without them the others change too: a norm, a softmax or a reshape goes across them"


def _agree(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or not one.is_floating_point():
        return torch.equal(one, other)
    return torch.allclose(one, other, rtol=1e-6, atol=1e-9 * float(one.abs().max()), equal_nan=True)


def _axis(module: nn.Module) -> int:
    """Return the axis, from the end, of the channels that a layer reads."""
    return -module.weight.dim() + 1 if isinstance(module, (nn.Conv1d, nn.Conv2d)) else -1


def _zeroing(axis: int, kept: Kept) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...]]:
    def hook(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        there = torch.zeros(kept.size, dtype=torch.bool)
        there[list(kept.indices)] = True
        x = args[0]
        shape = [1] * x.dim()
        shape[axis] = -1
        return (x.masked_fill(~there.to(x.device).reshape(shape), 0), *args[1:])

    return hook

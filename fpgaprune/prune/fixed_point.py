"""A fixed-point format as a part of a model: what the model computes with it, the design computes too."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.prune.grid import to_grid

MOST_BITS = 32
"""The widest format; beyond, float64 could not hold the sums of its products."""


class FixedPoint(nn.Module):
    """Rounds a tensor of any shape into a saturating format, which the design takes over.

    The gradient passes where nothing saturates.

    Raises:
        InputError: the format wraps around or is wider than 32 bits.
    """

    def __init__(self, to: Fixed) -> None:
        super().__init__()
        if to.overflow not in (Overflow.SAT, Overflow.SAT_SYM):
            msg = f"overflow must be AP_SAT or AP_SAT_SYM, not {to.overflow.value}"
            raise InputError(msg)
        if to.width > MOST_BITS:
            msg = f"a format of a model must have at most {MOST_BITS} bits, not {to.width}"
            raise InputError(msg)
        self.format = to

    def forward(self, x: Tensor) -> Tensor:
        """Return the values in the format."""
        to = self.format
        rounded: Tensor = _to_fixed(x, to.signed, to.width, to.fraction, to.rounding.value, to.overflow.value)
        return rounded

    def extra_repr(self) -> str:
        """Return the format for the text of the module."""
        return str(self.format)


@torch.library.custom_op("fpgaprune::to_fixed", mutates_args=())
def _to_fixed(x: Tensor, signed: bool, width: int, fraction: int, rounding: str, overflow: str) -> Tensor:
    return to_grid(x, Fixed(signed, width, fraction, Rounding(rounding), Overflow(overflow)))


@_to_fixed.register_fake
def _alike(x: Tensor, *_: object) -> Tensor:
    return torch.empty_like(x)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401, ARG001  # torch's signature
    ctx.inputs = inputs


def _gradient(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401  # torch's signature
    """Return the gradient that `to_grid` has."""
    x, signed, width, fraction, rounding, overflow = ctx.inputs
    with torch.enable_grad():
        again = x.detach().requires_grad_()
        y = to_grid(again, Fixed(signed, width, fraction, Rounding(rounding), Overflow(overflow)))
    (found,) = torch.autograd.grad(y, again, gradient)
    return found, None, None, None, None, None


_to_fixed.register_autograd(_gradient, setup_context=_keep)


@_to_fixed.register_vmap
def _batched(info: Any, dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int | None]:  # noqa: ANN401, ARG001  # torch's signature
    return _to_fixed(*inputs), dims[0]

"""A grid that is trained: weights with steps of their own, one for the layer, for each output, or for each weight."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from typing_extensions import assert_never

from fpgaprune.errors import InputError
from fpgaprune.quantise.compression import Granularity
from fpgaprune.quantise.joint.flat import Flat, Remembered
from fpgaprune.quantise.joint.trainable import BITS, TrainableBits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.fixed import Fixed

_LOG2 = math.log(2)
_BIAS, _FIRST = torch.tensor(127.0, device="cpu"), torch.tensor(2.0**23, device="cpu")
"""What the exponent of a float32 is told with, and the worth of its lowest bit."""

_LEAST_EXPONENT = -126
"""That of the least float32 of full precision."""


class WidthGrid(TrainableBits):
    """Weights rounded to trainable steps; groups of weights that share one follow each other in ``scaled``.

    A weight that rounds to zero has no bits. Weights come and go by layer.

    Raises:
        InputError: a step is, or may become, none that float32 has in full precision.
    """

    _fraction: Tensor
    _group: Tensor

    def __init__(
        self, formats: Mapping[str, Fixed], shapes: Mapping[str, tuple[int, ...]], granularity: Granularity
    ) -> None:
        for name, to in formats.items():
            _refuse_far_steps(name, to)
        groups = {name: _groups(shape, granularity) for name, shape in shapes.items()}
        counts = torch.tensor(list(groups.values()))
        super().__init__(torch.tensor([float(to.width) for to in formats.values()]).repeat_interleave(counts))
        self._flat = Flat(shapes)
        self._groups = groups
        self._shared = granularity is not Granularity.WEIGHT
        self._known: Remembered[tuple[Tensor, Tensor]] = Remembered()
        fraction = torch.tensor([float(to.fraction) for to in formats.values()]).repeat_interleave(counts)
        each = [size // groups[name] for name, size in zip(shapes, self._flat.sizes, strict=True)]
        members = torch.cat([torch.full((count,), size) for count, size in zip(groups.values(), each, strict=True)])
        self.register_buffer("_fraction", fraction, persistent=False)
        self.register_buffer("_group", torch.arange(len(members)).repeat_interleave(members), persistent=False)

    def forward(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights on their grids, with gradients to the weights and to the lost bits."""
        if not torch.is_grad_enabled():
            return self._flat.parts(self.found(weights)[0])
        own = [weights[name] for name in self._flat.shapes]
        found = _OnGrid.apply(self, weights, self.scaled, *own)  # type: ignore[no-untyped-call]  # torch's own
        return dict(zip(self._flat.shapes, found, strict=True))

    def bits(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the bits of each weight, without the sign, from the highest that its group needs down to its step."""
        bits, used = self._highest(weights)
        nothing = self._of_each(self.scaled - self.scaled.detach())  # with a gradient
        return self._flat.parts(torch.addcmul(bits, used, nothing, value=-BITS))

    @torch.no_grad()
    def _highest(self, weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the bits of each weight without a gradient, and one where there are any."""
        rounded = self.found(weights)[0]
        largest, used = rounded.abs(), rounded != 0
        if self._shared:
            largest = torch.zeros_like(self.scaled).scatter_reduce_(0, self._group, largest, "amax")
        bits, used = (torch.frexp(largest)[1] + self._finest()).clamp_(min=0), used.to(rounded.dtype)
        return self._of_each(bits) * used, used

    def found(self, weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return all weights on their grids, and their errors; to be called under torch.no_grad."""
        return self._known.of([self.scaled, *weights.values()], lambda: self._compute(weights))

    def _compute(self, weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        x, scale = self._flat.joined(weights), self._of_each(_power_of_two_(self._finest()))
        rounded = (x * scale).round_().div_(scale)
        return rounded, x.sub_(rounded)

    def parts(self, vector: Tensor) -> tuple[Tensor, ...]:
        """Return what a vector has of each layer, in its shape."""
        return tuple(self._flat.parts(vector).values())

    def of_groups(self, vector: Tensor) -> Tensor:
        """Return the sum over the weights of each group."""
        if not self._shared:
            return vector
        parts = zip(vector.split_with_sizes(self._flat.sizes), self._groups.values(), strict=True)
        return torch.cat([part.view(count, -1).sum(1) for part, count in parts])

    def _of_each(self, groups: Tensor) -> Tensor:
        """Return for each weight the value of its group."""
        return groups.index_select(0, self._group) if self._shared else groups

    def _finest(self) -> Tensor:
        """Return the fraction bits of the step of each group."""
        return torch.sub(self._fraction, self.scaled, alpha=BITS).round_()


class _OnGrid(torch.autograd.Function):
    """The gradient of rounding to trainable steps.

    Of a step 2**-f the error halves with each bit, so the gradient of a rounded value q of x in f is log(2) * (x - q)
    (Sun et al. 2024, "Gradient-based automatic mixed precision quantization for neural networks on-chip",
    arXiv:2405.00645); to x it passes.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  # torch's context
        grid: WidthGrid,
        weights: Mapping[str, Tensor],
        *_: Tensor,
    ) -> tuple[Tensor, ...]:
        rounded, error = grid.found(weights)
        ctx.save_for_backward(error)
        ctx.grid = grid
        return grid.parts(rounded)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401  # as above
        (error,) = ctx.saved_tensors
        slope = torch.cat([gradient.flatten() for gradient in gradients]).mul_(error)
        return None, None, ctx.grid.of_groups(slope).mul_(-_LOG2 * BITS), *gradients


def _refuse_far_steps(name: str, to: Fixed) -> None:
    finest, coarsest = to.fraction, to.fraction - to.width
    if coarsest < _LEAST_EXPONENT or finest > _BIAS:
        msg = (
            f"{name}: widths can be trained for steps from 2**-127 to 2**126, not for those of {to}; scale the weights"
        )
        raise InputError(msg)


def _power_of_two_(exponents: Tensor) -> Tensor:
    """Return two to the power of whole numbers, in their place: the bits of a float32 tell them (IEEE 754)."""
    return exponents.add_(_BIAS).mul_(_FIRST).to(torch.int32).view(torch.float32)


def _groups(shape: tuple[int, ...], granularity: Granularity) -> int:
    """Return how many groups of weights share a width."""
    match granularity:
        case Granularity.LAYER:
            return 1
        case Granularity.CHANNEL:
            return shape[0]
        case Granularity.WEIGHT:
            return math.prod(shape)
        case _:
            assert_never(granularity)

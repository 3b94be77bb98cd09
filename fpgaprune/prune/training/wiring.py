"""The sparsity pattern of a training run: which weights stay at zero, and, where it moves, when and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fpgaprune.prune.masks import fill_zeros_

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fpgaprune.prune.masks import Masks
    from fpgaprune.prune.training.hooks import AfterStep


class Wiring:
    """A pattern that stays as it is: pruned weights get no gradient and are zero after each step.

    Neither momentum nor weight decay nor ``after_step`` revives them.

    Raises:
        InputError: the masks do not belong to the model.
    """

    def __init__(self, model: nn.Module, masks: Masks | None, after_step: AfterStep | None = None) -> None:
        self.model = model
        self.after_step = after_step
        self._masks = masks
        self._holes: tuple[tuple[nn.Parameter, Tensor], ...] = ()
        self.set_masks(masks)

    @property
    def masks(self) -> Masks | None:
        """The masks as they are now; None where nothing is pruned."""
        return self._masks

    @property
    def sparsity(self) -> float:
        """The fraction of the prunable weights that is pruned."""
        return self._masks.sparsity if self._masks is not None else 0.0

    def set_masks(self, masks: Masks | None) -> None:
        """Take other masks and set the weights that they prune to zero.

        Raises:
            InputError: the masks do not belong to the model.
        """
        self._masks = masks
        holes = masks.holes(self.model) if masks is not None else ()
        self._holes = tuple((weight, hole) for weight, hole in holes if bool(hole.any()))
        fill_zeros_(self._holes)

    def rewire(self, done: float, step: int, optimiser: torch.optim.Optimizer) -> bool:  # noqa: ARG002  # for others
        """Move the pattern if this is the time; what returns True takes the place of the optimiser's step.

        ``done`` is the share of training that is over, ``step`` counts optimiser steps from 1; gradients are there.
        """
        return False

    def silence(self) -> None:
        """Set the gradients of pruned weights to zero."""
        for weight, hole in self._holes:
            if weight.grad is not None:
                weight.grad.masked_fill_(hole, 0)

    @torch.no_grad()
    def settle(self) -> None:
        """Call ``after_step`` and set pruned weights to zero."""
        if self.after_step is not None:
            self.after_step(self.model)
        for weight, hole in self._holes:
            weight.masked_fill_(hole, 0)

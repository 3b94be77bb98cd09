"""Dynamic sparse training: as sparse as asked for from the start, with a pattern that moves while weights are trained.

RigL (Evci et al. 2020, "Rigging the Lottery: Making All Tickets Winners", algorithm 1): now and then, in place of an
optimiser step, the smallest weights are dropped and as many connections grow where the gradient is largest.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from fpgaprune.prune.criteria import CRITERIA, Context
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.objectives import default_loss
from fpgaprune.prune.select import pruned_count, resolve_layers, select
from fpgaprune.prune.settings import Distribution
from fpgaprune.prune.training.optimisers import forget
from fpgaprune.prune.training.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from fpgaprune.prune.settings import RigL
    from fpgaprune.prune.stage import Stage
    from fpgaprune.prune.training.wiring import Dead


def first_masks(model: nn.Module, stage: Stage, seed: int, previous: Masks) -> Masks:
    """Return random masks that keep in each tensor what the distribution of the stage says, exactly.

    What ``previous`` pruned stays pruned and counts.

    Raises:
        InputError: the stage names a layer that the model has not.
    """
    kept = kept_counts(previous, stage)
    scores = CRITERIA["random"](prunable(model), Context(model, None, default_loss, seed))
    shares = {name: 1 - kept[name] / previous.count_of(name) for name in kept}
    return select(scores, 0.0, layers=shares, previous=previous)


def kept_counts(previous: Masks, stage: Stage) -> dict[str, int]:
    """Return how many weights of each tensor are kept: in all as many as the sparsity of the stage says, exactly.

    Tensors with a sparsity of their own keep what that says. None keeps more than ``previous`` kept.

    Raises:
        InputError: the stage names a layer that the model has not.
    """
    own = resolve_layers(previous, stage.layers)
    rest = [name for name in previous if name not in own]
    counts = {name: previous.count_of(name) for name in previous}
    kept = {name: counts[name] - pruned_count(target, counts[name]) for name, target in own.items()}
    if stage.rigl.distribution is Distribution.UNIFORM:
        kept |= {name: counts[name] - pruned_count(stage.final_sparsity, counts[name]) for name in rest}
    else:
        total = sum(counts[name] for name in rest)
        kept |= erk(previous, rest, total - pruned_count(stage.final_sparsity, total))
    return {name: min(kept[name], previous.nonzeros(name)) for name in previous}


def erk(previous: Masks, names: list[str], total: int) -> dict[str, int]:
    """Return how many of ``total`` weights each tensor keeps: its sum of sizes, times one factor for all of them.

    The density of a tensor is thus proportional to the sum of its sizes over their product (Evci et al. 2020,
    section 3.1). A tensor that would keep more than it has keeps all. Largest remainders make the total exact.
    """
    room = {name: previous.nonzeros(name) for name in names}
    total = min(total, sum(room.values()))
    full: set[str] = set()
    while True:
        raw = {name: sum(previous[name].shape) for name in names if name not in full}
        left = total - sum(room[name] for name in full)
        factor = left / sum(raw.values()) if raw else 0.0
        over = {name for name in raw if factor * raw[name] > room[name]}
        if not over:
            return {name: room[name] for name in full} | _whole({name: factor * raw[name] for name in raw}, room, left)
        full |= over


def _whole(shares: Mapping[str, float], room: Mapping[str, int], total: int) -> dict[str, int]:
    """Return the shares as integers of this sum, those with the largest remainders rounded up."""
    found = {name: min(math.floor(share), room[name]) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: found[name] - shares[name])
    for name in by_remainder:
        if sum(found.values()) < total and found[name] < room[name]:
            found[name] += 1
    return found


class Rigged(Wiring):
    """A pattern that moves by RigL: weights are dropped by magnitude and grow, from zero, by gradient.

    No weight grows that ``allowed`` has pruned. ``dead`` tells the entries of biases that stay at zero under masks.

    Raises:
        InputError: the masks do not belong to the model.
    """

    def __init__(self, model: nn.Module, masks: Masks, rigl: RigL, allowed: Masks, dead: Dead) -> None:
        self._rigl = rigl
        self._allowed = allowed
        super().__init__(model, masks, dead=dead)

    def rewire(self, done: float, step: int, optimiser: torch.optim.Optimizer) -> bool:
        """Move the pattern each ``interval`` steps until the share ``until`` of training is over."""
        if self.masks is None or step % self._rigl.interval or done >= self._rigl.until:
            return False
        share = self._rigl.fraction * (1 + math.cos(math.pi * done / self._rigl.until)) / 2
        moved = dict(self.masks)
        for name, weight in prunable(self.model).items():
            if weight.grad is not None:
                moved[name] = rewired(moved[name], self._allowed[name], weight, share)
        self.set_masks(Masks(moved, self.masks.shrinkage))
        for parameter, hole in self.holes:
            forget(optimiser, parameter, hole)
        return True


@torch.no_grad()
def rewired(mask: Tensor, allowed: Tensor, weight: nn.Parameter, share: float) -> Tensor:
    """Return a mask that keeps as many weights, of which ``share``, rounded down, was dropped and grown again.

    Those with the smallest magnitude are dropped; those with the largest gradient grow, dropped ones among them. Of
    equal ones the first by flat index is taken.
    """
    kept = mask.to(weight.device).flatten()
    count = int(share * int(kept.sum()))
    magnitude = weight.detach().abs().flatten().masked_fill(~kept, math.inf)
    kept = kept.clone()
    kept[torch.argsort(magnitude, stable=True)[:count]] = False
    assert weight.grad is not None  # noqa: S101  # as the caller has seen
    open_ = allowed.to(weight.device).flatten() & ~kept
    gradient = weight.grad.detach().abs().flatten().masked_fill(~open_, -1)
    kept[torch.argsort(gradient, descending=True, stable=True)[:count]] = True
    return kept.reshape(mask.shape).to(mask.device)

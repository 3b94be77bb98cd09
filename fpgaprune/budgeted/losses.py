"""What it costs that weights go: measured, or summed up from scores of single weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import torch

from fpgaprune.errors import InputError
from fpgaprune.prune import CRITERIA, Masks, prunable
from fpgaprune.prune.criteria.replica import count, replica

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from fpgaprune.prune import Context
    from fpgaprune.prune.criteria.replica import Replica

MEASURED = "measured"

LOSSES = (MEASURED, "fisher", "obd", "taylor", "snip")
"""What tells how much a layer loses: the loss itself, or a criterion whose scores are changes of it, which add up."""

LossOf: TypeAlias = "Callable[[Sequence[str], Masks], float]"
"""(tensors of one unit, masks of all) → what it costs that these are pruned as the masks say, all others whole."""


def losses_by(name: str, context: Context) -> LossOf:
    """Return what one of `LOSSES` makes of the model of a context, pruned by the masks so far.

    Raises:
        InputError: as the criterion of that name.
    """
    assert context.masks is not None  # noqa: S101  # a ground has masks
    if name == MEASURED:
        return _Measured(context, context.masks)
    return _Summed(CRITERIA[name](prunable(context.model), context), context.masks)


@dataclass(frozen=True, eq=False)
class _Summed:
    """The sum of the scores of the weights that go."""

    scores: Mapping[str, Tensor]
    before: Masks

    def __call__(self, tensors: Sequence[str], masks: Masks) -> float:
        return sum(self._of(name, masks[name]) for name in tensors)

    def _of(self, name: str, mask: Tensor) -> float:
        gone = (self.before[name] & ~mask).cpu()
        return float(self.scores[name].cpu()[gone].double().sum())


@dataclass(frozen=True, eq=False)
class _Measured:
    """The rise of the loss on the first training samples when the weights go, before any training.

    Sums of scores take weights for independent of one another, and say far too little of the last ones of a layer.
    """

    context: Context
    before: Masks
    known: list[float] = field(default_factory=list)

    def __call__(self, tensors: Sequence[str], masks: Masks) -> float:
        if all(torch.equal(masks[name], self.before[name]) for name in tensors):
            return 0.0
        weights = prunable(self.context.model)
        with replica("magnitude", weights, self.context) as work, torch.no_grad():
            pruned = {name: work.weights[name] * masks[name].to(work.weights[name].device) for name in tensors}
            pairs = zip(work.batches, self._before(work), strict=True)
            rise = sum((float(work.loss(each, pruned)) - loss) * count(each) for each, loss in pairs) / work.samples
        if not math.isfinite(rise):
            msg = f"the loss without weights of {tensors[0]} rises by {rise}; check it and the scale of the data"
            raise InputError(msg)
        return rise

    def _before(self, work: Replica) -> list[float]:
        """Return the loss of each batch with all weights, which is the same each time."""
        if not self.known:
            self.known.extend(float(work.loss(each)) for each in work.batches)
        return self.known

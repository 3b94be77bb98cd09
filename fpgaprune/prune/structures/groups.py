"""Groups of weights that are pruned together, wherever they lie: their scores, and exactly k of them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from typing_extensions import assert_never

from fpgaprune.errors import InputError
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.select import select
from fpgaprune.prune.structures.base import Goal, GroupScore, Structure, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from fpgaprune.prune.structures.fits import Target

NOWHERE = -1
"""The number of the group of a weight that is in none."""


@dataclass(frozen=True, eq=False)
class Groups:
    """So many groups, which compete with those of one owner (by the name of a tensor) or of the whole model.

    Each part is a tensor's name and, in its shape, the number of the group that each weight is in, or `NOWHERE`. One
    tensor may be in several parts, so that a weight is in several groups, but in none of them twice.
    """

    owner: str
    count: int
    parts: tuple[tuple[str, Tensor], ...]
    sparsity: float | None = None

    def members(self, masks: Masks) -> NDArray[np.int64]:
        """Return (groups,) how many weights of each group are kept."""
        return sum((_counted(*part, masks, self.count) for part in self.parts), np.zeros(self.count, np.int64))

    def scores(self, scores: Mapping[str, Tensor], masks: Masks, kind: GroupScore) -> Tensor:
        """Return (groups,) the score of each group, in float64; 0 where no weight is left."""
        power = 2 if kind is GroupScore.L2 else 1
        parts = (_summed(name, labels, scores[name], masks, power, self.count) for name, labels in self.parts)
        total = sum(parts, np.zeros(self.count))
        match kind:
            case GroupScore.SUM:
                return torch.from_numpy(total)
            case GroupScore.MEAN:
                return torch.from_numpy(total / np.maximum(self.members(masks), 1))
            case GroupScore.L2:
                return torch.from_numpy(np.sqrt(total))
            case _:
                assert_never(kind)

    def pruned(self, masks: Mapping[str, Tensor], gone: Tensor) -> dict[str, Tensor]:
        """Return the masks without the weights of the groups at which ``gone`` (groups,) is True."""
        padded = torch.cat([gone, torch.zeros(1, dtype=torch.bool)])  # the last one is that of NOWHERE
        tensors = dict(masks)
        for name, labels in self.parts:
            tensors[name] = tensors[name] & ~padded[labels].to(tensors[name].device)
        return tensors


@dataclass(frozen=True)
class Grouped(Structure):
    """A structure that prunes exactly k of its groups; the sparsity is the share of groups."""

    @abstractmethod
    def groups(self, subject: Subject, targets: tuple[Target, ...]) -> tuple[Groups, ...]:
        """Return the groups of the tensors that are pruned, one value for each owner.

        Raises:
            InputError: there are none that may be pruned.
        """

    def check(self, subject: Subject, layers: Mapping[str, float]) -> None:
        """Refuse a model without groups that may be pruned, or own sparsities of layers that have none."""
        self._groups(subject, layers)

    def share(self, subject: Subject, layers: Mapping[str, float]) -> float:
        """Return the share of the groups without an own sparsity that have no weight left."""
        pool = [group for group in self._groups(subject, layers) if group.sparsity is None]
        gone = sum(int((group.members(subject.masks) == 0).sum()) for group in pool)
        return gone / max(sum(group.count for group in pool), 1)

    def prune_(self, subject: Subject, scores: Mapping[str, Tensor], goal: Goal) -> Masks:
        """Return masks without the groups of lowest scores; a group that is gone already counts as pruned."""
        groups = self._groups(subject, goal.layers)
        kept = select_groups(groups, subject.masks, scores, goal)
        tensors = dict(subject.masks)
        for group in groups:
            tensors = group.pruned(tensors, ~kept[group.owner])
        return replace(subject.masks, tensors=tensors)

    def _groups(self, subject: Subject, layers: Mapping[str, float]) -> tuple[Groups, ...]:
        return self.groups(subject, self.targets(subject.model, layers))


def select_groups(
    groups: Sequence[Groups],
    masks: Masks,
    scores: Mapping[str, Tensor],
    goal: Goal,
    *,
    removed: Mapping[str, int] | None = None,
    spare_best: bool = False,
) -> Masks:
    """Return owner → (groups,) which of its groups are kept; of equal scores the first goes first.

    ``removed`` says how many groups of each owner are cut out already. With ``spare_best``, the best group of each
    owner goes only when all others of the pool are gone.

    Raises:
        InputError: a score is NaN or infinite.
    """
    for name in {name: None for group in groups for name, _ in group.parts}:
        if not bool(scores[name].isfinite().all()):
            msg = f"the scores of {name!r} hold NaN or infinite values, so its groups cannot be ranked"
            raise InputError(msg)
    values = {group.owner: group.scores(scores, masks, goal.group_score) for group in groups}
    alive = {group.owner: torch.from_numpy(group.members(masks) > 0) for group in groups}
    if spare_best:
        for owner, value in values.items():
            best = value.masked_fill(~alive[owner], -torch.inf).argmax()
            value[best], alive[owner][best] = torch.finfo(value.dtype).max, True
    return select(
        values,
        goal.sparsity,
        scope=goal.scope,
        layers={group.owner: group.sparsity for group in groups if group.sparsity is not None},
        previous=Masks(alive),
        removed=removed,
    )


def _counted(name: str, labels: Tensor, masks: Masks, count: int) -> NDArray[np.int64]:
    there = masks[name].cpu() & (labels != NOWHERE)
    return np.bincount(labels[there].numpy(), minlength=count)


def _summed(name: str, labels: Tensor, scores: Tensor, masks: Masks, power: int, count: int) -> NDArray[np.float64]:
    there = masks[name].cpu() & (labels != NOWHERE)
    values = scores.detach().cpu()[there].double().numpy() ** power
    return np.bincount(labels[there].numpy(), weights=values, minlength=count).astype(np.float64)

"""Masks that fill the lanes of a folded matrix: each lane has as many non-zeros as any other."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from fpgaprune.prune.select import lowest, ranked, select
from fpgaprune.prune.structures.base import Goal, Structure, Subject, refuse
from fpgaprune.prune.structures.groups import NOWHERE
from fpgaprune.prune.structures.matrices import as_matrix, from_matrix, matrix_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.prune.masks import Masks
    from fpgaprune.prune.structures.fits import Target


@dataclass(frozen=True)
class _Filled(Structure):
    """A structure by which each matrix keeps what single weights would, rounded down to whole slots of its lanes.

    A matrix that would keep some weights, but no slot of them, keeps one slot.
    """

    @property
    @abstractmethod
    def total(self) -> int:
        """The number of lanes."""

    @abstractmethod
    def filled(self, target: Target, values: Tensor, each: int) -> Tensor:
        """Return which values of a matrix are kept for ``each`` non-zeros a lane; pruned ones are minus infinity.

        Raises:
            InputError: a lane finds no value.
        """

    def misfit(self, target: Target, weight: Tensor) -> str:
        """Return that a matrix has fewer weights than there are lanes, where it has."""
        count = min(matrix_rows(target, len(weight))) * weight[0].numel()
        return self._too_few("has a matrix of", count) if count < self.total else ""

    def prune_(self, subject: Subject, scores: Mapping[str, Tensor], goal: Goal) -> Masks:
        """Return masks that prune what the goal asks for, and so much more that all lanes are full.

        Raises:
            InputError: as `targets`, or so much is pruned already that a lane of a matrix has no weight left.
        """
        targets = self.targets(subject.model, goal.layers)
        own = {target.name: target.sparsity for target in targets if target.sparsity is not None}
        pool = {target.name: scores[target.name] for target in targets}
        free = select(pool, goal.sparsity, scope=goal.scope, layers=own, previous=subject.masks)
        tensors = dict(subject.masks)
        for target in targets:
            mask = tensors[target.name]
            values = as_matrix(ranked(target.name, scores[target.name], subject.masks))
            kept = self._all_filled(target, values, as_matrix(free[target.name]))
            tensors[target.name] = from_matrix(kept, mask.shape).to(mask.device)
        return replace(subject.masks, tensors=tensors)

    def _all_filled(self, target: Target, values: Tensor, free: Tensor) -> Tensor:
        """Return which values of a tensor are kept, of one matrix below the other."""
        rows = matrix_rows(target, len(values))
        parts = zip(torch.split(values, rows), torch.split(free, rows), strict=True)
        return torch.cat([self.filled(target, part, self._each(target, part, int(kept.sum()))) for part, kept in parts])

    def _each(self, target: Target, values: Tensor, count: int) -> int:
        """Return how many weights each lane keeps where a matrix would keep so many: one, if it would keep any."""
        left = int((values != -torch.inf).sum())
        if count and left < self.total:
            refuse(target, self._too_few("has a matrix with", left))
        return max(count // self.total, min(count, 1))

    def _too_few(self, what: str, count: int) -> str:
        return f"{what} {count} weights, too few for the structure '{self}'; ask for at most {count} lanes"


@dataclass(frozen=True)
class Lanes(_Filled):
    """As many non-zeros in each matrix as L lanes do in whole slots: ``"lanes 8"``.

    That suffices where operands come from registers, as any lane then takes any non-zero. Up to L - 1 more weights of
    a matrix are pruned than the goal asks for, or up to L - 1 fewer where it would keep less than a slot.
    """

    lanes: int

    form: ClassVar[str] = "lanes L"

    @property
    def total(self) -> int:
        """The number of lanes."""
        return self.lanes

    def filled(self, target: Target, values: Tensor, each: int) -> Tensor:  # noqa: ARG002  # any values do
        """Return which values of a matrix are kept: the highest ones."""
        return ~lowest(values.flatten(), values.numel() - each * self.total).reshape(values.shape)


@dataclass(frozen=True)
class BankedLanes(_Filled):
    """As many non-zeros in each of B banks of columns in each of G groups of rows: ``"lanes 4x2"``, B times G lanes.

    For operands from memories, where a lane has one bank and one group. Those columns and rows that keep a weight are
    dealt out to banks and groups in their order, as many to each as to any other: so does the scheduler. The
    number that is pruned differs from the goal as it does for ``Lanes`` of B times G lanes; where a lane has fewer
    weights left than it would keep, all keep as many as that one has.
    """

    banks: int
    groups: int

    form: ClassVar[str] = "lanes BxG"

    @property
    def total(self) -> int:
        """The number of lanes: banks times groups."""
        return self.banks * self.groups

    def misfit(self, target: Target, weight: Tensor) -> str:
        """Return that a matrix has fewer columns than banks or rows than groups, or is a convolution in groups."""
        rows, columns = min(matrix_rows(target, len(weight))), weight[0].numel()
        if rows < self.groups or columns < self.banks:
            problem = f"has a matrix of {rows}x{columns}, too small for the structure '{self}'"
            return f"{problem}; ask for at most {columns} banks and {rows} groups"
        if isinstance(target.module, (nn.Conv1d, nn.Conv2d)) and target.module.groups > 1:
            return f"reads each column in one group alone: '{self}' would have empty lanes; take 'lanes {self.total}'"
        if isinstance(target.module, (nn.RNN, nn.LSTM, nn.GRU, nn.MultiheadAttention)):
            return (
                f"may be built in one matrix with others, whose banks '{self}' cannot fill; take 'lanes {self.total}'"
            )
        return super().misfit(target, weight)

    def filled(self, target: Target, values: Tensor, each: int) -> Tensor:
        """Return which values of a matrix are kept: the highest ones of each bank and group, as many as all have.

        Columns and rows that keep none are built no more, which deals out the others anew, until all keep one.
        """
        kept = values != -torch.inf if each else torch.zeros(values.shape, dtype=torch.bool)
        while each:
            rows, columns = kept.any(dim=1), kept.any(dim=0)
            lane = _dealt(rows, self.groups).unsqueeze(1) * self.banks + _dealt(columns, self.banks)
            lane.masked_fill_(~(rows.unsqueeze(1) & columns), NOWHERE)
            each = min(each, self._fewest(target, values, lane))
            kept = self._highest(values, lane, each)
            if torch.equal(kept.any(dim=1), rows) and torch.equal(kept.any(dim=0), columns):
                break
        return kept

    def _fewest(self, target: Target, values: Tensor, lane: Tensor) -> int:
        """Return how many weights are left in the lane that has fewest."""
        left = lane[(lane != NOWHERE) & (values != -torch.inf)]
        fewest = int(torch.bincount(left, minlength=self.total).min())
        if not fewest:
            problem = f"has no weight left in a lane of '{self}', so that no number of them fills all lanes"
            refuse(target, f"{problem}; prune by lanes in an earlier stage, take 'lanes {self.total}'")
        return fewest

    def _highest(self, values: Tensor, lane: Tensor, each: int) -> Tensor:
        kept = torch.zeros(values.shape, dtype=torch.bool)
        for number in range(self.total):
            inside = lane == number
            own = values[inside]
            kept[inside] = ~lowest(own, len(own) - each)
        return kept


def _dealt(there: Tensor, owners: int) -> Tensor:
    """Return the owner of each of those that are there, consecutive ones to each, and `NOWHERE` for the others."""
    count = int(there.sum())
    owner = torch.full(there.shape, NOWHERE)
    owner[there] = torch.arange(count) * owners // count
    return owner

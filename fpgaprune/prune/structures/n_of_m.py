"""N:M sparsity: of every M neighbours in a row, N are left."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from torch.nn.functional import pad

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import fraction
from fpgaprune.prune.select import pruned_count, ranked
from fpgaprune.prune.structures.base import Goal, Structure, Subject
from fpgaprune.prune.structures.matrices import as_matrix, from_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fpgaprune.prune.masks import Masks


@dataclass(frozen=True)
class NOfM(Structure):
    """At most N of every M neighbours in a row are left (Mishra et al. 2021, "Accelerating Sparse DNNs"): ``"2:4"``.

    Neighbours are along the inputs; those of a convolution along the input channels of a tap, and on into the next
    tap. A shorter tail of a row counts as one that is filled up with pruned weights: it too keeps its N best, or all
    of N or fewer.

    Raises:
        InputError: N is not below M, or one of them is no positive integer.
    """

    n: int
    m: int

    form: ClassVar[str] = "N:M"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n >= self.m:
            msg = f"the structure '{self}' prunes nothing: N:M keeps N of every M weights, so N must be below M"
            raise InputError(msg)

    @property
    def sparsity(self) -> float:
        """Return the share of each full group that is pruned."""
        return (self.m - self.n) / self.m

    def settled(self, sparsity: float | None, layers: Mapping[str, float]) -> float:
        """Return the sparsity that the pattern fixes.

        Raises:
            InputError: another one is given, or a layer has one that is neither this nor 0.
        """
        if sparsity is not None and fraction("sparsity", sparsity) != self.sparsity:
            fixed = f"the structure '{self}', which fixes {self.sparsity:g}"
            msg = f"sparsity {sparsity!r} contradicts {fixed}; leave it out"
            raise InputError(msg)
        for name, own in layers.items():
            if own not in (0, self.sparsity):
                msg = (
                    f"layers.{name} = {own:g} contradicts the structure '{self}', which fixes {self.sparsity:g}; "
                    "0 leaves a layer alone"
                )
                raise InputError(msg)
        return self.sparsity

    def prune_(self, subject: Subject, scores: Mapping[str, Tensor], goal: Goal) -> Masks:
        """Return masks that prune the same number of every M neighbours: the goal's share of M, to the nearest."""
        tensors = dict(subject.masks)
        for target in self.targets(subject.model, goal.layers):
            mask = tensors[target.name]
            values = as_matrix(ranked(target.name, scores[target.name], subject.masks))
            share = goal.sparsity if target.sparsity is None else target.sparsity
            kept = _kept(values, self.m, pruned_count(share, self.m))
            tensors[target.name] = from_matrix(kept, mask.shape).to(mask.device)
        return replace(subject.masks, tensors=tensors)


def _kept(values: Tensor, m: int, k: int) -> Tensor:
    """Return which values of each row are kept when the ``k`` lowest of every ``m`` go, equal ones from the left."""
    columns = values.shape[1]
    groups = pad(values, (0, -columns % m), value=-math.inf).reshape(len(values), -1, m)
    kept = groups != -math.inf
    kept.scatter_(2, groups.argsort(dim=2, stable=True)[:, :, :k], value=False)
    return kept.flatten(1)[:, :columns]

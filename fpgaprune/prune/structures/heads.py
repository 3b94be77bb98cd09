"""Heads of attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from fpgaprune.prune.masks import joined, prunable
from fpgaprune.prune.structures.fits import Named
from fpgaprune.prune.structures.groups import Grouped, Groups
from fpgaprune.prune.structures.matrices import indices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.prune.structures.base import Subject
    from fpgaprune.prune.structures.fits import Target

_PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


@dataclass(frozen=True)
class Heads(Grouped):
    """The rows of a head's queries, keys and values and the columns of ``out_proj`` that read it: ``"heads"``.

    (Michel et al. 2019, "Are Sixteen Heads Really Better than One?") Without those columns nothing reads the head.
    """

    form: ClassVar[str] = "heads"
    named: ClassVar[Named] = Named.MODULES

    def groups(self, subject: Subject, targets: tuple[Target, ...]) -> tuple[Groups, ...]:
        """Return the heads of each attention module."""
        weights = prunable(subject.model)
        first: dict[nn.Module, Target] = {}
        for target in targets:
            first.setdefault(target.module, target)
        return tuple(
            _heads(target, module, weights)
            for module, target in first.items()
            if isinstance(module, nn.MultiheadAttention)
        )


def _heads(target: Target, attention: nn.MultiheadAttention, weights: Mapping[str, Tensor]) -> Groups:
    names = [name for local in _PROJECTIONS if (name := joined(target.layer, local)) in weights]
    size, width = attention.head_dim, attention.embed_dim
    parts = [(name, indices(weights[name], 0) % width // size) for name in names]
    out = joined(target.layer, "out_proj.weight")
    parts.append((out, indices(weights[out], 1) // size))
    return Groups(target.name, attention.num_heads, tuple(parts), target.sparsity)

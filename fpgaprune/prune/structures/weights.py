"""Single weights, without a pattern."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fpgaprune.prune.select import select
from fpgaprune.prune.structures.base import Goal, Structure, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fpgaprune.prune.masks import Masks


@dataclass(frozen=True)
class Weights(Structure):
    """Each weight by itself: ``"weights"``."""

    form: ClassVar[str] = "weights"

    def prune_(self, subject: Subject, scores: Mapping[str, Tensor], goal: Goal) -> Masks:
        """Return masks that prune exactly as many weights as the goal asks for."""
        return select(scores, goal.sparsity, scope=goal.scope, layers=goal.layers, previous=subject.masks)

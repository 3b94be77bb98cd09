"""A moment of a training run: all that what follows depends on, as tensors and plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fpgaprune.explained.history import History

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fpgaprune.prune.masks import Masks
    from fpgaprune.prune.training.diverged import Start


@dataclass(frozen=True, eq=False)
class Best:
    """The model after ``epoch``, the best so far by ``value``, higher being better; -inf where nothing was measured."""

    epoch: int
    tensors: Mapping[str, Tensor]
    masks: Masks | None
    value: float = -math.inf


@dataclass(frozen=True, eq=False)
class Course:
    """How a run went so far: ``epochs`` are done, and it is ``over`` if no other is to come."""

    epochs: int
    best: Best
    over: bool = False
    history: History = field(default_factory=History)


@dataclass(frozen=True, eq=False)
class Moment:
    """A run between two epochs, after ``steps`` optimiser steps; ``start`` is from before the first.

    ``model``, ``optimiser`` and ``random`` (the global generators) are tensors by name.
    """

    course: Course
    steps: int
    masks: Masks | None
    model: Mapping[str, Tensor]
    optimiser: Mapping[str, Tensor]
    random: Mapping[str, Tensor]
    start: Start | None = None

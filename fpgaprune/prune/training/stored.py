"""Moments of training as plain values and tensors, for a checkpoint, and back.

Tensors of one kind share a prefix, such as ``model/`` for those of the model as it is.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from fpgaprune.explained.history import History
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.shrinkage import Shrinkage
from fpgaprune.prune.training.diverged import Start
from fpgaprune.prune.training.moment import Best, Course, Moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


@dataclass
class Tensors:
    """Tensors by prefix and name."""

    found: dict[str, Tensor] = field(default_factory=dict)

    def put(self, prefix: str, tensors: Mapping[str, Tensor]) -> None:
        """Add tensors under a prefix."""
        self.found |= {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}

    def get(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors of a prefix by their names."""
        return {
            name.removeprefix(f"{prefix}/"): tensor
            for name, tensor in self.found.items()
            if name.startswith(f"{prefix}/")
        }

    def put_masks(self, prefix: str, masks: Masks | None) -> dict[str, object] | None:
        """Add masks under a prefix and return what else they hold."""
        if masks is None:
            return None
        self.put(prefix, masks)
        return {"order": list(masks), "shrinkage": masks.shrinkage.to_dict()}

    def get_masks(self, prefix: str, values: Mapping[str, Any] | None) -> Masks | None:
        """Return the masks of a prefix, in their order, given what ``put_masks`` returned."""
        if values is None:
            return None
        found = self.get(prefix)
        return Masks({name: found[name] for name in values["order"]}, Shrinkage.from_dict(values["shrinkage"]))


def moment_values(moment: Moment, tensors: Tensors) -> dict[str, object]:
    """Return a moment as plain values, having put its tensors among ``tensors``."""
    course, best = moment.course, moment.course.best
    for prefix, found in (("model", moment.model), ("optimiser", moment.optimiser), ("random", moment.random)):
        tensors.put(prefix, found)
    tensors.put("best", best.tensors)
    return {
        "epochs": course.epochs,
        "over": course.over,
        "history": course.history.to_dict(),
        "steps": moment.steps,
        "start": None if moment.start is None else asdict(moment.start),
        "masks": tensors.put_masks("masks", moment.masks),
        "best_epoch": best.epoch,
        "best_value": None if best.value == -math.inf else best.value,
        "best_masks": tensors.put_masks("best masks", best.masks),
    }


def moment_of(values: Mapping[str, Any], tensors: Tensors) -> Moment:
    """Return the moment that ``moment_values`` took apart."""
    value = values["best_value"]
    masks = tensors.get_masks("best masks", values["best_masks"])
    best = Best(values["best_epoch"], tensors.get("best"), masks, -math.inf if value is None else value)
    course = Course(values["epochs"], best, values["over"], History.from_dict(values["history"]))
    masks = tensors.get_masks("masks", values["masks"])
    start = None if values["start"] is None else Start(**values["start"])
    model, optimiser, random = (tensors.get(each) for each in ("model", "optimiser", "random"))
    return Moment(course, values["steps"], masks, model, optimiser, random, start)

"""Channels and neurons with all that depends on them, which are cut out of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fpgaprune.errors import InputError
from fpgaprune.prune.masks import Masks, joined, prunable
from fpgaprune.prune.shrinkage import OUTPUTS, sides_of
from fpgaprune.prune.structures.base import Goal, Structure, Subject
from fpgaprune.prune.structures.coupled import MAKERS, Coupled, Fixed, coupled_channels, cut_of
from fpgaprune.prune.structures.cutting import cut_changes
from fpgaprune.prune.structures.groups import NOWHERE, Groups, select_groups
from fpgaprune.prune.structures.matrices import indices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from fpgaprune.prune.structures.fits import Target


@dataclass(frozen=True)
class Channels(Structure):
    """Output channels of convolutions and neurons of Linear layers with all that goes with them: ``"channels"``.

    Those that residuals, concatenations and the like join are one unit. Units are cut out: the model itself becomes
    smaller. At least one of those that go together is left. The sparsity is the share of units, of those that the model
    had at first.
    """

    form: ClassVar[str] = "channels"

    def check(self, subject: Subject, layers: Mapping[str, float]) -> None:
        """Refuse a model without channels that can be cut out, or own sparsities of layers that have none."""
        self._units(subject, layers)

    def share(self, subject: Subject, layers: Mapping[str, float]) -> float:
        """Return the share of the units without an own sparsity that are cut out or have no weight left."""
        found = self._units(subject, layers)
        pool = [groups for _, groups in found if groups.sparsity is None]
        removed = sum(_removed(subject.masks, coupled) for coupled, groups in found if groups.sparsity is None)
        gone = removed + sum(int((groups.members(subject.masks) == 0).sum()) for groups in pool)
        return gone / max(removed + sum(groups.count for groups in pool), 1)

    def prune_(self, subject: Subject, scores: Mapping[str, Tensor], goal: Goal) -> Masks:
        """Cut the units of lowest scores out of the model, and return masks for what is left.

        Raises:
            InputError: as `targets`, no unit can be cut, all those that go together would be, or there is no input.
        """
        masks = subject.masks
        found = self._units(subject, goal.layers)
        removed = {groups.owner: _removed(masks, coupled) for coupled, groups in found}
        units = [groups for _, groups in found]
        kept = select_groups(units, masks, scores, goal, removed=removed, spare_best=True)
        for coupled, groups in found:
            if not bool(kept[groups.owner].any()):
                msg = f"so much sparsity leaves no channel of {coupled.root!r}; ask for less, or for less by 'layers'"
                raise InputError(msg)
        cut = cut_of((coupled, ~kept[groups.owner]) for coupled, groups in found)
        if reason := cut_changes(subject.model, subject.example(self), cut):
            names = ", ".join(cut.layers)
            msg = f"the channels of {names} cannot be cut out together: {reason}; leave some alone by 'layers'"
            raise InputError(msg)
        cut.cut_(subject.model)
        return Masks(cut.cut(masks, subject.model), masks.shrinkage.then(cut))

    def _units(self, subject: Subject, layers: Mapping[str, float]) -> list[tuple[Coupled, Groups]]:
        """Return the channels that may be cut, with the weights that go with them.

        Raises:
            InputError: there are none, or a layer that has a sparsity of its own has none.
        """
        targets = {target.layer: target for target in self.targets(subject.model, layers)}
        all_found = coupled_channels(subject.model, subject.example(self))
        fixed = {name: found.reason for found in all_found if isinstance(found, Fixed) for name in found.makers}
        coupled = [found for found in all_found if isinstance(found, Coupled)]
        makers = {maker for each in coupled for maker in each.makers}
        for name, target in targets.items():
            if target.sparsity is not None and name not in makers:
                msg = (
                    f"layers.{name}: its channels cannot be cut out: {fixed.get(name, 'it had no part in the output')}"
                )
                raise InputError(msg)
        free = [each for each in coupled if targets.keys() >= _weighted(subject.model, each)]
        if targets and not free:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in fixed.items())
            msg = f"no layer has channels that can be cut out ({reasons or 'all are left alone'})"
            raise InputError(msg)
        return [(each, _groups(subject.model, each, _own(each, targets))) for each in free]


def _weighted(model: nn.Module, coupled: Coupled) -> set[str]:
    """Return the layers of weights that make the channels."""
    return {name for name in coupled.makers if isinstance(model.get_submodule(name), MAKERS)}


def _own(coupled: Coupled, targets: Mapping[str, Target]) -> float | None:
    """Return the one sparsity that layers which make the same channels have of their own."""
    own = {name: targets[name].sparsity for name in coupled.makers if name in targets}
    values = {value for value in own.values() if value is not None}
    if len(values) > 1:
        given = ", ".join(f"{name} = {value:g}" for name, value in own.items() if value is not None)
        msg = f"layers: these make the same channels and must have one sparsity: {given}"
        raise InputError(msg)
    return next(iter(values), None)


def _groups(model: nn.Module, coupled: Coupled, sparsity: float | None) -> Groups:
    """Return the weights of each unit: the rows that make it and the columns that read it."""
    weights = prunable(model)
    parts: list[tuple[str, Tensor]] = []
    for (name, side), unit in coupled.members.items():
        weight = joined(name, "weight")
        if weight in weights:
            axis = sides_of(model.get_submodule(name))[side].axes["weight"]
            label = unit[indices(weights[weight], axis)]
            twice = next((rows for other, rows in parts if other == weight), None)
            parts.append((weight, label if twice is None else label.masked_fill(label == twice, NOWHERE)))
    return Groups(joined(coupled.root, "weight"), coupled.count, tuple(parts), sparsity)


def _removed(masks: Masks, coupled: Coupled) -> int:
    """Return how many units are cut out already."""
    kept = masks.shrinkage.layers.get(coupled.root, {}).get(OUTPUTS)
    return kept.size - len(kept.indices) if kept else 0

"""What every structure has: a word for it, the layers that it fits, and how it prunes them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import astuple, dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, NoReturn

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import fraction, integer
from fpgaprune.prune.forward import device_of, moved
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.select import Scope
from fpgaprune.prune.structures.fits import Named, Target, targets_of
from fpgaprune.several import mapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from fpgaprune.prune.data import Data
    from fpgaprune.prune.forward import Tensors


class GroupScore(Enum):
    """What the score of a group is, of those of its weights that are not pruned yet."""

    MEAN = "mean"
    SUM = "sum"
    L2 = "l2"


@dataclass(frozen=True)
class Subject:
    """What is pruned: a model, the masks so far, and data, on which some structures must see the model run."""

    model: nn.Module
    masks: Masks
    data: Data | None = None

    def example(self, structure: object) -> Tensors:
        """Return the first two samples of the data on the device of the model.

        Raises:
            InputError: there is no data.
        """
        if self.data is None:
            msg = f"the structure {str(structure)!r} must see the model run; give data, of which it takes two samples"
            raise InputError(msg)
        return moved(mapped(lambda tensor: tensor[:2], self.data.example()), device_of(self.model))


@dataclass(frozen=True)
class Goal:
    """How much is pruned, where groups compete, and by which score; ``layers`` have sparsities of their own.

    Raises:
        InputError: a sparsity is outside [0, 1].
    """

    sparsity: float
    scope: Scope = Scope.GLOBAL
    layers: Mapping[str, float] = field(default_factory=dict)
    group_score: GroupScore = GroupScore.MEAN

    def __post_init__(self) -> None:
        fraction("sparsity", self.sparsity)


@dataclass(frozen=True)
class Structure(ABC):
    """Which weights are pruned together, or in which pattern.

    ``form`` is how a recipe writes it: its capitals stand for the fields, which are positive integers.
    """

    form: ClassVar[str]
    named: ClassVar[Named] = Named.TENSORS

    def __post_init__(self) -> None:
        for item in fields(self):
            integer(f"{item.name} of the structure {self.form!r}", getattr(self, item.name), low=1)

    def __str__(self) -> str:
        numbers = iter(astuple(self))
        return re.sub("[A-Z]", lambda _: str(next(numbers)), self.form)

    def settled(self, sparsity: float | None, layers: Mapping[str, float]) -> float:  # noqa: ARG002  # N:M reads them
        """Return the sparsity of a stage that has this one, or none, and these sparsities of its own for layers.

        Raises:
            InputError: there is no sparsity, or the structure contradicts one.
        """
        if sparsity is None:
            msg = f"sparsity must be given for the structure '{self}'"
            raise InputError(msg)
        return fraction("sparsity", sparsity)

    def targets(self, model: nn.Module, layers: Mapping[str, float]) -> tuple[Target, ...]:
        """Return the tensors of ``model`` that are pruned by this structure, each with a sparsity of its own or None.

        A layer whose own sparsity is 0 is left alone, whatever it is.

        Raises:
            InputError: no layer can take the structure, or one of ``layers`` is unknown or cannot take it.
        """
        found = targets_of(self.form, self.named, str(self), model, layers)
        weights = prunable(model)
        for target in found:
            if problem := self.misfit(target, weights[target.name]):
                refuse(target, problem)
        return found

    def check(self, subject: Subject, layers: Mapping[str, float]) -> None:
        """Refuse a model that cannot be pruned so, or own sparsities of layers that cannot.

        Raises:
            InputError: as `targets`, or where the model must run, there is no data or nothing may be pruned.
        """
        self.targets(subject.model, layers)

    def misfit(self, target: Target, weight: Tensor) -> str:  # noqa: ARG002  # those that can misfit read them
        """Return why a tensor of the right kind cannot take the structure, and what it can take, or nothing."""
        return ""

    def share(self, subject: Subject, layers: Mapping[str, float]) -> float:  # noqa: ARG002  # groups read them
        """Return the share of what this structure counts (weights, unless it has groups) that is pruned already."""
        return subject.masks.sparsity

    @abstractmethod
    def prune_(self, subject: Subject, scores: Mapping[str, Tensor], goal: Goal) -> Masks:
        """Return masks that prune as much as the goal asks for, lowest scores first; channels are also cut out.

        ``scores`` has for each prunable weight a tensor of its shape. What is pruned stays pruned and counts.

        Raises:
            InputError: as `targets`, a score is NaN or infinite, or the goal cannot be reached.
        """


def refuse(target: Target, problem: str) -> NoReturn:
    """Refuse a tensor that a structure does not fit, with the remedy that any layer has.

    Raises:
        InputError: always.
    """
    msg = f"{target.name} {problem}, or leave it alone by 'layers.{target.layer} = 0'"
    raise InputError(msg)

"""Pruning with a budget or without one, as one function."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from fpgaprune.budgeted.api import ROUNDS, Budgeted, prune_to_budget
from fpgaprune.budgeted.losses import MEASURED
from fpgaprune.budgeted.training import Training
from fpgaprune.errors import InputError
from fpgaprune.prune import prune as by_recipe
from fpgaprune.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn
    from typing_extensions import Unpack

    from fpgaprune.budgeted.build import Build
    from fpgaprune.budgeted.outcome import Round
    from fpgaprune.budgeted.training import TrainingOptions
    from fpgaprune.fit import Budget
    from fpgaprune.prune import Data, PrunedModel, PruneRecipe


@overload
def prune(
    model: nn.Module, data: Data | None, recipe: PruneRecipe, **options: Unpack[TrainingOptions]
) -> PrunedModel: ...


@overload
def prune(
    model: nn.Module,
    data: Data,
    recipe: PruneRecipe | Recipe,
    *,
    budget: Budget,
    build: Build | None = ...,
    loss_by: str = ...,
    rounds: int = ...,
    tell: Callable[[Round], None] | None = ...,
    **options: Unpack[TrainingOptions],
) -> Budgeted: ...


def prune(
    model: nn.Module,
    data: Data | None,
    recipe: PruneRecipe | Recipe,
    *,
    budget: Budget | None = None,
    build: Build | None = None,
    loss_by: str = MEASURED,
    rounds: int = ROUNDS,
    tell: Callable[[Round], None] | None = None,
    **options: Unpack[TrainingOptions],
) -> PrunedModel | Budgeted:
    """Return a pruned copy of ``model``, as ``fpgaprune.prune.prune`` does, or one within a budget of a board.

    With a ``budget`` it is pruned, quantised and generated, as `prune_to_budget` does; a whole `Recipe` then also says
    how to quantise. ``build``, ``loss_by``, ``rounds`` and ``tell`` are for a budget alone.

    Raises:
        InfeasibleError: no network is within the budget; the message says what binds and what would help.
        InputError: a budget without data, a build or a recipe of quantisation without a budget, or as either function.
    """
    if budget is not None:
        if data is None:
            msg = "a budget needs data, as the formats of a network are chosen on it"
            raise InputError(msg)
        training = Training(data, **options)
        return prune_to_budget(model, recipe, budget, training, build=build, loss_by=loss_by, rounds=rounds, tell=tell)
    if build is not None or isinstance(recipe, Recipe):
        msg = (
            "a build, and a recipe that also quantises, are for a budget: give budget=Budget(board='pynq-z2', …), or a "
            "PruneRecipe alone"
        )
        raise InputError(msg)
    return by_recipe(model, data, recipe, **options)

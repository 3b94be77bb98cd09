"""Pruning to a budget as one function of a model, a recipe and a budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fpgaprune.budgeted.alternate import Alternation
from fpgaprune.budgeted.build import Build, Site
from fpgaprune.budgeted.ground import check_recipe, ground_of
from fpgaprune.budgeted.losses import MEASURED
from fpgaprune.budgeted.outcome import Cost, LayerKept, Metrics, Outcome
from fpgaprune.budgeted.probe import Prober
from fpgaprune.budgeted.rounds import Made, Maker, scarcest
from fpgaprune.budgeted.search import Search
from fpgaprune.budgeted.units import units_of
from fpgaprune.budgeted.whole import Whole
from fpgaprune.fit import Aim, nearest, optimise, tightness, totals
from fpgaprune.prune.checks import integer
from fpgaprune.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import nn

    from fpgaprune.budgeted.outcome import Round
    from fpgaprune.budgeted.training import Training
    from fpgaprune.fit import Budget, Problem, Situation
    from fpgaprune.flow import Generated
    from fpgaprune.prune import Masks, PrunedModel, PruneRecipe
    from fpgaprune.quantise import QuantisedModel

ROUNDS = 6
"""Networks that are made in full, at most."""


@dataclass(frozen=True, eq=False)
class Budgeted:
    """A network within its budget: pruned, quantised, and the design that was checked, with what that took."""

    pruned: PrunedModel
    quantised: QuantisedModel
    generated: Generated
    outcome: Outcome


def prune_to_budget(
    model: nn.Module,
    recipe: Recipe | PruneRecipe,
    budget: Budget,
    training: Training,
    *,
    build: Build | None = None,
    loss_by: str = MEASURED,
    rounds: int = ROUNDS,
    tell: Callable[[Round], None] | None = None,
) -> Budgeted:
    """Return ``model``, a trained network, pruned so that its generated design is within the budget of a board.

    A knapsack chooses how much of each layer is left: the least sum of what layers lose by ``loss_by``, which is one of
    `LOSSES`, such that the strategies that ``fit`` would choose are within the budget, by the estimate of the
    quantised and lowered network at these levels. The network is then pruned to that by the recipe, trained, quantised
    and generated; where the design takes more or less than was thought, it is chosen again with that known, in at most
    ``rounds`` rounds. The recipe's sparsity is pruned at least, and its criterion chooses the weights of a layer. Equal
    arguments give equal results. ``tell`` is told each round.

    Raises:
        InfeasibleError: even the sparsest network does not fit; the message says what binds and what would help.
        InputError: the budget names no board, the recipe leaves it nothing to decide, or as ``prune``, ``quantise`` and
            ``generate``.
    """
    whole = Recipe.of(recipe)
    check_recipe(whole.prune, loss_by)
    whole.check(model, training.data)
    integer("rounds", rounds, low=1)
    site = Site(budget, build or Build())
    search = _search(model, whole, site, loss_by, training)
    maker = Maker(model, whole, site, training)
    alternation = Alternation(search, maker, rounds, tell or _silent)
    made = alternation.run()
    assert made.generated is not None  # noqa: S101  # only those that fit are returned
    design = _design(made.generated, site)
    fitted = made.generated.fitted
    outcome = Outcome(
        site.board.name,
        site.budget,
        site.budget.limits(site.board),
        site.goal.latency_cycles(site.clock_ns),
        site.goal.interval_cycles,
        site.clock_ns,
        _metrics(maker, made),
        _least(each.problem for each in _dense(search, maker)),
        design if fitted is None else _least([fitted.problem]) or design,
        design,
        _kept(made.pruned.masks),
        tuple(alternation.history),
    )
    return Budgeted(made.pruned, made.quantised, made.generated, outcome)


def _silent(_round: Round) -> None:
    pass


def _search(model: nn.Module, recipe: Recipe, site: Site, loss_by: str, training: Training) -> Search:
    ground = ground_of(model, recipe.prune, loss_by, training)
    whole = Whole.of(ground.model, training.data, recipe.quantise)
    units = units_of(whole.origins, ground.counts)
    return Search(Prober(ground, whole, units, site), training.progress)


def _dense(search: Search, maker: Maker) -> tuple[Situation, ...]:
    """Return what there was to choose from to build the model without any pruning."""
    recipe, masks = maker.recipe.prune, search.probe.ground.masks
    if not recipe.first and not recipe.layers and masks.kept == masks.count:
        return search.probe.dense.situations
    whole = Whole.of(maker.model, maker.training.data, maker.recipe.quantise)
    return maker.site.situations(whole.quantised, whole.samples)


def _metrics(maker: Maker, made: Made) -> Metrics:
    dense = maker.dense().report.metric_after
    pruned = made.quantised.report
    assert dense is not None  # noqa: S101  # quantise measures both
    assert pruned.metric_before is not None  # noqa: S101
    assert pruned.metric_after is not None  # noqa: S101
    return Metrics(maker.training.measured(maker.model), dense, pruned.metric_before, pruned.metric_after)


def _kept(masks: Masks) -> tuple[LayerKept, ...]:
    return tuple(LayerKept(name, masks.count_of(name), masks.nonzeros(name)) for name in masks)


def _least(problems: Iterable[Problem]) -> Cost | None:
    """Return what the smallest choice takes that comes nearest to the limits; None where none is fast enough."""
    found = [(problem, choice) for problem in problems if (choice := nearest(problem)) is not None]
    if not found:
        return None
    problem, choice = min(found, key=lambda pair: tightness(*pair))
    share = tightness(problem, choice)
    if math.isfinite(share):
        limits = tuple(math.floor(limit * share + _ROUNDING) for limit in problem.limits)
        choice = optimise(replace(problem, limits=limits, aim=Aim.AREA)) or choice
    return Cost(problem.amounts(choice.points), math.ceil(choice.latency), math.ceil(choice.interval), share)


def _design(generated: Generated, site: Site) -> Cost:
    resources = generated.resources
    used = totals(resources)
    share = scarcest(used, site.budget.limits(site.board))
    return Cost(used, resources.latency_cycles, resources.interval_cycles, share)


_ROUNDING = 1e-6
"""What a share of a limit may have lost of what it was computed from."""

"""Networks in full: pruned, trained, quantised and generated, and whether their designs fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fpgaprune.fit import Fitted, InfeasibleError, nearest, tightness, totals
from fpgaprune.flow import generated
from fpgaprune.several import mapped
from fpgaprune.workspace import MOST_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    from torch import nn

    from fpgaprune.budgeted.build import Site
    from fpgaprune.budgeted.training import Training
    from fpgaprune.fit.budget import Amounts
    from fpgaprune.flow import Generated
    from fpgaprune.prune import PrunedModel
    from fpgaprune.quantise import QuantisedModel
    from fpgaprune.recipe import Recipe
    from fpgaprune.several import OneOrMore

    FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Made:
    """A network in full; without a design that fits and depends on its input, ``generated`` is None.

    ``tightness`` is the least share of the scarcest limit that a design of it takes, more than 1 where none fits.
    """

    pruned: PrunedModel
    quantised: QuantisedModel
    generated: Generated | None
    tightness: float


@dataclass(frozen=True, eq=False)
class Maker:
    """Makes networks of one model in full, by one recipe, for one board."""

    model: nn.Module
    recipe: Recipe
    site: Site
    training: Training

    def __call__(self, number: int, sparsities: Mapping[str, float] | None) -> Made:
        """Return the network with these sparsities of its tensors, or with None as the recipe says."""
        recipe = self.recipe.prune
        if sparsities is not None:
            recipe = replace(recipe, layers={**recipe.layers, **sparsities})
        pruned = self.training.prune(self.model, recipe, f"round_{number}")
        quantised = self.training.quantise(pruned, self.recipe.quantise, f"round_{number}")
        try:
            found = generated(quantised, self.site.board, self.samples(), self.site.options)
        except InfeasibleError as error:
            return Made(pruned, quantised, None, max(_least(error), math.nextafter(1, 2)))
        share = self._tightness(found)
        fits = share <= 1 and not found.project.is_constant
        return Made(pruned, quantised, found if fits else None, share)

    def dense(self) -> QuantisedModel:
        """Return the network without any pruning, quantised as the recipe says, but not compressed."""
        return self.training.quantise(self.model, replace(self.recipe.quantise, compress=None), "dense")

    def samples(self) -> OneOrMore[FloatArray]:
        """Return the test inputs that designs are checked on, those that a workspace keeps."""
        samples, _ = self.training.data.test_arrays()
        return mapped(lambda values: values[:MOST_SAMPLES].astype("float64"), samples)

    def _tightness(self, found: Generated) -> float:
        """Return the least share of the scarcest limit that could be chosen, or that of the plans asked for."""
        if isinstance(found.fitted, Fitted):
            choice = nearest(found.fitted.problem)
            return 1.0 if choice is None else min(tightness(found.fitted.problem, choice), 1.0)
        resources, site = found.resources, self.site
        limits = site.budget.limits(site.board)
        most = (site.goal.latency_cycles(site.clock_ns), site.goal.interval_cycles)
        times = zip((resources.latency_cycles, resources.interval_cycles), most, strict=True)
        if any(cap is not None and used > cap for used, cap in times):
            return math.inf
        return scarcest(totals(resources), limits)


def scarcest(used: Amounts, limits: Amounts) -> float:
    """Return the largest share of a limit: 1 where one is reached, infinity of one of nothing."""
    shares = (count / limit if limit else math.inf if count else 0.0 for count, limit in zip(used, limits, strict=True))
    return max(shares)


def _least(error: InfeasibleError) -> float:
    found = [tightness(problem, choice) for problem in error.problems if (choice := nearest(problem)) is not None]
    return min(found, default=math.inf)

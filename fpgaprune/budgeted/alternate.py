"""Choosing how much is left of each layer and making the network, in turns, until its generated design fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from fpgaprune.budgeted.outcome import Round
from fpgaprune.budgeted.search import CAUTION, Bracket, corrected
from fpgaprune.fit import InfeasibleError, explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from fpgaprune.budgeted.probe import Probe
    from fpgaprune.budgeted.rounds import Made, Maker
    from fpgaprune.budgeted.search import Search

ROOM = 0.05
"""The share of its scarcest limit that a design may leave before weights are put back."""

_LEAST_CHANGE = 1.02
"""By how much the limits before training must change for another round to be worth it."""


@dataclass(frozen=True, eq=False)
class Alternation:
    """The search for levels, and what makes networks of them in full, at most ``rounds`` times."""

    search: Search
    maker: Maker
    rounds: int
    tell: Callable[[Round], None]
    history: list[Round] = field(default_factory=list)

    def run(self) -> Made:
        """Return the network that fits and loses least, of those that were made.

        Raises:
            InfeasibleError: not even the sparsest one fits, or none did in so many rounds.
        """
        best: tuple[float, Made] | None = None
        bracket, bias, wanted = Bracket(), 1.0, 1.0
        tried: list[Probe] = []
        while len(tried) < self.rounds:
            probe = self._next(wanted, tried)
            if probe is None or probe in tried:
                break
            tried.append(probe)
            made = self._made(len(tried), probe)
            fits = made.generated is not None
            bias = corrected(bias, made.tightness, probe.tightness)
            bracket = bracket.after(probe.tightness, fits=fits)
            wanted = bracket.inside(1 / (bias * CAUTION))
            if fits and (best is None or probe.loss < best[0]):
                best = probe.loss, made
            if fits and (made.tightness >= 1 - ROOM or probe is self.search.own):
                break
            if best is not None and wanted < bracket.good * _LEAST_CHANGE:
                break
        return self._refuse(tried) if best is None else best[1]

    def _next(self, wanted: float, tried: list[Probe]) -> Probe | None:
        """Return the network to make next: the recipe's own if that is small enough before training.

        Where training compresses weights, only a trained network tells what they take. The sparsest is tried at last.
        """
        own, sparsest = self.search.own, self.search.sparsest
        if own.tightness <= wanted or (not tried and self.maker.recipe.quantise.compress is not None):
            return own
        return self.search.within(wanted) or (sparsest if sparsest.tightness <= 1 else None)

    def _made(self, number: int, probe: Probe) -> Made:
        made = self.maker(number, self.search.sparsities(probe))
        fits = made.generated is not None
        metric = made.quantised.report.metric_after
        assert metric is not None  # noqa: S101  # quantise measures it
        told = Round(number, made.pruned.sparsity, probe.tightness, made.tightness, fits, metric)
        self.history.append(told)
        self.tell(told)
        return made

    def _refuse(self, tried: list[Probe]) -> NoReturn:
        sparsest = self.search.sparsest
        if not tried or sparsest.tightness > 1:
            count = self.search.probe.ground.masks.count
            pruned = f"pruned to {sparsest.kept:,} of {count:,} weights, which is as far as it goes"
            situations = self.search.probe.in_full(sparsest)
            raise InfeasibleError(explain(situations, pruned=pruned), tuple(each.problem for each in situations))
        last = self.history[-1]
        share = f"{100 * last.found:.1f} % of its scarcest limit" if math.isfinite(last.found) else "too long"
        more = ", or more rounds" if len(tried) == self.rounds else ""
        msg = (
            f"no network fitted the budget, of {len(tried)} that were trained: the last one, {last.sparsity:.1%} "
            f"pruned, took {share} (estimate); allow a little more of the board or of time{more}"
        )
        raise InfeasibleError(msg)

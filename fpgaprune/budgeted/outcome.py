"""What pruning to a budget gave up and gained, in numbers."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fpgaprune.resources import AMOUNTS, Kind

if TYPE_CHECKING:
    from fpgaprune.fit import Budget
    from fpgaprune.fit.budget import Amounts


@dataclass(frozen=True)
class Metrics:
    """The metric on the test data, better when higher, of the dense and of the pruned network.

    Each in floats and as integers; by default it is the accuracy.
    """

    dense: float
    dense_integers: float
    pruned: float
    pruned_integers: float

    @property
    def given_up(self) -> float:
        """What the metric fell by, both networks as integers."""
        return self.dense_integers - self.pruned_integers


@dataclass(frozen=True)
class Cost:
    """What a design takes, in the order of `AMOUNTS`; an estimate.

    ``tightness`` is the share of its scarcest limit: 1 is a limit that is reached, more than that does not fit.
    """

    amounts: Amounts
    latency_cycles: int
    interval_cycles: int
    tightness: float


@dataclass(frozen=True)
class LayerKept:
    """A tensor of the model, how many weights it has and how many are left."""

    tensor: str
    weights: int
    kept: int

    @property
    def sparsity(self) -> float:
        """The share of weights that is pruned."""
        return 1 - self.kept / self.weights


@dataclass(frozen=True)
class Round:
    """One network that was pruned, trained, quantised and generated: the share of weights that went, and what it took.

    ``forecast`` is the share of the scarcest limit that it took before training, ``found`` after; ``fits`` is whether a
    design came out of it, and ``metric`` that of the integers on the test data.
    """

    number: int
    sparsity: float
    forecast: float
    found: float
    fits: bool
    metric: float


@dataclass(frozen=True)
class Outcome:
    """What pruning to a budget gave up and gained.

    ``dense`` and ``pruned`` are what the choice of strategies takes that comes nearest to the budget, without pruning
    (None where none is fast enough) and with it; ``design`` is what the one takes that came out, which may spend on
    speed what the budget leaves. ``limits`` are in the order of `AMOUNTS`, those of time in cycles, None where there
    are none.
    """

    board: str
    budget: Budget
    limits: Amounts
    latency_cycles: int | None
    interval_cycles: int | None
    clock_ns: float
    metrics: Metrics
    dense: Cost | None
    pruned: Cost
    design: Cost
    layers: tuple[LayerKept, ...]
    rounds: tuple[Round, ...]
    kind: Kind = Kind.ESTIMATE

    @property
    def sparsity(self) -> float:
        """The share of all prunable weights that is pruned."""
        weights = sum(layer.weights for layer in self.layers)
        return 1 - sum(layer.kept for layer in self.layers) / weights

    @property
    def gained(self) -> dict[str, int]:
        """How much less of each resource is needed than without pruning; empty where nothing dense is fast enough."""
        if self.dense is None:
            return {}
        pairs = zip(AMOUNTS, self.dense.amounts, self.pruned.amounts, strict=True)
        return {name: before - after for name, before, after in pairs}

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON: a share without bound is None."""
        return {
            "board": self.board,
            "budget": asdict(self.budget),
            "kind": self.kind.value,
            "clock_ns": self.clock_ns,
            "limits": {
                **dict(zip(AMOUNTS, self.limits, strict=True)),
                "latency_cycles": self.latency_cycles,
                "interval_cycles": self.interval_cycles,
            },
            "metrics": {**asdict(self.metrics), "given_up": self.metrics.given_up},
            "dense": None if self.dense is None else _cost(self.dense),
            "pruned": _cost(self.pruned),
            "design": _cost(self.design),
            "gained": self.gained,
            "sparsity": self.sparsity,
            "layers": [{**asdict(layer), "sparsity": layer.sparsity} for layer in self.layers],
            "rounds": [{**asdict(each), "found": _finite(each.found)} for each in self.rounds],
        }


def _cost(cost: Cost) -> dict[str, object]:
    return {
        **dict(zip(AMOUNTS, cost.amounts, strict=True)),
        "latency_cycles": cost.latency_cycles,
        "interval_cycles": cost.interval_cycles,
        "share_of_scarcest_limit": _finite(cost.tightness),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

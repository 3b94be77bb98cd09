"""What makes a weight worth keeping: each criterion scores all weights of a model, low scores go first."""

from __future__ import annotations

from fpgaprune.prune.criteria.ablation import sensitivity
from fpgaprune.prune.criteria.context import DATA_FREE, Context, Criterion, Scores, Weights
from fpgaprune.prune.criteria.first_order import sensitivity_first, snip, taylor
from fpgaprune.prune.criteria.movement import movement
from fpgaprune.prune.criteria.plain import magnitude, random
from fpgaprune.prune.criteria.rows import LoopWarning
from fpgaprune.prune.criteria.second_order import fisher, obd, sensitivity_second
from fpgaprune.prune.criteria.wanda import wanda

CRITERIA: dict[str, Criterion] = {
    "magnitude": magnitude,
    "random": random,
    "sensitivity": sensitivity,
    "sensitivity-first": sensitivity_first,
    "sensitivity-second": sensitivity_second,
    "taylor": taylor,
    "snip": snip,
    "movement": movement,
    "wanda": wanda,
    "fisher": fisher,
    "obd": obd,
}

__all__ = ["CRITERIA", "DATA_FREE", "Context", "Criterion", "LoopWarning", "Scores", "Weights"]

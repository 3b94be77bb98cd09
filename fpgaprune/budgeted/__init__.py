"""Prune a network to the budget of a board: how much of each layer is left is chosen by what it costs there."""

from fpgaprune.budgeted.api import ROUNDS, Budgeted, prune_to_budget
from fpgaprune.budgeted.build import Build
from fpgaprune.budgeted.losses import LOSSES
from fpgaprune.budgeted.outcome import Cost, LayerKept, Metrics, Outcome, Round
from fpgaprune.budgeted.prune import prune
from fpgaprune.budgeted.tell import next_command, print_outcome, told
from fpgaprune.budgeted.training import PLACES, Training

__all__ = [
    "LOSSES",
    "PLACES",
    "ROUNDS",
    "Budgeted",
    "Build",
    "Cost",
    "LayerKept",
    "Metrics",
    "Outcome",
    "Round",
    "Training",
    "next_command",
    "print_outcome",
    "prune",
    "prune_to_budget",
    "told",
]

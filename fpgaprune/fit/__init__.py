"""Choose strategy, lanes and reuse of each matrix for a board: the best design within a budget."""

from fpgaprune.fit.budget import Aim, Budget, Goal
from fpgaprune.fit.explain import InfeasibleError
from fpgaprune.fit.fit import Fitted, Progress, fit, silent
from fpgaprune.fit.planning import planner
from fpgaprune.fit.told import ChosenLayer, chosen_layers, chosen_to_data, rest

__all__ = [
    "Aim",
    "Budget",
    "ChosenLayer",
    "Fitted",
    "Goal",
    "InfeasibleError",
    "Progress",
    "chosen_layers",
    "chosen_to_data",
    "fit",
    "planner",
    "rest",
    "silent",
]

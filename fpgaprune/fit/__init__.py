"""Choose strategy, lanes and reuse of each matrix for a board: the best design within a budget."""

from fpgaprune.fit.budget import Aim, Budget, Goal
from fpgaprune.fit.explain import InfeasibleError, Situation, explain
from fpgaprune.fit.fit import Fitted, Progress, fit, kernels_of, silent, situations, totals
from fpgaprune.fit.memory import Memory
from fpgaprune.fit.optimise import Choice, least_loss, nearest, optimise, tightness
from fpgaprune.fit.planning import planner
from fpgaprune.fit.problem import Point, Problem
from fpgaprune.fit.told import ChosenLayer, chosen_layers, chosen_to_data, rest

__all__ = [
    "Aim",
    "Budget",
    "Choice",
    "ChosenLayer",
    "Fitted",
    "Goal",
    "InfeasibleError",
    "Memory",
    "Point",
    "Problem",
    "Progress",
    "Situation",
    "chosen_layers",
    "chosen_to_data",
    "explain",
    "fit",
    "kernels_of",
    "least_loss",
    "nearest",
    "optimise",
    "planner",
    "rest",
    "silent",
    "situations",
    "tightness",
    "totals",
]

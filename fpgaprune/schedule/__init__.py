"""Choose how each op of a graph is built for a board: Graph → Design."""

from fpgaprune.schedule.adder_graph import AdderGraph
from fpgaprune.schedule.design import Design, Interface, Planner, matrices, multiply, schedule
from fpgaprune.schedule.lanes import LaneProgram
from fpgaprune.schedule.plans import Access, Adders, Folded, Multiply, Plan, Strategy, strategy_of

__all__ = [
    "Access",
    "AdderGraph",
    "Adders",
    "Design",
    "Folded",
    "Interface",
    "LaneProgram",
    "Multiply",
    "Plan",
    "Planner",
    "Strategy",
    "matrices",
    "multiply",
    "schedule",
    "strategy_of",
]

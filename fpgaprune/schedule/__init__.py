"""Choose how each op of a graph is built for a board: Graph → Design."""

from fpgaprune.schedule.design import Design, Interface, Strategy, schedule

__all__ = ["Design", "Interface", "Strategy", "schedule"]

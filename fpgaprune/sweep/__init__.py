"""One design or many by one recipe: recipe → points → tasks → store → table."""

from fpgaprune.sweep.api import Swept, Where, cores, sweep
from fpgaprune.sweep.recipe import Point, Recipe, Sweep, read
from fpgaprune.sweep.search import Searched, search
from fpgaprune.sweep.space import Range, Search, read_search
from fpgaprune.sweep.state import Status, status
from fpgaprune.sweep.table import Column, Outcome, Table
from fpgaprune.sweep.terminal import print_table
from fpgaprune.sweep.watch import Watching

__all__ = [
    "Column",
    "Outcome",
    "Point",
    "Range",
    "Recipe",
    "Search",
    "Searched",
    "Status",
    "Sweep",
    "Swept",
    "Table",
    "Watching",
    "Where",
    "cores",
    "print_table",
    "read",
    "read_search",
    "search",
    "status",
    "sweep",
]

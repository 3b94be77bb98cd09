"""What is pruned together, and in which pattern: single weights, blocks, lanes, rows, heads, channels and more."""

from __future__ import annotations

import re

from fpgaprune.errors import InputError, suggest
from fpgaprune.prune.structures.base import Goal, GroupScore, Structure, Subject
from fpgaprune.prune.structures.blocks import Blocks
from fpgaprune.prune.structures.channels import Channels
from fpgaprune.prune.structures.groups import Grouped, Groups
from fpgaprune.prune.structures.heads import Heads
from fpgaprune.prune.structures.hidden import Hidden
from fpgaprune.prune.structures.lanes import BankedLanes, Lanes
from fpgaprune.prune.structures.n_of_m import NOfM
from fpgaprune.prune.structures.slices import Columns, Filters, Kernels, Neurons
from fpgaprune.prune.structures.weights import Weights

_KINDS: tuple[type[Structure], ...] = (
    Weights,
    NOfM,
    Blocks,
    Lanes,
    BankedLanes,
    Kernels,
    Filters,
    Neurons,
    Columns,
    Channels,
    Heads,
    Hidden,
)

#: How a recipe writes a structure, with capitals for positive integers → the structure.
STRUCTURES: dict[str, type[Structure]] = {kind.form: kind for kind in _KINDS}


def structure_of(value: object) -> Structure:
    """Return a structure as it is, or the one that a recipe writes so.

    Raises:
        InputError: no structure is written so, or its numbers are not possible.
    """
    if isinstance(value, Structure):
        return value
    if isinstance(value, str):
        for form, kind in STRUCTURES.items():
            if match := re.fullmatch(re.sub("[A-Z]", "([0-9]+)", form), value):
                return kind(*map(int, match.groups()))
    forms = ", ".join(repr(form) for form in STRUCTURES)
    hint = suggest(re.sub("[0-9]+", "N", value), STRUCTURES) if isinstance(value, str) else ""
    msg = f"structure must be one of {forms}, with numbers for capitals, not {value!r}{hint}"
    raise InputError(msg)


__all__ = [
    "STRUCTURES",
    "BankedLanes",
    "Blocks",
    "Channels",
    "Columns",
    "Filters",
    "Goal",
    "GroupScore",
    "Grouped",
    "Groups",
    "Heads",
    "Hidden",
    "Kernels",
    "Lanes",
    "NOfM",
    "Neurons",
    "Structure",
    "Subject",
    "Weights",
    "structure_of",
]

"""The energy that was estimated of a project last, in a file that is kept with it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.energy.values import UNIT, to_data
from fpgaprune.errors import InputError
from fpgaprune.paths import write_text
from fpgaprune.resources import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from fpgaprune.energy.values import EnergyEstimate

NAME = "energy.json"
"""Where the energy is kept in a project's folder."""


@dataclass(frozen=True)
class KeptEnergy:
    """What switching takes for an inference, in pJ, an estimate; ``switching`` says on which inputs it was counted."""

    dynamic_pj: float
    switching: str


def store_energy(estimate: EnergyEstimate, folder: Path) -> None:
    """Keep an energy in a project's folder, or in one of files that go there."""
    write_text(folder / NAME, json.dumps(to_data(estimate), indent=1) + "\n")


def read_energy(folder: Path) -> KeptEnergy | None:
    """Return the energy that is kept in a project's folder, or None.

    Raises:
        InputError: the file is there but holds no estimate in pJ.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = KeptEnergy(float(data["dynamic_pj"]), str(data["switching"]))
        told = data["kind"], data["unit"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{type(error).__name__}: {error}"
    else:
        is_known = told == (Kind.ESTIMATE.value, UNIT) and math.isfinite(found.dynamic_pj) and found.dynamic_pj >= 0
        if is_known:
            return found
        problem = f"{found.dynamic_pj:g} of kind and unit {told}"
    msg = f"{path} is no energy: {problem}; run `fpgaprune energy {folder}` again"
    raise InputError(msg)

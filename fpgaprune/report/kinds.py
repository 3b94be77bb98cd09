"""The kinds of numbers that projects can be compared by: the estimate, and what tools measured and left in folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.resources import Kind
from fpgaprune.vendor import resources as measured
from fpgaprune.vendor import stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fpgaprune.sim import ProjectFolder

__all__ = ["MAKERS", "measured", "measured_kinds", "refuse_unmeasured"]

_IMPORT = "`fpgaprune import-report {folder} FILE`"

MAKERS: Mapping[Kind, str] = {
    Kind.OPEN_SYNTHESIS: "`fpgaprune synth {folder} --tool yosys`",
    Kind.CSYNTH: f"`fpgaprune synth {{folder}} --tool vitis` or {_IMPORT}",
    Kind.POST_SYNTHESIS: f"`fpgaprune synth {{folder}} --tool vivado` or {_IMPORT}",
    Kind.POST_ROUTE: f"`fpgaprune synth {{folder}} --tool vivado` or {_IMPORT}",
}
"""The commands that measure each kind; estimates are always there."""


def refuse_unmeasured(folders: Sequence[ProjectFolder], kind: Kind) -> None:
    """Refuse projects of which one has no measurement of a kind.

    Raises:
        InputError: it says which project lacks what, and which command makes it.
    """
    if kind is Kind.ESTIMATE:
        return
    told = [
        f"{folder.path} {lack}; run {MAKERS[maker].format(folder=folder.path)}"
        for folder in folders
        for lack, maker in _lacks(folder, kind)
    ]
    if told:
        raise InputError("\n".join(told))


def _lacks(folder: ProjectFolder, kind: Kind) -> Iterator[tuple[str, Kind]]:
    """Yield what a project lacks to be compared by a kind, if it lacks anything, and the kind that would help."""
    try:
        found, csynth = stored(folder, kind), stored(folder, Kind.CSYNTH)
    except InputError as error:
        yield f"has no usable {kind.value} numbers: {error}", kind
        return
    cycles = found.cycles if found and found.cycles else csynth.cycles if csynth else None
    if found is None:
        yield f"has no {kind.value} numbers", kind
    elif found.counts is None:
        yield f"has {kind.value} numbers but no counts: no report says the utilisation", kind
    elif cycles is None or cycles.latency_worst is None or cycles.interval_worst is None:
        yield f"has {kind.value} numbers but no latency and interval, which C synthesis says", Kind.CSYNTH


def measured_kinds(folders: Sequence[ProjectFolder]) -> tuple[Kind, ...]:
    """Return the kinds that were measured of all projects."""
    return tuple(kind for kind in MAKERS if not any(list(_lacks(folder, kind)) for folder in folders))

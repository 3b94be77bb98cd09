"""Report pages of a sweep: one for the levels of pruning of each network that differs in nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fpgaprune.paths import identifier
from fpgaprune.report import Comparison, write_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fpgaprune.report import Point
    from fpgaprune.sweep.table import Outcome

_PRUNED = "prune."
"""How the axes begin along which designs of one page differ: along others, costs need not fall with non-zeros."""


def write_pages(outcomes: Sequence[Outcome], out: Path) -> tuple[Path, ...]:
    """Write the report of all designs into a folder, or into one for each group of them, and return the pages.

    Raises:
        InputError: the folder cannot be written.
    """
    groups: dict[str, list[Point]] = {}
    for each in outcomes:
        if each.design is not None:
            design = replace(each.design, label=each.name)
            groups.setdefault(_group(each.settings, design), []).append(design)
    folders = {name: out if len(groups) == 1 else out / "reports" / identifier(name) for name in groups}
    for name, points in groups.items():
        folders[name].mkdir(parents=True, exist_ok=True)
        write_report(Comparison(tuple(points)), folders[name])
    return tuple(folder / "report.html" for folder in folders.values())


def _group(settings: Mapping[str, object], design: Point) -> str:
    others = [f"{axis.rpartition('.')[2]} {value}" for axis, value in settings.items() if not axis.startswith(_PRUNED)]
    return ", ".join(others) or design.board.name

"""The report page of a sweep: all its designs, those that differ in pruning alone compared with one another."""

from __future__ import annotations

import threading
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from fpgaprune.commands import read_commands, store_commands
from fpgaprune.paths import write_text
from fpgaprune.report import Comparison, Comparisons, write_report
from fpgaprune.store import key_of
from fpgaprune.sweep.plan import short_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fpgaprune.report import Point
    from fpgaprune.sweep.executors import Workers
    from fpgaprune.sweep.table import Outcome, Table

_PRUNED = "prune."
"""How the axes begin along which designs of one comparison differ: along others, costs need not fall with non-zeros."""

_BOARD = "generate.board"

PAGE = "report.html"


def load_plots() -> None:
    """Load what plots need in the background, while workers work."""
    threading.Thread(target=import_module, args=("fpgaprune.report.plots",), daemon=True).start()


def pages_in(out: Path) -> tuple[Path, ...]:
    """Return the report pages that `write_pages` left in a folder."""
    return tuple(sorted((*out.glob(PAGE), *out.glob(f"reports/*/{PAGE}"))))


def pages_of(table: Table) -> int:
    """Return how many pages `write_pages` makes of the designs of a table: one for each kind of their numbers."""
    kinds = next(column.kind for column in table.columns if column.name == "latency")
    return len(kinds.split("/")) if kinds else 0


def keep_recipe(recipe: Path | None, out: Path) -> Path | None:
    """Keep a copy of a recipe in the folder of what it makes, and return it; of one that was read from no file none.

    Each recipe has a copy of its own: designs of earlier ones stay in the folder, and name them in their commands.
    """
    if recipe is None:
        return None
    text = recipe.read_text(encoding="utf-8")
    kept = out / f"recipe-{key_of({'text': text})[:8]}.toml"
    write_text(kept, text)
    return kept


def with_command(
    outcomes: Sequence[Outcome], name: str, recipe: Path | None, out: Path, *options: str
) -> list[Outcome]:
    """Return points whose designs know, and keep, the command that makes them of a recipe that is kept."""
    if recipe is None:
        return list(outcomes)
    return [_told(each, (name, str(recipe), "--out", str(out), *options)) for each in outcomes]


def _told(outcome: Outcome, command: tuple[str, ...]) -> Outcome:
    design, folder = outcome.design, outcome.folder
    if design is None or design.made is None or folder is None:
        return outcome
    if read_commands(folder) != (command,):
        store_commands([command], folder)
    return replace(outcome, design=replace(design, made=replace(design.made, commands=(command,))))


def write_pages(outcomes: Sequence[Outcome], out: Path, workers: Workers) -> None:
    """Write the report of all designs into a folder, or one for each kind of numbers; none where there is no design.

    Pages of designs that are no longer asked for are removed.

    Raises:
        InputError: the folder cannot be written.
    """
    kinds: dict[str, dict[tuple[str, float, str], list[Point]]] = {}
    short = short_names(list(dict.fromkeys(axis for each in outcomes for axis in each.settings)))
    for each in outcomes:
        if each.design is not None:
            design = replace(each.design, label=each.name)
            groups = kinds.setdefault(design.resources.kind.value, {})
            key = design.board.name, design.resources.clock_ns, _title(each.settings, short)
            groups.setdefault(key, []).append(design)
    folders = {kind: out if len(kinds) == 1 else out / "reports" / kind for kind in kinds}
    for kind, groups in kinds.items():
        found = (Comparison(tuple(points), title=title) for (_, _, title), points in groups.items())
        write_report(Comparisons(tuple(found)), folders[kind], workers.each)
    for page in pages_in(out):
        if page.parent not in folders.values():
            page.unlink(missing_ok=True)  # another process may remove it, too


def _title(settings: Mapping[str, object], short: Mapping[str, str]) -> str:
    """Return what sets a design apart beside its pruning and its board."""
    return ", ".join(
        f"{short[axis]} {value}" for axis, value in settings.items() if not axis.startswith(_PRUNED) and axis != _BOARD
    )

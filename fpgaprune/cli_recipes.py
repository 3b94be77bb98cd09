"""Commands that take the recipe of a whole flow: arguments to stages, as in `fpgaprune.cli`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from fpgaprune.errors import InputError
from fpgaprune.paths import resource, write_text
from fpgaprune.processes import warm_up

if TYPE_CHECKING:
    from fpgaprune.sweep import Status, Sweep, Swept, Where

RecipeFile = Annotated[Path, typer.Argument(help="A recipe file; `fpgaprune init` writes one.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="The folder to make, or to go on with.", show_default=False)]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes at once; as many as there are cores by default.")]


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("recipe.toml"),
) -> None:
    """Write a commented recipe of the whole flow, which runs as it is, to begin with."""
    if path.exists():
        msg = f"{path} exists already; choose another name"
        raise InputError(msg)
    write_text(path, (resource("templates") / "recipe" / "recipe.toml").read_text(encoding="utf-8"))
    Console().print(f"{escape(str(path))}: run it with fpgaprune run {escape(str(path))} --out run", soft_wrap=True)


def run(recipe: RecipeFile, out: Out, jobs: Jobs = None) -> None:
    """Prune, quantise, generate, simulate, count and report one design by a recipe; exit 1 if it is not bit-exact."""
    warm_up()
    from fpgaprune.sweep import read

    asked = read(recipe)
    if len(asked.points) > 1:
        msg = f"{recipe} asks for {len(asked.points)} designs; make them with `fpgaprune sweep`, or leave out [sweep]"
        raise InputError(msg)
    _exit(_swept(asked, out, jobs, None, keep_going=False), out)


def sweep(
    recipe: Annotated[
        Path | None, typer.Argument(help="A recipe file; `fpgaprune init` writes one.", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder to make, or to go on with.")] = None,
    jobs: Jobs = None,
    dask: Annotated[
        str | None, typer.Option(help="The address of a Dask scheduler, whose workers share --out.")
    ] = None,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Make the other designs when one fails.")] = False,
    status: Annotated[Path | None, typer.Option(help="Only say how far the sweep in this folder is.")] = None,
) -> None:
    """Make every design of a recipe's grid; the same command goes on after an interruption."""
    if recipe is not None and dask is None:
        warm_up()
    from fpgaprune import sweep as sweeping

    if status is not None:
        _print_status(sweeping.status(status))
        return
    if recipe is None or out is None:
        msg = "give a recipe and --out, or --status with the folder of a sweep"
        raise InputError(msg)
    if dask is not None and jobs is not None:
        msg = "--jobs counts processes of this machine; with --dask leave it out"
        raise InputError(msg)
    _exit(_swept(sweeping.read(recipe), out, jobs, dask, keep_going=keep_going), out)


def search(
    recipe: RecipeFile,
    out: Out,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in all; those of the recipe by default.")] = None,
    jobs: Jobs = None,
    dask: Annotated[str | None, typer.Option(help="The address of a Dask scheduler.")] = None,
) -> None:
    r"""Look for the best designs in the space of a recipe's table \[search]; the same command goes on."""
    if dask is None:
        warm_up()
    from fpgaprune import sweep as sweeping

    asked = sweeping.read_search(recipe)
    if trials is not None:
        asked = replace(asked, trials=trials)
    with sweeping.Watching(Console(stderr=True)) as watch:
        found = sweeping.search(asked, out, _where(jobs, dask), watch)
    console = Console()
    told = (
        f"{len(found.front.rows)} of {len(found.trials.rows)} trials are the best in {' and '.join(asked.objectives)}:"
    )
    console.print(told, soft_wrap=True)
    sweeping.print_table(found.front, console)
    for title, name in (("best", "front.csv"), ("all", "trials.csv"), ("designs of the best", "designs")):
        console.print(f"{title}: {escape(str(out / name))}", soft_wrap=True)


def _swept(asked: Sweep, out: Path, jobs: int | None, dask: str | None, *, keep_going: bool) -> Swept:
    from fpgaprune import sweep as sweeping

    with sweeping.Watching(Console(stderr=True)) as watch:
        return sweeping.sweep(asked, out, _where(jobs, dask), watch, keep_going=keep_going)


def _where(jobs: int | None, dask: str | None) -> Where:
    from fpgaprune.sweep import Where, cores

    return Where(jobs or cores(), dask)


def _exit(swept: Swept, out: Path) -> None:
    from fpgaprune.sweep import print_table

    console = Console()
    print_table(swept.table, console)
    for name, log in swept.failed.items():
        console.print(f"{escape(name)} failed: {escape(str(log))}", soft_wrap=True)
    console.print(f"table: {escape(str(out / 'table.csv'))}, .json, .md", soft_wrap=True)
    if swept.pages:
        console.print(f"designs: {escape(str(out / 'designs'))}", soft_wrap=True)
    else:
        console.print("no designs and no report: the column 'said' of the table tells why", soft_wrap=True)
    for page in swept.pages:
        console.print(f"report: {escape(str(page))}", soft_wrap=True)
    if swept.failed:
        msg = f"{len(swept.failed)} of {len(swept.table.rows)} designs failed"
        raise InputError(msg)
    if "NOT exact" in swept.table.column("C-simulation"):
        raise typer.Exit(1)


def _print_status(found: Status) -> None:
    console = Console()
    if found.trials is not None:
        console.print(f"{found.trials[0]} of {found.trials[1]} trials are over")
    if found.trials is None or found.points:
        last = "" if found.trials is None else " of the trials that were begun last"
        console.print(f"{found.done} of {found.points} designs{last} are done")
    for stage, (there, count) in found.stages.items():
        console.print(f"  {stage}: {there} of {count}")
    for title, names in (("in work", found.running), ("failed", found.failed)):
        for name in names:
            console.print(f"{title}: {escape(name)}", soft_wrap=True)

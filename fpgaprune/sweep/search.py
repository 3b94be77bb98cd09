"""Designs that are looked for: cheap estimates before training, and the Pareto set of what came of it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from fpgaprune.errors import InputError
from fpgaprune.report import point_of
from fpgaprune.sim import ProjectFolder
from fpgaprune.store import Store, room
from fpgaprune.sweep.designs import DESIGNS, outcomes
from fpgaprune.sweep.executors import working
from fpgaprune.sweep.lines import told_of
from fpgaprune.sweep.pages import keep_recipe, with_command, write_pages
from fpgaprune.sweep.plan import plan
from fpgaprune.sweep.recipe import Point, recipe_of
from fpgaprune.sweep.schedule import LAST, Scheduler, wanted
from fpgaprune.sweep.space import value_of
from fpgaprune.sweep.stages import INFEASIBLE, PROJECT
from fpgaprune.sweep.state import STORE, WORK, begun, write_logs, write_state
from fpgaprune.sweep.study import Study
from fpgaprune.sweep.table import Outcome, Table, table_of, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from fpgaprune.sweep.api import Where
    from fpgaprune.sweep.executors import Workers
    from fpgaprune.sweep.plan import Planned
    from fpgaprune.sweep.recipe import Recipe
    from fpgaprune.sweep.schedule import Watch
    from fpgaprune.sweep.space import Search
    from fpgaprune.sweep.study import Trial
    from fpgaprune.sweep.worker import Report

DATABASE, TRIALS, FRONT = "search.db", "trials", "front"


@dataclass(frozen=True)
class Searched:
    """All trials as a table, and those of which no other is better in everything that is wanted."""

    trials: Table
    front: Table

    def _repr_html_(self) -> str:
        """Return the best trials, and then all, for a notebook."""
        told = f"{len(self.front.rows)} of {len(self.trials.rows)} trials are the best"
        return self.front.to_html(told) + self.trials.to_html("all trials")


def search(asked: Search, out: Path, where: Where, watch: Watch) -> Searched:
    """Look for designs, and write tables of all trials and of the Pareto set, with its projects, into ``out``.

    A call with the same folder goes on where an interrupted one stopped, also with more trials.

    Raises:
        InputError: the folder is another's, holds a search of another recipe or one that runs, or cannot be written.
        ToolError: Optuna is not installed.
    """
    with told_of(asked.path):
        plan([Point(asked.first, recipe_of(asked.tables, asked.first))])  # before anything is written
    store = Store.open(begun(out).resolve() / STORE)
    store.tidy(*WORK)
    limits = asked.tables.get("sweep", {}).get("limits", {})
    with room(out), working(where.workers(store, limits)) as workers:
        look = _Look(asked, keep_recipe(asked.path, out), out, store, workers, watch)
        with _alone(out):
            study = Study(asked, out / DATABASE)
            while (left := asked.trials - len(study.done())) > 0:
                look.go_on(study, min(left, asked.at_once or max(1, workers.count)))
            over = study.done()
            write_state(out, (), (), finished=False, trials=(len(over), asked.trials))
            return look.written(over)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep all other searches out of a folder, which would take the trials of this one for interrupted ones."""
    try:
        with FileLock(out / f"{DATABASE}.lock", timeout=0):
            yield
    except Timeout as error:
        msg = f"another search works in {out}; wait for its end, or choose another folder"
        raise InputError(msg) from error


@dataclass(frozen=True)
class _Look:
    """What is looked for, and with what."""

    asked: Search
    recipe: Path | None
    out: Path
    store: Store
    workers: Workers
    watch: Watch

    def go_on(self, study: Study, count: int) -> None:
        """Do so many trials at once, training those that the estimate of their untrained networks allows."""
        trials = study.ask(count)
        worth: list[Trial] = []
        for trial, why in zip(trials, self._forecasts(trials), strict=True):
            if why:
                study.end(trial, why)
            else:
                worth.append(trial)
        for trial, found in zip(worth, self._performed(worth, len(study.done())), strict=True):
            values = [value_of(name, found) for name in self.asked.objectives]
            known = [value for value in values if value is not None]
            if len(known) == len(values):
                study.tell(trial, known)
            else:
                study.end(trial, found.said or "an objective has no value")

    def written(self, trials: Sequence[Trial]) -> Searched:
        """Write the tables of all trials and of the best ones, whose projects and report are written as well."""
        best = [trial for trial in trials if trial.is_best]
        front = self._outcomes(best, plan(list(map(self._point, best))), self.out / DESIGNS, {})
        known = {each.name: each for each in front}
        others = [trial for trial in trials if not trial.is_best and not trial.why]
        known |= {
            each.name: each
            for each in self._outcomes(others, plan(list(map(self._point, others))), self.out / TRIALS, {})
        }
        all_of_them = [known.get(trial.name) or Outcome(trial.name, trial.settings, said=trial.why) for trial in trials]
        axes = tuple(self.asked.space)
        found = Searched(table_of(all_of_them, axes), table_of(front, axes))
        write_table(found.trials, self.out, TRIALS)
        write_table(found.front, self.out, FRONT)
        told = with_command(front, "search", self.recipe, self.out, "--trials", str(self.asked.trials))
        write_pages(told, self.out, self.workers)
        return found

    def _point(self, trial: Trial) -> Point:
        return Point(trial.settings, recipe_of(self.asked.tables, trial.settings))

    def _forecasts(self, trials: Sequence[Trial]) -> list[str]:
        """Return for each trial why it is not worth its training, empty where it is or where that is not known."""
        points = map(self._point, trials)
        planned = plan([replace(point, recipe=_untrained(point.recipe)) for point in points])
        self._run(planned, ("generate",))
        made = [self.store.get(each.tasks["generate"].key) for each in planned]
        return ["" if entry is None else self._excess(entry) for entry in made]

    def _excess(self, entry: Path) -> str:
        """Return what a design takes too much of, at the low end of its estimate."""
        if not (entry / PROJECT).is_dir():
            return (entry / INFEASIBLE).read_text(encoding="utf-8").strip()
        design = point_of(ProjectFolder.load(entry / PROJECT))
        for amount, limit in self.asked.shares.items():
            least, _ = design.resources.bounds(amount) or (design.resources.total(amount), 0)
            most = limit * getattr(design.board.resources, amount)
            if least > most:
                return f"not trained: {amount} would be at least {least:,} (estimate) of the {most:,.0f} allowed"
        return ""

    def _performed(self, trials: Sequence[Trial], over: int) -> list[Outcome]:
        planned, called = plan(list(map(self._point, trials))), [trial.name for trial in trials]
        write_state(self.out, planned, called, finished=False, trials=(over, self.asked.trials))
        failed = self._run(planned, LAST)
        write_logs(self.out, planned, called, failed)
        return self._outcomes(trials, planned, self.out / TRIALS, failed)

    def _outcomes(
        self, trials: Sequence[Trial], planned: Sequence[Planned], folder: Path, failed: Mapping[str, Report]
    ) -> list[Outcome]:
        called = [trial.name for trial in trials]
        return outcomes(planned, called, self.store, folder, failed, self.workers)

    def _run(self, planned: Sequence[Planned], stages: tuple[str, ...]) -> Mapping[str, Report]:
        tasks = wanted(planned, self.store, stages)
        return Scheduler(tasks, self.workers, self.watch, keep_going=True).run() if tasks else {}


def _untrained(recipe: Recipe) -> Recipe:
    """Return the recipe without what follows the training of the dense model: as sparse and as narrow at once."""
    prune = replace(recipe.prune, fine_tune=replace(recipe.prune.fine_tune, epochs=0, warm_up=0))
    return replace(recipe, prune=prune, quantise=replace(recipe.quantise, fine_tune=None, compress=None))

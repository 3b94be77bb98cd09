"""What pruning to a budget gave up and gained, on the terminal."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

from rich.text import Text

from fpgaprune.budgeted.build import Build
from fpgaprune.fit import Budget, Goal
from fpgaprune.report import wording
from fpgaprune.report.tables import Column, Line, foreign, print_tables, say
from fpgaprune.resources import AMOUNTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rich.console import Console

    from fpgaprune.budgeted.outcome import LayerKept, Outcome, Round

_OPTIONS = {"lut": "--max-lut", "ff": "--max-ff", "dsp": "--max-dsp", "bram_18k": "--max-bram", "uram": "--max-uram"}


def told(made: Round) -> str:
    """Return what became of a round, in a line."""
    share = f"takes {wording.percent(made.found)} of the scarcest limit"
    takes = share if math.isfinite(made.found) else "is too slow"
    return (
        f"round {made.number}: {wording.percent(made.sparsity)} pruned, {_metric(made.metric)} as integers, "
        f"{takes} (estimate): {'fits' if made.fits else 'does not fit'}"
    )


def _metric(value: float) -> str:
    """Return a metric as the accuracy that it is by default, or as a number where it cannot be one."""
    return f"accuracy {wording.percent(value)}" if 0 <= value <= 1 else f"metric {value:g}"


def print_outcome(outcome: Outcome, console: Console) -> None:
    """Print how much is left of each layer, and the dense network beside the one that fits."""
    title = f"Within the budget of {outcome.board}: {wording.percent(outcome.sparsity)} of all weights pruned"
    say(console, foreign(title, console, style="bold"))
    lines = [_line(layer.tensor, _left(layer), console) for layer in outcome.layers]
    print_tables(console, "tensor", _columns("weights", "left", "sparsity"), lines)
    corner = f"design ({outcome.kind.value})"
    heads = ("dense,\nat least", "pruned,\nat least", "design", "limit")
    print_tables(console, corner, _columns(*heads), list(_rows(outcome, console)))
    metrics = outcome.metrics
    before, after = map(_metric, (metrics.dense, metrics.pruned))
    whole_before, whole_after = map(_metric, (metrics.dense_integers, metrics.pruned_integers))
    say(console, Text(f"dense: {before} in floats, {whole_before} as integers"))
    say(console, Text(f"pruned: {after} in floats, {whole_after} as integers"))


def _columns(*heads: str) -> list[Column]:
    return [Column(Text(head)) for head in heads]


def _left(layer: LayerKept) -> tuple[str, str, str]:
    return wording.count(layer.weights), wording.count(layer.kept), wording.percent(layer.sparsity)


def _rows(outcome: Outcome, console: Console) -> Iterator[Line]:
    """Yield a line for each resource and for each time; those of a dense network that is too slow are unknown."""
    costs = (outcome.dense, outcome.pruned, outcome.design)
    for place, name in enumerate(AMOUNTS):
        found = [None if cost is None else cost.amounts[place] for cost in costs]
        if any(found) or outcome.limits[place]:
            yield _line(wording.AMOUNT_NAMES[name], map(_count, (*found, outcome.limits[place])), console)
    latencies = [None if cost is None else cost.latency_cycles for cost in costs]
    yield _line("latency [cycles]", map(_count, (*latencies, outcome.latency_cycles)), console)
    intervals = [None if cost is None else cost.interval_cycles for cost in costs]
    yield _line("interval [cycles]", map(_count, (*intervals, outcome.interval_cycles)), console)


def _line(label: str, cells: Iterable[str], console: Console) -> Line:
    return Line(foreign(label, console), tuple(Text(cell) for cell in cells))


def _count(value: int | None) -> str:
    return wording.NOTHING if value is None else wording.count(value)


def next_command(model: Path, budget: Budget, build: Build) -> str:
    """Return the command that writes the design which was checked."""
    both = [
        ("--io", build.interface.value, Build().interface.value),
        ("--clock-ns", build.clock_ns, None),
        ("--head", build.head.value, Build().head.value),
    ]
    how = _fitting(budget, build) if build.strategy is None else _generating(build)
    options = [word for each in (*how, *both) for word in _given(*each)]
    command = "fit" if build.strategy is None else "generate"
    return shlex.join(["fpgaprune", command, str(model), "--board", str(budget.board), *options, "--out", "DIR"])


def _fitting(budget: Budget, build: Build) -> Iterator[tuple[str, object, object]]:
    """Yield the options of ``fit``, each with its value and its default."""
    goal = build.goal.within(budget)
    yield from ((option, getattr(budget, name), getattr(Budget(), name)) for name, option in _OPTIONS.items())
    yield "--goal", goal.aim.value, Goal().aim.value
    yield "--max-latency-ns", goal.latency_ns, None
    yield "--max-interval-cycles", goal.interval_cycles, None


def _generating(build: Build) -> Iterator[tuple[str, object, object]]:
    """Yield the options of ``generate``, each with its value and its default."""
    yield "--strategy", None if build.strategy is None else build.strategy.value, None
    yield "--reuse", build.reuse, None
    yield "--lanes", build.lanes, None


def _given(option: str, value: object, default: object) -> list[str]:
    """Return an option with its value, unless that is the default."""
    if value == default:
        return []
    return [option, f"{value:g}" if isinstance(value, float) else str(value)]

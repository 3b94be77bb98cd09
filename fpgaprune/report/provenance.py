"""Where the numbers of a page come from, and the commands that make them again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from fpgaprune.commands import shell
from fpgaprune.energy import UNCERTAINTY
from fpgaprune.report import wording
from fpgaprune.report.answer import RULE
from fpgaprune.report.measures import shown_amounts, stock_measures
from fpgaprune.report.views import CommandView, FactView
from fpgaprune.version import __version__

if TYPE_CHECKING:
    from fpgaprune.report.comparison import Comparison, Point
    from fpgaprune.report.several_boards import Comparisons


def facts(compared: Comparisons) -> tuple[FactView, ...]:
    """Return what numbers mean and where they come from."""
    kind, first = compared.kind, compared.groups[0]
    also = tuple(text for text in (wording.also_measured(first.measured),) if text)
    threshold = f"Threshold {first.threshold:g}: {wording.asked(first.threshold)}."
    return (
        FactView("Kind of numbers", (f"{kind.value}: {wording.KIND_MEANS[kind]}.", *also)),
        FactView("Compared", ("LUT, FF, DSP and block RAM of the whole design; layers are those with weights.",)),
        *(fact for group in compared.groups for fact in _stock(group, compared.name(group))),
        FactView("Pruning pays", (threshold,)),
        FactView("Sparsity", ("The share of zero weights after quantisation. Non-zeros are those that are built.",)),
        FactView("Best design", (RULE,)),
        *_energy(compared),
        *(_board(group) for group in compared.boards),
        FactView("Made by", _versions(compared)),
    )


def _energy(compared: Comparisons) -> tuple[FactView, ...]:
    """Return what energies are, where any is known."""
    counted = dict.fromkeys(point.energy.switching for point in compared.points if point.energy)
    if not counted:
        return ()
    meant = f"Of an inference, pJ: an estimate of what switches, a factor of {UNCERTAINTY:g} either way, a judgement."
    differ = ("Not all were counted on the same inputs: `fpgaprune energy` of all with one --inputs does.",)
    lines = (*(f"{each[:1].upper()}{each[1:]}." for each in counted), *(differ if len(counted) > 1 else ()))
    return (FactView("Energy", (meant, *map(wording.plain, lines))),)


def _versions(compared: Comparisons) -> tuple[str, ...]:
    """Return the version that made the page, and those that made projects where they differ."""
    made = {point.made.version for point in compared.points if point.made} - {__version__}
    others = (f"Projects were made by version {wording.listed(sorted(made))}.",) if made else ()
    with_what = dict.fromkeys(libraries for point in compared.points if (libraries := _libraries(point)))
    lines = (*others, *(f"Projects were made with {each}." for each in with_what))
    return (f"fpgaprune {__version__}", *map(wording.plain, lines))


def _libraries(point: Point) -> str:
    """Return the libraries that a design was made with and their versions, empty where they are not known."""
    return ", ".join(f"{name} {version}" for name, version in (point.made.libraries if point.made else {}).items())


def _board(group: Comparison) -> FactView:
    board = group.dense.board
    sources = tuple(
        f"{wording.AMOUNT_NAMES[amount]} {wording.count(getattr(board.resources, amount))}: {board.sources[amount]}"
        for amount in shown_amounts(group)
    )
    clock = f"clock {wording.nanoseconds(group.dense.resources.clock_ns)} ns"
    return FactView("Board", (f"{board.title}, {board.part}, {clock}", *sources))


def _stock(group: Comparison, name: str) -> tuple[FactView, ...]:
    """Return what stock hls4ml would cost, each number with its kind and interval."""
    stock = group.stock
    if stock is None:
        return ()
    lines = [
        f"{measure.name} {measure.stock.text}{f' {measure.unit}' if measure.unit else ''} "
        f"({measure.target.value}, estimated; 90 % interval {measure.stock.note})"
        for measure in stock_measures(group, stock)
    ]
    title = f"Stock hls4ml, {name}" if name else "Stock hls4ml"
    return (FactView(wording.plain(title), tuple(map(wording.plain, (f"{stock.title}.", *lines, *stock.remarks)))),)


def origin(point: Point) -> tuple[FactView, ...]:
    """Return where one design comes from."""
    found = [FactView("Project", (wording.plain(point.folder),))]
    if point.made is not None:
        found.append(FactView("Digest", (point.made.digest,)))
        made = ", ".join(each for each in (f"fpgaprune {point.made.version}", _libraries(point)) if each)
        found.append(FactView("Made by", (wording.plain(made),)))
        seeds = ", ".join(f"{stage} {seed}" for stage, seed in point.made.seeds.items())
        found += [FactView("Seeds", (wording.plain(seeds),))] if seeds else []
    return tuple(found)


_MADE = {
    "prune": "prune and quantise the model, where that was done",
    "generate": "generate the project, where that was done",
    "fit": "choose strategies and generate the project, where that was done",
    "run": "make it from its recipe, where that was done",
    "sweep": "make it and all others of its recipe, where that was done",
    "search": "look for it and all others of its recipe, where that was done",
}


def commands_of(point: Point) -> tuple[CommandView, ...]:
    """Return the commands that make one design, as they were given, and its numbers again."""
    folder = shlex.quote(wording.plain(point.folder))
    samples = f" --samples {point.verdict.samples}" if point.verdict else ""
    made = point.made.commands if point.made else ()
    return (
        *(CommandView(_MADE.get(command[0], "make it"), wording.plain(shell(command))) for command in made),
        CommandView("simulate it and compare every output", f"fpgaprune csim {folder}{samples}"),
        CommandView("estimate what it takes", f"fpgaprune estimate {folder}"),
        CommandView("count it by open synthesis", f"fpgaprune synth {folder} --tool yosys"),
    )


def command_of(compared: Comparisons) -> CommandView:
    """Return the command that makes the page again."""
    folders = " ".join(shlex.quote(wording.plain(point.folder)) for point in compared.points)
    threshold = compared.groups[0].threshold
    return CommandView(
        "make this page again",
        f"fpgaprune compare {folders} --kind {compared.kind.value} --threshold {threshold:g} --html report.html",
    )

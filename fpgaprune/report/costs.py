"""What one design costs, on the terminal: in a line, layer by layer, and by how each matrix is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from fpgaprune.report import wording
from fpgaprune.report.tables import Column, Line, fits, foreign, print_tables, say
from fpgaprune.resources import AMOUNTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from fpgaprune.board import Board
    from fpgaprune.energy import LayerEnergy
    from fpgaprune.fit import ChosenLayer, Fitted
    from fpgaprune.resources import LayerResources, Resources


def costs(resources: Resources, board: Board) -> str:
    """Return what a design takes of a board, with the kind of the numbers, and how fast it is."""
    shares = resources.utilisation(board)
    amounts = (
        f"{wording.count(resources.total(name))} {wording.AMOUNT_NAMES[name]} ({wording.percent(shares[name])})"
        for name in _shown(resources, board)
    )
    fitting = "fits" if resources.fits(board) else "does not fit"
    return f"{resources.kind.value}: {', '.join(amounts)} of the {board.title}: {fitting}\n{_speed(resources)}"


def print_resources(resources: Resources, board: Board, title: str, kinds: Mapping[str, str], console: Console) -> None:
    """Print what each layer takes; ``kinds`` says what a layer is in the user's model, where that is known."""
    amounts = _shown(resources, board)
    columns = _numbers("non-zeros", *map(wording.AMOUNT_NAMES.__getitem__, amounts), "latency\n[cycles]")
    lines = [
        _line(
            foreign(called(layer, kinds), console),
            map(wording.count, (layer.nonzeros, *(getattr(layer, name) for name in amounts), layer.latency_cycles)),
        )
        for layer in resources.layers
    ]
    totals = (resources.total("nonzeros"), *map(resources.total, amounts), resources.latency_cycles)
    _print_head(title, board, resources, console)
    shares = ("", *_shares(resources, board, amounts), "")
    print_tables(console, "layer", columns, _with_totals(lines, map(wording.count, totals), shares))
    fitting = "fits" if resources.fits(board) else "does not fit"
    say(console, Text(f"{fitting}; {_speed(resources)} (all numbers: {resources.kind.value})"))
    if within := _within(resources, amounts):
        say(console, Text(within))


def _within(resources: Resources, amounts: Sequence[str]) -> str:
    """Return the 90 % intervals of the whole design, of what has them."""
    ends = {name: ends for name in amounts if (ends := resources.bounds(name))}
    told = ", ".join(
        f"{wording.count(low)} to {wording.count(high)} {wording.AMOUNT_NAMES[name]}"
        for name, (low, high) in ends.items()
    )
    return f"90 % intervals of what open synthesis counts: {told}" if told else ""


def print_chosen(
    fitted: Fitted, chosen: Sequence[ChosenLayer], rest: Sequence[int], kinds: Mapping[str, str], console: Console
) -> None:
    """Print how each matrix is built and what it takes; ``rest`` is what all that is no matrix takes, as `AMOUNTS`."""
    board, resources = fitted.design.board, fitted.resources
    amounts = _shown(resources, board)
    places = [AMOUNTS.index(name) for name in amounts]
    columns = [
        *_numbers("non-zeros"),
        Column(Text("strategy"), words=True),
        *_numbers("lanes"),
        Column(Text("access"), words=True),
        *_numbers("interval\n[cycles]", *map(wording.AMOUNT_NAMES.__getitem__, amounts)),
    ]
    lines = [_chosen_line(layer, places, kinds, console, ", ") for layer in chosen]
    if not fits(console, columns, lines):
        lines = [_chosen_line(layer, places, kinds, console, ",\n") for layer in chosen]
    lines.append(_line(Text(wording.REST), ("",) * 5 + tuple(wording.count(rest[place]) for place in places)))
    totals = (
        wording.count(resources.total("nonzeros")),
        *[""] * 4,
        *(wording.count(resources.total(a)) for a in amounts),
    )
    _print_head(fitted.design.name, board, resources, console)
    shares = (*[""] * 5, *_shares(resources, board, amounts))
    print_tables(console, "layer", columns, _with_totals(lines, totals, shares))
    say(console, Text(f"{_speed(resources)} (all numbers: {resources.kind.value})"))
    if not fitted.proven:
        say(console, Text("the search for the best choice was cut short: a better one may exist"))


def _chosen_line(
    layer: ChosenLayer, places: Sequence[int], kinds: Mapping[str, str], console: Console, between: str
) -> Line:
    """Return how a matrix is built; ``between`` is what is between the parts of how lanes get at their operands."""
    cells = (
        wording.count(layer.nonzeros),
        layer.strategy,
        str(layer.lanes or ""),
        (layer.access or "").replace(", ", between),
        wording.count(layer.interval),
        *(wording.count(layer.amounts[place]) for place in places),
    )
    return _line(foreign(wording.layer(layer.layer, kinds.get(layer.layer, "")), console), cells)


def print_boards(boards: Sequence[Board], console: Console) -> None:
    """Print the part, the default clock, the resources and, where it is published, the static power of boards."""
    columns = [
        Column(Text("part"), words=True),
        *_numbers("clock [ns]", *(wording.AMOUNT_NAMES[name] for name in AMOUNTS), "static [W]"),
    ]
    lines = [
        _line(
            foreign(board.name, console),
            (
                board.part,
                f"{board.clock_ns:g}",
                *(wording.count(getattr(board.resources, name)) for name in AMOUNTS),
                wording.NOTHING if board.static_w is None else f"{board.static_w:g}",
            ),
        )
        for board in boards
    ]
    print_tables(console, "name", columns, lines)


def _print_head(title: str, board: Board, resources: Resources, console: Console) -> None:
    say(console, foreign(f"{title} on {board.title}: {resources.kind.value}", console, style="bold"))


def called(layer: LayerResources | LayerEnergy, kinds: Mapping[str, str]) -> str:
    """Return how a kernel is called; of what is no matrix its part in the layer, such as a window, is told."""
    kind = kinds.get(layer.layer, "") if layer.nonzeros else ""
    name = wording.layer(layer.layer, kind)
    return name if layer.nonzeros or not layer.strategy else f"{name} ({layer.strategy})"


def _numbers(*heads: str) -> list[Column]:
    return [Column(Text(head)) for head in heads]


def _line(label: Text, cells: Iterable[str], *, last: bool = False) -> Line:
    return Line(label, tuple(Text(cell) for cell in cells), last)


def _with_totals(lines: Sequence[Line], totals: Iterable[str], shares: Iterable[str]) -> list[Line]:
    """Return lines above their sum and its share of the board."""
    above = [*lines[:-1], *(Line(line.label, line.cells, last=True) for line in lines[-1:])]
    return [*above, _line(Text("all"), totals), _line(Text("of the board"), shares)]


def _shares(resources: Resources, board: Board, amounts: Sequence[str]) -> list[str]:
    used = resources.utilisation(board)
    return [wording.percent(used[name]) for name in amounts]


def _shown(resources: Resources, board: Board) -> tuple[str, ...]:
    """Return the resources that the board has or the design asks for."""
    return tuple(name for name in AMOUNTS if getattr(board.resources, name) or resources.total(name))


def _speed(resources: Resources) -> str:
    return (
        f"latency {wording.plural(resources.latency_cycles, 'cycle')}, {wording.nanoseconds(resources.latency_ns)} ns, "
        f"interval {wording.plural(resources.interval_cycles, 'cycle')} at {resources.clock_ns:g} ns"
    )

"""Designs for several boards or clocks: one comparison for each, side by side on one page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from fpgaprune.errors import InputError
from fpgaprune.report.comparison import Comparison, compare
from fpgaprune.report.judge import THRESHOLD
from fpgaprune.resources import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fpgaprune.board import Board
    from fpgaprune.report.comparison import Point
    from fpgaprune.report.judge import Finding
    from fpgaprune.sim import ProjectFolder


@dataclass(frozen=True)
class Comparisons:
    """Comparisons of designs, each for a board and a clock, or a title, of its own.

    Raises:
        InputError: no comparison, two of one title for one board and clock, boards of one name with other figures, a
            label twice for one board and clock, or numbers of different kinds.
    """

    groups: tuple[Comparison, ...]

    def __post_init__(self) -> None:
        if not self.groups:
            msg = "a comparison needs at least one design"
            raise InputError(msg)
        kinds = sorted({group.dense.resources.kind.value for group in self.groups})
        if len(kinds) > 1:
            msg = f"designs that are compared must have one kind of numbers, not {', '.join(kinds)}"
            raise InputError(msg)
        places = [(*group.place, group.title) for group in self.groups]
        if twice := [place for at, place in enumerate(places) if place in places[:at]]:
            msg = (
                f"two comparisons are for {twice[0][0]} at {twice[0][1]:g} ns; put their designs into one, or give "
                "each a title"
            )
            raise InputError(msg)
        refuse_altered_boards([group.dense.board for group in self.groups])
        _ = self.boards  # whose labels differ

    @classmethod
    def of(cls, compared: Comparison | Comparisons) -> Comparisons:
        """Return several comparisons as they are, and one as the only one."""
        return compared if isinstance(compared, Comparisons) else cls((compared,))

    @property
    def kind(self) -> Kind:
        """The kind of all numbers."""
        return self.groups[0].dense.resources.kind

    @cached_property
    def boards(self) -> tuple[Comparison, ...]:
        """All designs for each board and clock as one comparison, whatever sets them apart beside it."""
        found: dict[tuple[str, float], list[Comparison]] = {}
        for group in self.groups:
            found.setdefault(group.place, []).append(group)
        return tuple(
            each[0] if len(each) == 1 else Comparison(tuple(point for group in each for point in group.points))
            for each in found.values()
        )

    def _repr_html_(self) -> str:
        """Return the measures of the designs for a notebook, a table for each board, clock and title."""
        from fpgaprune.report.notebook import comparisons_html  # which shows measures, which are of comparisons

        return comparisons_html(self)

    def name(self, group: Comparison) -> str:
        """Return what sets a comparison apart from the others: its board and clock, its title, or nothing."""
        parts = [group.site] if len(self.boards) > 1 else []
        return ", ".join([*parts, group.title] if group.title else parts)

    @property
    def points(self) -> tuple[Point, ...]:
        """The designs of all boards, in the order of the groups."""
        return tuple(point for _, point in self)

    def __iter__(self) -> Iterator[tuple[Comparison, Point]]:
        """Yield each design with the comparison that it is in."""
        for group in self.groups:
            for point in group.points:
                yield group, point

    def findings(self) -> tuple[Finding, ...]:
        """Return the layers for which pruning did not pay on any board."""
        return tuple(finding for group in self.groups for finding in group.findings())


Compared: TypeAlias = Comparison | Comparisons
"""What a report can be made of."""


def compare_boards(
    folders: Sequence[ProjectFolder],
    kind: Kind = Kind.ESTIMATE,
    *,
    threshold: float = THRESHOLD,
    stock: bool = True,
) -> Comparisons:
    """Return the comparisons of generated projects, those of one board and clock together, in the order they came in.

    Raises:
        InputError: as `compare` for each group, or two boards of one name that are not the same.
    """
    refuse_altered_boards([folder.design.board for folder in folders])
    if not folders:
        msg = "a comparison needs at least one design"
        raise InputError(msg)
    found: dict[tuple[str, float], list[ProjectFolder]] = {}
    for folder in folders:
        found.setdefault((folder.design.board.name, folder.design.clock_ns), []).append(folder)
    return Comparisons(tuple(compare(each, kind, threshold=threshold, stock=stock) for each in found.values()))


def refuse_altered_boards(boards: Iterable[Board]) -> None:
    """Refuse boards of one name of which a figure differs: one's own keeps its name when its file is edited.

    Raises:
        InputError: there are such.
    """
    known: dict[str, Board] = {}
    for board in boards:
        first = known.setdefault(board.name, board)
        if (board.part, board.family, board.resources) != (first.part, first.family, first.resources):
            msg = (
                f"the board {board.name!r} is not the same in all designs: {first.part}, {first.resources} against "
                f"{board.part}, {board.resources}; generate all for one, or give the other a name of its own"
            )
            raise InputError(msg)

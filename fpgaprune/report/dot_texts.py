"""What is written beside the points of a plot: labels without what tells no design from another, and short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.report import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fpgaprune.report.comparison import Point

_LONGEST = 24
_BETWEEN = ", "
"""What is between the parts of a label, such as those of ``sparsity 0.9, board kv260``."""


def dot_texts(points: Sequence[Point]) -> tuple[str, ...]:
    """Return the text of each point; points of one board whose labels differ have texts that differ.

    Parts that all labels have are left out, and those that name the board of a point: its shape tells that.
    """
    labels = [wording.plain(point.label) for point in points]
    boards = [point.board.name for point in points]
    told = [_telling(label, labels, board) for label, board in zip(labels, boards, strict=True)]
    wanted = len(set(zip(boards, labels, strict=True)))
    for texts in (told, labels):
        for longest in range(_LONGEST, max(map(len, texts)) + _LONGEST):
            cut = tuple(wording.short(text, longest) for text in texts)
            if len(set(zip(boards, cut, strict=True))) == wanted:
                return cut
    return tuple(labels)


def _telling(label: str, labels: Sequence[str], board: str) -> str:
    """Return the parts of a label that not all labels have and that do not name the board; all if none is left."""
    common = set.intersection(*(set(each.split(_BETWEEN)) for each in labels))
    parts = [part for part in label.split(_BETWEEN) if part not in common and part.rpartition(" ")[2] != board]
    return _BETWEEN.join(parts) or label

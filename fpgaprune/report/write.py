"""Every form of a comparison in one folder."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fpgaprune.paths import write_text
from fpgaprune.report.data import comparison_to_text
from fpgaprune.report.design_table import design_table
from fpgaprune.report.html import write_page
from fpgaprune.report.markdown import markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fpgaprune.report.several_boards import Compared


def _call_each(writers: Sequence[Callable[[], object]]) -> None:
    for write in writers:
        write()


def write_report(
    compared: Compared, folder: Path, call_each: Callable[[Sequence[Callable[[], object]]], object] = _call_each
) -> None:
    """Write ``report.html``, ``comparison.json``, ``.md`` and ``.csv``, and ``plots/*.png`` and ``.svg`` into a folder.

    ``call_each`` calls functions that each write some of them; they can be pickled, so that processes can call them.

    Raises:
        InputError: the folder cannot be written.
    """
    from fpgaprune.report.plots import plot_writers  # matplotlib takes longer to load than all the rest

    pictures = plot_writers(compared, folder / "plots")
    page = partial(write_page, compared, folder / "report.html")
    call_each([*pictures, page, partial(_write_texts, compared, folder)])


def _write_texts(compared: Compared, folder: Path) -> None:
    write_text(folder / "comparison.json", comparison_to_text(compared))
    write_text(folder / "comparison.md", markdown(compared))
    write_text(folder / "comparison.csv", design_table(compared).to_csv())

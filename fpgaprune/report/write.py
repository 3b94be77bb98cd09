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
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from fpgaprune.report.several_boards import Compared

    Writer = Callable[[], object]
    Each = Callable[[Callable[[Writer], object], Sequence[Writer]], Iterable[object]]


def write_report(compared: Compared, folder: Path, each: Each = map) -> None:
    """Write ``report.html``, ``comparison.json``, ``.md`` and ``.csv``, and ``plots/*.png`` and ``.svg`` into a folder.

    ``each`` maps a function over a list as `map` does, perhaps in processes: all that it is given can be pickled.

    Raises:
        InputError: the folder cannot be written.
    """
    from fpgaprune.report.plots import plot_writers  # matplotlib takes longer to load than all the rest

    pictures = plot_writers(compared, folder / "plots")
    page = partial(write_page, compared, folder / "report.html")
    list(each(_write, [*pictures, page, partial(_write_texts, compared, folder)]))


def _write(write: Writer) -> None:
    write()


def _write_texts(compared: Compared, folder: Path) -> None:
    write_text(folder / "comparison.json", comparison_to_text(compared))
    write_text(folder / "comparison.md", markdown(compared))
    write_text(folder / "comparison.csv", design_table(compared).to_csv())

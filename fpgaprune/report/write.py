"""Every form of a comparison in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.paths import write_text
from fpgaprune.report.data import comparison_to_text
from fpgaprune.report.design_table import design_table
from fpgaprune.report.html import write_page
from fpgaprune.report.markdown import markdown

if TYPE_CHECKING:
    from pathlib import Path

    from fpgaprune.report.several_boards import Compared


def write_report(compared: Compared, folder: Path) -> None:
    """Write ``report.html``, ``comparison.json``, ``.md`` and ``.csv``, and ``plots/*.png`` and ``.svg`` into a folder.

    Raises:
        InputError: the folder cannot be written.
    """
    from fpgaprune.report.plots import write_plots  # matplotlib takes longer to load than all the rest

    write_plots(compared, folder / "plots")
    write_text(folder / "comparison.json", comparison_to_text(compared))
    write_text(folder / "comparison.md", markdown(compared))
    write_text(folder / "comparison.csv", design_table(compared).to_csv())
    write_page(compared, folder / "report.html")

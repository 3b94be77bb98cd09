"""Every form of a comparison in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.paths import write_text
from fpgaprune.report.data import comparison_to_text
from fpgaprune.report.html import write_page
from fpgaprune.report.markdown import markdown

if TYPE_CHECKING:
    from pathlib import Path

    from fpgaprune.report.comparison import Comparison


def write_report(comparison: Comparison, folder: Path) -> None:
    """Write ``report.html``, ``comparison.json``, ``comparison.md`` and ``plots/*.png`` into a folder.

    Raises:
        InputError: the folder cannot be written.
    """
    from fpgaprune.report.plots import write_png  # matplotlib takes longer to load than all the rest

    write_png(comparison, folder / "plots")
    write_text(folder / "comparison.json", comparison_to_text(comparison))
    write_text(folder / "comparison.md", markdown(comparison))
    write_page(comparison, folder / "report.html")

"""A comparison as one HTML page that needs nothing else: no network, no other file, no script to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.emit.render import render
from fpgaprune.paths import write_text
from fpgaprune.report.page import page_view

if TYPE_CHECKING:
    from pathlib import Path

    from fpgaprune.report.several_boards import Compared

TEMPLATE = "report/page.html.j2"


def page(compared: Compared) -> str:
    """Return the page of a comparison, or of comparisons for several boards; equal ones give equal text."""
    return render(TEMPLATE, page_view(compared))


def write_page(compared: Compared, path: Path) -> None:
    """Write the page of a comparison in one step.

    Raises:
        InputError: the file is a folder, or its folder cannot be written.
    """
    write_text(path, page(compared))

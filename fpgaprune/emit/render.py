"""Jinja2 under strict rules: an undefined name in a template is an error."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import jinja2

from fpgaprune.paths import resource

if TYPE_CHECKING:
    from typing import Any


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(("html", "html.j2")),
    )


def render(template: str, view: Any) -> str:  # noqa: ANN401  # each template has a view type of its own
    """Return the text of a template, which sees one frozen ``view`` and nothing else."""
    return _environment().get_template(template).render(view=view)


def copied(path: str) -> str:
    """Return a packaged text that goes into every project as it is."""
    return (resource("templates") / path).read_text(encoding="utf-8")

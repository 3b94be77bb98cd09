"""Tables of plain values for notebooks: as HTML, and as pandas has them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def html_table(head: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> str:
    """Return rows of values under a head as an HTML table; whatever is in them is text."""
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def data_frame(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Any:  # noqa: ANN401  # pandas is optional
    """Return rows of values under a head as a pandas DataFrame.

    Raises:
        ToolError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        msg = "a DataFrame needs pandas, which is not installed; pip install pandas, or use to_csv()"
        raise ToolError(msg) from error
    return pd.DataFrame(list(rows), columns=list(head))


def _cell(value: object) -> str:
    return f"<td>{escape(_text(value))}</td>"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)

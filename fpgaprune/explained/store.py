"""What was pruned and why as JSON text: the file explain.json of a project."""

from __future__ import annotations

import json
from dataclasses import replace

from fpgaprune.errors import InputError
from fpgaprune.explained.history import History
from fpgaprune.explained.reports import Explained, FixedPointReport, PruneReport
from fpgaprune.explained.values import entries

NAME = "explain.json"
"""The file in a project's folder."""

SCHEMA = "fpgaprune-explained-1"

LARGEST = 16 << 20
"""Characters beyond which the text is neither written nor read."""

MOST_RECORDS = 2000
"""Epochs of each training that are stored: of a longer one as many, evenly spread, the last one among them."""

_FIELDS = ("schema", "pruning", "quantising")


def explained_to_text(explained: Explained) -> str:
    """Return the text of what was pruned and why, one line for each part.

    Raises:
        InputError: it is longer than anything that is read.
    """
    pruning, quantising = explained.pruning, explained.quantising
    parts = {
        "schema": SCHEMA,
        "pruning": None if pruning is None else replace(pruning, history=_thinned(pruning.history)).to_dict(),
        "quantising": replace(quantising, history=_thinned(quantising.history)).to_dict(),
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(part, allow_nan=False)}" for name, part in parts.items())
    if len(lines) > LARGEST:
        msg = f"what explains the pruning has {len(lines)} characters, more than the {LARGEST} that a project may hold"
        raise InputError(msg)
    return f"{{{lines}\n}}\n"


def explained_from_text(text: str) -> Explained:
    """Return what `explained_to_text` wrote.

    Raises:
        InputError: not such text, of another schema, too long, or with a field that is missing, unknown or unusable.
    """
    if len(text) > LARGEST:
        msg = f"{NAME} has {len(text)} characters, more than the {LARGEST} that a project may hold"
        raise InputError(msg)
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        msg = f"{NAME} is no JSON: {error}"
        raise InputError(msg) from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else data
        msg = f"{NAME} has the schema {found!r}, this version reads {SCHEMA!r}; generate the project again"
        raise InputError(msg)
    given = entries(NAME, data, _FIELDS)
    pruning = None if given["pruning"] is None else PruneReport.from_dict(given["pruning"])
    return Explained(pruning, FixedPointReport.from_dict(given["quantising"]))


def _refuse_constant(word: str) -> float:
    msg = f"{word} is no number of JSON"
    raise ValueError(msg)


def _thinned(history: History) -> History:
    records = history.records
    if len(records) <= MOST_RECORDS:
        return history
    step = (len(records) - 1) / (MOST_RECORDS - 1)
    return History(tuple(records[round(place * step)] for place in range(MOST_RECORDS)), history.events)

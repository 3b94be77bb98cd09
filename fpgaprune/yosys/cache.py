"""Results of synthesis by the digest of what they were made of, kept between runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError
from fpgaprune.paths import write_text

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "FPGAPRUNE_CACHE"
"""Names the folder of results; by default it is ``fpgaprune`` in the user's cache folder."""


def folder() -> Path:
    """Return where results are kept."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fpgaprune"


def cached(kind: str, made_of: tuple[str, ...], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what ``make`` returns, or what it once returned for the same texts; a damaged entry is made again."""
    digest = hashlib.sha256("\0".join((kind, *made_of)).encode()).hexdigest()
    path = folder() / kind / digest[:2] / f"{digest}.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if known.get("digest") == digest and isinstance(known["value"], dict):
            return dict(known["value"])
    except (OSError, ValueError, KeyError, AttributeError):
        pass  # not there, or damaged
    value = make()
    with contextlib.suppress(InputError):  # where nothing can be kept, the value is as good
        write_text(path, json.dumps({"digest": digest, "value": value}) + "\n")
    return value

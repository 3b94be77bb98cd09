"""The open ap_types headers that make a project compile without a vendor tool."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from fpgaprune.errors import ToolError

_FOLDER = "include/ap_types"
_SLOW = "etc/ap_private.h"
_REMEDY = "pip install 'hls4ml==1.3.*'"


@cache
def ap_types() -> dict[str, str]:
    """Return path in the project → text of each header.

    They are Apache-2.0 licensed, come inside the hls4ml wheel, and are found without importing hls4ml. One is changed:
    see `without_volatile`.

    Raises:
        ToolError: hls4ml is not installed, or is another version.
    """
    spec = importlib.util.find_spec("hls4ml")
    if spec is None or spec.origin is None:
        msg = f"the ap_types headers come with hls4ml, which is not installed; {_REMEDY}"
        raise ToolError(msg)
    root = Path(spec.origin).parent / "templates" / "vivado" / "ap_types"
    headers = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in root.rglob("*.h")}
    if _SLOW not in headers:
        msg = f"hls4ml has no ap_types headers in {root}; {_REMEDY}"
        raise ToolError(msg)
    headers[_SLOW] = without_volatile(headers[_SLOW])
    return {f"{_FOLDER}/{path}": text for path, text in sorted(headers.items())}


def without_volatile(text: str) -> str:
    """Return ap_private.h with a second clearUnusedBits beside its first, for words that are not volatile.

    The original alone makes every assignment of an ap_int go through memory, which costs two thirds of the time of a
    C-simulation. A compiler takes the new one wherever it may; what it does to the bits is the same.

    Raises:
        ToolError: the function is not where it was in hls4ml 1.3.
    """
    start = text.find("  INLINE void clearUnusedBits(void) volatile\n")
    end = text.find("\n  }\n", start)
    if start < 0 or end < 0:
        msg = f"the ap_types headers of this hls4ml are not those of version 1.3; {_REMEDY}"
        raise ToolError(msg)
    function = text[start : end + len("\n  }\n")]
    mark = "  // Added by fpgaprune: the function that follows, for words that are not volatile, which is faster.\n"
    return text[:start] + mark + function.replace(" volatile\n", "\n", 1) + "\n" + text[start:]

"""The open ap_types headers that make a project compile without a vendor tool."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from fpgaprune.errors import ToolError

_FOLDER = "include/ap_types"


@cache
def ap_types() -> dict[str, str]:
    """Return path in the project → text of each header.

    They are Apache-2.0 licensed, come inside the hls4ml wheel, and are found without importing hls4ml.

    Raises:
        ToolError: hls4ml is not installed.
    """
    spec = importlib.util.find_spec("hls4ml")
    if spec is None or spec.origin is None:
        msg = "the ap_types headers come with hls4ml, which is not installed; pip install 'hls4ml==1.3.*'"
        raise ToolError(msg)
    root = Path(spec.origin).parent / "templates" / "vivado" / "ap_types"
    headers = sorted(root.rglob("*.h"))
    if not headers:
        msg = f"hls4ml has no ap_types headers in {root}; pip install 'hls4ml==1.3.*'"
        raise ToolError(msg)
    return {f"{_FOLDER}/{path.relative_to(root).as_posix()}": path.read_text(encoding="utf-8") for path in headers}

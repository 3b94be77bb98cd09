"""The versions of the libraries that made a folder, kept in it, as who reads it need not have them."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.paths import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "versions.json"
"""Where they are kept; no part of a project's digest, as other versions may make the same project."""

LIBRARIES = ("torch", "hls4ml", "alkaid", "numpy")
"""What the weights, the layers and the adders of a project come from."""


@cache
def installed() -> Mapping[str, str]:
    """Return the version of each of `LIBRARIES` that is installed, without loading any."""
    found = {name: _version(name) for name in LIBRARIES}
    return MappingProxyType({name: known for name, known in found.items() if known is not None})


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:  # what only reads or writes projects works without it
        return None


def to_text() -> str:
    """Return the installed versions as JSON text."""
    return json.dumps(dict(installed()), indent=1) + "\n"


def read_versions(folder: Path) -> Mapping[str, str]:
    """Return the versions that are kept in a folder, by library; none where none is.

    Raises:
        InputError: the file holds something else.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    found = read_json(path)
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        msg = f"{path} must map libraries to versions; delete it"
        raise InputError(msg)
    return found

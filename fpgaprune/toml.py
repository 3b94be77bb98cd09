"""TOML files, on every supported Python, with errors that name the file."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def tables_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the tables of a TOML file; an InputError of the block gets the path in front.

    Raises:
        InputError: the file cannot be read or is no TOML, or the block cannot use what is in it.
    """
    try:
        yield tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise InputError(msg) from error
    except InputError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error
    except (ValueError, RecursionError) as error:  # beyond TOMLDecodeError: bad UTF-8, huge integers, deep nesting
        msg = f"{path}: no TOML: {error}"
        raise InputError(msg) from error

"""The errors that a user can cause, each naming the thing at fault and the remedy."""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class FpgapruneError(Exception):
    """Anything that the user can mend; the command line prints it in one line and exits with 2."""


class InputError(FpgapruneError):
    """A file, an option or a value that was given cannot be used."""


class FormatError(FpgapruneError):
    """A number does not fit the fixed-point format that it was given."""


class GraphError(FpgapruneError):
    """A graph breaks one of its rules: a dangling tensor, a wrong shape, an accumulator that is too narrow."""


class UnsupportedError(FpgapruneError):
    """A model holds an operation that cannot be translated exactly."""


class MismatchError(FpgapruneError):
    """Two executors of one network disagree; the message names the first layer that differs."""


class ToolError(FpgapruneError):
    """An external tool is missing, failed, or ran out of time."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name nearest to ``name``, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


@contextmanager
def located(where: str) -> Iterator[None]:
    """Put ``where`` and a space in front of the message of an InputError of the block."""
    try:
        yield
    except InputError as error:
        msg = f"{where} {error}"
        raise InputError(msg) from error

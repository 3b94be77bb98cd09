"""The commands that made a folder, kept in it for those who want to make it again."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.paths import read_json, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAME = "commands.json"
"""Where they are kept; no part of a project's digest, as the same project may be made into another folder."""


def to_text(commands: Sequence[Sequence[str]]) -> str:
    """Return commands as JSON text, each as its arguments after ``fpgaprune``."""
    return json.dumps([list(command) for command in commands], indent=1) + "\n"


def store_commands(commands: Sequence[Sequence[str]], folder: Path) -> None:
    """Keep commands in a folder, in the order in which they are given."""
    write_text(folder / NAME, to_text(commands))


def read_commands(folder: Path) -> tuple[tuple[str, ...], ...]:
    """Return the commands that are kept in a folder, each as its arguments after ``fpgaprune``; none where none is.

    Raises:
        InputError: the file holds something else.
    """
    path = folder / NAME
    if not path.is_file():
        return ()
    found = read_json(path)
    if not isinstance(found, list) or not all(map(_is_command, found)):
        msg = f"{path} must be a list of commands, each a list of arguments; delete it"
        raise InputError(msg)
    return tuple(map(tuple, found))


def _is_command(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)


def shell(command: Sequence[str]) -> str:
    """Return a command for a shell, every argument quoted where that is needed."""
    return shlex.join(["fpgaprune", *command])

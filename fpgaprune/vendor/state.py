"""Which stages of a project are finished, so that none is run twice; one at work in a folder at a time."""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError, ToolError
from fpgaprune.paths import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SCHEMA = "fpgaprune-stages-1"
_NAME = "stages.json"
_LOCK = ".lock"


@dataclass(frozen=True)
class State:
    """The finished stages, each with a key of all that decided its result."""

    keys: Mapping[str, str]

    @classmethod
    def load(cls, folder: Path) -> State:
        """Read the state of a folder of reports; none is finished where there is no file.

        Raises:
            InputError: the file is damaged.
        """
        path = folder / _NAME
        if not path.is_file():
            return cls({})
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["schema"] != SCHEMA:
                return cls({})
            return cls({str(stage): str(key) for stage, key in data["finished"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            msg = f"{path} is damaged ({error}); delete it to run every stage again"
            raise InputError(msg) from error

    def store(self, folder: Path) -> None:
        """Write the state in one step."""
        write_text(folder / _NAME, json.dumps({"schema": SCHEMA, "finished": dict(self.keys)}, indent=1) + "\n")

    def without(self, stages: set[str]) -> State:
        """Return the state in which these stages are not finished."""
        return State({stage: key for stage, key in self.keys.items() if stage not in stages})

    def having(self, stage: str, key: str) -> State:
        """Return the state in which a stage is finished as well."""
        return State({**self.keys, stage: key})


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold a folder for one run and give the open file of the lock; it goes with the processes that have it open.

    Raises:
        ToolError: another run holds it.
        InputError: the folder cannot be written.
    """
    try:
        folder.mkdir(exist_ok=True)
        file = (folder / _LOCK).open("w")
    except OSError as error:
        msg = f"{folder} cannot be written: {error.strerror}"
        raise InputError(msg) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = (
                f"another synthesis is at work in {folder}, or the tool of one that was killed; wait for it, or end it"
            )
            raise ToolError(msg) from error
        yield file.fileno()

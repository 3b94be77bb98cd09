"""A project as a value: relative path → text. Only `write` touches the disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING

from fpgaprune import versions
from fpgaprune.errors import InputError
from fpgaprune.paths import fresh_folder

if TYPE_CHECKING:
    from collections.abc import Mapping


NAME = "fpgaprune.json"
"""The manifest of a project."""


def sha256(text: str) -> str:
    """Return the SHA-256 of the text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(digests: Mapping[str, str]) -> str:
    """Return one digest of the paths of files and the digest of each."""
    return sha256("".join(f"{path}\0{digest}\n" for path, digest in sorted(digests.items())))


@dataclass(frozen=True)
class Project:
    """The text of every file by its path relative to the project's folder.

    Raises:
        InputError: a path that is absolute or leaves the folder.
    """

    files: Mapping[str, str]

    def __post_init__(self) -> None:
        for path in self.files:
            parts = PurePosixPath(path).parts
            if not parts or path.startswith("/") or ".." in parts or "\\" in path:
                msg = f"a project's path must stay inside its folder, not {path!r}"
                raise InputError(msg)
        object.__setattr__(self, "files", MappingProxyType(dict(sorted(self.files.items()))))

    @property
    def is_constant(self) -> bool:
        """Whether no weight is left in the design; files without a manifest are no design."""
        manifest = json.loads(self.files.get(NAME, "{}"))
        return bool(manifest.get("nonzeros") == 0)

    def digest(self) -> str:
        """Return one SHA-256 over all paths and texts; the same input to the generator gives the same digest."""
        return digest_of({path: sha256(text) for path, text in self.files.items()})

    def write(self, folder: Path | str, *, force: bool = False) -> Path:
        """Write all files, and which libraries made them, into a new folder in one step and return its path.

        Raises:
            InputError: the folder exists and ``force`` is not set, or it cannot be written.
        """
        folder = Path(folder)
        with fresh_folder(folder, force=force) as staging:
            for path, text in self.files.items():
                target = staging / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
            (staging / versions.NAME).write_text(versions.to_text(), encoding="utf-8")
        return folder

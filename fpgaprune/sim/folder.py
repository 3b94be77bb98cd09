"""Read a generated project back from disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fpgaprune import board
from fpgaprune.emit.manifest import SCHEMA
from fpgaprune.emit.project import NAME, digest_of, sha256
from fpgaprune.errors import InputError
from fpgaprune.explained import NAME as EXPLAINED
from fpgaprune.explained import explained_from_text
from fpgaprune.schedule import Design, Interface
from fpgaprune.schedule.store import plans_from_text
from fpgaprune.serialise import graph_from_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fpgaprune.explained import Explained

_LARGEST = 1 << 30
"""Bytes beyond which a manifest or a graph is not read."""


_KINDS = {list: "list", str: "text", int: "number", float: "number", bool: "truth value", type(None): "null"}
"""What JSON holds beside objects, in words."""


@dataclass(frozen=True)
class ProjectFolder:
    """A project on disk: its folder, its manifest, and the design that it was generated from."""

    path: Path
    manifest: Mapping[str, Any]
    design: Design

    @classmethod
    def load(cls, path: Path) -> ProjectFolder:
        """Read the manifest and the graph of a project.

        Raises:
            InputError: not a project's folder, of another schema, truncated, or inconsistent.
        """
        text = _read(path / NAME, f"{path} is not a generated project: it has no {NAME}")
        try:
            manifest = json.loads(text)
        except (ValueError, RecursionError) as error:
            msg = f"{path / NAME} is no JSON: {error}; generate the project again"
            raise InputError(msg) from error
        if not isinstance(manifest, dict) or "schema" not in manifest:
            held = "has no 'schema'" if isinstance(manifest, dict) else f"is a {_KINDS[type(manifest)]}, no object"
            msg = f"{path / NAME} is not the manifest of a project: it {held}; generate the project again"
            raise InputError(msg)
        schema = manifest["schema"]
        if schema != SCHEMA:
            msg = f"{path / NAME} has schema {schema!r}, this version reads {SCHEMA!r}; generate the project again"
            raise InputError(msg)
        return cls(path, manifest, _design(path, manifest))

    def digest(self) -> str:
        """Return the digest of the project as it was generated, as `Project.digest` gives it."""
        manifest = sha256(_read(self.path / NAME, f"{self.path} has no {NAME}"))
        listed = {**self.manifest["files"], NAME: manifest}
        return digest_of(listed)

    def explained(self) -> Explained | None:
        """Return what was pruned and why; None where that was not recorded, as by hls4ml or by earlier versions.

        Raises:
            InputError: the file that says it is damaged.
        """
        path = self.path / EXPLAINED
        if not path.exists():
            return None
        try:
            return explained_from_text(_read(path, f"{path} is not a file"))
        except InputError as error:
            msg = f"{self.path}: {error}"
            raise InputError(msg) from error

    def edited(self) -> tuple[str, ...]:
        """Return the files that are missing or differ from what was generated."""
        digests = self.manifest["files"]
        return tuple(name for name, digest in sorted(digests.items()) if _digest(self.path / name) != digest)


def _design(path: Path, manifest: Mapping[str, Any]) -> Design:
    texts = [_read(path / name, f"{path} is not complete: it has no {name}") for name in ("graph.json", "plans.json")]
    try:
        graph, plans = graph_from_text(texts[0]), plans_from_text(texts[1])
        return Design(
            manifest["name"],
            graph,
            board.from_data(manifest["board"]),
            float(manifest["clock_ns"]),
            Interface(manifest["interface"]),
            bool(manifest["by_position"]),
            plans,
        )
    except InputError as error:
        msg = f"{path} is damaged: {error}; generate the project again"
        raise InputError(msg) from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        msg = f"{path / NAME} is not a manifest of this version: {type(error).__name__}: {error}"
        raise InputError(msg) from error


def _read(path: Path, missing: str) -> str:
    if not path.is_file():
        raise InputError(missing)
    if path.stat().st_size > _LARGEST:
        msg = f"{path} is larger than {_LARGEST >> 20} MiB, which no project is"
        raise InputError(msg)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read: {error}"
        raise InputError(msg) from error


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None

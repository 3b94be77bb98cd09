"""A folder that holds how far a run is, so that it goes on after an interruption: JSON and safetensors, never a pickle.

At each moment, also while it is written, the folder holds the last state that was stored in full: the tensors have a
name by their digest, and the manifest that says which ones count takes the place of the one before in one step.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import safetensors.torch
import torch

from fpgaprune.errors import InputError
from fpgaprune.paths import fresh_file
from fpgaprune.prune.checks import instance, known_keys, table
from fpgaprune.prune.weights import parse_safetensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from torch import Tensor

_Read = TypeVar("_Read")

SCHEMA = 1
MANIFEST = "checkpoint.json"
_FIELDS = ("schema", "identity", "state", "tensors", "sha256")
_ANEW = "give another folder, or delete this one to begin anew"


class CheckpointError(InputError):
    """A checkpoint is damaged, holds something else, or is of another run."""


def folder_of(value: object) -> Path:
    """Return the folder of a checkpoint, which a caller may give as text.

    Raises:
        InputError: the value is no path.
    """
    if isinstance(value, str):
        return Path(value)
    return instance("checkpoint", value, Path, "give the path of a folder")


def refuse_others(folder: Path, names: Iterable[str]) -> None:
    """Refuse a folder of several checkpoints that holds anything but those of these names, where * is any text.

    Raises:
        CheckpointError: it does, or it is no folder.
    """
    known = list(names)
    for path in _entries(folder):
        if not any(fnmatchcase(path.name, name) for name in known):
            _refuse(folder, f"it holds {path.name!r}, but a run keeps {' and '.join(known)} alone in it")


@dataclass(frozen=True)
class Checkpoint:
    """A folder, and the digests of what the run in it depends on, by name."""

    folder: Path
    identity: Mapping[str, str]

    def load(self, read: Callable[[dict[str, Any], dict[str, Tensor]], _Read]) -> _Read | None:
        """Return what ``read`` makes of the state and the tensors saved last, or None where nothing was saved.

        Raises:
            CheckpointError: the folder holds other files, a file is damaged or of another schema, or the run another.
        """
        self._refuse_foreign()
        if not (self.folder / MANIFEST).exists():
            return None
        manifest = self._manifest()
        self._refuse_other(table("identity", manifest["identity"]))
        name = str(manifest["tensors"])
        if not re.fullmatch(r"state-[0-9a-f]{16}\.safetensors", name):
            self._refuse(f"{MANIFEST} names {name!r}, which is no file of a checkpoint")
        content = self._read(name)
        if _digest(manifest["state"], content) != manifest["sha256"]:
            self._refuse(f"{name} or {MANIFEST} is damaged or was changed")
        return read(manifest["state"], parse_safetensors(content, self.folder / name))

    def save(self, state: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
        """Store a state and its tensors in place of the ones before, in one step.

        Raises:
            InputError: the folder cannot be written.
        """
        content = safetensors.torch.save({name: _alone(tensor) for name, tensor in tensors.items()})
        digest = _digest(state, content)
        name = f"state-{digest[:16]}.safetensors"
        manifest = {
            "schema": SCHEMA, "identity": dict(self.identity), "state": state, "tensors": name, "sha256": digest,
        }  # fmt: skip
        text = json.dumps(manifest, indent=1, allow_nan=False)
        try:
            _write(self.folder / name, content)
            _write(self.folder / MANIFEST, f"{text}\n".encode())
        except OSError as error:
            msg = f"the checkpoint {self.folder} cannot be written: {error.strerror}"
            raise InputError(msg) from error
        for path in list(self._leftovers()):
            if path.name != name:
                _remove(path)

    def _leftovers(self) -> Iterator[Path]:
        """Yield the files of other states, and what a killed run left half-written."""
        yield from self.folder.glob("state-*.safetensors")
        yield from self.folder.glob(".state-*.safetensors.*")
        yield from self.folder.glob(f".{MANIFEST}.*")

    def _refuse_foreign(self) -> None:
        ours = {*self._leftovers(), self.folder / MANIFEST}
        if other := [path.name for path in _entries(self.folder) if path not in ours]:
            begun = (self.folder / MANIFEST).exists()
            why = ", which is no part of a checkpoint" if begun else f" and no {MANIFEST}, so it is no checkpoint"
            self._refuse(f"it holds {other[0]!r}{why}")

    def _refuse_other(self, identity: Mapping[str, object]) -> None:
        known_keys(f"identity in {self.folder / MANIFEST}", identity, self.identity)
        for name, digest in self.identity.items():
            if identity.get(name) != digest:
                readable = f" ({identity.get(name)}; this one has {digest})" if " " in digest else ""
                self._refuse(f"it is of a run with another {name}{readable}")

    def _manifest(self) -> dict[str, Any]:
        try:
            manifest = table(MANIFEST, json.loads(self._read(MANIFEST)))
        except (ValueError, RecursionError) as error:
            self._refuse(f"{MANIFEST} is no intact JSON: {error}")
        if manifest.get("schema") != SCHEMA:
            self._refuse(f"{MANIFEST} has the schema {manifest.get('schema')!r}, this version reads {SCHEMA}")
        known_keys(MANIFEST, manifest, _FIELDS)
        if missing := [name for name in _FIELDS if name not in manifest]:
            self._refuse(f"{MANIFEST} lacks {', '.join(missing)}")
        return manifest

    def _read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            self._refuse(f"{name} cannot be read: {error.strerror}")

    def _refuse(self, problem: str) -> NoReturn:
        _refuse(self.folder, problem)


def _entries(folder: Path) -> list[Path]:
    """Return what a folder holds, by name; nothing where there is none yet."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        _refuse(folder, "it is no folder")
    return sorted(folder.iterdir())


def _refuse(folder: Path, problem: str) -> NoReturn:
    msg = f"the checkpoint {folder} cannot be used: {problem}; {_ANEW}"
    raise CheckpointError(msg)


def _alone(tensor: Tensor) -> Tensor:
    """Return a copy on the CPU; safetensors takes no tensors that share memory."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _digest(state: object, content: bytes) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode() + content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    with fresh_file(path) as partial:
        partial.write_bytes(content)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()

"""Results on disk under the digest of what they come from: finished once, read by everybody, never half-written.

An entry is a folder of files beside ``entry.json``, which has the SHA-256 of each. It is made in a folder of its own
and moved to its place in one step, so that a process which is killed at any moment leaves the whole entry or none.
A lock for each key lets one process make an entry while others wait for it; the kernel releases it with the process.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from fpgaprune.errors import InputError
from fpgaprune.paths import is_empty, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SCHEMA = 1
_MANIFEST, _ENTRY = "store.json", "entry.json"
_KEY = re.compile(r"[0-9a-f]{64}")
_OLD_S = 3600.0
"""How old what is thrown away must be for nobody to be at it any more."""

_NO_ROOM = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}


def key_of(values: Mapping[str, object]) -> str:
    """Return the SHA-256 of plain values, in hexadecimal, whatever the order of their names."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, allow_nan=False).encode()).hexdigest()


@dataclass(frozen=True)
class Store:
    """A folder of entries by key; ``open`` makes it.

    ``trash`` and ``making`` are folders of what is being thrown away and made, which nobody reads.
    """

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Return the store in a folder, which is made where it is not there.

        Raises:
            InputError: another version wrote it, the folder holds something else, or it cannot be written.
        """
        manifest = folder / _MANIFEST
        if manifest.is_file():
            _refuse_other_version(manifest)
        elif not is_empty(folder) and not manifest.is_file():  # another process may have made it meanwhile
            msg = f"{folder} is no store of results: it has no {_MANIFEST}; choose another folder"
            raise InputError(msg)
        else:
            with room(folder):
                write_text(manifest, json.dumps({"schema": SCHEMA}) + "\n")
        return cls(folder)

    def is_there(self) -> bool:
        """Return whether this machine sees the store."""
        return (self.folder / _MANIFEST).is_file()

    def get(self, key: str) -> Path | None:
        """Return the folder of an entry, or None where there is none; a damaged one is thrown away first.

        Raises:
            InputError: an entry cannot be read, which says nothing of whether it is damaged.
        """
        path = self._place(key)
        if not path.is_dir():
            return None
        if _is_intact(path, key):
            return path
        with self.lock(key):  # it may have been made anew meanwhile
            return self._mended(key)

    def _mended(self, key: str) -> Path | None:
        """Return what `get` does, within the lock."""
        path = self._place(key)
        if path.is_dir() and not _is_intact(path, key):
            self._discard(path)
        return path if path.is_dir() else None

    def has(self, key: str) -> bool:
        """Return whether there is an entry, without a look at its files."""
        return (self._place(key) / _ENTRY).is_file()

    def made(self, key: str, make: Callable[[Path], None], about: Mapping[str, object] | None = None) -> Path:
        """Return the folder of an entry, which ``make`` fills where it is not there, once for all processes.

        ``about`` are plain values for people who look into the entry.

        Raises:
            InputError: the store cannot be written; and what ``make`` raises.
        """
        found = self.get(key)
        if found is not None:
            return found
        with self.lock(key):
            found = self._mended(key)  # another process may have made it meanwhile
            return self._make(key, make, about or {}) if found is None else found

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Keep all other processes from making the entry within the block."""
        with room(self.folder):
            (self.folder / "locks").mkdir(exist_ok=True)
        with FileLock(self.folder / "locks" / _checked(key)):
            yield

    def is_locked(self, key: str) -> bool:
        """Return whether a process is making the entry now."""
        path = self.folder / "locks" / _checked(key)
        if not path.exists():
            return False
        try:
            with FileLock(path, timeout=0):
                return False
        except Timeout:
            return True

    def tidy(self, *work: str) -> None:
        """Remove what killed processes left: halves of entries, and what is kept in folders ``work`` of whole ones."""
        for path in self.folder.glob("making/*"):
            keys = [lock.name for lock in self.folder.glob(f"locks/{path.name.partition('.')[0]}*")]
            if not any(map(self.is_locked, keys)):
                shutil.rmtree(path, ignore_errors=True)
        for path in (path for name in work for path in self.folder.glob(f"{name}/*")):
            if _KEY.fullmatch(path.name) and self.has(path.name) and not self.is_locked(path.name):
                shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob("trash/*"):
            with suppress(FileNotFoundError):  # another process may remove it, too
                if time.time() - path.stat().st_mtime > _OLD_S:
                    shutil.rmtree(path, ignore_errors=True)

    def _make(self, key: str, make: Callable[[Path], None], about: Mapping[str, object]) -> Path:
        place = self._place(key)
        with room(self.folder):
            place.parent.mkdir(parents=True, exist_ok=True)
            (self.folder / "making").mkdir(exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=f"{key[:16]}.", dir=self.folder / "making"))
            start = time.perf_counter()
            try:
                make(staging)
                told = {**about, "seconds": round(time.perf_counter() - start, 3)}
                (staging / _ENTRY).write_text(_entry(staging, key, told), encoding="utf-8")
                staging.replace(place)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        return place

    def _discard(self, path: Path) -> None:
        """Move an entry out of the way in one step, and remove it then."""
        trash = self.folder / "trash"
        with room(self.folder):
            trash.mkdir(exist_ok=True)
            grave = Path(tempfile.mkdtemp(dir=trash))
        try:
            path.replace(grave / path.name)
        except FileNotFoundError:  # another process was faster
            pass
        finally:
            shutil.rmtree(grave, ignore_errors=True)

    def _place(self, key: str) -> Path:
        return self.folder / "entries" / _checked(key)[:2] / key


def about(entry: Path) -> Mapping[str, Any]:
    """Return the plain values that were given with an entry, and the seconds that it took to make."""
    found: Mapping[str, Any] = json.loads((entry / _ENTRY).read_text(encoding="utf-8"))["about"]
    return found


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """Tell of a full disk, or a folder that cannot be written, within the block as what it is.

    Raises:
        InputError: an operation failed because of it.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (*_NO_ROOM, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        reason = _NO_ROOM.get(error.errno or 0, error.strerror)
        msg = (
            f"{folder} cannot be written: {reason}; what is finished is kept, so run the same command again afterwards"
        )
        raise InputError(msg) from error


def _checked(key: str) -> str:
    assert _KEY.fullmatch(key), key  # noqa: S101  # keys come from key_of alone
    return key


def _entry(staging: Path, key: str, about: Mapping[str, object]) -> str:
    files = {path.relative_to(staging).as_posix(): _digest(path) for path in _files(staging)}
    return json.dumps({"key": key, "about": about, "files": files}, indent=1, sort_keys=True) + "\n"


def _files(folder: Path) -> list[Path]:
    found = (Path(parent) / name for parent, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if path != folder / _ENTRY)


def _is_intact(path: Path, key: str) -> bool:
    try:
        entry = json.loads((path / _ENTRY).read_text(encoding="utf-8"))
        named: dict[str, str] = entry["files"]
        there = {each.relative_to(path).as_posix() for each in _files(path)}
        is_whole = entry["key"] == key and there == named.keys()
        return is_whole and all(_digest(path / name) == digest for name, digest in named.items())
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return False
    except OSError as error:  # too many open files, or a file system that is away
        msg = f"{path} cannot be read: {error.strerror}; run the same command again"
        raise InputError(msg) from error


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _refuse_other_version(manifest: Path) -> None:
    try:
        schema = json.loads(manifest.read_text(encoding="utf-8"))["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{manifest} is damaged: {error}; move the folder away, or delete it"
        raise InputError(msg) from error
    if schema != SCHEMA:
        age = "a newer" if isinstance(schema, int) and schema > SCHEMA else "another"
        msg = f"{manifest.parent} was written by {age} version of fpgaprune (schema {schema}, this one has {SCHEMA}); "
        msg += "use that version, or choose another folder"
        raise InputError(msg)

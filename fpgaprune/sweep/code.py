"""The version of the code that a result comes from: a digest of its sources and data, and versions of packages."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from fpgaprune.paths import resource
from fpgaprune.prune.imported import files_of, reached

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGE = _ROOT.name
_DEPENDENCIES = ("alkaid", "hls4ml", "numpy", "scipy", "torch", "torch-pruning")
"""Packages whose versions may change a result."""

_COMMENT = re.compile(r"#.*")
_NAME = re.compile(r"\w+")
_IMPORT = re.compile(
    rf"^[ \t]*(?:from ({_PACKAGE}[\w.]*) import (\([^)]*\)|.*)|import ({_PACKAGE}[\w.]*))", re.MULTILINE
)
"""An import of this package's modules, as ruff lays it out."""

_STAGES = ("building.py", "counters.py", "sources.py", "stages.py")
"""Files beside this one that put the stages together; what they import is told stage by stage."""


@cache
def code_digest(*modules: str, data: tuple[str, ...] = ()) -> str:
    """Return the digest of modules of this package, of all that they import of it, of the stages, and of versions.

    Files of data beside a module, such as calibrations, count as it does. ``data`` are folders of packaged files that
    they read: ``templates``, ``boards``.
    """
    digest = hashlib.sha256()
    for name, version in versions().items():
        digest.update(f"{name} {version}\n".encode())
    folders = [path for kind in data for path in sorted(resource(kind).rglob("*"))]  # type: ignore[arg-type]  # known kinds
    stages = [Path(__file__).with_name(name) for name in _STAGES]
    sources = _reached(modules)
    beside = {path for folder in {source.parent for source in sources} for path in folder.iterdir() if _is_data(path)}
    for path in (*sorted(sources | beside), *stages, *folders):
        if path.is_file():
            digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


@cache
def versions() -> Mapping[str, str]:
    """Return the versions of packages that may change a result, by name."""
    return {name: metadata.version(name) for name in _DEPENDENCIES}


def _is_data(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".py", ".pyc")


def _reached(modules: tuple[str, ...]) -> set[Path]:
    return reached({path: _ROOT.parent for name in modules for path in _files_of(name)}, _imported_files)


@cache
def _imported_files(path: Path, _root: Path) -> frozenset[Path]:
    """Return the files of this package that one of them imports."""
    return frozenset(file for name in _imported(path) for file in _files_of(name))


def _imported(path: Path) -> frozenset[str]:
    """Return the modules of this package that a file imports, anywhere in it; a parser would take a second for all."""
    names: set[str] = set()
    for module, imported, alone in _IMPORT.findall(_COMMENT.sub("", path.read_text(encoding="utf-8"))):
        names |= {module, *(f"{module}.{name}" for name in _NAME.findall(imported))} if module else {alone}
    return frozenset(names)


@cache
def _files_of(name: str) -> tuple[Path, ...]:
    """Return the files of a module, or of what has a name in one, and of the packages around it."""
    return tuple(files_of(tuple(name.split(".")), _ROOT.parent))

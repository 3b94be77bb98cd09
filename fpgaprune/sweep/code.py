"""The version of the code that a result comes from, as a digest of its sources."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

from fpgaprune.paths import resource

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGE = _ROOT.name
_DEPENDENCIES = ("alkaid", "hls4ml", "numpy", "scipy", "torch", "torch-pruning")
"""Packages whose versions may change a result."""

_STAGES = ("building.py", "stages.py")
"""Files beside this one that put the stages together; what they import is told stage by stage."""


@cache
def code_digest(*modules: str, data: tuple[str, ...] = ()) -> str:
    """Return the digest of modules of this package, of all that they import of it, of the stages, and of versions.

    ``data`` are folders of packaged files that they read: ``templates``, ``boards``.
    """
    digest = hashlib.sha256()
    for name in _DEPENDENCIES:
        digest.update(f"{name} {metadata.version(name)}\n".encode())
    folders = [path for kind in data for path in sorted(resource(kind).rglob("*"))]  # type: ignore[arg-type]  # known kinds
    stages = [Path(__file__).with_name(name) for name in _STAGES]
    for path in (*sorted(_reached(modules)), *stages, *folders):
        if path.is_file():
            digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _reached(modules: tuple[str, ...]) -> set[Path]:
    found: set[Path] = set()
    waiting = [path for name in modules for path in _files_of(name)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [each for name in _imported(path) for each in _files_of(name)]
    return found


@cache
def _imported(path: Path) -> frozenset[str]:
    """Return the modules of this package that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(name for name in names if name.split(".")[0] == _PACKAGE)


def _files_of(name: str) -> list[Path]:
    """Return the file of a module and those of the packages around it, nothing where the name is no module's."""
    folder = _ROOT.parent.joinpath(*name.split("."))
    for file in (folder.with_suffix(".py"), folder / "__init__.py"):
        if file.is_file():
            parents = [parent / "__init__.py" for parent in file.parents if parent.is_relative_to(_ROOT)]
            return [file, *(parent for parent in parents if parent.is_file())]
    return []

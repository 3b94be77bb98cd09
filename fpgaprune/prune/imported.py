"""Files of Python → all files that they import from the folder around them."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

KNOWN = frozenset({"builtins", "fpgaprune", "torch"})
"""Packages whose code is told by a version, or by a digest of its own."""

_INSTALLED = frozenset(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
"""Folders of packages that have nothing to do with one another."""


def root_of(file: Path, module: str) -> Path:
    """Return the folder at which the imports of a module begin, for its file."""
    depth = 0 if module == "__main__" else module.count(".") + (file.name == "__init__.py")
    return file.parents[min(depth, len(file.parents) - 1)]


def imported_files(path: Path, root: Path) -> Iterable[Path]:
    """Return the files that a file imports from the folder that its imports begin at."""
    return (file for name in _imported(path, root) for file in files_of(name, root))


def reached(files: Mapping[Path, Path], imports: Callable[[Path, Path], Iterable[Path]] = imported_files) -> set[Path]:
    """Return files, each given with the folder that its imports begin at, and all that they import from there.

    ``imports`` does what `imported_files` does.
    """
    found: set[Path] = set()
    waiting = list(files.items())
    while waiting:
        path, root = waiting.pop()
        if path not in found and path.is_file():
            found.add(path)
            waiting += [(file, root) for file in imports(path, root)]
    return found


def _imported(path: Path, root: Path) -> set[tuple[str, ...]]:
    """Return the modules that a file may import, anywhere in it; of a package that is installed, those of its own."""
    if path.suffix != ".py":
        return set()
    *package, _ = path.relative_to(root).parts
    names = {name for node in ast.walk(ast.parse(path.read_bytes())) for name in _named(node, tuple(package))}
    top = path.relative_to(root).with_suffix("").parts[0]
    return {name for name in names if name[0] not in KNOWN and (root not in _INSTALLED or name[0] == top)}


def _named(node: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    match node:
        case ast.Import():
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        case ast.ImportFrom():
            around = package[: len(package) - node.level + 1] if node.level else ()
            base = (*around, *(node.module.split(".") if node.module else ()))
            yield from ((*base, alias.name) for alias in node.names)
        case _:
            pass


def files_of(name: tuple[str, ...], root: Path) -> Iterator[Path]:
    """Return the files of a module and of the packages around it; a name in a module is that module's."""
    for depth in range(1, len(name) + 1):
        folder = root.joinpath(*name[:depth])
        yield from (file for file in (folder / "__init__.py", folder.parent / f"{folder.name}.py") if file.is_file())

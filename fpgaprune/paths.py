"""Where the packaged files are, how names become safe, and how a folder is written in one step."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fpgaprune.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = Path(__file__).resolve().parent

_CPP_WORDS = frozenset(
    """alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const
    constexpr const_cast continue decltype default delete do double dynamic_cast else enum explicit export extern
    false final float for friend goto if import inline int long main module mutable namespace new noexcept not
    not_eq nullptr operator or or_eq override private protected public register reinterpret_cast requires return
    short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try
    typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq std hls input
    output inout reg wire""".split()
)


def resource(kind: Literal["templates", "boards"]) -> Path:
    """Return the folder of packaged ``templates`` or ``boards``, in a wheel as in an editable install.

    A wheel carries them inside the package; a checkout has them beside it.
    """
    for base in (_PACKAGE / "_data", _PACKAGE.parent):
        folder = base / kind
        if folder.is_dir():
            return folder
    msg = f"the folder {kind!r} of fpgaprune is missing; reinstall the package"
    raise InputError(msg)


def identifier(name: str) -> str:
    """Return ``name`` as a word that is safe in a path, C++, Tcl, Verilog and HTML.

    This is the one place where a foreign name is made safe: ASCII letters, digits and single underscores remain,
    the first character is a letter, no C++ or Verilog keyword comes out, and 64 characters are the most.
    """
    word = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", name)).strip("_")[:64].rstrip("_")
    if not word or not word[0].isalpha():
        word = f"n_{word}".rstrip("_")
    return f"{word}_" if word in _CPP_WORDS else word


def unique_identifiers(names: Iterator[str] | list[str] | tuple[str, ...]) -> dict[str, str]:
    """Return name → safe identifier, numbering those that would collide (also when only the case differs)."""
    taken: set[str] = set()
    result: dict[str, str] = {}
    for name in names:
        word = stem = identifier(name)
        number = 2
        while word.lower() in taken:
            word, number = f"{stem}_{number}", number + 1
        taken.add(word.lower())
        result[name] = word
    return result


@contextmanager
def fresh_folder(target: Path, *, force: bool = False) -> Iterator[Path]:
    """Yield an empty sibling of ``target`` that takes its place when the block ends without an error.

    An existing target is refused unless ``force`` is given; nothing is ever half-written.

    Raises:
        InputError: the target exists, or its parent cannot be written.
    """
    if target.exists() and not force:
        msg = f"{target} exists already; choose another folder or pass --force to replace it"
        raise InputError(msg)
    if target.exists() and (not target.is_dir() or target.is_symlink()):
        msg = f"{target} is not a folder; choose another path"
        raise InputError(msg)
    staging = _sibling(target)
    try:
        yield staging
        _swap(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def fresh_file(target: Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``target`` that is renamed over it when the block ends without an error.

    Raises:
        InputError: the folder of the target cannot be written.
    """
    staging = _sibling(target)
    try:
        partial = staging / target.name
        yield partial
        partial.replace(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _sibling(target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        msg = f"{target.parent} cannot be written: {error.strerror}"
        raise InputError(msg) from error
    staging.chmod(0o755)
    return staging


def _swap(staging: Path, target: Path) -> None:
    if not target.exists():
        staging.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.rename(old / target.name)
    staging.rename(target)
    shutil.rmtree(old)

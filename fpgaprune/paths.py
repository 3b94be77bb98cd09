"""Where the packaged files are, how names become safe, and how a folder is written in one step."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fpgaprune.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PACKAGE = Path(__file__).resolve().parent

_LONGEST = 64

MANIFESTS = ("fpgaprune.json", "workspace.json", "pruned.json", "quantised.json", "demo.json")
"""Files of which every folder that fpgaprune makes for a user holds one: a project, a model and its parts, a demo."""

_BEGINNING = re.compile(rb'\{\s*"schema":')
"""How each of them begins; other tools have a workspace.json of their own."""

_KEYWORDS = frozenset(
    # C++20, and the names that every generated file uses
    """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default
    delete do double dynamic_cast else enum explicit export extern false final float for friend goto hls if import
    inline int long main module mutable namespace new noexcept not not_eq nullptr operator or or_eq override private
    protected public register reinterpret_cast requires return short signed sizeof static static_assert static_cast std
    struct switch template this thread_local throw true try typedef typeid typename union unsigned using virtual void
    volatile wchar_t while xor xor_eq"""
    # SystemVerilog, of which Verilog's are a part (IEEE 1800-2017, annex B)
    """ accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind
    bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const
    constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge
    else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule
    endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event eventually expect
    export extends extern final first_match for force foreach forever fork forkjoin function generate genvar global
    highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir include initial inout input
    inside instance int integer interconnect interface intersect join join_any join_none large let liblist library
    local localparam logic longint macromodule matches medium modport module nand negedge nettype new nexttime nmos nor
    noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive priority program
    property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
    randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0
    rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled
    signed small soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1
    sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1
    tri tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var
    vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor""".split()
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
    word = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", name)).strip("_")
    if not word or not word[0].isalpha():
        word = f"n_{word}"
    word = word[:_LONGEST].rstrip("_")
    return f"{word}_" if word in _KEYWORDS else word


def unique_identifiers(names: Iterable[str], *, reserved: Iterable[str] = ()) -> dict[str, str]:
    """Return name → safe identifier, numbering those that would collide (also when only the case differs).

    None of them is one of the words that are ``reserved``.
    """
    taken = {word.lower() for word in reserved}
    result: dict[str, str] = {}
    for name in dict.fromkeys(names):
        word = stem = identifier(name)
        number = 2
        while word.lower() in taken:
            word, number = identifier(f"{stem[: _LONGEST - 8]}_{number}"), number + 1
        taken.add(word.lower())
        result[name] = word
    return result


def distinct_labels(designs: Sequence[tuple[str, str]]) -> list[str]:
    """Return a label for each (label, folder): its own if no other has it, else its folder's name, at last its path."""
    labels = [label for label, _ in designs]
    for called in (lambda path: path.name, str):
        often = Counter(labels)
        named = [called(Path(folder).resolve()) for _, folder in designs]
        labels = [name if often[label] > 1 else label for label, name in zip(labels, named, strict=True)]
    return labels


@contextmanager
def fresh_folder(target: Path, *, force: bool = False) -> Iterator[Path]:
    """Yield an empty sibling of ``target`` that takes its place when the block ends without an error.

    An existing target is refused unless ``force`` is given and fpgaprune made it; nothing is ever half-written.

    Raises:
        InputError: the target exists, is no folder that may be replaced, or cannot be written.
    """
    refuse_target(target, force=force)
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
        InputError: the target is a folder, or its folder cannot be written.
    """
    if target.is_dir():
        msg = f"{target} is a folder; choose another file"
        raise InputError(msg)
    staging = _sibling(target)
    try:
        partial = staging / target.name
        yield partial
        partial.replace(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a file in one step.

    Raises:
        InputError: the path is a folder, or its folder cannot be written.
    """
    with fresh_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def read_json(path: Path) -> object:
    """Return what a file of JSON holds that can be done without.

    Raises:
        InputError: the file cannot be read, or holds no JSON.
    """
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path} is damaged: {error}; delete it"
        raise InputError(msg) from error
    return found


def refuse_overlap(out: Path, source: Path) -> None:
    """Refuse to replace what is read.

    Raises:
        InputError: ``out`` is ``source`` or contains it.
    """
    if source.resolve().is_relative_to(out.resolve()):
        msg = f"{out} holds {source}, which is read; give another folder to write to"
        raise InputError(msg)


def refuse_target(target: Path, *, force: bool) -> None:
    """Refuse a folder that must not be made or replaced; long work asks before it begins and not after.

    Raises:
        InputError: the target exists and ``force`` is not set, or it is no folder that fpgaprune made.
    """
    if target.name in ("", ".."):
        msg = f"{target} is not a folder that can be replaced; choose one by its name"
    elif target.is_symlink() or (target.exists() and not target.is_dir()):
        msg = f"{target} is not a folder; choose another path"
    elif target.exists() and not force:
        msg = f"{target} exists already; choose another folder or pass --force to replace it"
    elif target.exists() and not _is_ours(target):
        msg = (
            f"{target} is not replaced: fpgaprune did not make it, as it holds none of {', '.join(MANIFESTS)}; choose "
            "another folder, or delete this one yourself"
        )
    else:
        return
    raise InputError(msg)


def _is_ours(folder: Path) -> bool:
    """Whether a folder holds a manifest, whole or cut short, or nothing at all."""
    return not any(folder.iterdir()) or any(_begins_as_manifest(folder / name) for name in MANIFESTS)


def _begins_as_manifest(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return _BEGINNING.match(stream.read(64)) is not None
    except OSError:
        return False


def is_empty(folder: Path) -> bool:
    """Return whether there is nothing at a path, or a folder in which nothing is but files that are being written."""
    return not folder.exists() or (folder.is_dir() and all(path.name.startswith(".") for path in folder.iterdir()))


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
    """Put ``staging`` in the place of ``target``; if that fails, the old folder comes back."""
    old = staging.with_name(f"{staging.name}.old")
    try:
        if target.exists():
            target.rename(old)
        staging.rename(target)
    except OSError as error:
        if old.exists():
            old.rename(target)
        msg = f"{target} cannot be written: {error.strerror}"
        raise InputError(msg) from error
    shutil.rmtree(old, ignore_errors=True)

"""What ties reports to the weights that they belong to: the digest of a project, its tag, and the names in a report."""

from __future__ import annotations

import hashlib
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune.emit.project import NAME, sha256
from fpgaprune.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from fpgaprune.sim import ProjectFolder
    from fpgaprune.vendor.values import Report

_COMPUTES = ("src/", "graph.json", "plans.json")
"""What decides which hardware a project is; scripts may be changed, reports then belong to what they made."""

_CLOCK_TOLERANCE_NS = 0.0051
"""HLS writes periods with two digits behind the point."""


@dataclass(frozen=True)
class Identity:
    """The digest of a project as it was generated, as `Project.digest` gives it, and the tag that reports carry."""

    digest: str
    tag: str

    @classmethod
    def of(cls, project: ProjectFolder) -> Identity:
        """Return the identity of a project's folder."""
        manifest = (project.path / NAME).read_bytes()
        digests = dict(project.manifest["files"]) | {NAME: hashlib.sha256(manifest).hexdigest()}
        lines = "".join(f"{path}\0{digest}\n" for path, digest in sorted(digests.items()))
        return cls(sha256(lines), f"{zlib.crc32(manifest):08x}")


def refuse_edited(project: ProjectFolder) -> None:
    """Refuse a project whose hardware is no longer that which its weights made.

    Raises:
        InputError: a source was edited since it was generated.
    """
    edited = [name for name in project.edited() if name.startswith(_COMPUTES)]
    if edited:
        msg = (
            f"{project.path}: {', '.join(edited)} changed since the project was generated, so that counts would not be "
            "those of its weights; generate the project again"
        )
        raise InputError(msg)


def scripts_digest(folder: Path) -> str:
    """Return a digest of a project's scripts as they are now: what they were when a stage ran decides its result."""
    names = ("run_hls.tcl", "build_vivado.tcl")
    paths = [folder / "scripts" / name for name in names]
    return sha256("".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()))


def check(report: Report, project: ProjectFolder) -> None:
    """Check that a report is of a project's hardware, as far as the report says what it is of.

    Raises:
        InputError: it is of another project, top function, part or clock.
    """
    design, identity = project.design, Identity.of(project)
    if report.top is None and report.tag is None:
        msg = (
            "it names neither its top function nor a project, so that nothing ties it; import "
            f"{design.name}_export.rpt beside it, or run scripts/run_hls.tcl, which leaves the project's tag"
        )
    elif report.top not in (None, design.name):
        msg = f"it is of {report.top!r}, not of the top function {design.name!r} of {project.path}{_wrapped(report)}"
    elif report.part is not None and not _same_part(report.part, design.board.part):
        msg = f"it is for the part {report.part}, not for {design.board.part} of {project.path}"
    elif report.timing is not None and not _same_clock(report.timing.clock_ns, design.clock_ns):
        msg = f"its clock is {report.timing.clock_ns:g} ns, not {design.clock_ns:g} ns as in {project.path}"
    elif report.tag not in (None, identity.tag):
        msg = (
            f"it carries the tag {report.tag} of another project; {project.path} has {identity.tag}: "
            "the weights differ, or the project was generated again since"
        )
    else:
        return
    raise InputError(msg)


def _wrapped(report: Report) -> str:
    """What to import where Vivado reported the block design that HLS wraps around the top."""
    hint = "; it is the wrapper of an HLS export: import export_impl.xml or <top>_export.rpt of the same run"
    return hint if report.top == "bd_0_wrapper" else ""


def _same_clock(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=0, abs_tol=_CLOCK_TOLERANCE_NS)


def _same_part(one: str, other: str) -> bool:
    """Tools write xc7z020clg400-1, xc7z020-clg400-1 and 7z020clg400-1; a timing summary may leave the grade out."""
    said, wanted = _plain(one), _plain(other)
    return wanted.startswith(said) and len(wanted) - len(said) <= _GRADE


_GRADE = 2
"""The characters that a timing summary can leave out: ``le`` of ``-2LE``, or ``1``."""


def _plain(part: str) -> str:
    return part.lower().removeprefix("xc").replace("-", "")

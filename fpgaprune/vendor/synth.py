"""Vendor runs: the scripts of a project stage by stage, each finished only when its reports could be read."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fpgaprune import tools
from fpgaprune.errors import FpgapruneError, ToolError
from fpgaprune.resources import Kind
from fpgaprune.vendor.installs import Install, Maker, require
from fpgaprune.vendor.launch import launch
from fpgaprune.vendor.measurement import FOLDER, forget, import_reports, resources, stored
from fpgaprune.vendor.state import State, locked
from fpgaprune.vendor.tie import Identity, refuse_edited, scripts_digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fpgaprune.resources import Resources
    from fpgaprune.sim import ProjectFolder

DEFAULT_TIMEOUT_S = 6 * 3600.0
"""The time limit of one stage."""


@dataclass(frozen=True)
class Stage:
    """One call of a tool: its script, what must be finished before, and the files that it leaves.

    ``made`` has patterns of files of which any one shows that the stage came to its end; ``reports`` has those to read,
    each with the names that versions give it, the best first.
    """

    name: str
    maker: Maker
    script: str
    before: str | None
    made: tuple[str, ...]
    kind: Kind | None = None
    reports: tuple[tuple[str, ...], ...] = ()


_SOLUTIONS = ("scripts/{top}_hls/{tag}", "scripts/{top}_hls/hls")
"""Folders of C synthesis: that of run_hls.tcl, and that of a component of Vitis Unified, where a tool makes it one."""


def _in_solutions(*names: str) -> tuple[str, ...]:
    return tuple(f"{solution}/{name}" for solution in _SOLUTIONS for name in names)


_VIVADO_REPORTS = ("hierarchy", "utilization", "timing", "power")


def _vivado(name: str, before: str, kind: Kind) -> Stage:
    reports = tuple((f"{FOLDER}/{{tag}}/{name}_{what}.rpt",) for what in _VIVADO_REPORTS)
    return Stage(name, Maker.VIVADO, "build_vivado.tcl", before, (f"{FOLDER}/{{tag}}/{name}.dcp",), kind, reports)


STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            "csynth",
            Maker.VITIS,
            "run_hls.tcl",
            None,
            _in_solutions("syn/verilog/*.v"),
            Kind.CSYNTH,
            (_in_solutions("syn/report/csynth.xml", "syn/report/{top}_csynth.xml"),),
        ),
        Stage(
            "export",
            Maker.VITIS,
            "run_hls.tcl",
            "csynth",
            _in_solutions("impl/ip/component.xml", "impl/ip/*.zip", "impl/*.zip"),
        ),
        _vivado("synthesis", "csynth", Kind.POST_SYNTHESIS),
        _vivado("route", "synthesis", Kind.POST_ROUTE),
    )
}
"""Stages by their names, each after the one that it needs."""

FLOWS = {Maker.VITIS: ("csynth", "export"), Maker.VIVADO: ("csynth", "synthesis", "route")}
"""The stages of a run by the tool that it is asked of: Vivado works on the RTL that Vitis makes."""

GIVES = {Maker.VITIS: Kind.CSYNTH, Maker.VIVADO: Kind.POST_ROUTE}
"""The kind of numbers that a run ends with."""


def makers(asked: Maker) -> tuple[Maker, ...]:
    """Return the tools that a run asked of one of them goes through."""
    return tuple(dict.fromkeys(STAGES[name].maker for name in FLOWS[asked]))


def synth(
    project: ProjectFolder,
    maker: Maker,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    progress: Callable[[str], None] = lambda _text: None,
) -> Resources:
    """Run the stages that are not finished, and return the numbers of the last; those of the others are kept as well.

    A stage is finished for the digest of the project, its scripts and the versions of the tools, and only then not run
    again; one that was interrupted, or failed, starts again.

    Raises:
        InputError: a source of the project was edited, or a report cannot be read.
        ToolError: no tool, no licence, a failure, or the time limit of a stage.
    """
    refuse_edited(project)
    with locked(project.path / FOLDER) as lock:
        _Run(project, Identity.of(project), timeout_s, progress, lock).all(FLOWS[maker])
    return resources(project, GIVES[maker])


@dataclass(frozen=True)
class _Run:
    """A run in a project's folder."""

    project: ProjectFolder
    identity: Identity
    timeout_s: float
    progress: Callable[[str], None]
    lock: int

    @property
    def folder(self) -> Path:
        return self.project.path / FOLDER

    def all(self, names: tuple[str, ...]) -> None:
        installs: dict[Maker, Install] = {}
        keys: dict[str | None, str] = {None: self.identity.digest + scripts_digest(self.project.path)}
        for stage in (STAGES[name] for name in names):
            if stage.maker not in installs:
                self.progress(f"{stage.name}: looking for {stage.maker.value}")
                installs[stage.maker] = require(stage.maker)
            install = installs[stage.maker]
            keys[stage.name] = hashlib.sha256(f"{keys[stage.before]} {stage.name} {install}".encode()).hexdigest()
            finished = State.load(self.folder).keys.get(stage.name) == keys[stage.name]
            if not finished or not self._kept(stage) or not self._known(stage):
                self._one(stage, install, keys[stage.name])

    def _kept(self, stage: Stage) -> bool:
        """Whether what a stage left is still there."""
        return self._made(stage) and all(self._report(names).is_file() for names in stage.reports)

    def _known(self, stage: Stage) -> bool:
        """Whether what is stored is what the stage's own reports say, or could be read from them again.

        Reports of other runs may have been imported since.
        """
        if stage.kind is None:
            return True
        found = stored(self.project, stage.kind)
        digests = {hashlib.sha256(self._report(names).read_bytes()).hexdigest() for names in stage.reports}
        if found is None or not digests <= {source.sha256 for source in found.sources}:
            try:
                self._read(stage, self._log(stage))
            except ToolError:  # they were changed: the stage runs again
                return False
        return True

    def _log(self, stage: Stage) -> Path:
        return self.folder / f"{stage.name}.log"

    def _one(self, stage: Stage, install: Install, key: str) -> None:
        """Run a stage; it and what came after it are not finished from here on."""
        State.load(self.folder).without(_after(stage.name)).store(self.folder)
        self._remove_old(stage)
        self.progress(f"{stage.name}: {install}")
        log = self._log(stage)
        code = launch(
            install.command(stage.script),
            cwd=(self.project.path / "scripts").resolve(),
            env={"FPGAPRUNE_STAGES": stage.name, "FPGAPRUNE_TAG": self.identity.tag},
            log=log,
            name=f"{stage.name}: {install}",
            timeout_s=self.timeout_s,
            progress=lambda text: self.progress(f"{stage.name}: {text}"),
            holds=(self.lock,),
        )
        if code != 0 or not self._made(stage):
            raise ToolError(_explain(stage.name, install, code, log))
        if stage.kind is not None:
            self._read(stage, log)
        State.load(self.folder).having(stage.name, key).store(self.folder)

    def _read(self, stage: Stage, log: Path) -> None:
        try:
            import_reports(self.project, tuple(self._report(names) for names in stage.reports))
        except FpgapruneError as error:
            msg = f"{stage.name} ended, but its report cannot be used: {error}; its log is {log}"
            raise ToolError(msg) from error

    def _report(self, names: tuple[str, ...]) -> Path:
        paths = [self.project.path / self._filled(name) for name in names]
        return next((path for path in paths if path.is_file()), paths[0])

    def _made(self, stage: Stage) -> bool:
        return any(any(self.project.path.glob(self._filled(pattern))) for pattern in stage.made)

    def _remove_old(self, stage: Stage) -> None:
        """What an earlier run left must not be taken for this one's; C synthesis begins with an empty solution."""
        for kind in filter(None, (STAGES[name].kind for name in _after(stage.name))):
            forget(self.project, kind)
        if stage.before is None:
            for solution in _SOLUTIONS:
                shutil.rmtree(self.project.path / self._filled(solution), ignore_errors=True)
        patterns = (*stage.made, *(name for names in stage.reports for name in names))
        for path in [path for pattern in patterns for path in self.project.path.glob(self._filled(pattern))]:
            path.unlink()

    def _filled(self, pattern: str) -> str:
        return pattern.format(top=self.project.design.name, tag=f"fpgaprune_{self.identity.tag}")


def _after(name: str) -> set[str]:
    """Return a stage and all that need it."""
    found = {name}
    for stage in STAGES.values():
        if stage.before in found:
            found.add(stage.name)
    return found


_ERROR = re.compile(
    r"^\s*(?:ERROR|FATAL)\b.*$|(?i:^.*\b(?:invalid|no such|failed to get)\b.*licen[cs]e.*$)", re.MULTILINE
)
_LICENCE = re.compile(r"licen[cs]e", re.IGNORECASE)
_LOG_BYTES = 1 << 20
_MOST_LINES = 8


def _explain(name: str, install: Install, code: int, log: Path) -> str:
    """Return why a stage failed, from what its log says; tools may fail with exit code 0."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        text = file.read().decode(errors="replace")
    errors = [line.strip() for line in _ERROR.findall(text)][:_MOST_LINES]
    how = f"failed with exit code {code}" if code else "ended without its results"
    said = "\n".join(errors) or tools.tail(text) or "it said nothing"
    if any(map(_LICENCE.search, errors)):
        how = "found no licence (XILINXD_LICENSE_FILE or LM_LICENSE_FILE must name one for this part)"
    return f"{name}: {install} {how}; its log is {log}:\n{said}"

"""External programs: found once, run with a working folder, a time limit and captured output."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fpgaprune.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Tool:
    """A program, the environment variable that overrides where it is, what it adds and how to get it."""

    name: str
    variable: str
    purpose: str
    remedy: str


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("g++", "FPGAPRUNE_CXX", "C-simulation", "install it (Debian, Ubuntu: apt-get install g++)"),
        Tool("make", "FPGAPRUNE_MAKE", "C-simulation", "install it (Debian, Ubuntu: apt-get install make)"),
        Tool(
            "verilator",
            "FPGAPRUNE_VERILATOR",
            "simulation of Verilog",
            "install it (Debian, Ubuntu: apt-get install verilator)",
        ),
    )
}


def find(name: str) -> Path | None:
    """Return where a known tool is: what its environment variable says, else what PATH says, else None."""
    found = shutil.which(os.environ.get(TOOLS[name].variable) or name)
    return Path(found) if found else None


def require(name: str) -> Path:
    """Return where a known tool is.

    Raises:
        ToolError: it is not installed; the message says how to get it.
    """
    path = find(name)
    if path is None:
        tool = TOOLS[name]
        msg = f"{tool.name} is needed for {tool.purpose} but was not found; {tool.remedy} or set {tool.variable}"
        raise ToolError(msg)
    return path


_RUNNING: set[subprocess.Popen[str]] = set()
"""Programs that run now, in whichever thread."""


def end_all() -> None:
    """Kill all programs that run in other threads, which then find that theirs has ended; for interruptions."""
    for process in tuple(_RUNNING):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def run(
    command: Sequence[str | Path], *, cwd: Path, timeout_s: float, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program in folder ``cwd`` and return its output; it and its children are ended at the time limit.

    Raises:
        ToolError: it cannot be started or ran out of time. The exit code is for the caller to judge.
    """
    words = [str(word) for word in command]
    try:
        process = subprocess.Popen(  # noqa: S603  # a list of words, never a shell string
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        msg = f"{words[0]} cannot be started: {error.strerror}"
        raise ToolError(msg) from error
    _RUNNING.add(process)
    guard = _guard(process)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        msg = f"{Path(words[0]).name} took longer than its limit of {timeout_s:g} s"
        raise ToolError(msg) from error
    finally:
        _end(process)
        _dismiss(guard)
        _RUNNING.discard(process)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def _guard(process: subprocess.Popen[str]) -> subprocess.Popen[bytes]:
    """Return a shell that kills a program and its children when this process ends in any way: its input ends then."""
    words = ["sh", "-c", 'read -r _; kill -9 "-$0"', str(process.pid)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)  # noqa: S603  # as above


def _dismiss(guard: subprocess.Popen[bytes]) -> None:
    guard.kill()
    guard.communicate()


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the whole process group of a program that still runs, after a time limit or an interruption."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def tail(text: str, lines: int = 12) -> str:
    """Return the last lines of a log, for an error message."""
    return "\n".join(text.strip().splitlines()[-lines:])


_ERROR = re.compile(r"^.*(?:%Error|\berror:).*$", re.MULTILINE)


def failure(text: str) -> str:
    """Return what a log of a build says of its failure: the first error, which tells the cause, and the last lines."""
    last, first = tail(text), _ERROR.search(text)
    return last if first is None or first[0].strip() in last else f"{first[0].strip()}\n…\n{last}"

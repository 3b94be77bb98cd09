"""Run a program for hours: its output in a log, its last line as progress, its whole process group ended in time."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fpgaprune.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

_POLL_S = 0.5
_GRACE_S = 10.0
"""The time that a program gets to give its licence back before it is killed."""

_TAIL_BYTES = 4096


def launch(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    name: str,
    timeout_s: float,
    progress: Callable[[str], None],
    holds: tuple[int, ...] = (),
) -> int:
    """Run a program in folder ``cwd`` until it ends, and return its exit code; ``progress`` gets time and last line.

    ``name`` is what messages call it.

    At the time limit, and on an interruption, the program and its children are ended before this leaves. They hold the
    open files ``holds`` as well: where this process is killed and cannot end them, its lock stays with them.

    Raises:
        ToolError: it cannot be started, or ran out of time.
    """
    words = [str(word) for word in command]
    with log.open("wb") as out, _ended_by_signals():
        try:
            process = subprocess.Popen(  # noqa: S603  # a list of words, never a shell string
                words,
                cwd=cwd,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=holds,
            )
        except OSError as error:
            msg = f"{words[0]} cannot be started: {error.strerror}"
            raise ToolError(msg) from error
        try:
            return _wait(process, name, log, timeout_s, progress)
        finally:
            _end(process)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Leave by an exception where a job scheduler or a closed terminal ends this process, unless that is ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    heard = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]
    for each in heard:
        signal.signal(each, _leave)
    try:
        yield
    finally:
        for each in heard:
            signal.signal(each, signal.SIG_DFL)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _wait(
    process: subprocess.Popen[bytes], name: str, log: Path, timeout_s: float, progress: Callable[[str], None]
) -> int:
    start = time.monotonic()
    while True:
        spent = time.monotonic() - start
        if spent > timeout_s:
            last = last_line(log) or "nothing"
            limit = f"{name} took longer than its limit of {timeout_s:g} s (--timeout-s)"
            msg = f"{limit}; its log is {log} and ends:\n{last}"
            raise ToolError(msg)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=min(_POLL_S, max(timeout_s - spent, 0.01)))
        progress(f"{int(spent) // 60}:{int(spent) % 60:02d} {last_line(log)}")


def last_line(log: Path) -> str:
    """Return the last line of a log that has words."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process group of a program that still runs: politely, then for good, even if interrupted again."""
    if process.poll() is not None:
        return
    try:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_GRACE_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

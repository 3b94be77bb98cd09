"""The folder of a sweep: what is asked for, how far it is, and what failed."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError
from fpgaprune.paths import identifier, is_empty, write_text
from fpgaprune.store import Store, key_of, room
from fpgaprune.sweep.code import code_digest
from fpgaprune.sweep.schedule import LAST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fpgaprune.sweep.plan import Planned
    from fpgaprune.sweep.worker import Report

STATE, STORE, FAILURES = "sweep.json", "store", "failures"
WORK = ("training", "running")
"""Folders of the store for what stages keep of their work until its end."""

SCHEMA = "fpgaprune-sweep-state-1"


class _UnreadableError(InputError):
    """A state that is missing or damaged, which a sweep writes anew."""


def begun(out: Path) -> Path:
    """Return the folder of a sweep, made where it is not there.

    Raises:
        InputError: it holds something else or what another version wrote, or cannot be made.
    """
    if (out / STATE).is_file():
        with suppress(_UnreadableError):
            _read(out)
    else:
        if not is_empty(out) and not (out / STATE).is_file():  # another process may have begun meanwhile
            msg = f"{out} is no folder of a sweep: it has no {STATE}; choose another one"
            raise InputError(msg)
        with room(out):
            write_state(out, (), (), finished=False)
    return out


def identity(planned: Sequence[Planned], called: Sequence[str]) -> str:
    """Return the digest of everything that table and report depend on."""
    points = {
        name: {stage: task.key for stage, task in each.tasks.items()}
        for each, name in zip(planned, called, strict=True)
    }
    return key_of({"points": points, "code": code_digest("fpgaprune.sweep.api", data=("templates",))})


def write_state(
    out: Path,
    planned: Sequence[Planned],
    called: Sequence[str],
    *,
    finished: bool,
    trials: tuple[int, int] | None = None,
) -> None:
    """Write which results each point needs, for `status`, and whether all that is made of them is written.

    ``trials`` counts those of a search that are over, and all of them.
    """
    points = [
        {"name": name, "stages": {stage: task.key for stage, task in each.tasks.items()}}
        for each, name in zip(planned, called, strict=True)
    ]
    identified = identity(planned, called) if finished else None
    data: dict[str, object] = {"schema": SCHEMA, "finished": identified, "points": points}
    data |= {} if trials is None else {"trials": trials}
    write_text(out / STATE, json.dumps(data, indent=1) + "\n")


def is_finished(out: Path, planned: Sequence[Planned], called: Sequence[str]) -> bool:
    """Return whether everything was written before, from the same results by the same code; no state is none."""
    try:
        finished = _read(out)["finished"]
    except _UnreadableError:
        return False
    return finished is not None and bool(finished == identity(planned, called))


def write_logs(
    out: Path, planned: Sequence[Planned], called: Sequence[str], failed: Mapping[str, Report]
) -> dict[str, Path]:
    """Write the log of each point that failed and remove those of points that no longer do; return them by name."""
    found: dict[str, Path] = {}
    for each, name in zip(planned, called, strict=True):
        path = out / FAILURES / f"{_log_name(name)}.log"
        report = report_of(each, failed)
        if report is None:
            path.unlink(missing_ok=True)
        else:
            write_text(path, f"{name}\n\n{report.log}")
            found[name] = path
    return found


def _log_name(name: str) -> str:
    """Return a name for a file that no other point's has: identifiers are cut, and lose signs."""
    return f"{identifier(name)}-{key_of({'name': name})[:8]}"


def report_of(planned: Planned, failed: Mapping[str, Report]) -> Report | None:
    """Return the report of the failure that a point suffers from, None where there is none."""
    return next((failed[task.key] for task in planned.tasks.values() if task.key in failed), None)


@dataclass(frozen=True)
class Status:
    """How many points and results there are of how many, by stage; the names of points whose work is going on.

    Of a search the points are those that were begun last, and ``trials`` how many are over of how many.
    """

    points: int
    done: int
    stages: Mapping[str, tuple[int, int]]
    running: tuple[str, ...]
    failed: tuple[str, ...]
    trials: tuple[int, int] | None = None


def status(out: Path) -> Status:
    """Return how far the sweep in a folder is, which other processes may be working on.

    Raises:
        InputError: the folder holds no sweep, or is damaged.
    """
    data, store = _read(out), Store.open(out / STORE)
    keys: dict[str, str] = {}
    done, running = 0, []
    for point in data["points"]:
        keys |= {key: stage for stage, key in point["stages"].items()}
        left = [key for stage, key in point["stages"].items() if stage in LAST and not store.has(key)]
        done += not left
        if any(store.is_locked(key) for key in point["stages"].values()):
            running.append(point["name"])
    there = Counter(stage for key, stage in keys.items() if store.has(key))
    stages = {stage: (there[stage], count) for stage, count in Counter(keys.values()).items()}
    logs = {path.stem for path in (out / FAILURES).glob("*.log")}
    failed = tuple(point["name"] for point in data["points"] if _log_name(point["name"]) in logs)
    trials = data.get("trials")
    counted = None if trials is None else (int(trials[0]), int(trials[1]))
    return Status(len(data["points"]), done, stages, tuple(running), failed, counted)


def _read(out: Path) -> dict[str, Any]:
    path = out / STATE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        schema = data["schema"]
    except OSError as error:
        msg = f"{out} is no folder of a sweep: {path.name} cannot be read: {error.strerror}"
        raise _UnreadableError(msg) from error
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path} is damaged: {error}; run the sweep again, which keeps all results"
        raise _UnreadableError(msg) from error
    if schema != SCHEMA:
        msg = f"{path} has schema {schema!r}, this version reads {SCHEMA!r}"
        raise InputError(msg)
    found: dict[str, Any] = data
    return found

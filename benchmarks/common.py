"""What the benchmarks share: the command line, parts in processes of their own, stages, the JSON, and pictures of it.

CPU seconds are told beside wall seconds: on a machine that does other work, only they compare.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from matplotlib.figure import Figure

MEASURE = Path(__file__).with_name("measure.py")
PACKAGES = ("fpgaprune", "hls4ml", "numpy", "torch")


def stored(name: str) -> dict[str, Any]:
    """Return the results of a benchmark that are kept beside this file."""
    text = MEASURE.with_name("results").joinpath(f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)["results"]
    return found


def draw(figure: Figure, name: str) -> None:
    """Write a picture into the documentation; the same figure gives the same bytes."""
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "fpgaprune"}):
        figure.savefig(MEASURE.parents[1] / "docs" / f"{name}.svg", metadata={"Date": None})


def main(
    name: str,
    whole: Callable[[bool], Mapping[str, Any]],
    part: Callable[..., Mapping[str, Any]] | None = None,
) -> int:
    """Run ``whole(quick)``, or ``part(**spec)`` in a process that `run_part` started, and return the exit code.

    ``whole`` returns settings, results and claims; a claim that does not hold makes a full run exit with 1.
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, only to see that everything runs")
    parser.add_argument("--out", type=Path, help="write the JSON into this file, too")
    parser.add_argument("--keep", type=Path, help="an earlier JSON: parts that are in it are not run again")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.keep is not None:
        _KEPT.extend(json.loads(arguments.keep.read_text(encoding="utf-8"))["results"]["runs"])
    if arguments.part is not None and part is not None:
        arguments.out.write_text(json.dumps(part(**json.loads(arguments.part))), encoding="utf-8")
        return 0
    start, load = time.perf_counter(), os.getloadavg()
    found = dict(whole(arguments.quick))
    report = {
        "benchmark": name,
        "machine": machine(),
        "load_before": load,
        "load_after": os.getloadavg(),
        "quick": arguments.quick,
        "seconds": round(time.perf_counter() - start, 1),
        **found,
    }
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    return int(not arguments.quick and not all(each["holds"] for each in found["claims"]))


def machine() -> dict[str, object]:
    """Return what the numbers depend on: processor, system, Python, versions of what is measured."""
    return {
        "python": platform.python_version(),
        "processor": _processor(),
        "cpu_count": os.cpu_count(),
        "versions": {package: metadata.version(package) for package in PACKAGES},
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def claim(text: str, measured: float, *, at_least: float | None = None, at_most: float | None = None) -> dict[str, Any]:
    """Return a claim, what was measured, and whether it holds."""
    holds = (at_least is None or measured >= at_least) and (at_most is None or measured <= at_most)
    return {"claim": text, "measured": measured, "at_least": at_least, "at_most": at_most, "holds": holds}


def ratio(left: float, right: float) -> float | None:
    """Return how many times as large ``left`` is; None where there is nothing to divide by."""
    return round(left / right, 3) if right else None


def measured(command: Sequence[str | Path], *, cwd: Path | None = None) -> dict[str, float]:
    """Run a command to its end and return wall_s, cpu_s and peak_mb (of its largest process)."""
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "cost.json"
        words = [sys.executable, MEASURE, result, *command]
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
        if done.returncode:
            log = (done.stdout + done.stderr)[-2000:]
            msg = f"{' '.join(map(str, command))} failed:\n{log}"
            raise RuntimeError(msg)
        cost: dict[str, float] = json.loads(result.read_text(encoding="utf-8"))
        return cost


_KEPT: list[dict[str, Any]] = []
"""Parts of an earlier run whose results are the same whenever they are run, unlike times."""


def run_part(script: str, **spec: object) -> dict[str, Any]:
    """Run the part ``spec`` of a benchmark in a process of its own; add what the process took."""
    for kept in _KEPT:
        if all(kept.get(name) == value for name, value in spec.items()):
            return kept
    print(f"… {Path(script).stem} {spec}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "part.json"
        cost = measured([sys.executable, script, "--part", json.dumps(spec), "--out", out])
        found = json.loads(out.read_text(encoding="utf-8"))
    stages = [stage["peak_mb"] or 0.0 for stage in found.get("stages", {}).values()]
    return {**spec, **found, "process": cost | {"peak_mb": max(cost["peak_mb"], *stages, 0.0)}}


class Stages:
    """Wall and CPU seconds and peak resident memory of stages, which may be nested.

    Memory is None where the system does not tell. Taking a stage's peak starts the count of the process anew, so the
    peak of a process with stages is the largest of both.
    """

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float | None]] = {}
        self._open: list[tuple[str, float]] = []  # name, peak so far

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what runs inside under ``outer/name``; equal names add up."""
        self._raise_open()
        _reset_peak()
        path = "/".join([*(outer for outer, _ in self._open), name])
        self.found.setdefault(path, {"s": 0.0, "cpu_s": 0.0, "peak_mb": 0.0})  # the outer stage before its inner ones
        self._open.append((name, 0.0))
        start, start_cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
            self._raise_open()
            _reset_peak()
            _, peak = self._open.pop()
            before = self.found[path]
            self.found[path] = {
                "s": round((before["s"] or 0.0) + seconds, 4),
                "cpu_s": round((before["cpu_s"] or 0.0) + cpu, 4),
                "peak_mb": round(max(before["peak_mb"] or 0.0, peak), 1) or None,
            }

    def _raise_open(self) -> None:
        now = _peak_mb()
        self._open = [(name, max(peak, now)) for name, peak in self._open]

    @contextlib.contextmanager
    def spied(self, names: Mapping[str, str]) -> Iterator[None]:
        """Measure each call of these functions, given as module:function → stage."""
        with contextlib.ExitStack() as stack:
            for target, name in names.items():
                module, function = target.split(":")
                __import__(module)
                original = getattr(sys.modules[module], function)
                stack.enter_context(mock.patch.object(sys.modules[module], function, self._spy(original, name)))
            yield

    def _spy(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*positional: object, **named: object) -> object:
            with self.stage(name):
                return function(*positional, **named)

        return call


def _peak_mb() -> float:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

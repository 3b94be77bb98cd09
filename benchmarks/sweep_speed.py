"""How long a sweep of 60 designs takes: from nothing, repeated, with one and with two workers, and for the store."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import claim, main, run_part

RECIPE = """
[model]
factory = "fpgaprune.demo:mlp"
[data]
factory = "fpgaprune.demo:digits"
[train]
epochs = {dense}
learning_rate = 2e-3
[prune]
sparsity = 0.9
schedule = "cubic"
steps = {steps}
[prune.fine_tune]
epochs = {each}
[quantise]
activation_bits = 6
input_bits = 6
[quantise.fine_tune]
epochs = {quantised}
[generate]
board = "pynq-z2"
strategy = "multiply"
[csim]
samples = 1000
energy = true
[sweep.grid]
prune.sparsity = {sparsities}
quantise.weight_bits = {widths}
generate.board = {boards}
"""
FULL: dict[str, Any] = {
    "dense": 20,
    "steps": 6,
    "each": 6,
    "quantised": 12,
    "sparsities": [0.0, 0.5, 0.75, 0.9, 0.95],
    "widths": [3, 4, 5],
    "boards": ["pynq-z2", "arty-a7-100t", "kv260", "zcu104"],
}
QUICK: dict[str, Any] = {"dense": 1, "steps": 2, "each": 1, "quantised": 1, "sparsities": [0.95], "widths": [3]}
QUICK |= {"boards": ["pynq-z2", "kv260"]}


def whole(quick: bool) -> dict[str, Any]:
    """Return the times of sweeps with two workers and with one, and the claims about them."""
    settings = QUICK if quick else FULL
    two, one = (run_part(__file__, jobs=jobs, settings=settings) for jobs in (2, 1))
    speedup = round(one["seconds"] / two["seconds"], 2)
    share = round(max(each["store_seconds"] / each["task_seconds"] for each in (one, two)), 4)
    designs = len(settings["sparsities"]) * len(settings["widths"]) * len(settings["boards"])
    return {
        "settings": {
            "network": "784-64-32-10 on 5000 MNIST digits, trained as in the demo",
            "of each design": "accuracy, C-simulation of 1000 samples, resources, energy from switching, a project",
            "designs": designs,
            **settings,
        },
        "results": {"two workers": two, "one worker": one, "speedup": speedup},
        "claims": [
            claim("seconds of a sweep of all designs from nothing, two workers", two["seconds"], at_most=360),
            claim("seconds of the same sweep repeated", two["repeated_seconds"], at_most=10),
            claim("times as fast with two workers as with one", speedup, at_least=1.8),
            claim("share of the workers' time that the store takes", share, at_most=0.05),
            claim("tables of one and of two workers that differ", int(one["table"] != two["table"]), at_most=0),
        ],
    }


def part(jobs: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Run a sweep by its command, again, and measure the store by reading and writing its entries again."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "recipe.toml").write_text(RECIPE.format(**settings))
        seconds = [_seconds(folder, jobs) for _ in range(2)]
        tasks, store = _store(folder / "out" / "store")
        return {
            "seconds": round(seconds[0], 2),
            "repeated_seconds": round(seconds[1], 2),
            "task_seconds": round(tasks, 2),
            "store_seconds": round(store, 2),
            "table": (folder / "out" / "table.csv").read_text(),
        }


def _seconds(folder: Path, jobs: int) -> float:
    command = [sys.executable, "-m", "fpgaprune", "sweep", "recipe.toml", "--out", "out", "--jobs", str(jobs)]
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=os.environ)
    return time.perf_counter() - start


def _store(folder: Path) -> tuple[float, float]:
    """Return the seconds that all entries took to make, and those that copying and checking each of them takes."""
    from shutil import copytree

    from fpgaprune.store import Store, about

    entries = sorted(folder.glob("entries/*/*"))
    made = sum(
        told["seconds"] for told in map(about, entries) if told["stage"] not in ("program", "trace")
    )  # in others' time
    with tempfile.TemporaryDirectory() as scratch:
        other = Store.open(Path(scratch) / "store")
        start = time.perf_counter()
        for entry in entries:
            other.made(entry.name, lambda staging, entry=entry: _copied(copytree, entry, staging))
            other.get(entry.name)
        return made, time.perf_counter() - start


def _copied(copytree: Any, entry: Path, staging: Path) -> None:  # noqa: ANN401  # a function of shutil
    copytree(entry, staging, dirs_exist_ok=True)
    (staging / "entry.json").unlink()


if __name__ == "__main__":
    raise SystemExit(main("sweep_speed", whole, part))

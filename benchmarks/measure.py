"""Run one command; say what it took: wall and CPU seconds, and the peak memory of its largest process.

python benchmarks/measure.py RESULT.json COMMAND…

A small program of its own, because the system counts the memory of whoever starts a process as that process's own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main(result: str, *command: str) -> int:
    """Run ``command``, write its cost into ``result``, and return its exit code."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    cost = {
        "wall_s": round(time.perf_counter() - start, 4),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 4),
        "peak_mb": round(usage.ru_maxrss / 1024, 1),
    }
    Path(result).write_text(json.dumps(cost), encoding="utf-8")
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""A sweep on Slurm or HTCondor: a Dask cluster whose workers are jobs, with a licence of the vendor's tool each.

Run it on the login node, in the folder of the recipe, which all machines share:

    python cluster.py slurm recipe.toml --out sweep --workers 20 --licences 1

It needs `pip install 'fpgaprune[cluster]' dask-jobqueue`. Stopped and started again, it goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dask_jobqueue import HTCondorCluster, SLURMCluster
from rich.console import Console

from fpgaprune.sweep import Watching, Where, print_table, read, sweep

if TYPE_CHECKING:
    from dask_jobqueue import JobQueueCluster


def cluster(kind: str, licences: int) -> JobQueueCluster:
    """Return a cluster whose workers have a core, 16 GB, eight hours, and so many licences each."""
    settings = {
        "cores": 1,
        "processes": 1,
        "memory": "16GB",
        "worker_extra_args": ["--resources", f"licences={licences}"],
        "scheduler_options": {"dashboard_address": None},
    }
    if kind == "slurm":
        return SLURMCluster(walltime="08:00:00", **settings)
    return HTCondorCluster(disk="20GB", **settings)


def main() -> None:
    """Make the designs of a recipe and print their table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("slurm", "htcondor"))
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--licences", type=int, default=1)
    given = parser.parse_args()
    with cluster(given.kind, given.licences) as jobs, Watching(Console(stderr=True)) as watch:
        jobs.scale(given.workers)
        found = sweep(read(given.recipe), given.out, Where(dask=jobs.scheduler_address), watch, keep_going=True)
    print_table(found.table, Console())


if __name__ == "__main__":
    main()

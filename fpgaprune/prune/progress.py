"""A progress bar on the terminal that is silent everywhere else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress_bar(label: str, total: int, *, show: bool) -> Iterator[Callable[[], None]]:
    """Yield a function that advances a bar of ``total`` steps; nothing is shown unless stderr is a terminal."""
    console = Console(stderr=True)
    if not (show and console.is_terminal):
        yield _nothing  # a hidden bar would still take its time at every step
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)


def _nothing() -> None:
    pass

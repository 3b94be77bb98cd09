"""Safe C++ names for everything in a lowered design."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.lower import ScanKernel, results
from fpgaprune.paths import unique_identifiers
from fpgaprune.schedule import Interface

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fpgaprune.lower import Lowered


_MOST_STATES = 16

_RESERVED = (
    *("fpgaprune", "hls", "Beat", "i", "scan_x", "scan_y", "scan_x_beat", "scan_y_beat", "scan_beat"),
    *(f"scan_next_{number}" for number in range(_MOST_STATES)),
)
"""What the text of top functions and loops names beside tensors."""


def names_of(lowered: Lowered) -> dict[str, str]:
    """Return port or kernel → safe C++ name, unique together with the names that the top function adds.

    The parameter of an output is under ``argument(name)``, the stream inside of an array under ``beats(name)``.
    """
    reserved = [lowered.design.name, f"{lowered.design.name}_kernels", *_RESERVED]
    arguments = [argument(output.name) for output in lowered.outputs]
    if lowered.design.is_dataflow and lowered.design.interface is Interface.PARALLEL:
        arguments += [beats(name) for name in (*(port.name for port in lowered.inputs), *arguments)]
    return unique_identifiers([*dict.fromkeys(_names(lowered)), *arguments], reserved=reserved)


def argument(tensor: str) -> str:
    """Return the key in `names_of` of the parameter of the top function that an output leaves through."""
    return f"{tensor}/out"


def beats(tensor: str) -> str:
    """Return the key in `names_of` of the stream between a port that is an array and the processes inside."""
    return f"{tensor}/beats"


def _names(lowered: Lowered) -> Iterator[str]:
    yield from (port.name for port in lowered.inputs)
    for kernel in lowered.every_kernel:
        yield kernel.name
        yield from (port.name for port in results(kernel))
        if isinstance(kernel, ScanKernel):
            yield kernel.step.name
            yield from (state.before.name for state in kernel.states)

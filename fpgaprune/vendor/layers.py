"""Find the kernels of a project among the modules of a report."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fpgaprune.errors import InputError
from fpgaprune.vendor.values import NOTHING, Counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fpgaprune.vendor.values import Instance

_OURS = re.compile(r"(?:layer|process)_(.+)")
"""Functions and processes of kernels, as `fpgaprune.emit` names them; the tools leave the namespace out."""


@dataclass(frozen=True)
class LayerCounts:
    """What a kernel takes, by the name of its tensor, and its own latency in cycles, None where it is not said."""

    tensor: str
    counts: Counts
    latency: int | None


def layers(instances: Iterable[Instance], top: str, tensors: Mapping[str, str]) -> tuple[LayerCounts, ...]:
    """Return the counts of kernels, each without those of kernels inside of it; several instances of one add up.

    ``tensors`` has each kernel's tensor by its C++ name. What is in no kernel's module is in none of the results.

    Raises:
        InputError: a module is that of a kernel which the project does not have.
    """
    found: dict[str, LayerCounts] = {}
    for instance in instances:
        for layer in _inside(instance, top, tensors):
            before = found.get(layer.tensor)
            found[layer.tensor] = layer if before is None else _together(before, layer)
    return tuple(found.values())


def _together(one: LayerCounts, other: LayerCounts) -> LayerCounts:
    latencies = [each.latency for each in (one, other) if each.latency is not None]
    return replace(one, counts=one.counts + other.counts, latency=max(latencies, default=None))


def _inside(instance: Instance, top: str, tensors: Mapping[str, str]) -> Iterator[LayerCounts]:
    inner = [layer for part in instance.parts for layer in _inside(part, top, tensors)]
    tensor = _tensor(instance.module, top, tensors)
    if tensor is not None and instance.counts is not None:
        rest = instance.counts - sum((layer.counts for layer in inner), NOTHING)
        yield LayerCounts(tensor, rest, instance.latency)
    yield from inner


def _tensor(module: str, top: str, tensors: Mapping[str, str]) -> str | None:
    """Return the kernel of a module, if it is one's: Vivado knows it with the top's name before it.

    Copies of a function have a number behind their names, and what is split off has more words (``_Pipeline_…``), so
    the longest name of a kernel that fits counts.
    """
    names = [found[1] for word in (module, module.removeprefix(f"{top}_")) if (found := _OURS.fullmatch(word))]
    fitting = [cpp for cpp in tensors for name in names if name == cpp or name.startswith(f"{cpp}_")]
    if fitting:
        return tensors[max(fitting, key=len)]
    if names:
        msg = f"it has the module {module!r}, but the project has no kernel of this name: it is of another network"
        raise InputError(msg)
    return None

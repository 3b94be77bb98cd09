"""One step of a point as a value: what it makes, from what, and under which key the store has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from fpgaprune.store import key_of
from fpgaprune.sweep.code import code_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULES: Mapping[str, tuple[str, ...]] = {
    "samples": ("fpgaprune.prune", "fpgaprune.workspace"),
    "train": ("fpgaprune.prune",),
    "prune": ("fpgaprune.prune",),
    "quantise": ("fpgaprune.quantise",),
    "generate": ("fpgaprune.flow",),
    "simulate": ("fpgaprune.flow", "fpgaprune.sim"),
    "energy": ("fpgaprune.flow", "fpgaprune.energy"),
    "synthesise": ("fpgaprune.flow", "fpgaprune.yosys", "fpgaprune.vendor"),
}
"""What the result of each stage depends on in the code, stages in the order in which a point goes through them."""

_DATA = {
    "generate": ("templates", "boards"),
    "simulate": ("templates",),
    "energy": ("templates",),
    "synthesise": ("templates",),
}


@dataclass(frozen=True)
class Task:
    """A stage of one or more points.

    ``inputs`` are plain values that its result depends on, ``needs`` the keys of results that it reads, by their
    stages. ``means`` are plain values that it needs as well and that its result does not depend on, such as where a
    file is. ``resources`` are counts of what it takes while it runs, such as licences.
    """

    stage: str
    inputs: Mapping[str, object]
    needs: Mapping[str, str] = field(default_factory=dict)
    means: Mapping[str, object] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """The key of the result in the store."""
        return key_of({"stage": self.stage, "inputs": self.inputs, "needs": self.needs, "code": self.code})

    @property
    def code(self) -> str:
        """The digest of the code that the result depends on."""
        return code_digest(*MODULES[self.stage], data=_DATA.get(self.stage, ()))

    @property
    def turn(self) -> str | None:
        """What tasks have in common of which one waits for another: designs of one network may be one program."""
        return f"{self.stage} {self.needs['quantise']}" if self.stage in ("simulate", "energy") else None

    @property
    def place(self) -> int:
        """The place of the stage in a point, from 0."""
        return list(MODULES).index(self.stage)

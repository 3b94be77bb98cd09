"""Points and plans of matrices that were made before."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fpgaprune.fit.budget import Amounts
    from fpgaprune.fit.points import Pricer, Pricing
    from fpgaprune.fit.problem import Point
    from fpgaprune.ir import MatVec, Tensor
    from fpgaprune.lower import MatVecKernel
    from fpgaprune.schedule import Plan, Planner

_NAMES = ("name", "layer", "input")
"""Fields that say what something is called, which costs nothing."""


class Memory:
    """Points and plans by what a matrix is: equal ones are made once, in whatever network and however called."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[Point, ...]] = {}
        self._plans: dict[tuple[object, ...], Plan] = {}

    def of(self, pricer: Pricer) -> Pricer:
        """Return a pricer with the same points."""

        def remembered(kernel: MatVecKernel, pricing: Pricing, room: Amounts) -> tuple[Point, ...]:
            key = (pricer, pricing, room, _digest(kernel))
            if key not in self._known:
                self._known[key] = pricer(kernel, pricing, room)
            return self._known[key]

        return remembered

    def planned(self, planner: Planner) -> Planner:
        """Return a planner that makes the same plans."""

        def remembered(op: MatVec, source: Tensor) -> Plan:
            key = (planner, _digest(op), _digest(source))
            if key not in self._plans:
                self._plans[key] = planner(op, source)
            return self._plans[key]

        return remembered


def _digest(value: object) -> bytes:
    return hashlib.sha256(repr(_content(value)).encode()).digest()


def _content(value: object) -> object:
    """Return a value as what its representation tells apart: arrays and dataclasses as all that is in them."""
    if isinstance(value, np.ndarray):
        return value.shape, value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        parts = [item.name for item in fields(value) if item.name not in _NAMES]
        return type(value).__name__, [_content(getattr(value, name)) for name in parts]
    if isinstance(value, (tuple, list)):
        return [_content(each) for each in value]
    return value

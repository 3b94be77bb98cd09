"""Points of matrices that were priced before."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fpgaprune.fit.budget import Amounts
    from fpgaprune.fit.points import Pricer, Pricing
    from fpgaprune.fit.problem import Point
    from fpgaprune.lower import MatVecKernel

_NAMES = ("name", "layer")
"""Fields that say what something is called, which costs nothing."""


class Memory:
    """Points by what a matrix is: equal ones are priced once, in whatever network, and whatever they are called."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[Point, ...]] = {}

    def of(self, pricer: Pricer) -> Pricer:
        """Return a pricer with the same points."""

        def remembered(kernel: MatVecKernel, pricing: Pricing, room: Amounts) -> tuple[Point, ...]:
            key = (pricer, pricing, room, _digest(kernel))
            if key not in self._known:
                self._known[key] = pricer(kernel, pricing, room)
            return self._known[key]

        return remembered


def _digest(kernel: MatVecKernel) -> bytes:
    return hashlib.sha256(repr(_content(kernel)).encode()).digest()


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

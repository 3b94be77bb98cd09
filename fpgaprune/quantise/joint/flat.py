"""The weights of all layers as one vector, on which a few operations do what each layer would need as many for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Flat:
    """The shapes of weights by layer, in the order of the vector."""

    shapes: Mapping[str, tuple[int, ...]]

    @cached_property
    def sizes(self) -> list[int]:
        """The number of weights of each layer."""
        return [math.prod(shape) for shape in self.shapes.values()]

    def joined(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Return the vector of tensors with these shapes."""
        return torch.cat([tensors[name].flatten() for name in self.shapes])

    def parts(self, vector: Tensor) -> dict[str, Tensor]:
        """Return what the vector has of each layer, in its shape."""
        parts = vector.split_with_sizes(self.sizes)
        return {name: part.view(shape) for part, (name, shape) in zip(parts, self.shapes.items(), strict=True)}

    def spread(self, values: Iterable[float | Tensor]) -> Tensor:
        """Return the vector that has one value for all weights of a layer."""
        scalars = (torch.as_tensor(value, dtype=torch.get_default_dtype()) for value in values)
        return torch.cat([value.expand(size) for value, size in zip(scalars, self.sizes, strict=True)])


class Remembered(Generic[_Found]):
    """What was computed of tensors, for as long as none of them changes."""

    def __init__(self) -> None:
        self._tensors: list[Tensor] = []  # kept, so that no other takes the place of one in memory
        self._state: list[tuple[int, int]] = []
        self._found: _Found | None = None

    def of(self, tensors: Iterable[Tensor], compute: Callable[[], _Found]) -> _Found:
        """Return what ``compute`` returns, or returned for the same tensors."""
        now = list(tensors)
        state = [(tensor.data_ptr(), tensor._version) for tensor in now]
        if self._found is None or self._state != state:
            self._tensors, self._state, self._found = now, state, compute()
        return self._found

    def forget(self) -> None:
        """Compute anew the next time."""
        self._found = None

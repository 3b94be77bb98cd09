"""What was cut out of a model: the channels that each layer still has of those that it had at first."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError, suggest
from fpgaprune.prune.checks import known_keys, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OUTPUTS, INPUTS = "outputs", "inputs"


@dataclass(frozen=True)
class Kept:
    """The indices that are left of ``size`` channels, in their order.

    Raises:
        InputError: the indices do not rise, lie outside of the channels, or there are none.
    """

    size: int
    indices: tuple[int, ...]

    def __post_init__(self) -> None:
        whole = all(type(number) is int for number in (self.size, *self.indices))
        if (
            not whole
            or not self.indices
            or any(one >= other for one, other in pairwise((-1, *self.indices, self.size)))
        ):
            msg = f"the kept channels must be rising indices below their number {self.size}, not {self.indices}"
            raise InputError(msg)

    def then(self, later: Kept) -> Kept:
        """Return what is left of the first channels after a second cut, which counts those that this one left."""
        return Kept(self.size, tuple(self.indices[index] for index in later.indices))


@dataclass(frozen=True)
class _Axes:
    """The axis of each tensor along which a side's channels lie, and the attributes that hold their number."""

    axes: Mapping[str, int]
    sizes: tuple[str, ...]


_CONV = {OUTPUTS: _Axes({"weight": 0, "bias": 0}, ("out_channels",)), INPUTS: _Axes({"weight": 1}, ("in_channels",))}
_DEPTHWISE = {OUTPUTS: _Axes({"weight": 0, "bias": 0}, ("out_channels", "in_channels", "groups"))}
_NORM = {OUTPUTS: _Axes(dict.fromkeys(("weight", "bias", "running_mean", "running_var"), 0), ("num_features",))}

#: Module type → side → what a cut of channels on that side changes.
_SIDES: dict[type[nn.Module], dict[str, _Axes]] = {
    nn.Linear: {
        OUTPUTS: _Axes({"weight": 0, "bias": 0}, ("out_features",)),
        INPUTS: _Axes({"weight": 1}, ("in_features",)),
    },
    nn.Conv1d: _CONV,
    nn.Conv2d: _CONV,
    nn.BatchNorm1d: _NORM,
    nn.BatchNorm2d: _NORM,
    nn.PReLU: {OUTPUTS: _Axes({"weight": 0}, ("num_parameters",))},
}


@dataclass(frozen=True)
class Shrinkage:
    """Module name → side ("outputs", "inputs") → the channels kept, of a model from which channels were cut out.

    Of a depthwise convolution, a batch norm and a PReLU the outputs stand for both sides.
    """

    layers: Mapping[str, Mapping[str, Kept]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.layers)

    def cut_(self, model: nn.Module) -> None:
        """Cut the channels that are not kept out of ``model``, in place.

        Raises:
            InputError: a layer is missing, of a kind that cannot be cut, or has another number of channels.
        """
        for name, side, kept in self._cuts():
            module = _submodule(model, name)
            axes = sides_of(module).get(side)
            if axes is None or any(getattr(module, size) != kept.size for size in axes.sizes):
                msg = f"{name} ({module}) has not the {kept.size} {side} from which channels were cut out"
                raise InputError(msg)
            _cut_module_(module, axes, kept)

    def then(self, later: Shrinkage) -> Shrinkage:
        """Return both cuts as one, of which the second counts the channels that the first left."""
        merged = {name: dict(sides) for name, sides in self.layers.items()}
        for name, side, kept in later._cuts():
            sides = merged.setdefault(name, {})
            sides[side] = sides[side].then(kept) if side in sides else kept
        return Shrinkage(merged)

    def cut(self, tensors: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
        """Return tensors that have the shapes of weights of ``model``, cut as those were or will be."""
        shrunk = dict(tensors)
        for name, side, kept in self._cuts():
            for tensor, axis in _all_sides(_submodule(model, name))[side].axes.items():
                full = f"{name}.{tensor}" if name else tensor
                if full in shrunk:
                    shrunk[full] = _picked(shrunk[full], axis, kept)
        return shrunk

    def places(self, weights: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
        """Return for each weight that is left its place in the tensor that it had at first, counted row by row.

        ``weights`` are of ``model``, from which the channels have been cut out; the results have their shapes.
        """
        sizes = {name: list(weight.shape) for name, weight in weights.items()}
        for name, side, kept in self._cuts():
            for tensor, axis in _all_sides(_submodule(model, name))[side].axes.items():
                full = f"{name}.{tensor}" if name else tensor
                if full in sizes:
                    sizes[full][axis] = kept.size
        return self.cut({name: torch.arange(prod(size)).reshape(size) for name, size in sizes.items()}, model)

    def removed(self, name: str, count: int) -> int:
        """Return how many weights were cut out of the tensor ``name``, of which ``count`` are left."""
        sides = self.layers.get(name.rpartition(".")[0], {})
        left = prod(len(kept.indices) for kept in sides.values())
        return count * prod(kept.size for kept in sides.values()) // left - count

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON; ``from_dict`` reads them back."""
        return {
            name: {side: {"size": kept.size, "kept": list(kept.indices)} for side, kept in sides.items()}
            for name, sides in self.layers.items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Shrinkage:
        """Return what ``to_dict`` wrote.

        Raises:
            InputError: a value is of another kind.
        """
        return cls(
            {
                name: {side: _kept(f"{name}.{side}", kept) for side, kept in table(name, sides).items()}
                for name, sides in values.items()
            }
        )

    def _cuts(self) -> Iterator[tuple[str, str, Kept]]:
        for name, sides in self.layers.items():
            for side, kept in sides.items():
                yield name, side, kept


def sides_of(module: nn.Module) -> Mapping[str, _Axes]:
    """Return side → what a cut of channels on it changes; empty for a module from which none can be cut."""
    if isinstance(module, nn.PReLU) and module.num_parameters == 1:
        return {}
    return _all_sides(module)


def _all_sides(module: nn.Module) -> Mapping[str, _Axes]:
    """Return the sides of a module, also of one that has a single channel left."""
    if isinstance(module, (nn.Conv1d, nn.Conv2d)) and module.groups > 1:
        depthwise = module.groups == module.in_channels == module.out_channels
        return _DEPTHWISE if depthwise else {}
    return next((sides for kind, sides in _SIDES.items() if isinstance(module, kind)), {})


def channels(module: nn.Module, side: str) -> int:
    """Return the number of channels of a module on a side that it has."""
    return int(getattr(module, sides_of(module)[side].sizes[0]))


def _cut_module_(module: nn.Module, axes: _Axes, kept: Kept) -> None:
    for name, axis in axes.axes.items():
        tensor = getattr(module, name, None)
        if isinstance(tensor, nn.Parameter):
            setattr(module, name, nn.Parameter(_picked(tensor, axis, kept), requires_grad=tensor.requires_grad))
        elif isinstance(tensor, Tensor):
            setattr(module, name, _picked(tensor, axis, kept))
    for size in axes.sizes:
        setattr(module, size, len(kept.indices))


def _picked(tensor: Tensor, axis: int, kept: Kept) -> Tensor:
    return tensor.detach().index_select(axis, torch.tensor(kept.indices, device=tensor.device))


def _submodule(model: nn.Module, name: str) -> nn.Module:
    modules: dict[str, nn.Module] = dict(model.named_modules())
    if name not in modules:
        msg = f"channels were cut out of {name!r}, which the model has not{suggest(name, modules)}"
        raise InputError(msg)
    return modules[name]


def _kept(name: str, value: object) -> Kept:
    entry = table(name, value)
    known_keys(name, entry, ("size", "kept"))
    size, indices = entry.get("size"), entry.get("kept")
    if type(size) is not int or not isinstance(indices, list):
        msg = f"{name} must hold a size and a list of kept channels, not {value!r}"
        raise InputError(msg)
    return Kept(size, tuple(indices))

"""Which layers can take which structure, and which of them a recipe means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune.masks import PRUNABLE, prunable
from fpgaprune.prune.select import resolve_layers

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALL = tuple(PRUNABLE)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
_RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)

#: Form of a structure → the modules that can take it.
TAKERS: dict[str, tuple[type[nn.Module], ...]] = {
    "weights": _ALL,
    "N:M": _ALL,
    "block RxC": _ALL,
    "lanes L": _ALL,
    "lanes BxG": _ALL,
    "kernels": _CONVOLUTIONS,
    "filters": _CONVOLUTIONS,
    "neurons": (nn.Linear,),
    "columns": _ALL,
    "channels": (nn.Linear, *_CONVOLUTIONS),
    "heads": (nn.MultiheadAttention,),
    "hidden": _RECURRENT,
}


class Named(Enum):
    """What a recipe may name to give it a sparsity of its own."""

    TENSORS = "tensors"  # and the modules that they are in
    MODULES = "modules"  # for structures whose groups span the tensors of a module


@dataclass(frozen=True)
class Target:
    """A tensor to prune, the module that it is in, and its own sparsity, if the recipe gives it one."""

    name: str
    module: nn.Module
    sparsity: float | None

    @property
    def layer(self) -> str:
        """The name of the module."""
        return self.name.rpartition(".")[0]


def module_of(model: nn.Module, tensor: str) -> nn.Module:
    """Return the module that the tensor of this state-dict name is in."""
    return model.get_submodule(tensor.rpartition(".")[0])


def takes(form: str, module: nn.Module) -> bool:
    """Return whether a module can take the structure of this form."""
    return isinstance(module, TAKERS[form])


def can_take(module: nn.Module) -> str:
    """Return the forms that a module can take, in words."""
    return ", ".join(repr(form) for form in TAKERS if takes(form, module))


def targets_of(
    form: str, named: Named, structure: str, model: nn.Module, layers: Mapping[str, float]
) -> tuple[Target, ...]:
    """Return the tensors of ``model`` that can take a structure, but those that have an own sparsity of 0.

    Raises:
        InputError: there are none, or an entry of ``layers`` is unknown or covers none that can take it.
    """
    modules = {name: module_of(model, name) for name in prunable(model)}
    own = resolve_layers(modules, layers)
    takers = [name for name, module in modules.items() if takes(form, module)]
    if not takers:
        kinds = ", ".join(sorted({kind.__name__ for kind in TAKERS[form]}))
        msg = f"no layer of the model can take the structure {structure!r}, which is for {kinds}"
        raise InputError(msg)
    for key, value in layers.items():
        if value:
            _refuse_unfit(key, named, structure, {n: m for n, m in modules.items() if _covers(key, n)}, takers)
    left = [Target(name, modules[name], own.get(name)) for name in takers]
    return tuple(target for target in left if target.sparsity != 0)


def _covers(key: str, name: str) -> bool:
    return name == key or name.startswith(f"{key}.")


def _refuse_unfit(key: str, named: Named, structure: str, covered: Mapping[str, nn.Module], takers: list[str]) -> None:
    if not set(covered) & set(takers):
        module = next(iter(covered.values()))
        msg = (
            f"layers.{key}: {type(module).__name__} cannot take the structure {structure!r}; it can take "
            f"{can_take(module)}, or 0 leaves it alone"
        )
        raise InputError(msg)
    if named is Named.MODULES and key in covered:
        msg = (
            f"layers.{key} names one tensor, but the structure {structure!r} prunes several of a layer together; "
            f"name {key.rpartition('.')[0]!r}"
        )
        raise InputError(msg)

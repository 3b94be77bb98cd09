"""Masks: which weights of a model are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError, suggest
from fpgaprune.prune.shrinkage import Shrinkage

#: Module type → names of the parameters that may be pruned (``*`` stands for layer numbers and directions).
PRUNABLE: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("weight",),
    nn.Conv1d: ("weight",),
    nn.Conv2d: ("weight",),
    nn.RNN: ("weight_ih_l*", "weight_hh_l*"),
    nn.LSTM: ("weight_ih_l*", "weight_hh_l*", "weight_hr_l*"),
    nn.GRU: ("weight_ih_l*", "weight_hh_l*"),
    nn.MultiheadAttention: ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"),
}

_COMPUTED = ("_orig", "_g", "_v")  # what torch.nn.utils.prune and weight_norm append to a name


def prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return state-dict name → weight for each weight that may be pruned, in the order of the model's modules.

    A parameter that is shared under several names is one entry, under its first name.

    Raises:
        InputError: a weight is computed from other parameters (a pruning hook, a parametrisation).
    """
    found: dict[int, tuple[str, nn.Parameter]] = {}
    for prefix, module in model.named_modules():
        patterns = _patterns(module)
        _refuse_computed(prefix, module, patterns)
        for name, parameter in module.named_parameters(recurse=False):
            if _matches(name, patterns):
                found.setdefault(id(parameter), (joined(prefix, name), parameter))
    return dict(found.values())


def joined(prefix: str, name: str) -> str:
    """Return the state-dict name of the tensor ``name`` in the module ``prefix``."""
    return f"{prefix}.{name}" if prefix else name


@dataclass(frozen=True, eq=False)
class Masks(Mapping[str, Tensor]):
    """State-dict name → boolean tensor of the weight's shape; True means kept.

    Weights that were cut out with their channels (``shrinkage``) have no place in the tensors, but count as pruned.

    Raises:
        InputError: a mask is not a boolean tensor.
    """

    tensors: Mapping[str, Tensor]
    shrinkage: Shrinkage = field(default_factory=Shrinkage)

    def __post_init__(self) -> None:
        for name, mask in self.tensors.items():
            _refuse_non_boolean(name, mask)
        copies = {name: mask.detach().clone() for name, mask in self.tensors.items()}
        object.__setattr__(self, "tensors", copies)

    @classmethod
    def full(cls, model: nn.Module) -> Masks:
        """Return the masks that keep every prunable weight of ``model``."""
        return cls({name: torch.ones_like(weight, dtype=torch.bool) for name, weight in prunable(model).items()})

    @classmethod
    def of_nonzeros(cls, model: nn.Module) -> Masks:
        """Return the masks that keep the prunable weights of ``model`` that are not exactly zero."""
        return cls({name: weight != 0 for name, weight in prunable(model).items()})

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Masks):
            return NotImplemented
        same = self.keys() == other.keys() and self.shrinkage == other.shrinkage
        return same and all(torch.equal(self[name], other[name]) for name in self)

    __hash__ = None  # type: ignore[assignment]  # tensors have no hash by value

    @property
    def count(self) -> int:
        """Return how many weights there are, kept or not, with those that were cut out."""
        return sum(map(self.count_of, self))

    @property
    def kept(self) -> int:
        """Return how many weights are kept."""
        return sum(self.nonzeros(name) for name in self)

    @property
    def cut(self) -> int:
        """Return how many weights were cut out with their channels."""
        return sum(map(self.removed, self))

    @property
    def sparsity(self) -> float:
        """Return the fraction of all weights that is pruned or cut out; 0 where there are none."""
        return _sparsity(self.kept, self.count)

    def count_of(self, name: str) -> int:
        """Return how many weights the tensor ``name`` has, kept or not, with those that were cut out of it.

        Raises:
            InputError: there is no mask of this name.
        """
        return self._known(name).numel() + self.removed(name)

    def removed(self, name: str) -> int:
        """Return how many weights were cut out of the tensor ``name``."""
        return self.shrinkage.removed(name, self._known(name).numel())

    def nonzeros(self, name: str) -> int:
        """Return how many weights of the tensor ``name`` are kept.

        Raises:
            InputError: there is no mask of this name.
        """
        return int(self._known(name).sum())

    def sparsity_of(self, name: str) -> float:
        """Return the fraction of the tensor ``name`` that is pruned or cut out.

        Raises:
            InputError: there is no mask of this name.
        """
        return _sparsity(self.nonzeros(name), self.count_of(name))

    def check(self, model: nn.Module) -> None:
        """Refuse masks that do not belong to ``model``.

        Raises:
            InputError: a mask is missing, unknown, or of another shape than its weight.
        """
        weights = prunable(model)
        for name in self:
            if name not in weights:
                msg = f"mask {name!r} belongs to no prunable weight of the model{suggest(name, weights)}"
                raise InputError(msg)
        for name, weight in weights.items():
            _refuse_misshaped(name, weight, self.get(name))

    def holes(self, model: nn.Module) -> tuple[tuple[nn.Parameter, Tensor], ...]:
        """Return each prunable weight of ``model`` with the tensor, on its device, that is True where it is pruned.

        Raises:
            InputError: the masks do not belong to the model.
        """
        self.check(model)
        return tuple((weight, ~self[name].to(weight.device)) for name, weight in prunable(model).items())

    def apply_(self, model: nn.Module) -> None:
        """Set the pruned weights of ``model`` to zero, in place.

        Raises:
            InputError: the masks do not belong to the model.
        """
        fill_zeros_(self.holes(model))

    def _known(self, name: str) -> Tensor:
        if name not in self:
            msg = f"there is no mask {name!r}{suggest(name, self)}"
            raise InputError(msg)
        return self[name]


@torch.no_grad()
def fill_zeros_(holes: tuple[tuple[nn.Parameter, Tensor], ...]) -> None:
    """Set each weight to zero, in place, where its boolean tensor of the same shape is True."""
    for weight, hole in holes:
        weight.masked_fill_(hole, 0)


def _patterns(module: nn.Module) -> tuple[str, ...]:
    return next((names for kind, names in PRUNABLE.items() if isinstance(module, kind)), ())


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _refuse_computed(prefix: str, module: nn.Module, patterns: tuple[str, ...]) -> None:
    stems = [name[: name.rindex("_")] for name, _ in module.named_parameters(recurse=False) if name.endswith(_COMPUTED)]
    for stem in [*stems, *getattr(module, "parametrizations", {})]:
        if _matches(stem, patterns):
            msg = (
                f"{joined(prefix, stem)} is computed from other parameters; make it a plain one first "
                "(remove_weight_norm, remove_spectral_norm or prune.remove of torch.nn.utils)"
            )
            raise InputError(msg)


def _refuse_non_boolean(name: str, mask: object) -> None:
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        given = str(mask.dtype) if isinstance(mask, Tensor) else type(mask).__name__
        msg = f"mask {name!r} must be a tensor of torch.bool, not {given}"
        raise InputError(msg)


def _refuse_misshaped(name: str, weight: Tensor, mask: Tensor | None) -> None:
    if mask is None:
        msg = f"there is no mask for the weight {name!r}"
        raise InputError(msg)
    if mask.shape != weight.shape:
        msg = f"mask {name!r} has the shape {tuple(mask.shape)}, its weight {tuple(weight.shape)}"
        raise InputError(msg)


def _sparsity(kept: int, count: int) -> float:
    return (count - kept) / count if count else 0.0

"""Slices of one weight: kernels and filters of convolutions, neurons, columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fpgaprune.errors import InputError
from fpgaprune.prune.masks import prunable
from fpgaprune.prune.structures.groups import Grouped, Groups
from fpgaprune.prune.structures.matrices import indices, inputs_of
from fpgaprune.prune.structures.output_layers import output_layers

if TYPE_CHECKING:
    from torch import Tensor

    from fpgaprune.prune.structures.base import Subject
    from fpgaprune.prune.structures.fits import Target


@dataclass(frozen=True)
class Kernels(Grouped):
    """What a filter of a convolution reads of one input channel, all its taps: ``"kernels"``."""

    form: ClassVar[str] = "kernels"

    def groups(self, subject: Subject, targets: tuple[Target, ...]) -> tuple[Groups, ...]:
        """Return the kernels of each convolution, filter by filter."""
        weights = prunable(subject.model)
        return tuple(_numbered(target, _kernels(weights[target.name])) for target in targets)


@dataclass(frozen=True)
class Columns(Grouped):
    """All weights that read one input, or input channel, of a layer: ``"columns"``.

    Of recurrent layers only what multiplies a step has columns; the state's units are the structure ``hidden``.
    """

    form: ClassVar[str] = "columns"

    def groups(self, subject: Subject, targets: tuple[Target, ...]) -> tuple[Groups, ...]:
        """Return the columns of each tensor."""
        weights = prunable(subject.model)
        return tuple(
            _numbered(target, inputs_of(target, weights[target.name])) for target in targets if not _of_state(target)
        )


@dataclass(frozen=True)
class _Rows(Grouped):
    def groups(self, subject: Subject, targets: tuple[Target, ...]) -> tuple[Groups, ...]:
        """Return the rows of each layer, but of those that give the model's output.

        Raises:
            InputError: there are only such layers, one of them has a sparsity of its own, or there is no input.
        """
        last = output_layers(subject.model, subject.example(self))
        weights = prunable(subject.model)
        inner = [target for target in targets if target.layer not in last]
        for target in targets:
            if target.layer in last and target.sparsity is not None:
                msg = (
                    f"layers.{target.layer}: its {self} are outputs of the model, so the structure '{self}' leaves "
                    "it alone; leave the entry out"
                )
                raise InputError(msg)
        if targets and not inner:
            msg = f"all {self} are outputs of the model, so the structure '{self}' has nothing to prune"
            raise InputError(msg)
        return tuple(_numbered(target, indices(weights[target.name], 0)) for target in inner)


@dataclass(frozen=True)
class Filters(_Rows):
    """All weights of one output channel of a convolution: ``"filters"``; those that give the output are left alone."""

    form: ClassVar[str] = "filters"


@dataclass(frozen=True)
class Neurons(_Rows):
    """All weights of one output of a Linear: ``"neurons"``; a layer that gives the model's output is left alone."""

    form: ClassVar[str] = "neurons"


def _numbered(target: Target, labels: Tensor) -> Groups:
    return Groups(target.name, int(labels.max()) + 1, ((target.name, labels),), target.sparsity)


def _kernels(weight: Tensor) -> Tensor:
    return indices(weight, 0) * weight.shape[1] + indices(weight, 1)


def _of_state(target: Target) -> bool:
    return target.name.rpartition(".")[2].startswith(("weight_hh", "weight_hr"))

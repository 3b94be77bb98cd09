"""Running a model: on its device, in one mode, with errors that name shapes."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from fpgaprune.errors import FpgapruneError, InputError
from fpgaprune.prune.checks import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

_Module = TypeVar("_Module", bound="nn.Module")


def run(model: nn.Module, x: Tensor) -> Tensor:
    """Return the output of ``model`` for the inputs ``x`` of shape (batch, …).

    Raises:
        InputError: the model fails on inputs of this shape, or returns something else than one tensor.
    """
    try:
        y = model(x)
    except FpgapruneError:
        raise
    except Exception as error:
        msg = f"the model does not run on inputs of {described(x)}: {one_line(error)}"
        raise InputError(msg) from error
    if not isinstance(y, Tensor):
        msg = f"the model must return one tensor, not {type(y).__name__}; wrap it in a module that selects one"
        raise InputError(msg)
    return y


def described(tensor: Tensor) -> str:
    """Return the shape and the type of ``tensor`` in words."""
    return f"shape {tuple(tensor.shape)} and type {str(tensor.dtype).removeprefix('torch.')}"


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the first parameter or buffer of ``model``; the CPU where it has none."""
    return next((t.device for t in chain(model.parameters(), model.buffers())), torch.device("cpu"))


@contextmanager
def mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Put ``model`` into training or evaluation mode within the block, then each module back into its own."""
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, was_training in before:
            module.training = was_training


def copied(model: _Module) -> _Module:
    """Return a deep copy of ``model``, also of one whose pruning hooks left tensors with a gradient history.

    Raises:
        InputError: a part of the model refuses to be copied.
    """
    attributes = (value for module in model.modules() for value in vars(module).values())
    computed = {id(value): value.detach().clone() for value in attributes if _is_computed(value)}
    try:
        return copy.deepcopy(model, computed)
    except Exception as error:
        msg = f"the model cannot be copied: {one_line(error)}"
        raise InputError(msg) from error


def _is_computed(value: object) -> bool:
    return isinstance(value, Tensor) and not value.is_leaf

"""Running a model: on its device, in one mode, with errors that name shapes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import torch
from torch import Tensor

from fpgaprune.errors import FpgapruneError, InputError
from fpgaprune.prune.checks import one_line
from fpgaprune.prune.misfit import refusing_layer
from fpgaprune.several import OneOrMore, as_tuple, mapped, one_or_more

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

_Module = TypeVar("_Module", bound="nn.Module")

#: One tensor, or a tuple of several: what a model takes, what it returns, and the targets.
Tensors: TypeAlias = OneOrMore[Tensor]


def run(model: Callable[..., object], x: Tensors) -> Tensors:
    """Return the output of ``model`` for the inputs ``x`` of shape (batch, …), several of which are its arguments.

    Several outputs become a tuple in the order in which the model returns them, whatever holds them.

    Raises:
        InputError: the model fails on inputs of this shape, or returns something else than tensors.
    """
    return one_or_more(tensor for _, tensor in named_outputs(model, x))


def named_outputs(model: Callable[..., object], x: Tensors) -> list[tuple[str, Tensor]]:
    """Return the outputs of ``model``, each with its key where it comes in a dictionary, else with an empty name.

    Outputs that are None are left out.

    Raises:
        InputError: as `run`.
    """
    try:
        y = model(*as_tuple(x))
    except FpgapruneError:
        raise
    except Exception as error:
        where = refusing_layer(model, as_tuple(x))
        msg = f"the model does not run on inputs of {described(x)}: {one_line(error)}{where}"
        raise InputError(msg) from error
    found = [("", y)] if isinstance(y, Tensor) else list(_leaves("", y))
    if not found:
        msg = f"the model must return a tensor, or several in a tuple, a list or a dictionary, not {y!r}"
        raise InputError(msg)
    return found


def _leaves(name: str, value: object) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in nested tuples, lists and dictionaries, in the order in which torch.export flattens them."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(str(key), part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _leaves(name, part)
    elif value is not None:
        msg = f"the model must return tensors, not {type(value).__name__}; wrap it in a module that selects them"
        raise InputError(msg)


def described(tensors: Tensors) -> str:
    """Return the shape and the type of each tensor in words."""
    types = [str(tensor.dtype).removeprefix("torch.") for tensor in as_tuple(tensors)]
    shapes = [tuple(tensor.shape) for tensor in as_tuple(tensors)]
    return "; ".join(f"shape {shape} and type {kind}" for shape, kind in zip(shapes, types, strict=True))


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the first parameter or buffer of ``model``; the CPU where it has none."""
    return next((t.device for t in chain(model.parameters(), model.buffers())), torch.device("cpu"))


def moved(tensors: Tensors, device: torch.device) -> Tensors:
    """Return the tensors on ``device``."""
    return mapped(lambda tensor: tensor.to(device), tensors)


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

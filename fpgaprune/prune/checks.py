"""Checks of models, beside those of single values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.parameter import UninitializedParameter

from fpgaprune.checks import built, choice, flag, fraction, instance, integer, known_keys, number, plain, table, word
from fpgaprune.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = [
    "built",
    "choice",
    "flag",
    "fraction",
    "instance",
    "integer",
    "known_keys",
    "number",
    "one_line",
    "plain",
    "refuse_broken_model",
    "refuse_no_module",
    "refuse_nonfinite",
    "table",
    "word",
]

_REMEDY = "train it again, or give other weights"


def refuse_nonfinite(tensors: Mapping[str, Tensor], owner: str, remedy: str = _REMEDY) -> None:
    """Refuse NaN and infinities in the floating-point ``tensors`` of ``owner``.

    Raises:
        InputError: a tensor holds such values; the message names it and counts them.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel():
            values = tensor.float() if tensor.dtype.itemsize == 1 else tensor  # torch lacks the functions for float8
            if not all(map(math.isfinite, values.detach().aminmax())):  # NaN is the least and the largest of all
                _refuse_values(owner, name, "NaN or infinite", ~values.isfinite(), remedy)


def refuse_no_module(model: object) -> None:
    """Refuse what is no module of torch.

    Raises:
        InputError: it is of another class.
    """
    instance("model", model, nn.Module, "give a torch.nn.Module (that of a PrunedModel is its `module`)")


def refuse_broken_model(model: nn.Module, remedy: str = _REMEDY) -> None:
    """Refuse a model with NaN or infinity in a parameter, or NaN in a buffer (attention masks hold -inf).

    Raises:
        InputError: such a tensor was found, or one without a shape (a lazy module that never ran).
    """
    for name, parameter in model.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            msg = f"{name} has no shape yet; run one batch through the model first"
            raise InputError(msg)
    refuse_nonfinite(dict(model.named_parameters()), "the model", remedy)
    for name, buffer in model.named_buffers():
        if buffer.is_floating_point() and bool(buffer.isnan().any()):
            _refuse_values("the model", name, "NaN", buffer.isnan(), remedy)


def one_line(error: BaseException) -> str:
    """Return the type and the first line of the message of ``error``."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _refuse_values(owner: str, name: str, what: str, bad: Tensor, remedy: str) -> None:
    msg = f"{owner} holds {what} values in {name!r} ({int(bad.sum())} of {bad.numel()}); {remedy}"
    raise InputError(msg)

"""A function of one row, mapped over many: at once by torch.func.vmap, or one by one where that cannot take it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor
from torch.func import vmap

from fpgaprune.prune.checks import one_line
from fpgaprune.several import as_tuple, mapped

if TYPE_CHECKING:
    from fpgaprune.prune.forward import Tensors

#: A row of each argument → results by name.
RowFunction: TypeAlias = Callable[..., dict[str, Tensor]]

#: How many numbers the rows that are computed at once may hold together, roughly.
_ELEMENTS = 2**23


class LoopWarning(UserWarning):
    """A criterion computes one by one what it computes at once elsewhere: slower, with the same scores."""


def at_once(function: RowFunction, *arguments: Tensors) -> dict[str, Tensor]:
    """Return the results for all rows, the entries of the first dimension, stacked: by one call under vmap."""
    with warnings.catch_warnings():
        # Some operations are mapped by a loop within torch, which changes no result.
        warnings.filterwarnings("ignore", message="There is a performance drop")
        results: dict[str, Tensor] = vmap(function)(*arguments)
        return results


def one_by_one(function: RowFunction, *arguments: Tensors) -> dict[str, Tensor]:
    """Return what `at_once` returns, by one call of the function a row."""
    rows = range(len(as_tuple(arguments[0])[0]))
    results = [function(*(picked(each, row) for each in arguments)) for row in rows]
    return {name: torch.stack([result[name] for result in results]) for name in results[0]}


def picked(tensors: Tensors, rows: int | slice | None) -> Tensors:
    """Return the given rows of each tensor; None adds a dimension before the rows."""
    return mapped(lambda tensor: tensor[rows], tensors)


def refusal(function: RowFunction, *arguments: Tensors) -> str | None:
    """Return why vmap cannot take a function, None where it can."""
    try:
        at_once(function, *arguments)
    except Exception as error:  # of any kind, as torch and the model raise them
        return one_line(error.__cause__ or error)
    return None


def announce_loop(what: str, reason: str) -> None:
    """Warn that ``what`` are taken one by one."""
    msg = f"{what} are taken one by one, which is slow: torch.func.vmap cannot take the model ({reason})"
    warnings.warn(msg, LoopWarning, stacklevel=2)


def rows_at_once(elements: int) -> int:
    """Return how many rows of so many numbers each may be computed at once."""
    return max(1, _ELEMENTS // max(1, elements))

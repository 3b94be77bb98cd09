"""Checks of batches where they come in: pairs of finite tensors of one length, and at least one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fpgaprune.errors import InputError
from fpgaprune.prune.seeding import mix
from fpgaprune.several import as_tuple, one_or_more

if TYPE_CHECKING:
    from fpgaprune.prune.data import Batch
    from fpgaprune.prune.forward import Tensors


def batch_count(batches: Iterable[Batch]) -> int | None:
    """Return how many batches there are in an epoch, or None where that is not known beforehand."""
    if not isinstance(batches, Sized):
        return None
    try:
        return len(batches)
    except TypeError:  # a DataLoader over an IterableDataset without a length
        return None


def refuse_unusable(name: str, batches: object) -> None:
    """Refuse what is empty or cannot be iterated again and again.

    Raises:
        InputError: it is so.
    """
    if not isinstance(batches, Iterable):
        msg = f"{name} must be batches (x, y), not {type(batches).__name__}; wrap a Dataset in a DataLoader"
        raise InputError(msg)
    if isinstance(batches, Iterator):
        msg = f"{name} can be read only once; give a list or a DataLoader instead of {type(batches).__name__}"
        raise InputError(msg)
    if batch_count(batches) == 0:
        _refuse_empty(name)


def _refuse_empty(name: str) -> None:
    msg = f"the {name} data is empty"
    raise InputError(msg)


def tensors_of(name: str, arrays: object) -> Tensors:
    """Return one array as a tensor, and a tuple of arrays as a tuple of tensors.

    Raises:
        InputError: an array holds something else than numbers.
    """
    if isinstance(arrays, tuple) and arrays and all(isinstance(each, (np.ndarray, Tensor)) for each in arrays):
        return one_or_more(_tensor(name, each) for each in arrays)
    return _tensor(name, arrays)


def _tensor(name: str, array: object) -> Tensor:
    if isinstance(array, Tensor):
        return array.detach()
    values = np.asarray(array)
    if values.dtype.kind not in "fiub":
        msg = f"{name} must hold numbers, not {values.dtype}"
        raise InputError(msg)
    if values.dtype.kind == "f":
        return torch.tensor(values, dtype=torch.get_default_dtype())
    return torch.tensor(values.astype(np.int64) if name.endswith("_y") else values)


def checked_pair(name: str, x: Tensors, y: Tensors) -> Batch:
    """Return the pair if all its tensors are finite and of one length.

    Raises:
        InputError: they are not, or they are empty.
    """
    inputs, targets = _numbered("inputs", x), _numbered("targets", y)
    if any(tensor.ndim == 0 or len(tensor) == 0 for _, tensor in (*inputs, *targets)):
        _refuse_empty(name)
    _refuse_lengths(name, inputs, targets)
    for part, tensor in (*inputs, *targets):
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            msg = f"the {name} {part} hold NaN or infinite values; remove or replace those samples"
            raise InputError(msg)
    return x, y


def _numbered(kind: str, tensors: Tensors) -> list[tuple[str, Tensor]]:
    """Return each tensor with its name in messages, which has a number, from 0 on, where there are several."""
    parts = as_tuple(tensors)
    return [(kind if len(parts) == 1 else f"{kind}[{place}]", part) for place, part in enumerate(parts)]


def _refuse_lengths(name: str, inputs: list[tuple[str, Tensor]], targets: list[tuple[str, Tensor]]) -> None:
    (first, x), *others = inputs
    for part, tensor in others:
        if len(tensor) != len(x):
            msg = f"the {name} data has {len(x)} samples in {first} and {len(tensor)} in {part}; each sample needs all"
            raise InputError(msg)
    for part, tensor in targets:
        if len(tensor) != len(x):
            msg = f"the {name} data has {len(x)} inputs and {len(tensor)} {part}; it needs one target an input"
            raise InputError(msg)


def checked_batches(name: str, batches: Iterable[Batch], epoch: int) -> Iterator[Batch]:
    """Yield the ``batches`` of an epoch, each checked; generators that a DataLoader owns are seeded by ``epoch``.

    Raises:
        InputError: a batch is no pair of finite tensors of one length, or there is none.
    """
    with _seeded_generators(batches, epoch):
        empty = True
        for batch in batches:
            empty = False
            yield _checked_batch(name, batch)
        if empty:
            _refuse_empty(name)


def _checked_batch(name: str, batch: object) -> Batch:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not all(map(_holds_tensors, batch)):
        msg = f"each batch of the {name} data must be a pair of tensors (x, y), or of tuples of them, not"
        raise InputError(f"{msg} {_described(batch)}")
    x, y = (part if isinstance(part, Tensor) else one_or_more(part) for part in batch)
    return checked_pair(name, x, y)


def _holds_tensors(part: object) -> bool:
    parts = part if isinstance(part, (tuple, list)) else (part,)
    return len(parts) > 0 and all(isinstance(each, Tensor) for each in parts)


def _described(batch: object) -> str:
    if isinstance(batch, (tuple, list)):
        return f"a {type(batch).__name__} of {', '.join(type(part).__name__ for part in batch) or 'nothing'}"
    return f"a {type(batch).__name__}"


@contextmanager
def _seeded_generators(batches: object, epoch: int) -> Iterator[None]:
    """Seed the generators that a DataLoader owns, and put their states back at the end."""
    owners = chain([batches], (getattr(batches, name, None) for name in ("sampler", "batch_sampler")))
    found = (getattr(owner, "generator", None) for owner in owners)
    own = {id(item): item for item in found if isinstance(item, torch.Generator)}
    states = [(item, item.get_state()) for item in own.values()]
    try:
        for item, _ in states:
            item.manual_seed(mix(epoch))
        yield
    finally:
        for item, state in states:
            item.set_state(state)

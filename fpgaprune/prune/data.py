"""Training and test data as batches of tensors, checked where they come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import integer
from fpgaprune.prune.forward import Tensors
from fpgaprune.prune.seeding import generator, local_seed, mix
from fpgaprune.several import OneOrMore, as_tuple, mapped, one_or_more

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any] | Tensor

Batch: TypeAlias = tuple[Tensors, Tensors]


@dataclass(frozen=True, eq=False)
class ArrayBatches:
    """Batches over tensors in memory: x of shape (n, …) and y of shape (n, …), each a tuple where there are several.

    A single sample left over joins the batch before it, because batch normalisation cannot train on one.
    """

    x: Tensors
    y: Tensors
    batch_size: int
    shuffle: bool = False
    seed: int = 0

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def __len__(self) -> int:
        return len(self._splits(torch.arange(self._samples)))

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of epoch ``number``; the same number gives the same order."""
        order = torch.arange(self._samples)
        if self.shuffle:
            order = torch.randperm(self._samples, generator=generator(self.seed, number))
        return ((_picked(self.x, indices), _picked(self.y, indices)) for indices in self._splits(order))

    @property
    def _samples(self) -> int:
        return len(as_tuple(self.x)[0])

    def _splits(self, order: Tensor) -> list[Tensor]:
        splits = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        if len(splits) > 1 and len(splits[-1]) == 1:
            splits[-2:] = [torch.cat(splits[-2:])]
        return splits


def _picked(tensors: Tensors, indices: Tensor) -> Tensors:
    return mapped(lambda tensor: tensor[indices], tensors)


@dataclass(frozen=True, eq=False)
class Data:
    """Training and test batches (x, y): lists, DataLoaders, or anything that can be iterated again and again.

    Of a model with several inputs, x is a tuple or a list of tensors, in the order of the call; so is y where there
    are several targets.

    Raises:
        InputError: an iterable is empty or can be read only once.
    """

    train: Iterable[Batch]
    test: Iterable[Batch]

    def __post_init__(self) -> None:
        _refuse_unusable("train", self.train)
        _refuse_unusable("test", self.test)

    @classmethod
    def from_arrays(
        cls,
        train_x: OneOrMore[Array],
        train_y: OneOrMore[Array],
        test_x: OneOrMore[Array],
        test_y: OneOrMore[Array],
        batch_size: int = 64,
        seed: int = 0,
    ) -> Data:
        """Return data over arrays in memory; the training samples are shuffled anew in each epoch.

        Floats of NumPy become torch's default type and integer targets int64; tensors stay as they are. Several
        inputs, or several targets, come as a tuple of arrays.

        Raises:
            InputError: an array is empty or holds NaN or infinities, or two lengths or numbers of arrays differ.
        """
        integer("batch_size", batch_size, low=1)
        integer("seed", seed, low=0)
        train = _checked_pair("train", _tensors("train_x", train_x), _tensors("train_y", train_y))
        test = _checked_pair("test", _tensors("test_x", test_x), _tensors("test_y", test_y))
        for name, kind, left, right in (("x", "inputs", train[0], test[0]), ("y", "targets", train[1], test[1])):
            counts = len(as_tuple(left)), len(as_tuple(right))
            if counts[0] != counts[1]:
                msg = f"train_{name} has {counts[0]} {kind} and test_{name} {counts[1]}; give as many arrays in both"
                raise InputError(msg)
        return cls(ArrayBatches(*train, batch_size, shuffle=True, seed=seed), ArrayBatches(*test, batch_size))

    def train_batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Yield the checked training batches of ``epoch``; the same number gives the same order.

        The order of a DataLoader that draws from torch's global generator follows that generator instead.

        Raises:
            InputError: a batch is no pair of finite tensors of one length, or there is none.
        """
        return _checked_batches("train", self.train, epoch)

    def test_batches(self) -> Iterator[Batch]:
        """Yield the checked test batches.

        Raises:
            InputError: a batch is no pair of finite tensors of one length, or there is none.
        """
        return _checked_batches("test", self.test, 0)

    def test_arrays(self) -> tuple[OneOrMore[NDArray[Any]], OneOrMore[NDArray[Any]]]:
        """Return all test inputs, of shape (n, …), and all test targets as arrays; several make a tuple.

        Raises:
            InputError: a batch is no pair of finite tensors of one length, or there is none.
        """
        with local_seed(0):
            batches = list(self.test_batches())
        return _stacked([x for x, _ in batches]), _stacked([y for _, y in batches])

    def example(self) -> Tensors:
        """Return the inputs of the first test batch, of shape (batch, …); several make a tuple.

        Raises:
            InputError: the batch is no pair of finite tensors of one length, or there is none.
        """
        with local_seed(0):
            return next(self.test_batches())[0]


def batch_count(batches: Iterable[Batch]) -> int | None:
    """Return how many batches there are in an epoch, or None where that is not known beforehand."""
    if not isinstance(batches, Sized):
        return None
    try:
        return len(batches)
    except TypeError:  # a DataLoader over an IterableDataset without a length
        return None


def _refuse_unusable(name: str, batches: object) -> None:
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


def _tensors(name: str, arrays: object) -> Tensors:
    """Return one array as a tensor, and a tuple of arrays as a tuple of tensors."""
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


def _checked_pair(name: str, x: Tensors, y: Tensors) -> Batch:
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


def _checked_batches(name: str, batches: Iterable[Batch], epoch: int) -> Iterator[Batch]:
    if isinstance(batches, ArrayBatches):
        yield from batches.epoch(epoch)  # checked when it was made
        return
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
    return _checked_pair(name, x, y)


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


def _stacked(batches: list[Tensors]) -> OneOrMore[NDArray[Any]]:
    return one_or_more(_stacked_alone(list(column)) for column in zip(*map(as_tuple, batches), strict=True))


def _stacked_alone(tensors: list[Tensor]) -> NDArray[Any]:
    try:
        stacked: NDArray[Any] = torch.cat(tensors).cpu().numpy()
    except RuntimeError as error:
        shapes = sorted({tuple(tensor.shape[1:]) for tensor in tensors})
        msg = f"the test batches have different shapes: {', '.join(map(str, shapes))}"
        raise InputError(msg) from error
    return stacked

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
from fpgaprune.prune.seeding import generator, local_seed, mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any] | Tensor

Batch: TypeAlias = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class ArrayBatches:
    """Batches over two tensors in memory: x of shape (n, …) and y of shape (n, …).

    A single sample left over joins the batch before it, because batch normalisation cannot train on one.
    """

    x: Tensor
    y: Tensor
    batch_size: int
    shuffle: bool = False
    seed: int = 0

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def __len__(self) -> int:
        return len(self._splits(torch.arange(len(self.x))))

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of epoch ``number``; the same number gives the same order."""
        order = torch.arange(len(self.x))
        if self.shuffle:
            order = torch.randperm(len(self.x), generator=generator(self.seed, number))
        return ((self.x[indices], self.y[indices]) for indices in self._splits(order))

    def _splits(self, order: Tensor) -> list[Tensor]:
        splits = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        if len(splits) > 1 and len(splits[-1]) == 1:
            splits[-2:] = [torch.cat(splits[-2:])]
        return splits


@dataclass(frozen=True, eq=False)
class Data:
    """Training and test batches (x, y): lists, DataLoaders, or anything that can be iterated again and again.

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
        train_x: Array,
        train_y: Array,
        test_x: Array,
        test_y: Array,
        batch_size: int = 64,
        seed: int = 0,
    ) -> Data:
        """Return data over arrays in memory; the training samples are shuffled anew in each epoch.

        Floats of NumPy become torch's default type and integer targets int64; tensors stay as they are.

        Raises:
            InputError: an array is empty or holds NaN or infinities, or two lengths differ.
        """
        integer("batch_size", batch_size, low=1)
        integer("seed", seed, low=0)
        train = _checked_pair("train", _tensor("train_x", train_x), _tensor("train_y", train_y))
        test = _checked_pair("test", _tensor("test_x", test_x), _tensor("test_y", test_y))
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

    def test_arrays(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return all test inputs, of shape (n, …), and all test targets as arrays.

        Raises:
            InputError: a batch is no pair of finite tensors of one length, or there is none.
        """
        with local_seed(0):
            batches = list(self.test_batches())
        return _stacked([x for x, _ in batches]), _stacked([y for _, y in batches])

    def example(self) -> Tensor:
        """Return the inputs of the first test batch, of shape (batch, …).

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


def _checked_pair(name: str, x: Tensor, y: Tensor) -> Batch:
    if x.ndim == 0 or y.ndim == 0 or len(x) == 0 or len(y) == 0:
        _refuse_empty(name)
    if len(x) != len(y):
        msg = f"the {name} data has {len(x)} inputs and {len(y)} targets; it needs one target an input"
        raise InputError(msg)
    for part, tensor in (("inputs", x), ("targets", y)):
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            msg = f"the {name} {part} hold NaN or infinite values; remove or replace those samples"
            raise InputError(msg)
    return x, y


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
    if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not all(isinstance(part, Tensor) for part in batch):
        msg = f"each batch of the {name} data must be a pair of tensors (x, y), not {_described(batch)}"
        raise InputError(msg)
    return _checked_pair(name, batch[0], batch[1])


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


def _stacked(tensors: list[Tensor]) -> NDArray[Any]:
    try:
        stacked: NDArray[Any] = torch.cat(tensors).cpu().numpy()
    except RuntimeError as error:
        shapes = sorted({tuple(tensor.shape[1:]) for tensor in tensors})
        msg = f"the test batches have different shapes: {', '.join(map(str, shapes))}"
        raise InputError(msg) from error
    return stacked

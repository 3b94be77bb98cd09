"""Training and test data as batches of tensors, checked where they come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from fpgaprune.errors import InputError
from fpgaprune.prune.batches import checked_batches, checked_pair, refuse_unusable, tensors_of
from fpgaprune.prune.checks import instance, integer
from fpgaprune.prune.forward import Tensors
from fpgaprune.prune.seeding import generator, local_seed
from fpgaprune.several import OneOrMore, as_tuple, mapped, one_or_more

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    return mapped(lambda tensor: tensor.index_select(0, indices.to(tensor.device)), tensors)


@dataclass(frozen=True, eq=False)
class Data:
    """Training and test batches (x, y): lists, DataLoaders, or anything that can be iterated again and again.

    Of a model with several inputs, x is a tuple or a list of tensors, in the order of the call; so is y where there
    are several targets. ``validation`` is what training decides on, when to stop and which epoch was best: never the
    test data, which it would make worthless, and None where training decides nothing.

    Raises:
        InputError: an iterable is empty or can be read only once.
    """

    train: Iterable[Batch]
    test: Iterable[Batch]
    validation: Iterable[Batch] | None = None

    def __post_init__(self) -> None:
        refuse_unusable("train", self.train)
        refuse_unusable("test", self.test)
        if self.validation is not None:
            refuse_unusable("validation", self.validation)

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
        train = checked_pair("train", tensors_of("train_x", train_x), tensors_of("train_y", train_y))
        test = checked_pair("test", tensors_of("test_x", test_x), tensors_of("test_y", test_y))
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
        return _batches("train", self.train, epoch)

    def test_batches(self) -> Iterator[Batch]:
        """Yield the checked test batches.

        Raises:
            InputError: a batch is no pair of finite tensors of one length, or there is none.
        """
        return _batches("test", self.test, 0)

    def validation_batches(self) -> Iterator[Batch]:
        """Yield the checked validation batches.

        Raises:
            InputError: there is no validation part, a batch is no pair of finite tensors of one length, or there is
                none.
        """
        if self.validation is None:
            msg = "the data has no validation part; give Data(train, test, validation), or set `validation` to a share"
            raise InputError(msg)
        return _batches("validation", self.validation, 0)

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


def refuse_no_data(data: object) -> None:
    """Refuse what is no ``Data``.

    Raises:
        InputError: it is of another class.
    """
    remedy = "give Data(train, test), or Data.from_arrays(train_x, train_y, test_x, test_y)"
    instance("data", data, Data, remedy)


def _batches(name: str, batches: Iterable[Batch], epoch: int) -> Iterator[Batch]:
    if isinstance(batches, ArrayBatches):
        return batches.epoch(epoch)  # checked when it was made
    return checked_batches(name, batches, epoch)


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

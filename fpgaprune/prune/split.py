"""A validation part split from the training data: stratified for class labels, and the same for the same data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, Subset

from fpgaprune.errors import InputError
from fpgaprune.prune.batches import checked_batches
from fpgaprune.prune.checks import fraction
from fpgaprune.prune.data import ArrayBatches
from fpgaprune.prune.seeding import generator, local_seed
from fpgaprune.prune.select import pruned_count
from fpgaprune.several import as_tuple, mapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fpgaprune.prune.data import Batch, Data
    from fpgaprune.prune.forward import Tensors

_REMEDY = "give a validation part of your own: Data(train, test, validation)"


def split_validation(data: Data, share: float) -> Data:
    """Return the data with ``share`` of its training samples as the validation part; the test data is not touched.

    Class labels (one integer a sample) are stratified: each class gives its share, to within one sample. Which samples
    are taken depends on the training data alone, and a smaller share takes some of those of a larger one. Data with
    a validation part of its own, and a share of 0, change nothing.

    Raises:
        InputError: the share is outside [0, 1], leaves a part empty, or the training data cannot be split by samples.
    """
    if data.validation is not None or fraction("validation", share) == 0:
        return data
    train, validation = _parts(data.train, share)
    return replace(data, train=train, validation=validation)


def _parts(batches: Iterable[Batch], share: float) -> tuple[Iterable[Batch], Iterable[Batch]]:
    if isinstance(batches, ArrayBatches):
        return _of_arrays(batches, share)
    if isinstance(batches, DataLoader):
        return _of_loader(batches, share)
    if isinstance(batches, (list, tuple)):
        return _of_list(list(checked_batches("train", batches, 0)), share)
    kind = type(batches).__name__
    msg = f"no validation part can be split from {kind}, as its samples have no numbers; {_REMEDY}"
    raise InputError(msg)


def chosen(targets: Tensor | None, samples: int, share: float) -> Tensor:
    """Return a boolean tensor (samples,) that is True for the ``share`` of the samples that is for validation.

    ``targets`` are class labels (samples,), or None to draw from all samples alike.

    Raises:
        InputError: one of the two parts would be empty.
    """
    order = torch.randperm(samples, generator=generator(samples))
    count = pruned_count(share, samples)
    if not 0 < count < samples:
        part = "validation" if count == 0 else "training"
        msg = f"a validation share of {share:g} of {samples} samples leaves none for {part}"
        raise InputError(msg)
    places = torch.arange(samples, dtype=torch.float64) if targets is None else _places(targets[order])
    taken = torch.zeros(samples, dtype=torch.bool)
    taken[order[torch.argsort(places, stable=True)[:count]]] = True
    return taken


def _places(labels: Tensor) -> Tensor:
    """Return where each sample is in the row of those with its label, from 0 to 1, so that each class is spread."""
    _, classes, sizes = torch.unique(labels, return_inverse=True, return_counts=True)
    by_class = torch.argsort(classes, stable=True)
    first = (torch.cumsum(sizes, 0) - sizes)[classes[by_class]]
    places = torch.empty(len(labels), dtype=torch.float64)
    places[by_class] = (torch.arange(len(labels)) - first + 0.5).double() / sizes[classes[by_class]]
    return places


def _of_arrays(batches: ArrayBatches, share: float) -> tuple[ArrayBatches, ArrayBatches]:
    taken = chosen(_labels(batches.y), len(as_tuple(batches.x)[0]), share)
    train = replace(batches, x=_picked(batches.x, ~taken), y=_picked(batches.y, ~taken))
    return train, replace(batches, x=_picked(batches.x, taken), y=_picked(batches.y, taken), shuffle=False)


def _of_list(batches: list[Batch], share: float) -> tuple[list[Batch], list[Batch]]:
    """Return the same batches without the samples that are taken, and those samples."""
    lengths = [len(as_tuple(x)[0]) for x, _ in batches]
    labels = [_labels(y) for _, y in batches]
    known = [each for each in labels if each is not None]
    taken = chosen(torch.cat(known) if len(known) == len(labels) else None, sum(lengths), share)
    parts = list(zip(batches, torch.split(taken, lengths), strict=True))
    return _nonempty((batch, ~part) for batch, part in parts), _nonempty(parts)


def _nonempty(parts: Iterable[tuple[Batch, Tensor]]) -> list[Batch]:
    return [(_picked(x, part), _picked(y, part)) for (x, y), part in parts if bool(part.any())]


def _of_loader(loader: DataLoader[Any], share: float) -> tuple[DataLoader[Any], DataLoader[Any]]:
    dataset: Any = loader.dataset
    sampler: object = loader.sampler
    shuffled = type(sampler) is RandomSampler and not sampler.replacement and sampler.num_samples == len(dataset)
    known = shuffled or type(sampler) is SequentialSampler
    if type(loader) is not DataLoader or type(loader.batch_sampler) is not BatchSampler or not known:
        msg = f"no validation part can be split from a DataLoader with a sampler or batches of its own; {_REMEDY}"
        raise InputError(msg)
    taken = chosen(_dataset_labels(dataset), len(dataset), share)
    train, validation = (Subset(dataset, torch.nonzero(part).flatten().tolist()) for part in (~taken, taken))
    anew = RandomSampler(train, generator=sampler.generator) if isinstance(sampler, RandomSampler) else None
    return _like(loader, train, sampler=anew, drop_last=loader.drop_last), _like(loader, validation)


def _like(loader: DataLoader[Any], dataset: Subset[Any], **options: Any) -> DataLoader[Any]:  # noqa: ANN401  # as torch's
    kept = (
        "batch_size", "num_workers", "collate_fn", "pin_memory", "timeout", "worker_init_fn", "multiprocessing_context",
        "generator", "prefetch_factor", "persistent_workers",
    )  # fmt: skip
    return DataLoader(dataset, **{name: getattr(loader, name) for name in kept}, **options)


def _dataset_labels(dataset: Any) -> Tensor | None:  # noqa: ANN401  # a dataset of any kind of samples
    """Return the class labels of a dataset of pairs, read from its samples one by one, or None where it has none."""
    with local_seed(0):
        found = [_label(dataset[place]) for place in range(len(dataset))]
    labels = [label for label in found if label is not None]
    return torch.tensor(labels) if len(labels) == len(found) else None


def _label(sample: object) -> int | None:
    if not isinstance(sample, (tuple, list)) or len(sample) != 2:
        return None
    label = torch.as_tensor(sample[1]) if isinstance(sample[1], (int, Tensor)) else None
    return int(label) if label is not None and label.ndim == 0 and not label.is_floating_point() else None


def _labels(targets: Tensors) -> Tensor | None:
    parts: Sequence[Tensor] = as_tuple(targets)
    single = len(parts) == 1 and parts[0].ndim == 1 and not parts[0].is_floating_point()
    return parts[0].cpu() if single else None


def _picked(tensors: Tensors, part: Tensor) -> Tensors:
    return mapped(lambda tensor: tensor[part.to(tensor.device)], tensors)

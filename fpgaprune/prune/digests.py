"""Digests of what a run depends on, so that a checkpoint of something else is not taken for its own."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import torch

from fpgaprune.errors import InputError
from fpgaprune.prune.data import ArrayBatches
from fpgaprune.prune.seeding import local_seed
from fpgaprune.prune.snapshot import tensors_of
from fpgaprune.prune.written import add_tensor, without_addresses, written_digest
from fpgaprune.several import as_tuple
from fpgaprune.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from torch import Tensor, nn

    from fpgaprune.prune.data import Batch, Data
    from fpgaprune.prune.training.trainer import Means


def model_digest(model: nn.Module) -> str:
    """Return the digest of the modules of ``model`` and of their code, of its tensors, and of what may be trained.

    Raises:
        InputError: the model keeps extra state that is no tensor.
    """
    digest = hashlib.sha256(without_addresses(str(model)).encode())
    for name in model.state_dict():
        if name.rpartition(".")[2] == "_extra_state":
            msg = f"the model keeps the extra state {name!r}, which no checkpoint can hold"
            raise InputError(msg)
    for name, parameter in model.named_parameters():
        digest.update(f"{name} {parameter.requires_grad}\n".encode())
    digest.update(tensors_digest(tensors_of(model)).encode())
    digest.update(written_digest(model).encode())
    return digest.hexdigest()


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the digest of tensors and their names."""
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(f"{name}\n".encode())
        add_tensor(digest, tensor)
    return digest.hexdigest()


def data_digest(data: Data) -> str:
    """Return the digest of all batches, each part being read once; data that does not repeat has another each time.

    Raises:
        InputError: a batch is no pair of finite tensors of one length, or there is none.
    """
    digest = hashlib.sha256()
    for part, batches, read in _parts(data):
        digest.update(f"{part}\n".encode())
        if isinstance(batches, ArrayBatches):
            digest.update(f"{batches.batch_size} {batches.shuffle} {batches.seed}\n".encode())
            _add_batch(digest, (batches.x, batches.y))
            continue
        with local_seed(0):
            for batch in read():
                _add_batch(digest, batch)
    return digest.hexdigest()


def surroundings(means: Means, device: torch.device) -> str:
    """Return in words the versions, the device and the caller's functions that results depend on beside the rest."""
    calls = (means.loss, means.metric, means.train_step)
    names = [getattr(call, "__qualname__", type(call).__qualname__) for call in calls]
    return f"fpgaprune {__version__}, torch {torch.__version__}, {device.type}, {', '.join(names)}"


def _parts(data: Data) -> Iterator[tuple[str, Iterable[Batch], Callable[[], Iterator[Batch]]]]:
    yield "train", data.train, data.train_batches
    yield "test", data.test, data.test_batches
    if data.validation is not None:
        yield "validation", data.validation, data.validation_batches


def _add_batch(digest: Any, batch: Batch) -> None:  # noqa: ANN401  # hashlib has no public type for it
    for values in batch:
        for tensor in as_tuple(values):
            add_tensor(digest, tensor)

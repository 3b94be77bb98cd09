"""The models and the data that recipes name by import strings, with their digests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fpgaprune import errors
from fpgaprune import prune as pruning
from fpgaprune.prune.digests import data_digest, model_digest
from fpgaprune.prune.imports import import_object
from fpgaprune.prune.seeding import local_seed

if TYPE_CHECKING:
    from torch import nn

    from fpgaprune.prune import Data


@cache
def data_of(spec: str) -> tuple[Data, str]:
    """Return the data that an import string names, built once in a process, and its digest."""
    with errors.located("[data] factory:"):
        import_object(spec)  # what a module does when it is imported, such as seeding, happens once and before
        with local_seed(0):
            data = pruning.build_data(spec)
    return data, data_digest(data)


def model_of(spec: str, weights: str | None, seed: int) -> tuple[nn.Module, str]:
    """Return the model that an import string names, built under a seed, with weights of a file, and its digest."""
    with errors.located("[model] factory:"):
        import_object(spec)  # as above
        with local_seed(seed):
            model = pruning.build_model(spec)
    if weights is not None:
        with errors.located("[model] weights:"):
            model = pruning.with_weights(model, pruning.load_weights(Path(weights)))
    return model, model_digest(model)

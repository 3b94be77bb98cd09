"""Training that goes on from a checkpoint, with the same result as if it had not been interrupted."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from fpgaprune.prune.checkpoint import Checkpoint, folder_of
from fpgaprune.prune.checks import plain
from fpgaprune.prune.digests import data_digest, model_digest, surroundings, tensors_digest
from fpgaprune.prune.forward import device_of
from fpgaprune.prune.training.stored import Tensors, moment_of, moment_values
from fpgaprune.store import key_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fpgaprune.explained.history import History
    from fpgaprune.prune.training.moment import Moment
    from fpgaprune.prune.training.trainer import Trainer


def resumed_training(trainer: Trainer, folder: Path | str, purpose: str) -> History:
    """Return the history of a training that begins where the checkpoint in ``folder`` is, and keeps it up to date.

    ``purpose`` is what else the training depends on, in any words.

    Raises:
        InputError: the checkpoint is damaged, of another training, or cannot be written; else as ``Trainer.run``.
    """
    masks = trainer.wiring.masks
    identity = {
        "model": model_digest(trainer.model),
        "recipe": key_of({"settings": plain(asdict(trainer.settings)), "purpose": purpose}),
        "set of masks": "none" if masks is None else tensors_digest(masks),
        "data": data_digest(trainer.data),
        "version, device or function": surroundings(trainer.means, device_of(trainer.model)),
    }
    checkpoint = Checkpoint(folder_of(folder), identity)

    def keep(_: int, moment: Callable[[], Moment]) -> None:
        tensors = Tensors()
        checkpoint.save(moment_values(moment(), tensors), tensors.found)

    moment = checkpoint.load(lambda values, tensors: moment_of(values, Tensors(tensors)))
    return replace(trainer, keep=keep).run(moment)

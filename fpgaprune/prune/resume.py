"""Pruning that goes on from a checkpoint, with the same result as if it had not been interrupted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fpgaprune.explained.history import History
from fpgaprune.prune.checkpoint import Checkpoint, folder_of
from fpgaprune.prune.checks import table
from fpgaprune.prune.digests import data_digest, model_digest, surroundings
from fpgaprune.prune.forward import device_of
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.run import Run, State
from fpgaprune.prune.snapshot import put_back, tensors_of
from fpgaprune.prune.training.stored import Tensors, moment_of, moment_values
from fpgaprune.store import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import nn

    from fpgaprune.prune.training.moment import Moment


def resumed_run(run: Run, folder: Path | str) -> State:
    """Return the last state of a run that begins where the checkpoint in ``folder`` is, and keeps it up to date.

    Raises:
        InputError: the checkpoint is damaged, of another run, or cannot be written; else as ``Run.all_turns``.
    """
    identity = {
        "model": model_digest(run.model),
        "recipe": key_of(run.recipe.to_dict()),
        "data": "none" if run.data is None else data_digest(run.data),
        "version, device or function": surroundings(run.means, device_of(run.model)),
    }
    checkpoint = Checkpoint(folder_of(folder), identity)

    def keep(state: State, moment: Callable[[], Moment] | None) -> None:
        tensors = Tensors()
        values: dict[str, object] = {"state": state_values(state, tensors), "moment": None}
        if moment is None:
            tensors.put("model", tensors_of(run.model))
        else:
            values["moment"] = moment_values(moment(), tensors)
        checkpoint.save(values, tensors.found)

    found = checkpoint.load(lambda values, tensors: _restored(run.model, values, Tensors(tensors)))
    return replace(run, keep=keep).all_turns(*(found or (None, None)))


def _restored(model: nn.Module, values: Mapping[str, Any], tensors: Tensors) -> tuple[State, Moment | None]:
    """Return the state and the moment, having brought the model to them."""
    state = state_of(table("state", values["state"]), tensors)
    moment = None if values["moment"] is None else moment_of(table("moment", values["moment"]), tensors)
    state.masks.shrinkage.cut_(model)
    put_back(model, tensors.get("model"))
    return state, moment


def state_values(state: State, tensors: Tensors) -> dict[str, object]:
    """Return a state as plain values, having put its tensors among ``tensors``."""
    tensors.put("origin", state.origin or {})
    tensors.put("scores", state.scores)
    return {
        "masks": tensors.put_masks("state masks", state.masks),
        "history": state.history.to_dict(),
        "turns": state.turns,
        "begun": state.begun,
        "initial": state.initial,
        "rewinds": state.origin is not None,
        "allowed": tensors.put_masks("allowed", state.allowed),
    }


def state_of(values: Mapping[str, Any], tensors: Tensors) -> State:
    """Return the state that ``state_values`` took apart."""
    masks = tensors.get_masks("state masks", values["masks"])
    return State(
        masks or Masks({}),
        History.from_dict(values["history"]),
        values["turns"],
        values["begun"],
        values["initial"],
        tensors.get("origin") if values["rewinds"] else None,
        tensors.get_masks("allowed", values["allowed"]),
        tensors.get("scores"),
    )

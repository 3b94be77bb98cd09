"""A pruned model as a folder: weights and masks in safetensors, everything else in ``pruned.json``."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from fpgaprune.errors import InputError
from fpgaprune.explained import Histograms, History, SensitivityCurves
from fpgaprune.paths import fresh_folder
from fpgaprune.prune.checks import known_keys, table
from fpgaprune.prune.forward import copied
from fpgaprune.prune.masks import Masks
from fpgaprune.prune.pruned import PrunedModel
from fpgaprune.prune.recipe import PruneRecipe
from fpgaprune.prune.shrinkage import Shrinkage
from fpgaprune.prune.weights import parse_safetensors, with_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

SCHEMA = 3
MANIFEST = "pruned.json"
WEIGHTS = "weights.safetensors"
MASKS = "masks.safetensors"
_LARGEST_MANIFEST = 64 * 2**20
_FIELDS = (
    "schema",
    "sparsity",
    "recipe",
    "history",
    "dead_biases",
    "unbaked",
    "tensors",
    "masks",
    "shrinkage",
    "sha256",
)
_LATER = ("scores", "curves")
"""Fields that folders of earlier versions lack."""


def save(pruned: PrunedModel, folder: Path, *, force: bool = False) -> None:
    """Write ``pruned`` into a new folder, in one step; the same model gives the same bytes.

    ``weights.safetensors`` is an ordinary state dict with the pruned weights at zero; ``masks.safetensors`` holds
    the masks at eight weights a byte. The channels that were cut out of each layer are told in the manifest.

    Raises:
        InputError: the folder exists and ``force`` is not given, it cannot be written, or the model keeps extra
            state that is no tensor.
    """
    state = _state(pruned.module)
    files = {
        WEIGHTS: safetensors.torch.save(state),
        MASKS: safetensors.torch.save({name: _packed(mask) for name, mask in pruned.masks.items()}),
    }
    text = json.dumps(_manifest(pruned, state, files), indent=1, allow_nan=False)
    with fresh_folder(folder, force=force) as staging:
        for name, content in files.items():
            (staging / name).write_bytes(content)
        (staging / MANIFEST).write_text(f"{text}\n", encoding="utf-8")


def load(folder: Path, model: nn.Module) -> PrunedModel:
    """Return the pruned model that ``save`` wrote, in a copy of ``model``, which gives the architecture.

    ``model`` is as it was before pruning: the channels that were cut out of the pruned one are cut out of the copy.

    Raises:
        InputError: a file is missing, damaged or of another schema, or its tensors do not fit the model.
    """
    manifest = _read_manifest(folder / MANIFEST)
    digests = table(f"{folder / MANIFEST}: sha256", manifest["sha256"])
    weights = _read_tensors(folder / WEIGHTS, digests)
    packed = _read_tensors(folder / MASKS, digests)
    try:
        _refuse_other_tensors(weights, table("tensors", manifest["tensors"]))
        _refuse_other_types(weights, model)
        shrinkage = Shrinkage.from_dict(table("shrinkage", manifest["shrinkage"]))
        shrunk = copied(model)
        shrinkage.cut_(shrunk)
        return PrunedModel(
            module=with_weights(shrunk, weights).eval(),
            masks=_unpacked_masks(packed, table("masks", manifest["masks"]), shrinkage),
            recipe=_recipe(manifest["recipe"]),
            history=History.from_dict(manifest["history"]),
            dead_biases=_dead_biases(table("dead_biases", manifest["dead_biases"])),
            unbaked=_names(manifest["unbaked"]),
            scores=Histograms.from_dict(manifest.get("scores", {})),
            curves=_curves(manifest.get("curves")),
        )
    except InputError as error:
        msg = f"{folder}: {error}"
        raise InputError(msg) from error


def _state(module: nn.Module) -> dict[str, Tensor]:
    """Return the state dict with each tensor once, under its first name, on the CPU."""
    seen: set[int] = set()
    state: dict[str, Tensor] = {}
    for name, value in module.state_dict(keep_vars=True).items():
        if not isinstance(value, Tensor):
            msg = f"the model keeps the extra state {name!r}, which is no tensor and cannot be saved"
            raise InputError(msg)
        if id(value) not in seen:
            seen.add(id(value))
            state[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    return state


def _manifest(pruned: PrunedModel, state: Mapping[str, Tensor], files: Mapping[str, bytes]) -> dict[str, object]:
    masks = pruned.masks
    return {
        "schema": SCHEMA,
        "sparsity": pruned.sparsity,
        "recipe": pruned.recipe.to_dict() if pruned.recipe is not None else None,
        "history": pruned.history.to_dict(),
        "dead_biases": pruned.dead_biases,
        "unbaked": pruned.unbaked,
        "tensors": {name: _signature(tensor) for name, tensor in state.items()},
        "masks": {name: {"shape": list(mask.shape), "nonzeros": masks.nonzeros(name)} for name, mask in masks.items()},
        "shrinkage": masks.shrinkage.to_dict(),
        "scores": pruned.scores.to_dict(),
        "curves": None if pruned.curves is None else pruned.curves.to_dict(),
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }


def _signature(tensor: Tensor) -> dict[str, object]:
    return {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}


def _read(path: Path, largest: int | None = None) -> bytes:
    try:
        if largest is not None and path.stat().st_size > largest:
            msg = f"{path} has {path.stat().st_size} bytes, more than any manifest of fpgaprune"
            raise InputError(msg)
        return path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}; is this a folder that 'fpgaprune prune' wrote?"
        raise InputError(msg) from error


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = table(MANIFEST, json.loads(_read(path, _LARGEST_MANIFEST)))
    except (ValueError, RecursionError) as error:
        msg = f"{path} is no intact JSON: {error}"
        raise InputError(msg) from error
    if manifest.get("schema") != SCHEMA:
        msg = f"{path} has the schema {manifest.get('schema')!r}, this version reads {SCHEMA}; prune the model again"
        raise InputError(msg)
    known_keys(str(path), manifest, (*_FIELDS, *_LATER))
    if missing := [field for field in _FIELDS if field not in manifest]:
        msg = f"{path} lacks {', '.join(missing)}"
        raise InputError(msg)
    return manifest


def _read_tensors(path: Path, digests: Mapping[str, object]) -> dict[str, Tensor]:
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != digests.get(path.name):
        msg = f"{path} is damaged or was changed: its SHA-256 differs from the one in {MANIFEST}"
        raise InputError(msg)
    return parse_safetensors(content, path)


def _refuse_other_tensors(weights: Mapping[str, Tensor], listed: Mapping[str, object]) -> None:
    known_keys(WEIGHTS, weights, listed)
    for name, signature in listed.items():
        if name not in weights or _signature(weights[name]) != signature:
            msg = f"{WEIGHTS} does not hold the tensor {name!r} that {MANIFEST} lists"
            raise InputError(msg)


def _refuse_other_types(weights: Mapping[str, Tensor], model: nn.Module) -> None:
    for name, tensor in model.state_dict().items():
        if name in weights and weights[name].dtype != tensor.dtype:
            msg = f"{name!r} was saved as {weights[name].dtype}, the model has {tensor.dtype}"
            raise InputError(msg)


def _packed(mask: Tensor) -> Tensor:
    return torch.from_numpy(np.packbits(mask.cpu().numpy()))


def _unpacked_masks(packed: Mapping[str, Tensor], listed: Mapping[str, object], shrinkage: Shrinkage) -> Masks:
    known_keys(MASKS, packed, listed)
    tensors = {name: _unpacked(name, packed.get(name), table(name, entry)) for name, entry in listed.items()}
    return Masks(tensors, shrinkage)


def _unpacked(name: str, packed: Tensor | None, entry: Mapping[str, object]) -> Tensor:
    shape = entry.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        msg = f"masks.{name}.shape must be a list of sizes, not {shape!r}"
        raise InputError(msg)
    count = math.prod(shape)
    if packed is None or packed.dtype != torch.uint8 or packed.shape != ((count + 7) // 8,):
        msg = f"{MASKS} does not hold the mask {name!r} that {MANIFEST} lists"
        raise InputError(msg)
    return torch.from_numpy(np.unpackbits(packed.numpy(), count=count)).bool().reshape(shape)


def _recipe(value: object) -> PruneRecipe | None:
    return None if value is None else PruneRecipe.from_dict(table("recipe", value))


def _curves(value: object) -> SensitivityCurves | None:
    return None if value is None else SensitivityCurves.from_dict(value)


def _dead_biases(values: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
    for name, entries in values.items():
        if not isinstance(entries, list) or not all(type(entry) is int for entry in entries):
            msg = f"dead_biases.{name} must be a list of integers, not {entries!r}"
            raise InputError(msg)
    return {name: tuple(entries) for name, entries in values.items() if isinstance(entries, list)}


def _names(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        msg = f"unbaked must be a list of names, not {values!r}"
        raise InputError(msg)
    return tuple(values)

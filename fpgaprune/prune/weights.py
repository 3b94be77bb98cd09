"""Weights from files, without ever executing a pickle, and into models."""

from __future__ import annotations

import pickle
import warnings
from typing import TYPE_CHECKING, TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from fpgaprune.errors import InputError, suggest
from fpgaprune.prune.checks import one_line, refuse_nonfinite
from fpgaprune.prune.forward import copied
from fpgaprune.prune.torch_masks import baked_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import nn

_Module = TypeVar("_Module", bound="nn.Module")

_WRAPPERS = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights in a checkpoint


def load_weights(path: Path) -> dict[str, Tensor]:
    """Return the state dict in a safetensors file or a file of ``torch.save``; the content decides which it is.

    A pickle that asks for more than tensors is refused and nothing of it is executed.

    Raises:
        InputError: the file cannot be read or holds no state dict, or a tensor holds NaN or infinities.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise InputError(msg) from error
    is_safetensors = head[8:] == b"{"  # the header, after eight bytes with its length
    weights = parse_safetensors(path.read_bytes(), path) if is_safetensors else _torch_load(path)
    refuse_nonfinite(weights, str(path))
    return weights


def with_weights(model: _Module, weights: Mapping[str, Tensor]) -> _Module:
    """Return a copy of ``model`` that holds ``weights``; pairs ``x_orig``, ``x_mask`` serve a plain x.

    Of a parameter with several names, one name suffices.

    Raises:
        InputError: a tensor is missing, unknown, of another shape or kind of number, or names of one parameter differ.
    """
    return with_told_weights(model, weights)[0]


def with_told_weights(model: _Module, weights: Mapping[str, Tensor]) -> tuple[_Module, tuple[str, ...]]:
    """Return what ``with_weights`` does, and the names of the tensors that masks were baked into.

    Raises:
        InputError: as ``with_weights``.
    """
    copy = copied(model)
    state: dict[str, object] = copy.state_dict(keep_vars=True)
    given, baked = (dict(weights), ()) if set(weights) <= set(state) else baked_state(weights)
    for name in given:
        if name not in state:
            msg = f"the weights hold {name!r}, which the model has not{suggest(name, state)}"
            raise InputError(msg)
    for names in _same_tensor(state):
        _fill(state[names[0]], names, given)
    return copy, baked


def parse_safetensors(content: bytes, source: Path) -> dict[str, Tensor]:
    """Return the tensors in the bytes of a safetensors file that was read from ``source``.

    Raises:
        InputError: the bytes are truncated or otherwise not of that format.
    """
    try:
        return safetensors.torch.load(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        msg = f"{source} is no intact safetensors file: {one_line(error)}"
        raise InputError(msg) from error


def _torch_load(path: Path) -> dict[str, Tensor]:
    try:
        with path.open("rb") as file, warnings.catch_warnings():  # by its name, torch would guess the format
            warnings.simplefilter("ignore")  # about TorchScript and pickle protocols; the error below says enough
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        msg = (
            f"{path} is no plain state dict: it is damaged, or a pickle that asks for code to be run, "
            "which fpgaprune never does; save model.state_dict() with torch.save or safetensors"
        )
        raise InputError(msg) from error
    except Exception as error:
        msg = f"{path} is neither a safetensors file nor one of torch.save: {one_line(error)}"
        raise InputError(msg) from error
    return _state_dict(loaded, path)


def _state_dict(loaded: object, path: Path) -> dict[str, Tensor]:
    if isinstance(loaded, dict):
        loaded = next((loaded[key] for key in _WRAPPERS if isinstance(loaded.get(key), dict)), loaded)
    if not isinstance(loaded, dict):
        msg = f"{path} holds {type(loaded).__name__}, not a state dict; save model.state_dict()"
        raise InputError(msg)
    for name, value in loaded.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            msg = f"{path} holds {name!r}, which is {type(value).__name__} and no tensor; save model.state_dict()"
            raise InputError(msg)
        if value.layout is not torch.strided:
            msg = f"{path} holds {name!r} in the layout {value.layout}; save it as a dense tensor"
            raise InputError(msg)
    return {name: value.detach() for name, value in loaded.items()}


def _same_tensor(state: Mapping[str, object]) -> Iterable[list[str]]:
    names: dict[int, list[str]] = {}
    for name, tensor in state.items():
        names.setdefault(id(tensor), []).append(name)
    return names.values()


@torch.no_grad()
def _fill(target: object, names: list[str], given: Mapping[str, Tensor]) -> None:
    present = [name for name in names if name in given]
    if not present:
        msg = f"the weights lack {names[0]!r}{suggest(names[0], given)}"
        raise InputError(msg)
    if not isinstance(target, Tensor):
        msg = f"the model keeps the extra state {names[0]!r}, which is no tensor and cannot be restored"
        raise InputError(msg)
    first = given[present[0]]
    _refuse_unlike(present[0], first, target)
    for name in present[1:]:
        if not torch.equal(given[name], first):
            msg = f"{present[0]!r} and {name!r} are one tensor in the model, but differ in the weights"
            raise InputError(msg)
    target.copy_(first)


def _refuse_unlike(name: str, value: Tensor, target: Tensor) -> None:
    if value.shape != target.shape:
        msg = f"{name!r} has the shape {tuple(value.shape)} in the weights, {tuple(target.shape)} in the model"
        raise InputError(msg)
    if value.dtype != target.dtype and not (value.is_floating_point() and target.is_floating_point()):
        msg = f"{name!r} has the type {value.dtype} in the weights, {target.dtype} in the model"
        raise InputError(msg)

"""Where and how torch computes within a training run, put back at its end."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import one_line
from fpgaprune.prune.forward import device_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
"""What cuBLAS must be told to repeat (NVIDIA, cuBLAS documentation, "Results Reproducibility")."""


def usable_device(name: str | torch.device | None, model: nn.Module) -> torch.device:
    """Return the device of this name; ``auto`` is CUDA where there is one, None is that of ``model``.

    Raises:
        InputError: torch knows no such device, or there is none here.
    """
    if name is None:
        return device_of(model)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).tolist()  # "meta" has no values
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        msg = f"the device {name!r} cannot be used: {one_line(error)}; 'cpu' can, and 'auto' takes what there is"
        raise InputError(msg) from error
    return device


@contextmanager
def on_device(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Have ``model`` on ``device`` within the block, and back on its own after it."""
    before = device_of(model)
    model.to(device)
    try:
        yield
    finally:
        model.to(before)


@contextmanager
def repeatable(device: torch.device, *, on: bool) -> Iterator[None]:
    """Allow within the block only what repeats bit for bit, if ``on``; in any case torch.autocast is off.

    Memory that torch leaves uninitialised is not filled: that finds faults in operations, and takes time.
    """
    memory: Any = torch.utils.deterministic  # torch makes its attribute at run time
    filled, benchmark = memory.fill_uninitialized_memory, torch.backends.cudnn.benchmark
    strict = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    workspace = os.environ.get(_CUBLAS)
    try:
        if on:
            memory.fill_uninitialized_memory = False
            torch.backends.cudnn.benchmark = False
            torch.use_deterministic_algorithms(True)
            if device.type == "cuda":
                os.environ.setdefault(_CUBLAS, ":4096:8")
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        memory.fill_uninitialized_memory = filled
        torch.backends.cudnn.benchmark = benchmark
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
        if workspace is None:
            os.environ.pop(_CUBLAS, None)

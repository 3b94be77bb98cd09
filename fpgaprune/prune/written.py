"""What a model is beside its tensors: the code of its classes and functions, and plain attributes."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from fpgaprune.prune.imported import KNOWN, reached, root_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_OF_TORCH = frozenset(vars(nn.Module()))
"""What every module has: its parts, which are told by name, hooks, and its mode, which is no part of a model."""

_HOOKS = ("_forward_pre_hooks", "_forward_hooks")
_SCALARS = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)


def without_addresses(text: str) -> str:
    """Return a text of Python without addresses in memory, which differ from run to run."""
    return _ADDRESS.sub("", text)


def add_tensor(digest: Any, tensor: torch.Tensor) -> None:  # noqa: ANN401  # hashlib's digests have no public type
    """Add the type, the shape and the values of a tensor to a digest."""
    digest.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
    digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())


def written_digest(model: nn.Module) -> str:
    """Return the digest of plain attributes and of the files of all code of a model, with what they import around them.

    Code without a file, such as a notebook's, counts as it was compiled.
    """
    written = _Written()
    for name, module in model.named_modules():
        written.module(name, module)
    for path in sorted(reached(written.files), key=Path.as_posix):
        written.put(path.name)
        written.digest.update(path.read_bytes())
    return written.digest.hexdigest()


class _Written:
    """The digest so far, and the files that code is in, each with the folder that its imports begin at."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.files: dict[Path, Path] = {}
        self._seen: dict[int, object] = {}

    def put(self, *words: object) -> None:
        self.digest.update(without_addresses(f"{words}\n").encode())

    def module(self, name: str, module: nn.Module) -> None:
        self.put(name)
        self._code(type(module))
        for key, value in vars(module).items():
            if key not in _OF_TORCH:
                self.put(key)
                self._value(value)
        for hooks in _HOOKS:
            self._values(vars(module)[hooks].values())

    def _values(self, values: Iterable[object]) -> None:
        for value in values:
            self._value(value)

    def _value(self, value: Any) -> None:  # noqa: ANN401  # whatever an attribute is
        if isinstance(value, _SCALARS):
            self.put(value)
        elif isinstance(value, (FunctionType, MethodType, type)):
            self._code(value)
        elif id(value) not in self._seen:  # a list may hold itself
            self._seen[id(value)] = value
            self._code(type(value))
            self._parts(value)

    def _parts(self, value: Any) -> None:  # noqa: ANN401  # as above
        match value:
            case torch.Tensor():
                add_tensor(self.digest, value)
            case np.ndarray() | np.generic() if not value.dtype.hasobject:
                self.put(value.dtype, value.shape)
                self.digest.update(value.tobytes())
            case tuple() | list():
                self.put(len(value))
                self._values(value)
            case set() | frozenset():
                self._values(sorted(value, key=repr))
            case dict():
                self._values(part for pair in value.items() for part in pair)
            case Enum():
                self.put(value.name)
            case partial():
                self._values((value.func, value.args, value.keywords))
            case _ if is_dataclass(value):
                self._values(getattr(value, field.name) for field in fields(value))
            case _:
                pass

    def _code(self, code: type | FunctionType | MethodType) -> None:
        """Note the files of a function, or of a class and those that it comes from, packages that are known aside."""
        for each in code.__mro__ if isinstance(code, type) else (code,):
            self.put(each.__module__, each.__qualname__)
            if str(each.__module__).partition(".")[0] in KNOWN:
                continue
            file = getattr(sys.modules.get(each.__module__), "__file__", None)
            if file is None:
                self._compiled(each)
            else:
                self.files[Path(file)] = root_of(Path(file), each.__module__)

    def _compiled(self, code: Any) -> None:  # noqa: ANN401  # a class, a function, what is in one, or a constant
        if isinstance(code, type):
            for name, value in vars(code).items():
                self.put(name)
                self._compiled(getattr(value, "__func__", value))  # of a static method or one of the class
        elif isinstance(code, (FunctionType, MethodType)):
            self._compiled(code.__code__)
        elif isinstance(code, CodeType):
            self.put(code.co_code, code.co_names, code.co_varnames)
            for constant in code.co_consts:
                self._compiled(constant)
        elif isinstance(code, _SCALARS):
            self.put(code)

"""Models and data by import string, as uvicorn names an app: ``pkg.mod:factory``."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from fpgaprune.errors import FpgapruneError, InputError, suggest
from fpgaprune.prune.checks import one_line
from fpgaprune.prune.data import Data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType


def import_object(spec: str) -> Callable[..., Any]:
    """Return the callable that ``spec`` (``pkg.mod:name`` or ``pkg.mod:name.attribute``) names.

    The current folder is searched first for the module; ``sys.path`` is put back afterwards.

    Raises:
        InputError: the spec is malformed, the module or the attribute is missing, the import fails, or the object
            cannot be called.
    """
    module_name, attributes = _split(spec)
    with _current_folder_first():
        found = _attribute(_module(module_name, spec), attributes, spec)
    if not callable(found):
        msg = f"{spec!r} is {type(found).__name__}, which cannot be called; name a function or a class"
        raise InputError(msg)
    return found


def build_model(spec: str) -> nn.Module:
    """Return the model that ``spec`` names: a module, or what a factory without arguments returns.

    Raises:
        InputError: nothing can be imported by this spec, the factory fails, or it returns no module.
    """
    found = import_object(spec)
    model = found if isinstance(found, nn.Module) else _call(found, spec)
    if not isinstance(model, nn.Module):
        msg = f"{spec!r} must return a torch.nn.Module, not {type(model).__name__}"
        raise InputError(msg)
    return model


def build_data(spec: str) -> Data:
    """Return the data that the factory ``spec`` returns: ``Data``, or training and test batches, and validation ones.

    Raises:
        InputError: nothing can be imported by this spec, the factory fails, or it returns no data.
    """
    data = _call(import_object(spec), spec)
    if isinstance(data, Data):
        return data
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        what = "fpgaprune.prune.Data, (train, test) or (train, test, validation)"
        msg = f"{spec!r} must return {what}, not {type(data).__name__}"
        raise InputError(msg)
    return Data(*data)


def _split(spec: str) -> tuple[str, list[str]]:
    module, colon, attributes = spec.partition(":")
    words = [*module.split("."), *attributes.split(".")]
    if colon and all(word.isidentifier() for word in words):
        return module, attributes.split(".")
    hint = ""
    if module.endswith(".py"):
        dotted = ".".join(Path(module).with_suffix("").parts).lstrip("./")
        hint = f"; write {dotted}:{attributes or 'name'}"
    msg = f"{spec!r} must have the form pkg.module:name{hint}"
    raise InputError(msg)


@contextmanager
def _current_folder_first() -> Iterator[None]:
    before = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def _module(name: str, spec: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            _refuse_failed("importing", spec, error)
        msg = f"{spec!r}: there is no module {error.name!r} in {Path.cwd()} or among the installed packages"
        raise InputError(msg) from error
    except (Exception, SystemExit) as error:
        _refuse_failed("importing", spec, error)
        raise


def _attribute(found: object, attributes: list[str], spec: str) -> object:
    for name in attributes:
        if not hasattr(found, name):
            owner = getattr(found, "__name__", type(found).__name__)
            msg = f"{spec!r}: {owner!r} has no attribute {name!r}{suggest(name, dir(found))}"
            raise InputError(msg)
        found = getattr(found, name)
    return found


def _call(function: Callable[..., Any], spec: str) -> object:
    with _current_folder_first():
        try:
            return function()
        except FpgapruneError:
            raise
        except (Exception, SystemExit) as error:
            _refuse_failed("calling", spec, error)
            raise


def _refuse_failed(action: str, spec: str, error: BaseException) -> None:
    msg = f"{action} {spec!r} failed: {one_line(error)}"
    raise InputError(msg) from error

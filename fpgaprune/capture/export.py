"""torch.export, quietly, with its long errors boiled down to the line of the model that caused them."""

from __future__ import annotations

import contextlib
import io
import logging
import operator
import traceback
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from fpgaprune.capture.origin import users_line
from fpgaprune.capture.records import Where
from fpgaprune.errors import UnsupportedError
from fpgaprune.prune.checks import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

    from torch import Tensor, nn
    from torch.export import ExportedProgram
    from torch.fx import Node


def exported(module: nn.Module, example: tuple[Tensor, ...], known: Container[str]) -> ExportedProgram:
    """Return the graph of ``module`` for inputs of exactly the shapes of ``example``, free of in-place operations.

    Operations that are ``known`` stay whole; others are taken apart where torch defines them by simpler ones.

    Raises:
        UnsupportedError: control flow or a shape depends on the values of tensors, or torch cannot trace the model.
    """
    from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode  # it loads all of sympy

    try:
        with _quiet(), torch.no_grad():
            program: ExportedProgram = torch.export.export(module, example)
            if not all(_is_plain(node, known) for node in program.graph.nodes):
                unknown = {each: parts for each, parts in _definitions().items() if operation_name(each) not in known}
                program = program.run_decompositions(unknown)
    except GuardOnDataDependentSymNode as error:
        msg = (
            f"{_blamed(error)}: the control flow or a shape depends on the values of a tensor; hardware has one fixed"
            " shape, so write the model without `if`, `int()` or `.item()` on tensors"
        )
        raise UnsupportedError(msg) from error
    except Exception as error:
        msg = f"{_blamed(error)}: torch.export cannot trace it ({one_line(error)}); write it with torch operations"
        raise UnsupportedError(msg) from error
    return program


def _is_plain(node: Node, known: Container[str]) -> bool:
    """Whether a node stays as it is; where all do, taking apart would trace the model again for nothing."""
    if node.op in ("placeholder", "output"):
        return True
    if node.op != "call_function" or not node.users:  # taking apart also drops what nothing reads
        return False
    if node.target is operator.getitem:
        return True
    schema = getattr(node.target, "_schema", None)
    return schema is not None and not schema.is_mutable and operation_name(node.target) in known


@lru_cache(maxsize=1)
def _definitions() -> dict[Any, Callable[..., Any]]:
    """Return torch's own definitions of operations by simpler ones; to list them takes a while."""
    table: Mapping[Any, Callable[..., Any]] = torch.export.default_decompositions()
    return dict(table)


def operation_name(target: object) -> str:
    """Return the name of an operation with its overload, without one where that is the default."""
    return str(target).removeprefix("aten.").removesuffix(".default")


def _blamed(error: Exception) -> Where:
    frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
    return Where("", *users_line([frame for frame in frames if frame[0] != __file__]))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch.export: it prints half-made graphs, logs what it also raises, and uses what torch deprecates."""
    disabled = logging.root.manager.disable
    sink = io.StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)

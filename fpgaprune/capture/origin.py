"""What a node of an exported graph was called and where it was written in the user's model."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from fpgaprune.capture.records import Where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import fx

_TORCH = str(Path(torch.__file__).parent)
_FRAME = re.compile(r'File "(.+)", line (\d+), in ')
_CONTAINERS = frozenset(
    "Sequential ModuleList ModuleDict MultiheadAttention LSTMCell GRUCell RNNCell Transformer TransformerEncoder"
    " TransformerEncoderLayer TransformerDecoder TransformerDecoderLayer".split()
)
"""Modules of torch that are many operations, which need names of their own."""


def where(node: fx.Node) -> Where:
    """Return the module path and the innermost line of the node that is not torch's own."""
    frames = [(file, int(line)) for file, line in _FRAME.findall(node.meta.get("stack_trace") or "")]
    return Where(_module(node)[0], *users_line(frames))


def users_line(frames: list[tuple[str, int]]) -> tuple[str, int]:
    """Return file and line of the innermost of the frames that is not torch's own; ("", 0) where all are."""
    own = [(file, line) for file, line in frames if not file.startswith((_TORCH, "<"))]
    return own[-1] if own else ("", 0)


def base_name(node: fx.Node, operation: str) -> str:
    """Return the path of the torch module that the node implements; elsewhere that of its module plus the operation."""
    path, kind = _module(node)
    if path and kind.startswith(nn.modules.__name__) and kind.rpartition(".")[2] not in _CONTAINERS:
        return path
    return f"{path}.{operation}" if path else operation


class Names:
    """Hands out layer names; the second use of a name gets a number."""

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()

    @classmethod
    def beside(cls, taken: Iterable[str]) -> Names:
        """Return names none of which is one of those that are taken."""
        names = cls()
        for name in taken:
            names.take(name)
        return names

    def take(self, base: str) -> str:
        """Return ``base``, or ``base_2`` and so on where it is taken."""
        self._uses[base] += 1
        name = base if self._uses[base] == 1 else f"{base}_{self._uses[base]}"
        return name if name == base else self.take(name)


def _module(node: fx.Node) -> tuple[str, str]:
    """Return path and class of the innermost module that the node was traced in."""
    stack = node.meta.get("nn_module_stack") or {}
    path, kind = list(stack.values())[-1] if stack else ("", "")
    return path, kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"

"""What several passes need to rebuild a graph: renaming inputs, replacing output formats."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from fpgaprune.ir import Add, Constant, Gather, Input, MatVec, Op, Requantise, Reshape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.ir import Tensor


def reading(op: Op, renamed: Mapping[str, str]) -> Op:
    """Return the op with each input tensor that ``renamed`` knows read under its new name."""
    if not any(name in renamed for name in op.inputs):
        return op
    match op:
        case Input() | Constant():
            return op
        case MatVec() | Requantise() | Reshape() | Gather():
            return replace(op, input=renamed.get(op.input, op.input))
        case Add():
            return replace(op, left=renamed.get(op.left, op.left), right=renamed.get(op.right, op.right))
        case _:
            assert_never(op)


def making(op: Op, tensor: Tensor) -> Op:
    """Return the op with another output tensor."""
    return op if tensor == op.output else replace(op, output=tensor)


def fresh_name(stem: str, taken: Mapping[str, object]) -> str:
    """Return ``stem``, numbered where a tensor of that name exists."""
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name

"""Blocks of neighbouring rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from fpgaprune.prune.masks import prunable
from fpgaprune.prune.structures.groups import Grouped, Groups
from fpgaprune.prune.structures.matrices import as_matrix, from_matrix, rows_of_one_input

if TYPE_CHECKING:
    from fpgaprune.prune.structures.base import Subject
    from fpgaprune.prune.structures.fits import Target


@dataclass(frozen=True)
class Blocks(Grouped):
    """R neighbouring rows times C neighbouring columns of a matrix: ``"block 2x2"``.

    Blocks tile each matrix from its first row and column; those at its ends are smaller where it is no multiple. In a
    convolution a row is an output channel, and columns are the input channels of a tap, then those of the next.
    """

    rows: int
    columns: int

    form: ClassVar[str] = "block RxC"

    def misfit(self, target: Target, weight: Tensor) -> str:
        """Return that a matrix is smaller than a block, where it is."""
        rows, columns = min(rows_of_one_input(target, len(weight))), weight[0].numel()
        if rows >= self.rows and columns >= self.columns:
            return ""
        return f"has a matrix of {rows}x{columns}, too small for the structure '{self}'; take blocks of at most that"

    def groups(self, subject: Subject, targets: tuple[Target, ...]) -> tuple[Groups, ...]:
        """Return the blocks of each tensor, row of blocks by row of blocks."""
        weights = prunable(subject.model)
        return tuple(self._of(target, weights[target.name]) for target in targets)

    def _of(self, target: Target, weight: Tensor) -> Groups:
        across = torch.arange(as_matrix(weight).shape[1]) // self.columns
        down: list[Tensor] = []
        for rows in rows_of_one_input(target, len(weight)):
            start = int(down[-1][-1]) + 1 if down else 0
            down.append(start + torch.arange(rows) // self.rows)
        labels = torch.cat(down).unsqueeze(1) * (int(across[-1]) + 1) + across
        parts = ((target.name, from_matrix(labels, weight.shape)),)
        return Groups(target.name, int(labels[-1, -1]) + 1, parts, target.sparsity)

"""The exact sensitivity: each connection is removed in turn, and the change of the loss is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import refuse_nonfinite
from fpgaprune.prune.criteria.replica import REMEDY, count, replica
from fpgaprune.prune.criteria.rows import announce_loop, at_once, one_by_one, refusal, rows_at_once
from fpgaprune.prune.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fpgaprune.prune.criteria.context import Context, Scores, Weights
    from fpgaprune.prune.criteria.replica import Replica
    from fpgaprune.prune.data import Batch

#: The most non-zero weights that are removed one at a time.
LARGEST = 20_000

#: Below this magnitude, about √ε of float64, the change of the loss drowns in rounding, and |g| is nearer to the ratio.
TINY = 1e-8


def sensitivity(weights: Weights, context: Context) -> Scores:
    """Return |ΔL|/|Δθ| for each weight: the change of the loss when w becomes 0, over |w|, exact to float64 rounding.

    ΔL is measured on a copy of the model in float64, one connection removed at a time. A weight that is zero already
    scores 0; one below `TINY` in magnitude scores |g|, the limit of the ratio. Tartaglione et al. 2022 ("LOBSTER:
    loss-based sensitivity regularization") define the ratio, Mozer & Smolensky 1989 ("Skeletonization") ΔL, of units.

    Raises:
        InputError: there is no data, more than `LARGEST` weights are not zero, the model cannot run in float64 or
            draws random numbers, or the loss is NaN or infinite.
    """
    with replica("sensitivity", weights, context, torch.float64) as work:
        _refuse_large(work.weights)
        _refuse_unmeasurable(work)
        changes = _Ablation.of(work).changes(show=context.progress)
        refuse_nonfinite(changes, "the change of the loss", REMEDY)
        tiny = {name: (weight != 0) & (weight.abs() < TINY) for name, weight in work.weights.items()}
        limits = work.mean_gradients() if any(bool(places.any()) for places in tiny.values()) else changes
        ratios = {name: _over(changes[name], weight.detach()) for name, weight in work.weights.items()}
        return {name: torch.where(tiny[name], limits[name].abs(), ratio) for name, ratio in ratios.items()}


def _over(change: Tensor, weight: Tensor) -> Tensor:
    return torch.where(weight == 0, 0.0, change.abs() / weight.abs())


def _refuse_large(weights: Mapping[str, Tensor]) -> None:
    alive = sum(int(weight.count_nonzero()) for weight in weights.values())
    if alive > LARGEST:
        msg = (
            f"the criterion 'sensitivity' removes one weight after the other, at most {LARGEST:,}, and the model has "
            f"{alive:,} that are not zero; use 'sensitivity-second' or 'sensitivity-first', which approximate it"
        )
        raise InputError(msg)


@torch.no_grad()
def _refuse_unmeasurable(work: Replica) -> None:
    try:
        values = [float(work.loss(work.batches[0])) for _ in range(2)]
    except InputError as error:
        msg = (
            f"the criterion 'sensitivity' runs the model in float64: {error}; make tensors in forward and in the loss "
            "of the input's type, or use 'sensitivity-second' or 'sensitivity-first'"
        )
        raise InputError(msg) from error
    if not math.isfinite(values[0]):
        msg = f"the loss of the first training batch is {values[0]}; {REMEDY}"
        raise InputError(msg)
    if values[0] != values[1]:
        msg = (
            "the model draws random numbers in evaluation mode, so that a removed weight cannot be told from chance; "
            "use 'sensitivity-first'"
        )
        raise InputError(msg)


@dataclass(frozen=True)
class _Ablation:
    """How the weights of a replica are removed: ``rows`` at once for each tensor, or one by one for ``looped`` ones."""

    work: Replica
    rows: Mapping[str, int]
    looped: Mapping[str, str]

    @classmethod
    @torch.no_grad()
    def of(cls, work: Replica) -> _Ablation:
        width = _widest_output(work)
        rows = {name: rows_at_once(weight.numel() + width) for name, weight in work.weights.items()}
        refusals = {
            name: refusal(partial(_losses, work, name, work.batches[0]), torch.stack([weight, weight]))
            for name, weight in work.weights.items()
        }
        looped = {name: reason for name, reason in refusals.items() if reason is not None}
        if looped:
            announce_loop(f"the weights of {', '.join(looped)}", next(iter(looped.values())))
        return cls(work, rows, looped)

    @torch.no_grad()
    def changes(self, *, show: bool) -> dict[str, Tensor]:
        """Return for each weight the loss without it minus the loss with it; 0 for weights that are zero."""
        chunks = [(name, places) for name in self.work.weights for places in self._chunks(name)]
        found = {name: torch.zeros_like(weight) for name, weight in self.work.weights.items()}
        with progress_bar("removing weights one at a time", len(chunks), show=show) as advance:
            for name, places in chunks:
                found[name].view(-1)[places] = self._changes(name, places)
                advance()
        return found

    def _chunks(self, name: str) -> tuple[Tensor, ...]:
        places = torch.nonzero(self.work.weights[name].flatten()).flatten()
        return torch.split(places, self.rows[name]) if len(places) else ()

    def _changes(self, name: str, places: Tensor) -> Tensor:
        total = torch.zeros(len(places), dtype=torch.float64, device=places.device)
        for batch in self.work.batches:
            total += self._losses_without(name, places, batch) * count(batch)
        return total / self.work.samples

    def _losses_without(self, name: str, places: Tensor, batch: Batch) -> Tensor:
        """Return what is added to the loss of a batch by the removal of each of the places.

        The whole weight is a row as well, so that its loss comes of the same operations, and a weight that takes no
        part gets exactly 0.
        """
        weight = self.work.weights[name]
        variants = weight.detach().repeat(len(places) + 1, *(1 for _ in weight.shape))
        variants.view(len(variants), -1)[torch.arange(len(places), device=places.device), places] = 0
        mapping = one_by_one if name in self.looped else at_once
        losses = mapping(partial(_losses, self.work, name, batch), variants)["loss"]
        return losses[:-1] - losses[-1]


def _losses(work: Replica, name: str, batch: Batch, weight: Tensor) -> dict[str, Tensor]:
    return {"loss": work.loss(batch, {name: weight})}


def _widest_output(work: Replica) -> int:
    """Return how many numbers the largest output of any module holds for the largest batch."""
    sizes = [0]

    def measure(_: nn.Module, __: object, output: object) -> None:
        sizes.extend(part.numel() for part in _tensors(output))

    handles = [module.register_forward_hook(measure) for module in work.model.modules()]
    work.loss(max(work.batches, key=count))
    for handle in handles:
        handle.remove()
    return max(sizes)


def _tensors(output: object) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (tuple, list)):
        for part in output:
            yield from _tensors(part)

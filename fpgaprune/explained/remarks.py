"""What users should know of zeros and biases that are not where pruning alone would have them, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fpgaprune.explained.reports import Explained, FoldReport, PruneReport


def remarks(explained: Explained) -> tuple[str, ...]:
    """Return a sentence for what was not baked or is empty, each bias of dead neurons, each folding of zeros."""
    pruning = () if explained.pruning is None else _of_pruning(explained.pruning)
    return (*pruning, *(_of_folding(fold) for fold in explained.quantising.folds if fold.changes_sparsity))


def _of_pruning(pruning: PruneReport) -> Iterator[str]:
    if pruning.unbaked:
        yield f"Masks, parametrizations or formats were baked into {', '.join(pruning.unbaked)}."
    if pruning.emptied:
        yield _of_emptied(pruning)
    for bias, count in pruning.kept_biases.items():
        neurons = "dead neuron keeps" if count == 1 else "dead neurons keep"
        yield (
            f"{count:,} {neurons} a bias in {bias} that is not zero: a constant, which the design adds to what reads it"
            " (dead_bias = 'zero' in a recipe of pruning drops it)."
        )


def _of_emptied(pruning: PruneReport) -> str:
    names = ", ".join(pruning.emptied)
    if pruning.all_empty:
        return f"All weights are pruned ({names}): the output is constant, the same for every input."
    return (
        f"No weight is left in {names}: what comes out of it is constant, and so is the output of the network where no "
        "other way leads around it."
    )


def _of_folding(fold: FoldReport) -> str:
    parts = [
        f"{what} from {before:,} to {after:,}"
        for what, before, after in (
            ("non-zero weights", fold.nonzeros_before, fold.nonzeros_after),
            ("non-zero biases", fold.biases_before, fold.biases_after),
        )
        if before != after
    ]
    return f"Folding {fold.batch_norm} into {fold.layer} changed {' and '.join(parts)}."

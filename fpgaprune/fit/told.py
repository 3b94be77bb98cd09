"""What was chosen, layer by layer, for tables and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fpgaprune.fit.fit import kernels_of, totals
from fpgaprune.fit.points import amounts_of
from fpgaprune.resources import to_data
from fpgaprune.schedule import Folded

if TYPE_CHECKING:
    from fpgaprune.fit.budget import Amounts
    from fpgaprune.lower import Lowered
    from fpgaprune.resources import Resources


@dataclass(frozen=True)
class ChosenLayer:
    """How one matrix is built: ``lanes`` and ``access`` are None unless it is folded, ``interval`` is cycles a beat.

    ``amounts`` are counts in the order of `AMOUNTS`, of the kind of the resources that they come from.
    """

    layer: str
    tensor: str
    nonzeros: int
    strategy: str
    lanes: int | None
    access: str | None
    interval: int
    amounts: Amounts


def chosen_layers(lowered: Lowered, resources: Resources) -> tuple[ChosenLayer, ...]:
    """Return how each matrix of a design is built, in the order of the graph."""
    by_tensor = {layer.tensor: layer for layer in resources.layers}
    return tuple(
        ChosenLayer(
            kernel.layer,
            kernel.name,
            kernel.weights.nonzeros,
            kernel.strategy.value,
            kernel.program.lanes if isinstance(kernel.plan, Folded) else None,
            _access(kernel.plan) if isinstance(kernel.plan, Folded) else None,
            kernel.interval,
            amounts_of(by_tensor[kernel.name]),
        )
        for kernel in kernels_of(lowered).values()
    )


def _access(plan: Folded) -> str:
    banks = f" in {plan.banks}" if plan.banks > 1 else ""
    return f"{plan.access.value}{banks}{', LUT multipliers' if plan.fabric else ''}"


def rest(chosen: tuple[ChosenLayer, ...], resources: Resources) -> Amounts:
    """Return what all that is no matrix takes."""
    matrices = [layer.amounts for layer in chosen]
    return tuple(total - sum(each) for total, *each in zip(totals(resources), *matrices, strict=True))


def chosen_to_data(lowered: Lowered, resources: Resources) -> dict[str, Any]:
    """Return the resources of a design as JSON values, with the choice for each matrix under ``chosen``."""
    layers = [
        {name: value for name, value in vars(layer).items() if name != "amounts"}
        for layer in chosen_layers(lowered, resources)
    ]
    return to_data(resources, lowered.design.board) | {"chosen": layers}

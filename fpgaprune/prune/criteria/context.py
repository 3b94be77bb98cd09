"""What a criterion is given, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor, nn

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import integer

if TYPE_CHECKING:
    from fpgaprune.prune.data import Data
    from fpgaprune.prune.masks import Masks
    from fpgaprune.prune.objectives import Loss, TrainStep

#: State-dict name → weight, as ``prunable`` returns them.
Weights: TypeAlias = Mapping[str, nn.Parameter]
#: State-dict name → scores of the weight's shape.
Scores: TypeAlias = dict[str, Tensor]

#: The criteria that look at the weights alone.
DATA_FREE = ("magnitude", "random")


@dataclass(frozen=True)
class Context:
    """What a criterion may look at besides the weights; it changes none of it.

    ``masks`` are those so far, None where nothing is pruned. A criterion that needs data takes at most ``samples``
    of the training data. ``progress`` lets one that takes long show a bar. ``train_step``, where the caller trains by
    one, takes the place of the model's outputs and ``loss``.

    Raises:
        InputError: ``samples`` is no positive integer.
    """

    model: nn.Module
    data: Data | None
    loss: Loss
    seed: int = 0
    masks: Masks | None = None
    samples: int = 1024
    progress: bool = False
    train_step: TrainStep | None = None

    def __post_init__(self) -> None:
        integer("samples", self.samples, low=1)

    def needed_data(self, criterion: str) -> Data:
        """Return the data that ``criterion`` cannot do without.

        Raises:
            InputError: there is none.
        """
        if self.data is None:
            free = " and ".join(map(repr, DATA_FREE))
            msg = f"the criterion {criterion!r} needs training data; give data, or use one of {free}, which need none"
            raise InputError(msg)
        return self.data


Criterion: TypeAlias = Callable[[Weights, Context], Scores]

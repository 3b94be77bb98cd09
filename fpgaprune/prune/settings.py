"""The settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import choice, integer, number


class Optimiser(Enum):
    """The optimisers of torch that a run may use."""

    ADAM = "adam"
    ADAMW = "adamw"
    SGD = "sgd"


@dataclass(frozen=True)
class TrainSettings:
    """How to train: the learning rate falls along a half cosine to zero; ``momentum`` serves SGD alone.

    Strings are accepted for ``optimiser``. Cosine annealing: Loshchilov & Hutter 2017, "SGDR", without restarts.

    Raises:
        InputError: a field has the wrong type or is out of its range; the message names it.
    """

    epochs: int = 5
    learning_rate: float = 1e-3
    optimiser: Optimiser = Optimiser.ADAM
    weight_decay: float = 0.0
    momentum: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        integer("epochs", self.epochs, low=0)
        number("learning_rate", self.learning_rate, low=0)
        if self.learning_rate == 0:
            msg = "learning_rate must be greater than 0; to train nothing, set epochs to 0"
            raise InputError(msg)
        object.__setattr__(self, "optimiser", choice("optimiser", self.optimiser, Optimiser))
        number("weight_decay", self.weight_decay, low=0)
        number("momentum", self.momentum, low=0, high=1)
        integer("seed", self.seed, low=0)

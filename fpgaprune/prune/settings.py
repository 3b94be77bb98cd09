"""The settings of a training run, and those of training with a sparsity pattern that moves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fpgaprune.errors import InputError
from fpgaprune.prune.checks import choice, flag, fraction, integer, number


class Optimiser(Enum):
    """The optimisers of torch that a run may use."""

    ADAM = "adam"
    ADAMW = "adamw"
    SGD = "sgd"


class Rate(Enum):
    """How the learning rate changes from step to step."""

    COSINE = "cosine"  # along half a cosine to zero (Loshchilov & Hutter 2017, "SGDR", without restarts)
    CONSTANT = "constant"
    STEP = "step"  # times ``step_factor`` after each ``step_epochs`` epochs


@dataclass(frozen=True)
class TrainSettings:
    """How to train; strings are accepted where a field is an enum, and 0 leaves out what is optional.

    ``momentum`` serves SGD alone. The learning rate first rises linearly over ``warm_up`` epochs. Gradients whose
    joint L2 norm is above ``clip_norm`` are scaled down to it. ``validation`` is the share of the training samples that
    is kept out of training, to stop after ``patience`` epochs without a better metric and to return to the best epoch.
    ``amp`` computes in bfloat16 where torch.autocast does; ``deterministic`` allows no operation of torch that does
    not repeat.

    Raises:
        InputError: a field has the wrong type or is out of its range; the message names it.
    """

    epochs: int = 5
    learning_rate: float = 1e-3
    optimiser: Optimiser = Optimiser.ADAM
    weight_decay: float = 0.0
    momentum: float = 0.9
    seed: int = 0
    rate: Rate = Rate.COSINE
    warm_up: int = 0
    step_epochs: int = 0
    step_factor: float = 0.1
    clip_norm: float = 0.0
    validation: float = 0.0
    patience: int = 0
    amp: bool = False
    deterministic: bool = True

    def __post_init__(self) -> None:
        integer("epochs", self.epochs, low=0)
        positive("learning_rate", self.learning_rate, "to train nothing, set epochs to 0")
        for name, kind in (("optimiser", Optimiser), ("rate", Rate)):
            object.__setattr__(self, name, choice(name, getattr(self, name), kind))
        number("weight_decay", self.weight_decay, low=0)
        number("momentum", self.momentum, low=0, high=1)
        integer("seed", self.seed, low=0)
        self._check_rate()
        number("clip_norm", self.clip_norm, low=0)
        if fraction("validation", self.validation) == 1:
            msg = "validation must be below 1; nothing would be left to train on"
            raise InputError(msg)
        integer("patience", self.patience, low=0)
        flag("amp", self.amp)
        flag("deterministic", self.deterministic)

    def _check_rate(self) -> None:
        if integer("warm_up", self.warm_up, low=0) >= max(self.epochs, 1):
            msg = f"warm_up must be less than the {self.epochs} epochs of training, not {self.warm_up}"
            raise InputError(msg)
        integer("step_epochs", self.step_epochs, low=0)
        if (self.rate is Rate.STEP) != (self.step_epochs > 0):
            msg = "step_epochs must be at least 1 for the rate 'step', and is for no other"
            raise InputError(msg)
        positive("step_factor", self.step_factor, "leave it out, or set rate to 'constant'")


class Distribution(Enum):
    """How many weights each tensor keeps at first, and then throughout, in dynamic sparse training."""

    ERK = "erk"  # Erdős-Rényi kernels: small tensors keep a larger share (Evci et al. 2020, section 3)
    UNIFORM = "uniform"


@dataclass(frozen=True)
class RigL:
    """How the pattern of a stage with the schedule 'rigl' moves (Evci et al. 2020, "Rigging the Lottery").

    Each ``interval`` optimiser steps, until the share ``until`` of training is done, a share of each tensor's kept
    weights is replaced: ``fraction`` at first, falling along half a cosine to zero.

    Raises:
        InputError: a field has the wrong type or is out of its range; the message names it.
    """

    interval: int = 100
    fraction: float = 0.3
    until: float = 0.75
    distribution: Distribution = Distribution.ERK

    def __post_init__(self) -> None:
        integer("interval", self.interval, low=1)
        fraction("fraction", self.fraction)
        fraction("until", self.until)
        object.__setattr__(self, "distribution", choice("distribution", self.distribution, Distribution))


def positive(field: str, value: object, remedy: str) -> float:
    """Return ``value`` as a finite number above 0.

    Raises:
        InputError: it is none; the message ends with the remedy.
    """
    found = number(field, value, low=0)
    if found == 0:
        msg = f"{field} must be greater than 0; {remedy}"
        raise InputError(msg)
    return found

"""Training that saves digits or bits, and the plan of formats that it ends with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from fpgaprune.capture.records import Conv, Linear
from fpgaprune.errors import InputError
from fpgaprune.explained.history import EventKind
from fpgaprune.fixed import Fixed, bounds, from_float
from fpgaprune.prune.seeding import mix
from fpgaprune.quantise.compression import Saved, Saving
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.joint.control import Control
from fpgaprune.quantise.joint.cost import Priced
from fpgaprune.quantise.joint.digit_grid import DigitGrid
from fpgaprune.quantise.joint.prices import press
from fpgaprune.quantise.joint.result_grid import ResultBits, ResultGrid
from fpgaprune.quantise.joint.trainable import TrainableBits
from fpgaprune.quantise.joint.trim import trim_
from fpgaprune.quantise.joint.width_grid import WidthGrid
from fpgaprune.quantise.nested import every_layer
from fpgaprune.quantise.places import origin, trainable_results
from fpgaprune.quantise.steps import QuantisedNetwork, TrainedGrids, keep_dead

if TYPE_CHECKING:
    from torch import nn

    from fpgaprune.capture.network import Network
    from fpgaprune.explained.history import History
    from fpgaprune.quantise.compression import Compression
    from fpgaprune.quantise.course import Course
    from fpgaprune.quantise.plan import Plan

_CALMER = 0.1
"""The share of the learning rate with which what is left is trained in the end."""

_MOST_TRIMMED = 0.1
"""The share of a budget by which gradients may miss it; that much is pruned in one go."""


@dataclass(frozen=True)
class Compressed:
    """A network whose weights lie on the grids of its plan, what became of their cost, and what happened."""

    network: Network
    plan: Plan
    saved: Saved
    history: History


def compress(network: Network, plan: Plan, compression: Compression, course: Course) -> Compressed:
    """Return the network trained so that its weights, and where asked for its results, cost less in hardware.

    Raises:
        InputError: there are no weights to train, no epochs to do it in, or the budget was not reached.
    """
    if not course.settings.epochs:
        msg = "compress needs training: set fine_tune.epochs to the epochs in which the cost may fall"
        raise InputError(msg)
    grids = _grids(network, plan, compression)
    if grids.weights is None:
        msg = "compress found no weights to train: the network has no dense or convolutional layer of its own"
        raise InputError(msg)
    module = QuantisedNetwork(network, plan, grids).float()
    priced = _priced(module, network, plan, grids, compression)
    before = _cost(priced)
    history = _pressed(module, priced, compression, _part(course, "saving"))
    stopped = any(event.kind is EventKind.STOPPED_BY_HOOK for event in history.events)
    _keep_budget(priced, compression, before, stopped=stopped)
    after = _cost(priced)
    pressed, plan = module.network(), _plan(plan, grids)
    if compression.settle:
        pressed, settled = _settled(pressed, plan, grids, priced, compression, _part(course, "settling").at_step(1))
        history += settled.at_step(1)
    return Compressed(pressed, _covering(pressed, plan, grids), Saved(compression.cost, before, after), history)


def _part(course: Course, name: str) -> Course:
    """Return the course with a checkpoint of its own."""
    return course if course.checkpoint is None else replace(course, checkpoint=course.checkpoint / name)


def _grids(network: Network, plan: Plan, compression: Compression) -> TrainedGrids:
    layers = [layer for layer in network.every_layer if isinstance(layer, (Linear, Conv)) and layer.trainable]
    if not layers:
        return TrainedGrids()
    shapes = {layer.name: tuple(layer.weight.shape) for layer in layers}
    formats = {name: plan.weights[name] for name in shapes}
    if compression.saving is Saving.DIGITS:
        return TrainedGrids(DigitGrid(formats, shapes), tuple(shapes))
    widths = WidthGrid(formats, shapes, compression.granularity)
    names = trainable_results(network, plan.results) if compression.results else []
    if not names:
        return TrainedGrids(widths, tuple(shapes))
    results = ResultBits({name: plan.results[name] for name in names})
    return TrainedGrids(widths, tuple(shapes), results, results.grids())


def _priced(
    module: QuantisedNetwork, network: Network, plan: Plan, grids: TrainedGrids, compression: Compression
) -> Priced:
    formats = {layer.name: layer.format for layer in every_layer(freeze(network, plan))}
    weights, sources = module.weights(), {}
    for name in grids.weighted:
        source = network.by_name[name].sources[0]
        trained = grids.results.get(origin(network, source))
        word = formats[source] if source in formats else plan.word(network, source)
        sources[name] = trained if isinstance(trained, ResultGrid) else word.width - word.signed
    assert isinstance(grids.weights, (DigitGrid, WidthGrid))  # noqa: S101  # as made above
    bits = grids.result_bits
    assert bits is None or isinstance(bits, ResultBits)  # noqa: S101  # as made above
    return Priced({name: weights[name] for name in sources}, grids.weights, sources, compression.cost, bits)


def _pressed(module: QuantisedNetwork, priced: Priced, compression: Compression, course: Course) -> History:
    steps = course.settings.epochs * sum(1 for _ in course.data.train_batches())
    control, dead = Control(compression, priced, steps), keep_dead(module)
    module.add_module("control", control)
    trainable = [grid for grid in module.modules() if isinstance(grid, TrainableBits)]

    def after_step(model: nn.Module) -> None:
        dead(model)
        for grid in trainable:
            grid.limit_()
        control.step()

    whole = replace(course.data, validation=None)  # the cost falls to the last epoch, so none before is the best one
    settings = replace(course.settings, validation=0.0, patience=0)
    pressing = replace(course, data=whole, settings=settings)
    with control.charging():
        return pressing.train(module, after_step, f"saving {compression.saving.value}")


def _settled(
    network: Network,
    plan: Plan,
    grids: TrainedGrids,
    priced: Priced,
    compression: Compression,
    course: Course,
) -> tuple[Network, History]:
    """Train what is left: each weight keeps its number of digits, or its step, and pruned weights stay pruned."""
    if isinstance(priced.grid, DigitGrid):
        priced.grid.allot(priced.weights)
    else:
        priced.grid.requires_grad_(requires_grad=False)
    module = QuantisedNetwork(network, plan, replace(grids, result_bits=None, results={})).float()
    settings = course.settings
    calm = replace(
        settings,
        epochs=compression.settle,
        learning_rate=settings.learning_rate * _CALMER,
        warm_up=0,
        seed=mix(settings.seed, 1),
    )
    history = replace(course, settings=calm).train(module, keep_dead(module), "training what is left")
    return module.network(), history


def _plan(plan: Plan, grids: TrainedGrids) -> Plan:
    """Return the plan with the formats of results as they were trained."""
    results = {name: grid.format for name, grid in grids.results.items() if isinstance(grid, ResultGrid)}
    return replace(plan, results={**plan.results, **results})


def _covering(network: Network, plan: Plan, grids: TrainedGrids) -> Plan:
    """Return the plan with weights as wide as they became; the step, and so that of the bias, stays."""
    weights: dict[str, Fixed] = dict(plan.weights)
    for name in grids.weighted:
        layer, to = network.by_name[name], weights[name]
        assert isinstance(layer, (Linear, Conv))  # noqa: S101  # as in _grids
        whole = np.rint(np.ldexp(layer.weight, to.fraction)).astype(np.int64)
        wide = to.with_range(*bounds(np.append(whole, 0)))
        assert np.array_equal(from_float(layer.weight, wide), whole)  # noqa: S101  # they are on the grid
        weights[name] = wide
    return replace(plan, weights=weights)


@torch.no_grad()
def _cost(priced: Priced) -> float:
    return float(priced.total())


def _keep_budget(priced: Priced, compression: Compression, before: float, *, stopped: bool) -> None:
    """Take what is above the budget in the end, which moves with the last steps of training.

    Raises:
        InputError: there is more above it than that.
    """
    budget = compression.budget
    if budget is None:
        return
    if compression.saving is Saving.DIGITS:
        press(priced, budget)
        return
    after = _cost(priced)
    if after > budget * (1 + _MOST_TRIMMED):
        early = "a hook stopped the saving: have it wait for the end of the saving, or " if stopped else ""
        msg = (
            f"the budget of {budget:,.0f} {compression.cost.value} was not reached: {before:,.0f} before, {after:,.0f} "
            f"after; {early}give it more fine_tune.epochs, an earlier end, a higher learning_rate or a larger budget"
        )
        raise InputError(msg)
    trim_(priced, budget)

"""From a PyTorch module to a Network."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, fx
from torch.export.graph_signature import InputKind, OutputKind
from torch.nn.modules.batchnorm import _BatchNorm

from fpgaprune.capture.export import exported
from fpgaprune.capture.layout import Place, stored, whole
from fpgaprune.capture.network import Network
from fpgaprune.capture.readers import READERS, read
from fpgaprune.capture.reading import Constant, Reading, Result, shape_of
from fpgaprune.capture.records import Gather, InputLayer, Layer, Reshape
from fpgaprune.capture.refusals import STATISTICS
from fpgaprune.capture.run import trace
from fpgaprune.errors import InputError, UnsupportedError
from fpgaprune.prune.checks import refuse_broken_model
from fpgaprune.prune.forward import copied, described, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn
    from torch.export import ExportedProgram

_CHECKED = 2
"""Samples that what was read is checked on; one alone would not show that a model mixes samples."""

_TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-3}
"""Share of the largest value in the network by which the model may differ from its float64 record."""


def capture(module: nn.Module, example: Tensor) -> Network:
    """Return the layers of ``module`` in evaluation mode; ``example`` is a batch of inputs (samples, …).

    The module is copied, not changed. It is read for one sample; what was read is checked against the module, in
    float64 where it runs in that, on two different samples.

    Raises:
        InputError: the model does not run on the example, or holds NaN or infinities.
        UnsupportedError: an operation that cannot be translated exactly; the message names it, its place, and what
            to write instead.
    """
    batch = _batch(example)
    copy = copied(module).cpu().eval()
    refuse_broken_model(copy)
    _refuse_odd_modules(copy)
    with torch.no_grad():
        expected = run(copy, batch.clone())  # a model may overwrite its input
    if expected.shape[:1] != (_CHECKED,):
        msg = f"the model must return one result a sample, not shape {tuple(expected.shape)} for {_CHECKED} samples"
        raise UnsupportedError(msg)
    network = _read(exported(copy, batch[:1].clone(), READERS), tuple(expected.shape[1:]))
    _refuse_misread(network, batch, *_reference(copy, batch, expected))
    return network


def _batch(example: Tensor) -> Tensor:
    """Return two different samples; where the example has but one, the other has random values in its range."""
    if not isinstance(example, Tensor) or not example.is_floating_point():
        given = described(example) if isinstance(example, Tensor) else type(example).__name__
        msg = f"the example must be a tensor of floats (samples, …), not {given}; convert it with .float()"
        raise InputError(msg)
    if example.ndim == 0 or example.numel() == 0:
        msg = f"the example must hold at least one sample, not shape {tuple(example.shape)}"
        raise InputError(msg)
    samples = example.detach().cpu()[:_CHECKED].clone()
    if len(samples) == _CHECKED and not torch.equal(samples[0], samples[1]):
        return samples
    low, high = (float(end) for end in samples.aminmax())
    random = torch.rand(samples[:1].shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    other = low + random * (high - low or 1.0)
    return torch.cat([samples[:1], other.to(samples.dtype)])


def _refuse_odd_modules(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if parameter.dtype not in (torch.float32, torch.float64):
            kind = str(parameter.dtype).removeprefix("torch.")
            msg = f"{name} must be float32 or float64, not {kind}; call model.float() first"
            raise UnsupportedError(msg)
    for name, part in module.named_modules():
        if isinstance(part, _BatchNorm) and part.running_mean is None:
            msg = (
                f"{name or 'the model itself'}: a batch normalisation without statistics is not supported; {STATISTICS}"
            )
            raise UnsupportedError(msg)


def _reference(module: nn.Module, batch: Tensor, expected: Tensor) -> tuple[Tensor, float]:
    """Return what the module computes, in float64 where it runs in that, and the tolerance that goes with it."""
    with torch.no_grad():
        try:
            exact = module.double()(batch.double())
        except Exception:  # the model itself insists on float32 somewhere
            exact = expected
    return exact, _TOLERANCE[exact.dtype if exact.dtype in _TOLERANCE else torch.float32]


def _read(program: ExportedProgram, shape: tuple[int, ...]) -> Network:
    """Return the network with its input in the order in memory that its readers want, if they agree on one."""
    network = _read_with(program, shape, ())
    axes = _wanted_axes(network)
    return _read_with(program, shape, axes) if axes else network


def _read_with(program: ExportedProgram, shape: tuple[int, ...], axes: tuple[int, ...]) -> Network:
    output = _output(program)
    reading = Reading(needed=_ancestors(output))
    for node in program.graph.nodes:
        if node.op == "placeholder":
            _read_placeholder(reading, program, node, axes)
        elif node in reading.needed:
            reading.values[node] = read(reading, node)
    result = reading.values[output]
    if not isinstance(result, Result):
        msg = "the output of the model does not depend on its input; there is nothing to put into hardware"
        raise UnsupportedError(msg)
    if result.index.size != math.prod(shape):
        msg = (
            f"the model returns {result.shape} for one sample and {(_CHECKED, *shape)} for {_CHECKED}: it mixes"
            " samples; keep the batch as the first axis"
        )
        raise UnsupportedError(msg)
    place = Place(reading, output, reading.names.take("output"))
    name = stored(place, result, tuple(range(result.index.ndim)), shape, place.name)
    return Network(_live(reading.layers, name), name)


def _live(layers: Mapping[str, Layer], output: str) -> tuple[Layer, ...]:
    """Return the layers that the output depends on, and the input."""
    wanted = {output}
    for layer in reversed([*layers.values()]):
        if layer.name in wanted:
            wanted.update(layer.sources)
    return tuple(layer for layer in layers.values() if layer.name in wanted or isinstance(layer, InputLayer))


def _wanted_axes(network: Network) -> tuple[int, ...]:
    """Return the order of the input's axes in which a Gather or a Reshape reads it first; empty for its own order."""
    given = network.input.shape
    places = np.arange(math.prod(given)).reshape(given)
    for layer in network.consumers[network.input.name]:
        if isinstance(layer, (Gather, Reshape)):
            index = layer.index if isinstance(layer, Gather) else places.reshape(-1)
            for axes in itertools.permutations(range(len(given))):
                moved = places.transpose(axes)
                if moved.shape == layer.shape and np.array_equal(moved.reshape(-1), index):
                    return axes
    return ()


def _output(program: ExportedProgram) -> fx.Node:
    """Return the node of the one result; what the model writes into buffers does not matter."""
    specs = program.graph_signature.output_specs
    name = next(spec.arg.name for spec in specs if spec.kind is OutputKind.USER_OUTPUT)
    node: fx.Node = next(node for node in program.graph.nodes if node.name == name)
    return node


def _ancestors(output: fx.Node) -> set[fx.Node]:
    found, open_nodes = {output}, [output]
    while open_nodes:
        fresh = [source for source in open_nodes.pop().all_input_nodes if source not in found]
        found.update(fresh)
        open_nodes.extend(fresh)
    return found


def _read_placeholder(reading: Reading, program: ExportedProgram, node: fx.Node, axes: tuple[int, ...]) -> None:
    spec = next(spec for spec in program.graph_signature.input_specs if spec.arg.name == node.name)
    if spec.kind is InputKind.USER_INPUT:
        reading.values[node] = _read_input(reading, node, axes)
        return
    target = spec.target or node.name
    tensors: dict[str, Tensor] = {**program.constants, **program.state_dict}
    reading.values[node] = Constant(target, tensors[target])


def _read_input(reading: Reading, node: fx.Node, axes: tuple[int, ...]) -> Result:
    given = shape_of(node)[1:]
    order = axes or tuple(range(len(given)))
    shape = tuple(given[axis] for axis in order)
    layer = reading.add(InputLayer(reading.names.take(node.name), shape, axes))
    return Result(layer, whole(layer, shape).index.transpose(np.argsort(order)).reshape(1, *given))


def _refuse_misread(network: Network, batch: Tensor, expected: Tensor, tolerance: float) -> None:
    results = trace(network, batch.double().numpy())
    largest = max(float(np.abs(result).max(initial=0.0)) for result in results.values())
    error = float(np.abs(results[network.output] - expected.double().numpy()).max(initial=0.0))
    if not error <= tolerance * largest:  # also where the error is NaN
        msg = (
            f"the captured network differs from the model by {error:g}; either the model mixes samples, so keep the"
            " batch as the first axis, or please report it as a bug"
        )
        raise UnsupportedError(msg)

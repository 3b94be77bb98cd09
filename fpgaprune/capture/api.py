"""From a PyTorch module to a Network."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, fx
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
from fpgaprune.prune.forward import Tensors, copied, described, named_outputs, run
from fpgaprune.several import as_tuple, mapped, one_or_more

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn
    from torch.export import ExportedProgram

_CHECKED = 2
"""Samples that what was read is checked on; one alone would not show that a model mixes samples."""

_TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-3}
"""Share of the largest value in the network by which the model may differ from its float64 record."""


def capture(module: nn.Module, example: Tensors) -> Network:
    """Return the layers of ``module`` in evaluation mode; ``example`` is a batch of inputs (samples, …).

    Several inputs are a tuple, in the order of the call. Several outputs keep the order in which the module returns
    them in a tuple, a list or a dictionary; None is left out. The module is copied, not changed. It is read for one
    sample; what was read is checked against the module, in float64 where it runs in that, on two different samples.

    Raises:
        InputError: the model does not run on the example, or holds NaN or infinities.
        UnsupportedError: an operation that cannot be translated exactly; the message names it, its place, and what
            to write instead.
    """
    batch = _batch(example)
    copy = copied(module).cpu().eval()
    refuse_broken_model(copy)
    _refuse_odd_modules(copy)
    expected = _results(copy, batch, example)
    for _, tensor in expected:
        if tensor.shape[:1] != (_CHECKED,):
            msg = f"the model must return one result a sample, not shape {tuple(tensor.shape)} for {_CHECKED} samples"
            raise UnsupportedError(msg)
    wanted = tuple((key, tuple(tensor.shape[1:])) for key, tensor in expected)
    program = exported(copy, tuple(part[:1].clone() for part in as_tuple(batch)), READERS)
    network = _read(_Model(program, wanted))
    _refuse_misread(network, batch, _reference(copy, batch, [tensor for _, tensor in expected]))
    return network


def _results(module: nn.Module, batch: Tensors, example: Tensors) -> list[tuple[str, Tensor]]:
    """Return the outputs for a batch; a model that runs on the whole example alone has its size written into it."""
    with torch.no_grad():
        try:
            return named_outputs(module, mapped(Tensor.clone, batch))  # a model may overwrite its input
        except InputError as error:
            count = len(as_tuple(example)[0])
            try:
                named_outputs(module, mapped(Tensor.clone, example))
            except InputError:
                raise error from None
            msg = (
                f"the model runs on {count} samples at once but not on {_CHECKED}: a number of samples is written into "
                "it; use x.shape[0], -1 or flatten(1), as hardware takes one sample after the other"
            )
            raise UnsupportedError(msg) from error


@dataclass(frozen=True)
class _Model:
    """An exported model, and key and shape of each output."""

    program: ExportedProgram
    wanted: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def output_names(self) -> list[str]:
        """The key of each output, else ``output``, with its place where there are several."""
        several = len(self.wanted) > 1
        return [key or (f"output_{place}" if several else "output") for place, (key, _) in enumerate(self.wanted)]


def _batch(example: Tensors) -> Tensors:
    """Return two different samples of each input."""
    parts = as_tuple(example)
    names = ["the example"] if len(parts) == 1 else [f"the example's input {place}" for place in range(len(parts))]
    batch = one_or_more(_two_samples(name, part) for name, part in zip(names, parts, strict=True))
    if len({len(part) for part in parts}) != 1:
        counts = ", ".join(str(len(part)) for part in parts)
        msg = f"the inputs of the example must have one number of samples, not {counts}"
        raise InputError(msg)
    return batch


def _two_samples(name: str, example: Tensor) -> Tensor:
    """Return two different samples; where the example has but one, the other has random values in its range."""
    if not isinstance(example, Tensor) or not example.is_floating_point():
        given = described(example) if isinstance(example, Tensor) else type(example).__name__
        msg = f"{name} must be a tensor of floats (samples, …), not {given}; convert it with .float()"
        raise InputError(msg)
    if example.ndim == 0 or example.numel() == 0:
        msg = f"{name} must hold at least one sample, not shape {tuple(example.shape)}"
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


def _reference(module: nn.Module, batch: Tensors, expected: list[Tensor]) -> list[Tensor]:
    """Return what the module computes, in float64 where it runs in that."""
    with torch.no_grad():
        try:
            return list(as_tuple(run(module.double(), mapped(Tensor.double, batch))))
        except Exception:  # the model itself insists on float32 somewhere
            return expected


def _read(model: _Model) -> Network:
    """Return the network with each input in the order in memory that its readers want, if they agree on one."""
    network = _read_with(model, {})
    axes = {layer.name: _wanted_axes(network, layer) for layer in network.inputs}
    return _read_with(model, axes) if any(axes.values()) else network


def _read_with(model: _Model, axes: Mapping[str, tuple[int, ...]]) -> Network:
    graph, outputs = model.program.graph, _outputs(model.program)
    reading = Reading(needed=_ancestors(outputs) | {graph.output_node()})  # what leaves has a reader outside
    for node in graph.nodes:
        if node.op == "placeholder":
            _read_placeholder(reading, model, node, axes)
        elif node.op != "output" and node in reading.needed:
            reading.values[node] = read(reading, node)
    found = zip(outputs, model.output_names, model.wanted, strict=True)
    names = tuple(_stored_output(reading, node, name, shape) for node, name, (_, shape) in found)
    return Network(_live(reading.layers, names), names)


def _stored_output(reading: Reading, node: fx.Node, name: str, shape: tuple[int, ...]) -> str:
    """Return the layer that holds an output; one that must be made for it bears the given name."""
    result = reading.values[node]
    if not isinstance(result, Result):
        msg = f"the {name} of the model does not depend on its input; there is nothing to put into hardware"
        raise UnsupportedError(msg)
    if result.index.size != math.prod(shape):
        msg = (
            f"the model returns {result.shape} for one sample and {(_CHECKED, *shape)} for {_CHECKED}: it mixes"
            " samples; keep the batch as the first axis"
        )
        raise UnsupportedError(msg)
    place = Place(reading, node, reading.names.take(name))
    return stored(place, result, tuple(range(result.index.ndim)), shape, place.name)


def _live(layers: Mapping[str, Layer], outputs: tuple[str, ...]) -> tuple[Layer, ...]:
    """Return the layers that the outputs depend on, and the inputs."""
    wanted = {*outputs}
    for layer in reversed([*layers.values()]):
        if layer.name in wanted:
            wanted.update(layer.sources)
    return tuple(layer for layer in layers.values() if layer.name in wanted or isinstance(layer, InputLayer))


def _wanted_axes(network: Network, read: InputLayer) -> tuple[int, ...]:
    """Return the order of an input's axes in which a Gather or a Reshape reads it first; empty for its own order."""
    given = read.shape
    places = np.arange(math.prod(given)).reshape(given)
    for layer in network.consumers[read.name]:
        if isinstance(layer, (Gather, Reshape)):
            index = layer.index if isinstance(layer, Gather) else places.reshape(-1)
            for axes in itertools.permutations(range(len(given))):
                moved = places.transpose(axes)
                if moved.shape == layer.shape and np.array_equal(moved.reshape(-1), index):
                    return axes
    return ()


def _outputs(program: ExportedProgram) -> list[fx.Node]:
    """Return the nodes of the results that are tensors; what the model writes into buffers does not matter."""
    nodes: dict[str, fx.Node] = {node.name: node for node in program.graph.nodes}
    specs = program.graph_signature.output_specs
    returned = (spec.arg for spec in specs if spec.kind.name == "USER_OUTPUT")
    return [nodes[arg.name] for arg in returned if isinstance(arg, torch.export.graph_signature.TensorArgument)]


def _ancestors(outputs: list[fx.Node]) -> set[fx.Node]:
    found, open_nodes = {*outputs}, [*outputs]
    while open_nodes:
        fresh = [source for source in open_nodes.pop().all_input_nodes if source not in found]
        found.update(fresh)
        open_nodes.extend(fresh)
    return found


def _read_placeholder(reading: Reading, model: _Model, node: fx.Node, axes: Mapping[str, tuple[int, ...]]) -> None:
    program = model.program
    spec = next(spec for spec in program.graph_signature.input_specs if spec.arg.name == node.name)
    if spec.kind.name == "USER_INPUT":
        name = reading.names.take(node.name)
        reading.values[node] = _read_input(reading, node, name, axes.get(name, ()))
        return
    target = spec.target or node.name
    tensors: dict[str, Tensor] = {**program.constants, **program.state_dict}
    reading.values[node] = Constant(target, tensors[target])


def _read_input(reading: Reading, node: fx.Node, name: str, axes: tuple[int, ...]) -> Result:
    given = shape_of(node)[1:]
    order = axes or tuple(range(len(given)))
    shape = tuple(given[axis] for axis in order)
    layer = reading.add(InputLayer(name, shape, axes))
    return Result(layer, whole(layer, shape).index.transpose(np.argsort(order)).reshape(1, *given))


def _refuse_misread(network: Network, batch: Tensors, expected: list[Tensor]) -> None:
    results = trace(network, mapped(lambda part: part.double().numpy(), batch))
    largest = max(float(np.abs(result).max(initial=0.0)) for result in results.values())
    for name, tensor in zip(network.outputs, expected, strict=True):
        tolerance = _TOLERANCE.get(tensor.dtype, _TOLERANCE[torch.float32])
        error = float(np.abs(results[name] - tensor.double().numpy()).max(initial=0.0))
        if not error <= tolerance * largest:  # also where the error is NaN
            of = f" in {name!r}" if len(network.outputs) > 1 else ""
            msg = (
                f"the captured network differs from the model by {error:g}{of}; either the model mixes samples, so keep"
                " the batch as the first axis, or please report it as a bug"
            )
            raise UnsupportedError(msg)

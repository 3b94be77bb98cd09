"""From a PyTorch module to a Network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, fx
from torch.export.graph_signature import InputKind, OutputKind

from fpgaprune.capture.export import exported
from fpgaprune.capture.network import Network
from fpgaprune.capture.readers import read
from fpgaprune.capture.reading import Constant, Reading, shape_of
from fpgaprune.capture.records import InputLayer
from fpgaprune.capture.run import trace
from fpgaprune.errors import InputError, UnsupportedError
from fpgaprune.prune.checks import refuse_broken_model
from fpgaprune.prune.forward import copied, described, run

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

_BATCH = 2
"""One sample would let `squeeze` swallow the batch; more would only cost time."""

_TOLERANCE = 1e-3
"""Share of the largest value in the network by which the float32 model may differ from its float64 record."""


def capture(module: nn.Module, example: Tensor) -> Network:
    """Return the layers of ``module`` in evaluation mode; ``example`` is a batch of inputs (samples, …).

    The module is copied, not changed. What was read is checked against the module on the example.

    Raises:
        InputError: the model does not run on the example, or holds NaN or infinities.
        UnsupportedError: an operation that cannot be translated exactly; the message names it, its place, and what
            to write instead.
    """
    batch = _batch(example)
    copy = copied(module).cpu().eval()
    refuse_broken_model(copy)
    _refuse_odd_types(copy)
    with torch.no_grad():
        expected = run(copy, batch.clone())  # a model may overwrite its input
    network = _read(exported(copy, batch))
    _refuse_misread(network, batch, expected)
    return network


def _batch(example: Tensor) -> Tensor:
    if not isinstance(example, Tensor) or not example.is_floating_point():
        given = described(example) if isinstance(example, Tensor) else type(example).__name__
        msg = f"the example must be a tensor of floats (samples, …), not {given}; convert it with .float()"
        raise InputError(msg)
    if example.ndim == 0 or example.numel() == 0:
        msg = f"the example must hold at least one sample, not shape {tuple(example.shape)}"
        raise InputError(msg)
    samples = example.detach().cpu()[:_BATCH]
    return samples.expand(_BATCH, *samples.shape[1:]).clone()


def _refuse_odd_types(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if parameter.dtype not in (torch.float32, torch.float64):
            kind = str(parameter.dtype).removeprefix("torch.")
            msg = f"{name} must be float32 or float64, not {kind}; call model.float() first"
            raise UnsupportedError(msg)


def _read(program: ExportedProgram) -> Network:
    reading = Reading()
    output = _output(program)
    needed = _ancestors(output)
    for node in program.graph.nodes:
        if node.op == "placeholder":
            _read_placeholder(reading, program, node)
        elif node in needed:
            reading.values[node] = read(reading, node)
    name = reading.values[output]
    if not isinstance(name, str):
        msg = "the output of the model does not depend on its input; there is nothing to put into hardware"
        raise UnsupportedError(msg)
    return Network(tuple(reading.layers.values()), name)


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


def _read_placeholder(reading: Reading, program: ExportedProgram, node: fx.Node) -> None:
    spec = next(spec for spec in program.graph_signature.input_specs if spec.arg.name == node.name)
    if spec.kind is InputKind.USER_INPUT:
        reading.values[node] = reading.add(InputLayer(reading.names.take(node.name), shape_of(node)[1:]))
        return
    target = spec.target or node.name
    tensors: dict[str, Tensor] = {**program.constants, **program.state_dict}
    reading.values[node] = Constant(target, tensors[target])


def _refuse_misread(network: Network, batch: Tensor, expected: Tensor) -> None:
    results = trace(network, batch.double().numpy())
    largest = max(float(np.abs(result).max(initial=0.0)) for result in results.values())
    error = float(np.abs(results[network.output] - expected.double().numpy()).max(initial=0.0))
    if not error <= _TOLERANCE * largest:  # also where the error is NaN
        msg = f"the captured network differs from the model by {error:g}; please report this model as a bug"
        raise UnsupportedError(msg)

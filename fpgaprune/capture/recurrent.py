"""Recurrent layers: one Scan for each direction of each layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fpgaprune.capture import parts
from fpgaprune.capture.joins import join
from fpgaprune.capture.layout import Place, stored, whole
from fpgaprune.capture.reading import Arguments, Constant, Reading, Result, Value, as_array
from fpgaprune.capture.records import Concat, FloatArray, FunctionKind, InputLayer, Linear, Scan
from fpgaprune.capture.refusals import refused

if TYPE_CHECKING:
    from torch import fx

    from fpgaprune.capture.records import Layer

Reader: TypeAlias = Callable[[Reading, "fx.Node", Arguments], Value]


@dataclass(frozen=True)
class _Weights:
    """The weights of one direction of one layer: torch's matrices, its biases or zeros, and their names."""

    input: FloatArray
    hidden: FloatArray
    input_bias: FloatArray
    hidden_bias: FloatArray
    weight_name: str
    bias_name: str

    @property
    def joined(self) -> FloatArray:
        """The matrix that multiplies a step and a state one behind the other."""
        return np.concatenate([self.input, self.hidden], axis=1)


Cell: TypeAlias = Callable[[Place, _Weights, str, "list[str]"], "list[str]"]
"""Adds the layers of one step, given the names of the step and of the states; returns the new states."""


def recurrent(operation: str, cell: Cell, states: int) -> Reader:
    """Return the reader of a recurrent operation with a cell that keeps so many states."""

    def read(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
        place = Place.of(reading, node, operation)
        source = _steps_first(place, arguments)
        initial = _initial(place, arguments, states)
        weights = _all_weights(place, arguments)
        directions = 2 if arguments.plain("bidirectional") else 1
        last: list[Result] = []
        for layer in range(0, len(weights), directions):
            outputs = []
            for number in range(layer, layer + directions):
                inner = place if len(weights) == 1 else place.within(_suffix(number, directions))
                starts = [values[number] for values in initial]
                found = _scan(inner, source, cell, weights[number], starts, reverse=number > layer)
                outputs.append(found)
                last.append(replace(found, index=found.index[:1] if number > layer else found.index[-1:]))
            source = outputs[0] if directions == 1 else join(place.within("both"), outputs, -1)
        final = last[0] if len(last) == 1 else join(place.within("last"), last, 0)
        return _batched(arguments, source), final  # the cell state of an LSTM would be the third

    return read


def packed(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:  # noqa: ARG001  # a Reader
    """Refuse sequences of different lengths."""
    refused(node, "a packed sequence", "pad all sequences to one length and give a plain tensor")


def _suffix(number: int, directions: int) -> str:
    layer, backwards = divmod(number, directions)
    return f"layer{layer}.backward" if backwards else f"layer{layer}"


def _initial(place: Place, arguments: Arguments, states: int) -> list[FloatArray]:
    """Return what each state is before the first step, (layers * directions, size)."""
    values = [place.reading.values[node] for node in arguments.nodes("hx")]
    known = [value for value in values if isinstance(value, Constant)]
    if len(known) != states:
        refused(place.node, "an initial state that depends on the input", "leave the initial state out")
    arrays = [as_array(place.node, value) for value in known]
    return [array.reshape(array.shape[0], array.shape[-1]) for array in arrays]


def _steps_first(place: Place, arguments: Arguments) -> Result:
    """Return the sequence (steps, 1, features)."""
    source = arguments.result("input")
    index = source.index.swapaxes(0, 1) if arguments.plain("batch_first") else source.index
    if index.shape[1] != 1:
        remedy = "nn.LSTM, nn.GRU and nn.RNN want batch_first=True where samples come first"
        refused(place.node, f"a recurrent layer over {index.shape[1]} sequences of one sample", remedy)
    return replace(source, index=index)


def _batched(arguments: Arguments, result: Result) -> Result:
    return replace(result, index=result.index.swapaxes(0, 1)) if arguments.plain("batch_first") else result


def _all_weights(place: Place, arguments: Arguments) -> list[_Weights]:
    constants = arguments.constants("params")
    size = 4 if arguments.plain("has_biases") else 2
    directions = 2 if arguments.plain("bidirectional") else 1
    if len(constants) != size * directions * int(arguments.plain("num_layers")):
        refused(place.node, "a recurrent layer with proj_size", "put a Linear behind it instead")
    return [_weights(place, constants[start : start + size]) for start in range(0, len(constants), size)]


def _weights(place: Place, constants: tuple[Constant, ...]) -> _Weights:
    arrays = [as_array(place.node, constant) for constant in constants]
    zeros = np.zeros(len(arrays[0]))
    biases = arrays[2:] or [zeros, zeros]
    names = [constant.name for constant in constants]
    return _Weights(arrays[0], arrays[1], biases[0], biases[1], "+".join(names[:2]), "+".join(names[2:]))


def _scan(
    place: Place, source: Result, cell: Cell, weights: _Weights, initial: list[FloatArray], *, reverse: bool
) -> Result:
    """Return the hidden states (steps, 1, size) of a cell that runs over a sequence (steps, 1, features)."""
    steps, _, features = source.shape
    layer = stored(place, source, (1, 0, 2), (steps, features))
    body = replace(place, reading=replace(place.reading, layers={}, rewired={}))
    step = body.add(InputLayer(place.part("step"), (features,), where=place.where))
    names = [
        body.add(InputLayer(place.part(f"state{number}" if number else "state"), values.shape, where=place.where))
        for number, values in enumerate(initial)
    ]
    new_states = cell(body, weights, step, names)
    inside: tuple[Layer, ...] = tuple(body.reading.layers.values())
    size = initial[0].shape[0]
    name = place.add(
        Scan(
            place.name,
            layer,
            (steps, size),
            inside,
            tuple(names),
            tuple(new_states),
            tuple(initial),
            reverse=reverse,
            where=place.where,
        )
    )
    return whole(name, (steps, 1, size))


def simple_cell(activation: FunctionKind | None) -> Cell:
    """Return the cell of a plain recurrent layer; without a function it is a ReLU."""

    def cell(place: Place, weights: _Weights, step: str, states: list[str]) -> list[str]:
        total = _gates(place, weights, step, states[0])
        name = place.part("hidden")
        if activation is None:
            return [parts.clipped(place, name, total, 0.0, None)]
        return [parts.looked_up(place, name, total, activation)]

    return cell


def lstm_cell(place: Place, weights: _Weights, step: str, states: list[str]) -> list[str]:
    """Add one step of an LSTM; torch orders its gates input, forget, cell, output."""
    hidden, cell = states
    gates = _gates(place, weights, step, hidden)
    kinds = {
        "input_gate": FunctionKind.SIGMOID,
        "forget_gate": FunctionKind.SIGMOID,
        "candidate": FunctionKind.TANH,
        "output_gate": FunctionKind.SIGMOID,
    }
    taken, kept, candidate, shown = (
        _gate(place, suffix, gates, number, weights.hidden.shape[1], kind)
        for number, (suffix, kind) in enumerate(kinds.items())
    )
    remembered = parts.multiplied(place, place.part("remembered"), kept, cell)
    entered = parts.multiplied(place, place.part("entered"), taken, candidate)
    new_cell = parts.added(place, place.part("cell"), remembered, entered)
    squashed = parts.looked_up(place, place.part("squashed"), new_cell, FunctionKind.TANH)
    return [parts.multiplied(place, place.part("hidden"), shown, squashed), new_cell]


def gru_cell(place: Place, weights: _Weights, step: str, states: list[str]) -> list[str]:
    """Add one step of a GRU as torch defines it: the reset gate applies behind the hidden matrix."""
    (hidden,) = states
    size = weights.hidden.shape[1]
    gates = _gates(place, weights, step, hidden, 2 * size)
    reset, update = (
        _gate(place, suffix, gates, number, size, FunctionKind.SIGMOID)
        for number, suffix in enumerate(("reset_gate", "update_gate"))
    )
    input_name, hidden_name = weights.weight_name.split("+")
    bias_names = weights.bias_name.split("+") if weights.bias_name else ["", ""]
    seen = Linear(
        place.part("candidate_input"),
        step,
        weights.input[2 * size :],
        weights.input_bias[2 * size :],
        input_name,
        bias_names[0],
        place.where,
    )
    recalled = Linear(
        place.part("candidate_hidden"),
        hidden,
        weights.hidden[2 * size :],
        weights.hidden_bias[2 * size :],
        hidden_name,
        bias_names[1],
        place.where,
    )
    passed = parts.multiplied(place, place.part("recalled"), reset, place.add(recalled))
    summed = parts.added(place, place.part("candidate_sum"), place.add(seen), passed)
    candidate = parts.looked_up(place, place.part("candidate"), summed, FunctionKind.TANH)
    change = parts.added(place, place.part("change"), hidden, candidate, subtract=True)
    kept = parts.multiplied(place, place.part("kept"), update, change)
    return [parts.added(place, place.part("hidden"), candidate, kept)]


def _gates(place: Place, weights: _Weights, step: str, hidden: str, outputs: int | None = None) -> str:
    """Add the one matrix that multiplies the step and the hidden state, with its first so many outputs."""
    columns = weights.joined.shape[1]
    both = place.add(Concat(place.part("both"), (step, hidden), (columns,), place.where))
    bias = weights.input_bias + weights.hidden_bias
    return place.add(
        Linear(
            place.part("gates"),
            both,
            weights.joined[:outputs],
            bias[:outputs],
            weights.weight_name,
            weights.bias_name,
            place.where,
        )
    )


def _gate(place: Place, suffix: str, gates: str, number: int, size: int, kind: FunctionKind) -> str:
    total = parts.gathered(place, place.part(f"{suffix}.sum"), gates, number * size, (number + 1) * size)
    return parts.looked_up(place, place.part(suffix), total, kind)

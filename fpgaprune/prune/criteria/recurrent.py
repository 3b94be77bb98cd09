"""What the matrices of a recurrent layer are multiplied with, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from fpgaprune.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: (module, fed, back, hidden, memory) → what the gates make of them before any projection, and the next memory.
#: ``fed`` and ``back`` are the products of the input and of the hidden state with their matrices, (batch, gates).
_Cell: TypeAlias = Callable[[nn.RNNBase, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def recurrent_inputs(module: nn.RNNBase, x: object, start: object = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each matrix of ``module`` with the vectors (steps, batch, columns) that it is multiplied with, in float64.

    ``x`` and ``start`` are what the module is called with.

    Raises:
        InputError: the input is a packed sequence.
    """
    if not isinstance(x, Tensor):
        msg = f"'wanda' cannot follow a {type(x).__name__} through {type(module).__name__}; pad it, or use 'taylor'"
        raise InputError(msg)
    batched = x[:, None] if x.ndim == 2 else x.transpose(0, 1) if module.batch_first else x
    steps, directions = batched.double(), 1 + module.bidirectional
    for layer in range(module.num_layers):
        outputs = []
        for direction in range(directions):
            lane = _Lane.of(module, f"_l{layer}{'_reverse' * direction}")
            ordered = steps.flip(0) if direction else steps
            before, inner, after = lane.walk(ordered, *_states(lane, start, layer * directions + direction, steps))
            yield from lane.matrices(ordered, before, inner)
            outputs.append(after.flip(0) if direction else after)
        steps = torch.cat(outputs, dim=2)


@dataclass(frozen=True)
class _Lane:
    """One direction of one layer within a recurrent module; tensors by the names in the module, without the suffix."""

    module: nn.RNNBase
    own: dict[str, nn.Parameter]

    @classmethod
    def of(cls, module: nn.RNNBase, suffix: str) -> _Lane:
        named = module.named_parameters(recurse=False)
        return cls(module, {name.removesuffix(suffix): each for name, each in named if name.endswith(suffix)})

    def walk(self, steps: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return hidden states before each step, what the gates made in it, and hidden states after it."""
        fed, cell, found = self._product("ih", steps), _cell_of(self.module), []
        for each in fed:
            inner, memory = cell(self.module, each, self._product("hh", hidden), hidden, memory)
            after = self._product("hr", inner) if "weight_hr" in self.own else inner
            found.append((hidden, inner, after))
            hidden = after
        before, inside, afterwards = map(torch.stack, zip(*found, strict=True))
        return before, inside, afterwards

    def matrices(self, steps: Tensor, before: Tensor, inner: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        yield self.own["weight_ih"], steps
        yield self.own["weight_hh"], before
        if "weight_hr" in self.own:
            yield self.own["weight_hr"], inner

    def _product(self, kind: str, vectors: Tensor) -> Tensor:
        bias = self.own.get(f"bias_{kind}")
        return functional.linear(vectors, self.own[f"weight_{kind}"].double(), None if bias is None else bias.double())


def _states(lane: _Lane, start: object, place: int, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the hidden state and the memory, (batch, …), that a lane begins with."""
    given = [part for part in (start if isinstance(start, tuple) else (start,)) if isinstance(part, Tensor)]
    if given:
        chosen = [part[place].double().reshape(steps.shape[1], -1) for part in given]
        return chosen[0], chosen[-1]
    zeros = [
        steps.new_zeros(steps.shape[1], width) for width in (lane.own["weight_hh"].shape[1], lane.module.hidden_size)
    ]
    return zeros[0], zeros[1]


def _rnn(module: nn.RNNBase, fed: Tensor, back: Tensor, _: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    activation = torch.relu if getattr(module, "nonlinearity", "tanh") == "relu" else torch.tanh
    return activation(fed + back), memory


def _lstm(_: nn.RNNBase, fed: Tensor, back: Tensor, __: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    into, keep, new, out = (fed + back).chunk(4, dim=1)
    memory = keep.sigmoid() * memory + into.sigmoid() * new.tanh()
    return out.sigmoid() * memory.tanh(), memory


def _gru(_: nn.RNNBase, fed: Tensor, back: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    (reset, update, new), (reset_back, update_back, new_back) = fed.chunk(3, dim=1), back.chunk(3, dim=1)
    gate = (update + update_back).sigmoid()
    candidate = (new + (reset + reset_back).sigmoid() * new_back).tanh()
    return (1 - gate) * candidate + gate * hidden, memory


#: Module type → its gates, as torch's documentation defines them.
_CELLS: dict[type[nn.RNNBase], _Cell] = {nn.RNN: _rnn, nn.LSTM: _lstm, nn.GRU: _gru}


def _cell_of(module: nn.RNNBase) -> _Cell:
    return next(cell for kind, cell in _CELLS.items() if isinstance(module, kind))

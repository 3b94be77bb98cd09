"""Which columns of other layers read a hidden unit and nothing else, so that they read zeros once it is zero."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError
from fpgaprune.prune.forward import copied, mode, run
from fpgaprune.prune.masks import prunable
from fpgaprune.several import mapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fpgaprune.prune.forward import Tensors

    Recurrent = nn.RNN | nn.LSTM | nn.GRU

NOBODY = -1
"""The unit that a column reads which reads no unit, or something besides."""


def unit_readers(model: nn.Module, recurrent: str, x: Tensors) -> dict[str, Tensor]:
    """Return tensor name → (inputs,) the hidden unit of a recurrent module that each input of the tensor is made of.

    Unit u of direction d of layer k has the number ``(k * directions + d) * hidden_size + u``. An input is made of a
    unit if it depends on that and constants alone and is zero when the unit is. This is seen by running the model with
    NaN in all other weights and inputs and in half of the units at a time, the others zero: NaN spreads to all that
    depends on it, and the halves in which an input is NaN spell the number of its unit in binary.

    Raises:
        InputError: the model does not run on ``x``, or the module returns packed sequences.
    """
    copy = copied(model)
    module = copy.get_submodule(recurrent)
    if not isinstance(module, (nn.RNN, nn.LSTM, nn.GRU)):
        msg = f"{recurrent} is {type(module).__name__}, which has no hidden units"
        raise InputError(msg)
    _poison_(copy)
    probe = _Probe(recurrent, module)
    module.register_forward_hook(probe.replaced, with_kwargs=False)
    names = {id(weight): name for name, weight in prunable(copy).items()}  # one that is shared has one name
    for reader in copy.modules():
        if reader is not module:
            probe.watch(reader, names)
    units = torch.arange(_units(module))
    with mode(copy, training=False), torch.enable_grad():  # without gradients, attention takes another path
        for bit in range(max(1, (len(units) - 1).bit_length())):
            for value in (1, 0):
                probe.nan = units >> bit & 1 == value
                run(copy, mapped(_nan_like, x))
                probe.note(bit, value)
    return probe.found()


@dataclass
class _Probe:
    """Replaces what a recurrent module returns and notes which inputs of other modules become NaN by it."""

    name: str
    module: Recurrent
    nan: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.bool))
    seen: dict[str, list[Tensor]] = field(default_factory=dict)  # by tensor, the inputs of this run, (places, inputs)
    unit: dict[str, Tensor] = field(default_factory=dict)  # by tensor, what the bits so far spell, or NOBODY

    def replaced(self, _module: nn.Module, _inputs: object, output: Any) -> object:  # noqa: ANN401  # as torch calls it
        """Return the output of the recurrent module with NaN or zero for each unit, wherever it gives it."""
        sequence, states = output
        if not isinstance(sequence, Tensor):
            msg = f"{self.name} runs on packed sequences; the structure 'hidden' needs plain tensors of one length"
            raise InputError(msg)
        values = torch.zeros(self.nan.shape).masked_fill(self.nan, math.nan).to(sequence)
        last = values[-sequence.shape[-1] :].expand(sequence.shape)
        several = isinstance(states, tuple)
        new = tuple(_state(values, state) for state in (states if several else (states,)))
        return last, (new if several else new[0])

    def watch(self, reader: nn.Module, names: Mapping[int, str]) -> None:
        """Note what the tensors of a module, by their names, read in each run."""

        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            for weight, values in _read(module, args, kwargs):
                places = values.detach().cpu().reshape(-1, values.shape[-1])
                self.seen.setdefault(names[id(weight)], []).append(places)

        reader.register_forward_pre_hook(hook, with_kwargs=True)

    def note(self, bit: int, value: int) -> None:
        """Take from a run one bit of the units that inputs are made of."""
        for name, runs in self.seen.items():
            values = torch.cat(runs)
            nan, zero = values.isnan().all(dim=0), (values == 0).all(dim=0)
            unit = self.unit.setdefault(name, torch.zeros(values.shape[1], dtype=torch.int64))
            if value:
                unit[nan & (unit != NOBODY)] += 1 << bit
            clear = unit >> bit & 1 != value
            unit[~torch.where(clear, zero, nan)] = NOBODY
        self.seen.clear()

    def found(self) -> dict[str, Tensor]:
        """Return the tensors with an input that is made of a unit."""
        return {name: unit for name, unit in self.unit.items() if bool((unit != NOBODY).any())}


def _units(module: Recurrent) -> int:
    return module.num_layers * (2 if module.bidirectional else 1) * module.hidden_size


def _state(values: Tensor, state: Tensor) -> Tensor:
    """Return a last state (layers * directions, …, hidden_size) made of the values of the units."""
    rows = values.reshape(state.shape[0], state.shape[-1])
    return rows.reshape(len(rows), *[1] * (state.dim() - 2), -1).expand(state.shape)


@torch.no_grad()
def _poison_(model: nn.Module) -> None:
    tensors: Iterable[Tensor] = [*model.parameters(), *model.buffers()]
    for tensor in tensors:
        if tensor.is_floating_point():
            tensor.fill_(math.nan)


def _nan_like(tensor: Tensor) -> Tensor:
    return torch.full_like(tensor, math.nan) if tensor.is_floating_point() else tensor


def _read(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the weights of a module that read its inputs, each with the values that it reads, inputs last."""
    match module:
        case nn.Linear():
            yield module.weight, _argument(args, kwargs, 0, "input")
        case nn.Conv1d():
            yield module.weight, _argument(args, kwargs, 0, "input").movedim(-2, -1)
        case nn.Conv2d():
            yield module.weight, _argument(args, kwargs, 0, "input").movedim(-3, -1)
        case nn.RNN() | nn.LSTM() | nn.GRU():
            for suffix in ("", "_reverse")[: 2 if module.bidirectional else 1]:
                yield getattr(module, f"weight_ih_l0{suffix}"), _argument(args, kwargs, 0, "input")
        case nn.MultiheadAttention():
            for place, name in enumerate(("query", "key", "value")):
                packed = module.in_proj_weight is not None
                weight = module.in_proj_weight if packed else getattr(module, f"{name[0]}_proj_weight")
                yield weight, _argument(args, kwargs, place, name)
        case _:
            return


def _argument(args: tuple[Any, ...], kwargs: dict[str, Any], place: int, name: str) -> Tensor:
    value: Tensor = args[place] if place < len(args) else kwargs[name]
    return value

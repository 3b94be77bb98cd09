"""Channels that must be cut together: through residuals, concatenations and flattening, found by torch-pruning."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch_pruning.ops import OPTYPE

from fpgaprune.prune.forward import copied, run
from fpgaprune.prune.seeding import generator
from fpgaprune.prune.shrinkage import INPUTS, OUTPUTS, Kept, Shrinkage, channels, sides_of
from fpgaprune.prune.structures.cutting import cut_changes
from fpgaprune.prune.structures.dependencies import traced
from fpgaprune.prune.structures.output_layers import output_layers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fpgaprune.prune.forward import Tensors

#: The modules whose outputs are channels of their own.
MAKERS = (nn.Linear, nn.Conv1d, nn.Conv2d)

_WIRES = (
    OPTYPE.CONCAT,
    OPTYPE.SPLIT,
    OPTYPE.ELEMENTWISE,
    OPTYPE.RESHAPE,
    OPTYPE.UNBIND,
    OPTYPE.EXPAND,
    OPTYPE.SLICE,
    OPTYPE.OUTPUT,
)


@dataclass(frozen=True, eq=False)
class Coupled:
    """``count`` units of channels, of which each is one output of the module ``root`` and all that goes with it.

    ``members`` maps module name and side to (channels,) the unit of each channel of that side, or -1.
    """

    root: str
    count: int
    members: Mapping[tuple[str, str], Tensor]

    @property
    def makers(self) -> tuple[str, ...]:
        """The modules whose outputs are these channels."""
        return tuple(name for name, side in self.members if side == OUTPUTS)


@dataclass(frozen=True)
class Fixed:
    """Modules that make channels which cannot be cut, and why."""

    makers: tuple[str, ...]
    reason: str


def coupled_channels(model: nn.Module, x: Tensors) -> tuple[Coupled | Fixed, ...]:
    """Return the channels of each module that makes some, those that go together once, in the order of the modules.

    The dependencies are those of torch-pruning (Fang et al. 2023, "DepGraph: Towards Any Structural Pruning"). Channels
    whose cut changes what the rest computes are fixed, which is tried out for some of the units.

    Raises:
        InputError: the model does not run on ``x``, or cannot be traced.
    """
    copy = copied(model).requires_grad_(requires_grad=True).eval()
    run(copy, x)  # says better than a trace does if inputs do not fit
    last = output_layers(copy, x)
    names = {module: name for name, module in copy.named_modules()}
    found = (_inner(each, last) for each in _all_coupled(traced(copy, x), names))
    return tuple(_tried(copy, x, each) for each in found)


def cut_of(found: Iterable[tuple[Coupled, Tensor]]) -> Shrinkage:
    """Return the cut of the units at which the boolean tensor (units,) beside each of the coupled channels is True."""
    gone: dict[tuple[str, str], Tensor] = {}
    for coupled, units in found:
        padded = torch.cat([units, torch.zeros(1, dtype=torch.bool)])  # the last one is that of no unit
        for key, unit in coupled.members.items():
            gone[key] = padded[unit] | gone.get(key, torch.zeros((), dtype=torch.bool))
    layers: dict[str, dict[str, Kept]] = {}
    for (name, side), cut in gone.items():
        if bool(cut.any()):
            layers.setdefault(name, {})[side] = Kept(len(cut), tuple(torch.nonzero(~cut).flatten().tolist()))
    return Shrinkage(layers)


def _all_coupled(graph: Any, names: Mapping[nn.Module, str]) -> Iterator[Coupled | Fixed]:  # noqa: ANN401  # no types
    seen: set[str] = set()
    for module, name in names.items():
        if isinstance(module, MAKERS) and name not in seen and module in graph.module2node:
            if INPUTS not in sides_of(module):
                yield Fixed(
                    (name,), "it is a convolution in groups, which has the channels that it reads or none to cut"
                )
                continue
            found = _coupled(graph, names, name, module)
            seen |= set(found.makers)
            yield found


def _coupled(graph: Any, names: Mapping[nn.Module, str], root: str, module: nn.Module) -> Coupled | Fixed:  # noqa: ANN401
    """Return the channels that go with the outputs of a module, as torch-pruning's graph has them."""
    count = channels(module, OUTPUTS)
    prune = graph.get_pruner_of_module(module).prune_out_channels
    members: dict[tuple[str, str], Tensor] = {}
    for item in graph.get_pruning_group(module, prune, list(range(count))):
        target = item.dep.target
        if target.type in _WIRES or (isinstance(target.module, nn.PReLU) and target.module.num_parameters == 1):
            continue
        side = OUTPUTS if graph.is_out_channel_pruning_fn(item.dep.handler) else INPUTS
        if not isinstance(target.module, nn.Module) or side not in sides_of(target.module):
            return Fixed((root,), f"they go with {names.get(target.module, 'a parameter')!r}, which cannot be cut")
        unit = torch.full((channels(target.module, side),), -1)
        if max(item.idxs) >= len(unit):
            return Fixed((root,), f"torch-pruning cannot tell where they are in {names[target.module]!r}")
        unit[item.idxs] = torch.tensor(item.root_idxs)
        members[names[target.module], side] = unit
    return Coupled(root, count, members)


def _inner(found: Coupled | Fixed, last: set[str]) -> Coupled | Fixed:
    """Return coupled channels as they are if none of them is an output of the model."""
    outputs = isinstance(found, Coupled) and last & set(found.makers)
    return Fixed(found.makers, "they are outputs of the model") if outputs else found


def _tried(model: nn.Module, x: Tensors, found: Coupled | Fixed) -> Coupled | Fixed:
    """Return coupled channels as they are if a cut of some leaves the rest as it is."""
    if isinstance(found, Fixed):
        return found
    if shared := _shared(model, found):
        return Fixed(found.makers, f"{shared!r} shares its weights with another layer")
    units = torch.rand(found.count, generator=generator(found.count)) < 0.5  # no half that a symmetry maps to itself
    units[0], units[-1] = True, False
    reason = "it is the only one" if found.count == 1 else cut_changes(model, x, cut_of([(found, units)]))
    return Fixed(found.makers, reason) if reason else found


def _shared(model: nn.Module, found: Coupled) -> str | None:
    """Return the first member whose weights are also those of another module."""
    owners = Counter(id(weight) for module in model.modules() for weight in module.parameters(recurse=False))
    members = {name: model.get_submodule(name) for name, _ in found.members}
    shares = (name for name, member in members.items() if any(owners[id(weight)] > 1 for weight in member.parameters()))
    return next(shares, None)

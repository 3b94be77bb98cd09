"""Models that others pruned: torch.nn.utils.prune, parametrizations, PQuantML, plain zeros; baked or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils import prune as torch_prune

from fpgaprune.prune.dead import DeadBias, dead_biases, zeroing
from fpgaprune.prune.forward import copied, mode
from fpgaprune.prune.masks import Masks, joined
from fpgaprune.prune.pquant import without_pquant
from fpgaprune.prune.pquant_state import finished_state
from fpgaprune.prune.pruned import PrunedModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor


def from_torch_prune(model: nn.Module, *, dead_bias: DeadBias = DeadBias.KEEP) -> PrunedModel:
    """Return a baked copy of ``model`` whose masks keep what is not zero; the model itself is left alone.

    ``unbaked`` lists the tensors that still had hooks and masks of torch.nn.utils.prune, parametrizations of
    torch.nn.utils.parametrize, or masks and formats of PQuantML that were not final. Biases of dead neurons are
    reported and, unless ``dead_bias`` says otherwise, keep their values.

    Raises:
        InputError: a weight is NaN, infinite, or computed by something else.
    """
    return _pruned(*baked_copy(model), dead_bias)


def from_pquant(model: nn.Module, *, data_formats: bool = True, dead_bias: DeadBias = DeadBias.KEEP) -> PrunedModel:
    """Return what `from_torch_prune` does of a model of PQuantML, without the formats of its data if told so.

    Raises:
        InputError: its masks are not final, it never ran, or a part or a format has no exact counterpart.
    """
    return _pruned(*baked_copy(model, data_formats=data_formats), dead_bias)


def _pruned(module: nn.Module, unbaked: tuple[str, ...], dead_bias: DeadBias) -> PrunedModel:
    masks = Masks.of_nonzeros(module)
    biases = dead_biases(module, masks)
    if dead_bias is DeadBias.ZERO:
        zeroing(module, biases)(module)
    return PrunedModel(module.eval(), masks, dead_biases=biases, unbaked=unbaked)


def baked_copy(model: nn.Module, *, data_formats: bool = True) -> tuple[nn.Module, tuple[str, ...]]:
    """Return a copy of ``model`` with plain tensors, and the names of those that something else computed before.

    That are hooks of torch.nn.utils.prune, parametrizations of torch.nn.utils.parametrize, and modules of PQuantML.

    Raises:
        InputError: the model cannot be copied, or a part of PQuantML cannot be taken over.
    """
    copy, quantised = without_pquant(copied(model), data_formats=data_formats)
    hooked = list(_hooked(copy))
    for _, module, name in hooked:
        torch_prune.remove(module, name)  # type: ignore[no-untyped-call]  # torch has no types here
    parametrized = [
        joined(prefix, name)
        for prefix, module in list(copy.named_modules())
        if parametrize.is_parametrized(module)
        for name in _made_plain(module)
    ]
    return copy, (*(joined(prefix, name) for prefix, _, name in hooked), *parametrized, *quantised)


def baked_state(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return ``state`` with each pair ``x_orig``, ``x_mask`` of torch.nn.utils.prune replaced by their product x.

    Layers of a finished PQuantML model become plain ones. The names x come with it.

    Raises:
        InputError: a PQuantML model is not finished.
    """
    baked, names = finished_state(state), []
    for name in state:
        stem = name.removesuffix("_orig")
        if stem != name and f"{stem}_mask" in state:
            mask = baked.pop(f"{stem}_mask")
            baked[stem] = baked.pop(name).masked_fill(mask == 0, 0)
            names.append(stem)
    return baked, tuple(names)


def _hooked(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Yield module name, module and tensor name for each pruning hook."""
    for prefix, module in model.named_modules():
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, torch_prune.BasePruningMethod):
                yield prefix, module, hook._tensor_name


def _made_plain(module: nn.Module) -> list[str]:
    """Make what parametrizations compute plain tensors, in place, and return the names of these.

    parametrize.remove_parametrizations would take them from the class, which a copied module shares with its model.
    """
    assert isinstance(module.parametrizations, nn.ModuleDict)  # noqa: S101  # so is_parametrized
    lists = dict(module.parametrizations.items())
    with mode(module, training=False):  # a spectral norm in training mode changes whenever it is looked at
        values = {name: getattr(module, name).detach().clone() for name in lists}
    kind = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    module.__class__ = kind
    for name, value in values.items():
        if list(lists[name].parameters(recurse=False)):
            module.register_parameter(name, nn.Parameter(value))
        else:
            module.register_buffer(name, value)
    return list(values)

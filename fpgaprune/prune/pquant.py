"""Models of PQuantML (package pquant) as plain modules: weights pruned and rounded, formats of data taken over."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fpgaprune.errors import InputError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.prune.fixed_point import FixedPoint
from fpgaprune.prune.forward import mode
from fpgaprune.prune.masks import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_TUNED = "pre_finetune_functions(model) of pquant.core.torch.layers"
_FINISH = f"finish its training with pquant.train_model, or call {_TUNED}"
_WEIGHTS_ALONE = "fpgaprune.prune.from_pquant(model, data_formats=False) takes the weights alone"


def without_pquant(model: nn.Module, *, data_formats: bool = True) -> tuple[nn.Module, tuple[str, ...]]:
    """Return ``model`` with plain modules in place of those of PQuantML, in place, and the tensors not final before.

    A plain module holds the weights that the model computes with in evaluation, exactly; what quantises its inputs and
    outputs becomes a `FixedPoint` each, unless ``data_formats`` says otherwise.

    Raises:
        InputError: its masks are not final, it never ran, or a part or a format has no exact counterpart.
    """
    plain: dict[int, nn.Module] = {}
    open_tensors: list[str] = []
    for name, part in list(_outermost(model)):
        if id(part) not in plain:
            plain[id(part)] = _plain(name, part, data_formats=data_formats)
            open_tensors += _open_tensors(name, part)
        if not name:
            return plain[id(part)], tuple(open_tensors)
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, plain[id(part)])
    return model, tuple(open_tensors)


def _outermost(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield name and module of each part of PQuantML that is in no other."""
    if _class(module):
        yield prefix, module
        return
    for name, child in module._modules.items():  # named_children leaves out the second name of a shared module
        if child is not None:
            yield from _outermost(child, joined(prefix, name))


def _class(module: nn.Module) -> str:
    """Return the name of PQuantML's class that the module is of; empty for other modules."""
    kind = type(module)
    return kind.__name__ if kind.__module__.partition(".")[0] == "pquant" else ""


def _open_tensors(name: str, part: nn.Module) -> tuple[str, ...]:
    if bool(getattr(part, "final_compression_done", True)):
        return ()
    return tuple(joined(name, tensor) for tensor in ("weight", "bias") if getattr(part, f"_{tensor}", None) is not None)


def _plain(name: str, part: Any, *, data_formats: bool) -> nn.Module:  # noqa: ANN401  # PQuantML's attributes
    if _class(part) == "Quantizer":
        return FixedPoint(_format(name, part)) if data_formats else nn.Identity()
    make = _KINDS.get(_class(part))
    plain = None if make is None else make(part)
    if plain is None:
        msg = (
            f"{name or 'the model'} is a {_class(part)} of pquant, which cannot be taken over exactly; of pquant these"
            f" can: {', '.join(_KINDS)}, Quantizer; write this part in torch's own modules, which fpgaprune quantises"
        )
        raise InputError(msg)
    with torch.no_grad():
        if hasattr(part, "final_compression_done"):
            _fill(name, part, plain)
        return _rounded(name, part, plain.train(part.training), data_formats=data_formats)


def _fill(name: str, part: Any, plain: nn.Module) -> None:  # noqa: ANN401
    """Put the weights that ``part`` computes with in evaluation into ``plain``, and what it counted."""
    _refuse_unfinished(name, part)
    with mode(part, training=False):
        values = {tensor: getattr(part, tensor) for tensor in ("weight", "bias")}
    for tensor, value in values.items():
        setattr(plain, tensor, None if value is None else nn.Parameter(value.detach().clone()))
    plain.load_state_dict(dict(part.named_buffers(recurse=False)), strict=False)  # statistics of batch norms


def _refuse_unfinished(name: str, part: Any) -> None:  # noqa: ANN401
    """Refuse a layer without formats, and one whose mask is made of numbers between 0 and 1, or not made at all."""
    if not part.built and not bool(part.final_compression_done):
        msg = f"{joined(name, 'weight')} has no format yet; run one batch through the model first"
        raise InputError(msg)
    pruning = getattr(part, "pruning_layer", None)
    final = bool(part.final_compression_done) or not getattr(part, "enable_pruning", False)
    if pruning is not None and not final and not getattr(pruning, "is_finetuning", False):
        msg = f"{joined(name, 'weight')}: its mask ({type(pruning).__name__}) is still in training; {_FINISH}"
        raise InputError(msg)


def _rounded(name: str, part: Any, plain: nn.Module, *, data_formats: bool) -> nn.Module:  # noqa: ANN401
    """Return ``plain`` with what rounds its input and its output, and with the power of two of a ReLU behind it."""
    rounds, shift = data_formats and part.enable_quantization, _shift(part)
    if rounds and part.quantize_input:
        to = _own_format(joined(name, "input_quantizer"), part)
        plain.add_module("input_quantizer", FixedPoint(replace(to, fraction=to.fraction + shift)))
        plain.register_forward_pre_hook(_round_input)
    if shift:
        plain.register_forward_hook(partial(_scale_output, 2.0**shift))
    if rounds and getattr(part, "quantize_output", False):
        plain.add_module("output_quantizer", FixedPoint(_own_format(joined(name, "output_quantizer"), part)))
        plain.register_forward_hook(_round_output)
    return plain


def _shift(part: Any) -> int:  # noqa: ANN401
    """Return the power of two that PQuantML multiplies what a ReLU reads with; behind a ReLU it is as good."""
    scales = _class(part) == "PQActivation" and part.activation_name == "relu" and part.use_multiplier
    return round(float(part.multiplier)) if scales and not part.use_hgq and hasattr(part, "multiplier") else 0


def _scale_output(factor: float, _: nn.Module, __: object, result: Tensor) -> Tensor:
    return result * factor


def _round_input(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (module.get_submodule("input_quantizer")(inputs[0]), *inputs[1:])


def _round_output(module: nn.Module, _: object, result: Tensor) -> Tensor:
    rounded: Tensor = module.get_submodule("output_quantizer")(result)
    return rounded


def _own_format(name: str, part: Any) -> Fixed:  # noqa: ANN401
    quantizer = getattr(part, name.rpartition(".")[2], None)
    if quantizer is None:
        msg = f"{name} has no format yet; run one batch through the model first"
        raise InputError(msg)
    return _format(name, quantizer)


def _format(name: str, quantizer: Any) -> Fixed:  # noqa: ANN401
    """Return the one format of a quantiser of data: k sign bits, i integer bits and f fraction bits."""
    signed, integer, fraction = (_one(name, bits) for bits in quantizer.get_quantization_bits())
    overflow = Overflow.__members__.get(quantizer.overflow.upper())
    if overflow not in (Overflow.SAT, Overflow.SAT_SYM):
        msg = f"{name}: overflow_mode_data must be SAT or SAT_SYM, not {quantizer.overflow}; or {_WEIGHTS_ALONE}"
        raise InputError(msg)
    width = signed + max(integer, -fraction) + fraction
    if width < 1:
        msg = f"{name} has no bits left, so that all behind it is constant; prune less, or {_WEIGHTS_ALONE}"
        raise InputError(msg)
    rounding = Rounding[quantizer.round_mode.upper().removeprefix("S_")]
    return Fixed(bool(signed), width, fraction, rounding, overflow)


def _one(name: str, bits: Any) -> int:  # noqa: ANN401  # a tensor or a number
    """Return the number of bits that all elements share."""
    values = set(torch.as_tensor(bits, dtype=torch.float64).flatten().tolist())
    if len(values) != 1:
        msg = (
            f"{name} has other formats for other elements, which is more than one format a tensor; train with"
            f" granularity per_tensor, or {_WEIGHTS_ALONE}"
        )
        raise InputError(msg)
    (value,) = values
    if not value.is_integer():
        msg = f"{name} has {value} bits, which is no whole number; {_WEIGHTS_ALONE}"
        raise InputError(msg)
    return int(value)


def _linear(part: Any) -> nn.Module:  # noqa: ANN401
    return nn.Linear(part.in_features, part.out_features)


def _conv(kind: type[nn.Conv1d | nn.Conv2d]) -> Callable[[Any], nn.Module]:
    names = ("stride", "padding", "dilation", "groups", "padding_mode")
    return lambda part: kind(
        part.in_channels, part.out_channels, part.kernel_size, **{name: getattr(part, name) for name in names}
    )


def _batch_norm(kind: type[nn.BatchNorm1d | nn.BatchNorm2d]) -> Callable[[Any], nn.Module]:
    return lambda part: kind(part.num_features, part.eps, part.momentum, part.affine, part.track_running_stats)


def _layer_norm(part: Any) -> nn.Module:  # noqa: ANN401
    return nn.LayerNorm(part.normalized_shape, part.eps, part.elementwise_affine)


def _average(kind: type[nn.AvgPool1d | nn.AvgPool2d], *names: str) -> Callable[[Any], nn.Module]:
    shared = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
    return lambda part: kind(**{name: getattr(part, name) for name in (*shared, *names)})


_ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "hard_tanh": nn.Hardtanh,
    "leaky_relu": partial(nn.LeakyReLU, 0.1015625),
    "gelu": nn.GELU,
}


def _activation(part: Any) -> nn.Module | None:  # noqa: ANN401
    make = _ACTIVATIONS.get(part.activation_name)
    return None if make is None else make()


_KINDS: Mapping[str, Callable[[Any], nn.Module | None]] = {
    "PQDense": _linear,
    "PQConv1d": _conv(nn.Conv1d),
    "PQConv2d": _conv(nn.Conv2d),
    "PQBatchNorm1d": _batch_norm(nn.BatchNorm1d),
    "PQBatchNorm2d": _batch_norm(nn.BatchNorm2d),
    "PQLayerNorm": _layer_norm,
    "PQAvgPool1d": _average(nn.AvgPool1d),
    "PQAvgPool2d": _average(nn.AvgPool2d, "divisor_override"),
    "PQActivation": _activation,
}

"""State dicts of PQuantML (package pquant) as those of plain models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgaprune.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torch import Tensor


def finished_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict with the layers of a finished PQuantML model as those of the plain one.

    Raises:
        InputError: ``apply_final_compression`` was not called before it was saved.
    """
    finals = {name.removesuffix(_FINAL): value for name, value in state.items() if name.rpartition(".")[2] == _FINAL}
    layers = {prefix: final for prefix, final in finals.items() if f"{prefix}_weight" in state}
    for prefix, final in layers.items():
        if not bool(final):
            msg = f"{prefix}weight is not final; call pquant.apply_final_compression(model) before its state is saved"
            raise InputError(msg)
    plain = {name: value for name, value in state.items() if not (layers and _is_own(name, layers))}
    values = {
        f"{prefix}{tensor}": state.get(f"{prefix}_{tensor}") for prefix in layers for tensor in ("weight", "bias")
    }
    return plain | {name: value for name, value in values.items() if value is not None}


_FINAL = "final_compression_done"
_OWN = frozenset({"pruning_layer", "input_quantizer", "output_quantizer", "weight_quantizer", "bias_quantizer"})


def _is_own(name: str, layers: Collection[str]) -> bool:
    """Return whether a tensor is one that PQuantML keeps for itself, or was before it took the layer over."""
    prefix, _, last = name.rpartition(".")
    inside = f"{prefix}." if prefix else ""
    return bool(_OWN.intersection(name.split("."))) or (
        inside in layers and last in (_FINAL, "weight", "bias", "_weight", "_bias")
    )

"""Scaled dot-product attention."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from fpgaprune.capture.elementwise import numbers_of, total, with_numbers
from fpgaprune.capture.layout import Place
from fpgaprune.capture.normalise import softmax_of
from fpgaprune.capture.products import matrices
from fpgaprune.capture.reading import Arguments, Constant, Reading, Result, Value
from fpgaprune.capture.refusals import refused

if TYPE_CHECKING:
    from torch import fx

    from fpgaprune.capture.records import FloatArray


def attention(reading: Reading, node: fx.Node, arguments: Arguments) -> Value:
    """Read ``softmax(query @ key.T * scale + mask) @ value``."""
    place = Place.of(reading, node, "attention")
    if arguments.plain("dropout_p"):
        refused(node, "attention with dropout", "pass dropout_p=0.0 unless self.training")
    query, key, value = (arguments.result(name) for name in ("query", "key", "value"))
    if arguments.plain("enable_gqa"):
        repeats = query.shape[-3] // key.shape[-3]
        key, value = (replace(each, index=each.index.repeat(repeats, axis=-3)) for each in (key, value))
    given = arguments.plain("scale")
    scale = 1 / math.sqrt(query.shape[-1]) if given is None else float(given)
    logits = with_numbers(place.within("scaled"), matrices(place.within("scores"), query, key), scale=np.array(scale))
    weights = softmax_of(place.within("weights"), _masked(place, arguments, logits), -1)
    return matrices(place, weights, replace(value, index=value.index.swapaxes(-1, -2)))


def _masked(place: Place, arguments: Arguments, logits: Result) -> Result:
    if arguments.plain("is_causal"):
        allowed = np.tri(logits.shape[-2], logits.shape[-1]) > 0
        return total(place.within("causal"), logits, np.where(allowed, 0.0, -math.inf))
    mask = arguments.value("attn_mask")
    if mask is None:
        return logits
    if isinstance(mask, Result):
        return total(place.within("masked"), logits, mask)
    assert isinstance(mask, Constant)  # noqa: S101  # a mask is one tensor
    return total(place.within("masked"), logits, _as_summand(place, mask))


def _as_summand(place: Place, mask: Constant) -> FloatArray:
    """Return a mask of booleans, true where an element counts, as what is added to it."""
    if mask.tensor.dtype == torch.bool:
        summand: FloatArray = np.where(mask.tensor.numpy(), 0.0, -math.inf)
        return summand
    return numbers_of(place, mask)

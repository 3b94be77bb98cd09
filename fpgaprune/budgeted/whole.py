"""The network that is thinned out: in integers, before any training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fpgaprune.budgeted.units import Origins, origins_of
from fpgaprune.prune import Data
from fpgaprune.prune.seeding import local_seed
from fpgaprune.prune.torch_masks import baked_copy
from fpgaprune.quantise import QuantisedConv, QuantisedLinear, QuantisedScan, quantise

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

    from fpgaprune.prune import Masks
    from fpgaprune.quantise import QuantisedLayer, QuantisedModel, QuantiseRecipe
    from fpgaprune.several import OneOrMore

    FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Whole:
    """A quantised network, where its weights come from, and a few samples to check designs on."""

    quantised: QuantisedModel
    origins: Origins
    samples: OneOrMore[FloatArray]

    @classmethod
    def of(cls, model: nn.Module, data: Data, recipe: QuantiseRecipe) -> Whole:
        """Return a model, baked or not, quantised without training.

        Raises:
            InputError: as ``quantise``, or too many weights.
            UnsupportedError: the model holds an operation that cannot be translated exactly.
        """
        model, _ = baked_copy(model)
        few = _few(data)
        untrained = replace(recipe, fine_tune=None, compress=None)
        quantised = quantise(model, few, untrained, progress=False, metric=_nothing)
        return cls(quantised, origins_of(model, few.example()), few.test_arrays()[0])

    def thinned(self, masks: Masks) -> QuantisedModel:
        """Return the network without the weights that masks prune; all formats stay."""
        kept = self.origins.kept(masks)
        return replace(self.quantised, layers=tuple(_thinned(layer, kept) for layer in self.quantised.layers))


def _thinned(layer: QuantisedLayer, kept: dict[str, npt.NDArray[np.bool_]]) -> QuantisedLayer:
    if isinstance(layer, QuantisedScan):
        return replace(layer, body=tuple(_thinned(each, kept) for each in layer.body))
    if isinstance(layer, (QuantisedLinear, QuantisedConv)) and layer.name in kept:
        return replace(layer, weight=layer.weight * kept[layer.name])
    return layer


def _few(data: Data) -> Data:
    """Return the data with a single batch for test: what is measured here is no accuracy."""
    with local_seed(0):
        return Data(data.train, [next(data.test_batches())])


def _nothing(_outputs: object, _targets: object) -> float:
    return 0.0

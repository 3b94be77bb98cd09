"""What a design costs: values that carry their kind and unit, and the estimate from lowered kernels."""

from fpgaprune.resources.estimate import estimate
from fpgaprune.resources.values import AMOUNTS, Kind, LayerResources, Measured, Resources, to_data, together

__all__ = ["AMOUNTS", "Kind", "LayerResources", "Measured", "Resources", "estimate", "to_data", "together"]

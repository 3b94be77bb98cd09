"""What an inference costs in energy: an estimate from switching that is measured in C-simulation on real inputs."""

from fpgaprune.energy.estimate import energy, of_words
from fpgaprune.energy.technology import SOURCE, UNCERTAINTY
from fpgaprune.energy.values import PARTS, EnergyEstimate, LayerEnergy, to_data

__all__ = ["PARTS", "SOURCE", "UNCERTAINTY", "EnergyEstimate", "LayerEnergy", "energy", "of_words", "to_data"]

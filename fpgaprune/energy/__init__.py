"""What an inference costs in energy: an estimate from switching that is measured in C-simulation on real inputs."""

from fpgaprune.energy.comparison import EnergyComparison, EnergyPoint, comparison_to_data, energies, multiple
from fpgaprune.energy.estimate import energy, of_words
from fpgaprune.energy.measure import keep_trace
from fpgaprune.energy.store import NAME, KeptEnergy, read_energy, store_energy
from fpgaprune.energy.technology import SOURCE, STATIC_UNCERTAINTY, UNCERTAINTY
from fpgaprune.energy.values import PARTS, EnergyEstimate, LayerEnergy, StaticEnergy, to_data

__all__ = [
    "NAME",
    "PARTS",
    "SOURCE",
    "STATIC_UNCERTAINTY",
    "UNCERTAINTY",
    "EnergyComparison",
    "EnergyEstimate",
    "EnergyPoint",
    "KeptEnergy",
    "LayerEnergy",
    "StaticEnergy",
    "comparison_to_data",
    "energies",
    "energy",
    "keep_trace",
    "multiple",
    "of_words",
    "read_energy",
    "store_energy",
    "to_data",
]

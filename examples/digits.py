"""The MLP of the demo on 5000 handwritten digits, all pixels of an image in one cycle."""

from __future__ import annotations

from story import Plan, out_folder, tell

from fpgaprune.api import PruneRecipe, QuantiseRecipe, TrainSettings
from fpgaprune.demo import digits, mlp
from fpgaprune.schedule import Interface

PLAN = Plan(
    name="digits",
    board="pynq-z2",
    training=TrainSettings(epochs=10, learning_rate=2e-3),
    pruning=PruneRecipe(sparsity=0.9, schedule="cubic", steps=4, fine_tune=TrainSettings(epochs=2)),
    quantising=QuantiseRecipe(fine_tune=TrainSettings(epochs=3)),
    interface=Interface.PARALLEL,
)


if __name__ == "__main__":
    tell(mlp(hidden=(32, 16)), digits(), PLAN, out_folder(PLAN.name))

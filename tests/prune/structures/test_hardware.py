"""That each structure pays where it is built: from pruning through quantisation and generation to the estimate."""

from __future__ import annotations

from functools import cache

import pytest
from torch import nn

from fpgaprune import board
from fpgaprune.flow import Options, generated
from fpgaprune.lower.kernels import MatVecKernel
from fpgaprune.prune import PruneRecipe, Stage, prune
from fpgaprune.prune.structures import STRUCTURES
from fpgaprune.quantise import QuantiseRecipe, quantise
from fpgaprune.schedule import Access, Folded
from fpgaprune.schedule.lanes import program
from tests.structured import UNTRAINED, Attention, Residual, Sequence, cnn, data_for, seeded

PYNQ = board.load("pynq-z2")
NETS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 3)), (32,)),
    "cnn": (cnn, (2, 8, 8)),
    "residual": (Residual, (3, 8, 8)),
    "lstm": (Sequence, (5, 6)),
    "gru": (lambda: Sequence(nn.GRU), (5, 6)),
    "attention": (Attention, (5, 16)),
}


@cache
def built(net, *stages, plan=None):
    """Return a net, pruned by stages (structure, sparsity, layers left alone), as generated for a board."""
    model, shape = NETS[net]
    data = data_for(*shape)
    first = [
        Stage(share, scope="layer", structure=word, layers=dict.fromkeys(alone, 0.0), fine_tune=UNTRAINED)
        for word, share, *alone in stages
    ]
    recipe = PruneRecipe(0.0, first=tuple(first), fine_tune=UNTRAINED)
    pruned = prune(seeded(model), data, recipe, progress=False)
    quantised = quantise(pruned, data, QuantiseRecipe(weight_bits=7, fine_tune=None), progress=False)
    options = Options() if plan is None else Options(plan=lambda *_: plan)
    return pruned, generated(quantised, PYNQ, data.test_arrays()[0], options)


CASES = {
    "weights": [("mlp", ("weights", 0.5)), ("gru", ("weights", 0.5))],
    "N:M": [("mlp", ("2:4", None)), ("cnn", ("1:4", None)), ("lstm", ("2:4", None))],
    "block RxC": [("mlp", ("block 2x2", 0.5)), ("cnn", ("block 3x2", 0.5)), ("attention", ("block 1x4", 0.5))],
    "lanes L": [("mlp", ("lanes 8", 0.5))],
    "lanes BxG": [("mlp", ("lanes 4x3", 0.5))],
    "kernels": [("cnn", ("kernels", 0.5))],
    "filters": [("cnn", ("filters", 0.5))],
    "neurons": [("mlp", ("neurons", 0.5))],
    "columns": [("mlp", ("columns", 0.5)), ("cnn", ("columns", 0.5))],
    "channels": [("mlp", ("channels", 0.5)), ("cnn", ("channels", 0.5)), ("residual", ("channels", 0.5))],
    "heads": [("attention", ("heads", 0.5))],
    "hidden": [("lstm", ("hidden", 0.5)), ("gru", ("hidden", 0.5))],
}


@pytest.mark.parametrize(
    ("net", "stage"), [pytest.param(*case, id=f"{case[0]}, {case[1][0]}") for cases in CASES.values() for case in cases]
)
def test_the_estimate_falls(net, stage):
    _, dense = built(net)
    pruned, sparse = built(net, stage)
    was, now = dense.resources, sparse.resources
    assert pruned.sparsity > 0.2
    assert now.total("nonzeros") < 0.75 * was.total("nonzeros")
    for amount in ("lut", "ff", "dsp"):
        assert now.total(amount) < 0.85 * was.total(amount)


def test_every_structure_is_built():
    assert set(CASES) == set(STRUCTURES)


def test_structures_one_after_the_other_pay_each_time():
    stages = [("channels", 0.25), ("kernels", 0.5), ("2:4", None), ("weights", 0.9)]
    steps = [built("residual", *stages[:count])[1].resources for count in range(len(stages) + 1)]
    for amount in ("nonzeros", "lut"):
        totals = [step.total(amount) for step in steps]
        assert totals == sorted(totals, reverse=True)
        assert totals[-1] < 0.3 * totals[0]


@pytest.mark.parametrize(
    ("net", "last"),
    [("mlp", "2"), ("cnn", "5"), ("residual", "out"), ("lstm", "out"), ("gru", "out"), ("attention", "out")],
)
def test_lanes_of_registers_are_full_in_the_design(net, last):
    assert_lanes_are_full(*built(net, ("lanes 4", 0.5, last), plan=Folded(4)), last)


@pytest.mark.parametrize(("banks", "groups"), [(4, 3), (2, 2)])
@pytest.mark.parametrize(("net", "last"), [("mlp", "2"), ("cnn", "5")])
def test_lanes_of_memories_are_full_in_the_design(net, last, banks, groups):
    plan = Folded(banks * groups, Access.MEMORIES, banks)
    assert_lanes_are_full(*built(net, (f"lanes {banks}x{groups}", 0.5, last), plan=plan), last)


def assert_lanes_are_full(pruned, made, last):
    """See that each matrix takes its non-zeros over the lanes in slots, so that none is spare.

    The last layer is left alone, so that it reads all: rows that nothing reads would leave the design.
    """
    kernels = [kernel for kernel in made.lowered.every_kernel if isinstance(kernel, MatVecKernel)]
    own = [kernel for kernel in kernels if kernel.layer != last and not kernel.layer.startswith(_WITHOUT_WEIGHTS)]
    kept = sum(pruned.masks.nonzeros(name) for name in pruned.masks if name != f"{last}.weight")
    assert sum(kernel.weights.nonzeros for kernel in own) == kept > 0
    for kernel in own:
        found = program(kernel.weights, kernel.plan)
        assert found.lanes == kernel.plan.lanes
        assert found.slots * found.lanes == kernel.weights.nonzeros


_WITHOUT_WEIGHTS = ("attention.attention", "mean")  # matrices of ones and of scales

"""The stages as functions of values, for scripts and notebooks; the command line runs the same.

Example::

    pruned = prune(model, data, PruneRecipe(sparsity=0.9))
    quantised = quantise(pruned, data, QuantiseRecipe())
    project = generate(quantised, load_board("pynq-z2"), samples)
    folder = ProjectFolder.load(project.write(Path("net")))
    verdict = csim(folder)
    resources = estimate(folder)
    for each in (folder, sparser):
        open_synth(each)  # Yosys; or vendor_synth(each, Maker.VIVADO)
    comparison = compare([folder, sparser], Kind.OPEN_SYNTHESIS)
    taken = energy(folder)

``prune`` with ``budget=Budget(board="pynq-z2", lut=0.5)`` does the first three at once, so that the design fits.
``generate`` multiplies by each weight unless its ``Options`` have another ``plan``; the command line chooses
strategies that fit the board, as ``Options(plan=FitRequest())`` does.
"""

from __future__ import annotations

from fpgaprune.board import Board
from fpgaprune.board import load as load_board
from fpgaprune.budgeted import Budgeted, Build, prune
from fpgaprune.emit import Project
from fpgaprune.energy import energy
from fpgaprune.evaluate import evaluate
from fpgaprune.fit import Aim, Budget, Fitted, Goal, InfeasibleError, fit, planner
from fpgaprune.flow import FitRequest, Options, generate
from fpgaprune.heads import Head
from fpgaprune.lower import lower
from fpgaprune.prune import Data, PrunedModel, PruneRecipe, TrainSettings, from_pquant, from_torch_prune, train
from fpgaprune.quantise import QuantisedModel, QuantiseRecipe, quantise
from fpgaprune.recipe import Recipe
from fpgaprune.report import Comparison, Comparisons, compare, compare_boards, design_table, write_report
from fpgaprune.resources import Kind, Resources
from fpgaprune.resources import estimate as _estimate
from fpgaprune.schedule import Interface, Strategy
from fpgaprune.sim import ProjectFolder, Verdict, csim, store_verdict
from fpgaprune.vendor import Maker, import_report
from fpgaprune.vendor import resources as measured
from fpgaprune.vendor import synth as vendor_synth
from fpgaprune.yosys import synth as open_synth

__all__ = [
    "Aim",
    "Board",
    "Budget",
    "Budgeted",
    "Build",
    "Comparison",
    "Comparisons",
    "Data",
    "FitRequest",
    "Fitted",
    "Goal",
    "Head",
    "InfeasibleError",
    "Interface",
    "Kind",
    "Maker",
    "Options",
    "Project",
    "ProjectFolder",
    "PruneRecipe",
    "PrunedModel",
    "QuantiseRecipe",
    "QuantisedModel",
    "Recipe",
    "Resources",
    "Strategy",
    "TrainSettings",
    "Verdict",
    "compare",
    "compare_boards",
    "csim",
    "design_table",
    "energy",
    "estimate",
    "evaluate",
    "fit",
    "from_pquant",
    "from_torch_prune",
    "generate",
    "import_report",
    "load_board",
    "measured",
    "open_synth",
    "planner",
    "prune",
    "quantise",
    "store_verdict",
    "train",
    "vendor_synth",
    "write_report",
]


def estimate(folder: ProjectFolder) -> Resources:
    """Return the estimated resources and timing of a generated project."""
    return _estimate(lower(folder.design))

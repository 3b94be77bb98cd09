"""Pruning of PyTorch models: criteria, exact selection, schedules, masked training, storage."""

from __future__ import annotations

from fpgaprune.explained import Event, EventKind, Histogram, Histograms, History, PruneReport, Record, SensitivityCurves
from fpgaprune.prune.api import check_stages, prune
from fpgaprune.prune.criteria import CRITERIA, Context, Criterion, LoopWarning
from fpgaprune.prune.data import Batch, Data
from fpgaprune.prune.dead import DeadBias, dead_biases, dead_outputs
from fpgaprune.prune.explain import SENSITIVITY_LEVELS, histograms, sensitivity_curves
from fpgaprune.prune.fixed_point import FixedPoint
from fpgaprune.prune.imports import build_data, build_model, import_object
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.objectives import Loss, Metric, TrainStep, default_loss, default_metric, evaluate_metric
from fpgaprune.prune.pruned import PrunedModel
from fpgaprune.prune.recipe import PruneRecipe
from fpgaprune.prune.schedule import Schedule
from fpgaprune.prune.select import Scope, select
from fpgaprune.prune.settings import Distribution, Optimiser, Rate, RigL, TrainSettings
from fpgaprune.prune.shrinkage import Shrinkage
from fpgaprune.prune.split import split_validation
from fpgaprune.prune.stage import Stage
from fpgaprune.prune.store import load, save
from fpgaprune.prune.structures import STRUCTURES, GroupScore, Structure, structure_of
from fpgaprune.prune.torch_masks import from_pquant, from_torch_prune
from fpgaprune.prune.training import AfterStep, DivergedError, Hooks, StepRecord, TrainingWarning, train
from fpgaprune.prune.weights import load_weights, with_weights

__all__ = [
    "CRITERIA",
    "SENSITIVITY_LEVELS",
    "STRUCTURES",
    "AfterStep",
    "Batch",
    "Context",
    "Criterion",
    "Data",
    "DeadBias",
    "Distribution",
    "DivergedError",
    "Event",
    "EventKind",
    "FixedPoint",
    "GroupScore",
    "Histogram",
    "Histograms",
    "History",
    "Hooks",
    "LoopWarning",
    "Loss",
    "Masks",
    "Metric",
    "Optimiser",
    "PruneRecipe",
    "PruneReport",
    "PrunedModel",
    "Rate",
    "Record",
    "RigL",
    "Schedule",
    "Scope",
    "SensitivityCurves",
    "Shrinkage",
    "Stage",
    "StepRecord",
    "Structure",
    "TrainSettings",
    "TrainStep",
    "TrainingWarning",
    "build_data",
    "build_model",
    "check_stages",
    "dead_biases",
    "dead_outputs",
    "default_loss",
    "default_metric",
    "evaluate_metric",
    "from_pquant",
    "from_torch_prune",
    "histograms",
    "import_object",
    "load",
    "load_weights",
    "prunable",
    "prune",
    "save",
    "select",
    "sensitivity_curves",
    "split_validation",
    "structure_of",
    "train",
    "with_weights",
]

"""The stages put together: from a quantised model to the project of a design."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaprune.emit import Project, Vectors, emit
from fpgaprune.errors import InputError
from fpgaprune.fit import Budget, Fitted, Goal, Progress, fit, planner, silent
from fpgaprune.heads import Head
from fpgaprune.lower import lower
from fpgaprune.quantise.head import with_head
from fpgaprune.quantise.layers import QuantisedConv, QuantisedLinear
from fpgaprune.resources import Resources, estimate
from fpgaprune.schedule import Interface, Planner, multiply, schedule
from fpgaprune.several import OneOrMore, as_tuple, mapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from fpgaprune.board import Board
    from fpgaprune.frontend.convert import Converted
    from fpgaprune.ir import Graph
    from fpgaprune.lower import Lowered
    from fpgaprune.quantise import QuantisedModel
    from fpgaprune.quantise.layers import QuantisedLayer
    from fpgaprune.schedule import Design, Strategy

    FloatArray = npt.NDArray[np.float64]

STORED_SAMPLES = 64
"""Samples whose vectors a project stores, unless more are asked for."""

PICTURE_ROWS, PICTURE_COLUMNS = 64, 128
"""The finest grid of a mask picture; larger matrices are averaged."""


@dataclass(frozen=True)
class FitRequest:
    """That strategy, lanes and reuse of each matrix are chosen together for a goal within a budget."""

    goal: Goal = field(default_factory=Goal)
    budget: Budget = field(default_factory=Budget)
    progress: Progress = field(default=silent, compare=False)


@dataclass(frozen=True)
class Options:
    """How a design is built; a clock of None is the board's.

    ``plan`` plans each matrix by itself, by default with a multiplication for each weight, or asks for all to be chosen
    together: `FitRequest`, the default of the command line.
    """

    name: str = "net"
    clock_ns: float | None = None
    interface: Interface = Interface.PARALLEL
    plan: Planner | FitRequest = multiply
    stored_samples: int = STORED_SAMPLES
    baseline: bool = False
    head: Head = Head.LOGITS


def plan_of(
    strategy: Strategy | None,
    board: Board,
    *,
    clock_ns: float | None = None,
    reuse: int | None = None,
    lanes: int | None = None,
    progress: Progress = silent,
) -> Planner | FitRequest:
    """Return how matrices are planned: all by one strategy, or, with None, each as fits the board best.

    Raises:
        InputError: ``reuse`` or ``lanes`` without folded matrices, neither or both with them, or not positive.
    """
    if strategy is not None:
        return planner(strategy, board=board, clock_ns=clock_ns, reuse=reuse, lanes=lanes)
    if reuse is not None or lanes is not None:
        msg = "--reuse and --lanes are for folded matrices; add --strategy folded, or leave them out"
        raise InputError(msg)
    return FitRequest(progress=progress)


@dataclass(frozen=True, eq=False)
class Generated:
    """A project, the kernels that it was made of, how they were chosen where they were, and what `describe` says."""

    project: Project
    lowered: Lowered
    fitted: Fitted | None
    point: Mapping[str, Any]

    @property
    def resources(self) -> Resources:
        """The estimate of what the design takes."""
        return self.fitted.resources if self.fitted else estimate(self.lowered)


def generate(
    quantised: QuantisedModel,
    board: Board,
    samples: OneOrMore[FloatArray],
    options: Options | None = None,
    *,
    label: str = "",
) -> Project:
    """Return the project of a quantised model for a board, checked on real inputs (samples, *shape).

    Samples of several inputs are a tuple. The first of them become the stored vectors. ``label`` names the design in
    comparisons.

    Raises:
        MismatchError: graph and model disagree on a sample; nothing comes out then.
        UnsupportedError: a layer without an exact counterpart.
        InputError: samples that do not fit, options that the board cannot take, or no design within the budget.
    """
    return generated(quantised, board, samples, options, label=label).project


def generated(
    quantised: QuantisedModel,
    board: Board,
    samples: OneOrMore[FloatArray],
    options: Options | None = None,
    *,
    label: str = "",
) -> Generated:
    """Return what `generate` returns, with what it was made of."""
    from fpgaprune.frontend.convert import convert  # hls4ml takes long to load

    options = options or Options()
    quantised = with_head(quantised, options.head)
    clock_ns = board.clock_ns if options.clock_ns is None else options.clock_ns
    converted = convert(quantised, board.part, clock_ns, samples)
    planned = _planned(converted.graph, board, clock_ns, options)
    design, fitted = (planned.design, planned) if isinstance(planned, Fitted) else (planned, None)
    first = mapped(lambda values: values[: max(options.stored_samples, 1)], samples)
    stored = Vectors.of(converted.graph, *as_tuple(quantised.quantise_input(first)))
    point = describe(quantised, label or options.name)
    extras = {"point": point} | ({"fit": told(fitted)} if fitted else {})
    lowered = lower(design)
    project = emit(lowered, stored, extras=extras, explained=quantised.report.explained)
    return Generated(_with_baseline(project, converted) if options.baseline else project, lowered, fitted, point)


def _planned(graph: Graph, board: Board, clock_ns: float, options: Options) -> Design | Fitted:
    common: dict[str, Any] = {"name": options.name, "clock_ns": clock_ns, "interface": options.interface}
    match options.plan:
        case FitRequest(goal, budget, progress):
            return fit(graph, board, goal=goal, budget=budget, progress=progress, **common)
        case plan:
            return schedule(graph, board, planner=plan, **common)


def told(fitted: Fitted) -> dict[str, Any]:
    """Return what was asked of a design that was chosen, as JSON values, and whether it is proven to be the best."""
    return {
        "goal": {**asdict(fitted.goal), "aim": fitted.goal.aim.value},
        "budget": asdict(fitted.budget),
        "proven": fitted.proven,
    }


def describe(quantised: QuantisedModel, label: str) -> dict[str, Any]:
    """Return what comparisons and reports say of a network, as JSON values: accuracies, sparsity, mask pictures."""
    report = quantised.report
    seeds = {
        "prune": report.pruning.seed if report.pruning else None,
        "quantise": quantised.recipe.seed if quantised.recipe else None,
    }
    return {
        "label": label,
        "seeds": {stage: seed for stage, seed in seeds.items() if seed is not None},
        "float_accuracy": report.metric_before,
        "accuracy": report.metric_after,
        "layers": [
            {
                "layer": layer.layer,
                "kind": _kind(quantised.by_name[layer.layer]),
                "weights": layer.weights,
                "nonzeros_pruned": layer.nonzeros_before,
                "nonzeros_quantised": layer.nonzeros_after,
                "picture": _picture(quantised, layer.layer),
            }
            for layer in report.sparsity
        ],
    }


def _kind(layer: QuantisedLayer) -> str:
    """Return what a layer with weights is, for tables: its name alone may be a number."""
    if isinstance(layer, QuantisedLinear):
        rows, columns = layer.weight.shape
        return f"Linear {columns} to {rows}"
    if isinstance(layer, QuantisedConv):
        rows, columns, *kernel = layer.weight.shape
        return f"Conv{len(kernel)}d {columns * layer.groups} to {rows}, kernel {'x'.join(map(str, kernel))}"
    return "scale"


def _picture(quantised: QuantisedModel, name: str) -> list[list[float]]:
    """Return the share of non-zeros in each cell of a grid over the layer's weight matrix."""
    layer = quantised.by_name[name]
    weights = np.asarray(getattr(layer, "weight", getattr(layer, "scale", None)))
    filled = (weights.reshape(len(weights), -1) != 0).astype(np.float64)
    rows = np.array_split(filled, min(PICTURE_ROWS, filled.shape[0]), axis=0)
    cells = [np.array_split(row, min(PICTURE_COLUMNS, filled.shape[1]), axis=1) for row in rows]
    return [[round(float(cell.mean()), 3) for cell in row] for row in cells]


def _with_baseline(project: Project, converted: Converted) -> Project:
    """Return the project with the stock hls4ml project of the same network under ``baseline/``."""
    from fpgaprune.frontend.baseline import write_baseline  # as above

    with tempfile.TemporaryDirectory(prefix="fpgaprune-") as scratch:
        folder = Path(scratch) / "baseline"
        write_baseline(converted.model_graph, folder)
        files = {
            f"baseline/{path.relative_to(folder).as_posix()}": path.read_text("utf-8").replace(str(folder), "baseline")
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    return Project({**project.files, **files})

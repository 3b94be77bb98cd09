"""The stages put together: from a quantised model to the project of a design."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaprune.emit import Project, Vectors, emit
from fpgaprune.frontend.baseline import write_baseline
from fpgaprune.frontend.convert import Converted, convert
from fpgaprune.heads import Head
from fpgaprune.lower import lower
from fpgaprune.quantise.head import with_head
from fpgaprune.schedule import Interface, Strategy, schedule
from fpgaprune.several import OneOrMore, as_tuple, mapped

if TYPE_CHECKING:
    import numpy.typing as npt

    from fpgaprune.board import Board
    from fpgaprune.quantise import QuantisedModel

    FloatArray = npt.NDArray[np.float64]

STORED_SAMPLES = 64
"""Samples whose vectors a project stores, unless more are asked for."""

PICTURE_ROWS, PICTURE_COLUMNS = 64, 128
"""The finest grid of a mask picture; larger matrices are averaged."""


@dataclass(frozen=True)
class Options:
    """How a design is built; a clock of None is the board's."""

    name: str = "net"
    clock_ns: float | None = None
    interface: Interface = Interface.PARALLEL
    strategy: Strategy = Strategy.MULTIPLY
    stored_samples: int = STORED_SAMPLES
    baseline: bool = False
    head: Head = Head.LOGITS


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
        InputError: samples that do not fit, or options that the board cannot take.
    """
    options = options or Options()
    quantised = with_head(quantised, options.head)
    clock_ns = board.clock_ns if options.clock_ns is None else options.clock_ns
    converted = convert(quantised, board.part, clock_ns, samples)
    design = schedule(
        converted.graph,
        board,
        name=options.name,
        clock_ns=clock_ns,
        interface=options.interface,
        strategy=options.strategy,
    )
    first = mapped(lambda values: values[: max(options.stored_samples, 1)], samples)
    stored = Vectors.of(converted.graph, *as_tuple(quantised.quantise_input(first)))
    project = emit(lower(design), stored, extras={"point": describe(quantised, label or options.name)})
    return _with_baseline(project, converted) if options.baseline else project


def describe(quantised: QuantisedModel, label: str) -> dict[str, Any]:
    """Return what comparisons and reports say of a network, as JSON values: accuracies, sparsity, mask pictures."""
    report = quantised.report
    return {
        "label": label,
        "float_accuracy": report.metric_before,
        "accuracy": report.metric_after,
        "layers": [
            {
                "layer": layer.layer,
                "weights": layer.weights,
                "nonzeros_pruned": layer.nonzeros_before,
                "nonzeros_quantised": layer.nonzeros_after,
                "picture": _picture(quantised, layer.layer),
            }
            for layer in report.sparsity
        ],
    }


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
    with tempfile.TemporaryDirectory(prefix="fpgaprune-") as scratch:
        folder = Path(scratch) / "baseline"
        write_baseline(converted.model_graph, folder)
        files = {
            f"baseline/{path.relative_to(folder).as_posix()}": path.read_text("utf-8").replace(str(folder), "baseline")
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    return Project({**project.files, **files})

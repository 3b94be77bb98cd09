"""hls4ml's backend ``fpgaprune``: the ModelGraphs of its own frontends, written as fpgaprune projects.

hls4ml loads this module while it is imported itself, by the entry point ``hls4ml.backends``, so whatever of fpgaprune
imports hls4ml or torch is imported only where it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hls4ml.backends import VitisBackend, get_backend

from fpgaprune import board as boards
from fpgaprune.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fpgaprune.capture.records import FloatArray
    from fpgaprune.emit import Project
    from fpgaprune.ir import Graph, MatVec, Tensor
    from fpgaprune.schedule import Plan, Planner

BACKEND = "fpgaprune"


def register(register_backend: Callable[..., None], register_writer: Callable[..., None]) -> None:  # noqa: ARG001  # hls4ml gives both
    """Register the backend with hls4ml."""
    register_backend(BACKEND, FpgapruneBackend)


class FpgapruneBackend(VitisBackend):  # type: ignore[misc]  # hls4ml has no types
    """Vitis' passes over the ModelGraph, and fpgaprune's project in place of Vitis' own."""

    def __init__(self) -> None:
        self.__dict__ |= vars(get_backend("Vitis"))  # its passes are registered once, under its own name
        self.name = BACKEND

    def create_initial_config(
        self,
        board: str | None = None,
        clock_period: float | None = None,
        io_type: str | None = None,
        **others: object,
    ) -> dict[str, Any]:
        """Return the configuration for a board; the clock, in ns, defaults to the board's.

        Raises:
            InputError: no such board, or the part of another one.
        """
        if board is None:
            msg = f"the backend {BACKEND!r} needs board=, one of {', '.join(boards.names())}"
            raise InputError(msg)
        chosen = boards.load(board)
        part = others.pop("part", None) or chosen.part
        if part != chosen.part:
            msg = f"part must be left out, or be {chosen.part!r} as on the board {board!r}, not {part!r}"
            raise InputError(msg)
        clock_ns = clock_period or chosen.clock_ns
        config = super().create_initial_config(part=part, clock_period=clock_ns, io_type=io_type, **others)
        return {**config, "Board": board}

    def write(self, model: Any) -> None:  # noqa: ANN401  # hls4ml has no types
        """Write the project into the model's ``OutputDir``; a project that is there already is replaced.

        Raises:
            InputError: the folder holds anything else, or the network is too large for the interface.
            UnsupportedError: a layer or a type that has no exact counterpart.
        """
        from fpgaprune.emit.project import NAME  # as the module says

        folder = Path(model.config.get_output_dir())
        project(model).write(folder, force=(folder / NAME).is_file())

    def predict(self, model: Any, x: FloatArray | list[FloatArray]) -> FloatArray | list[FloatArray]:  # noqa: ANN401  # as above
        """Return each output (samples, elements) for real inputs: what the project computes, without compiling it."""
        from fpgaprune.evaluate import evaluate
        from fpgaprune.fixed import from_float, to_float
        from fpgaprune.frontend.snapshot import snapshot

        graph: Graph = snapshot(model)
        given = x if isinstance(x, list) else [x]
        mantissas = [
            from_float(values.reshape(len(values), *op.output.shape), op.output.format)
            for values, op in zip(given, graph.inputs, strict=True)
        ]
        outputs = [
            to_float(values.reshape(len(values), -1), graph.tensors[name].format.fraction)
            for name, values in zip(graph.outputs, evaluate(graph, *mantissas), strict=True)
        ]
        return outputs[0] if len(outputs) == 1 else outputs

    def compile(self, model: Any) -> str:  # noqa: ANN401  # as above
        """Refuse: there is nothing to load into Python."""
        csim = f"fpgaprune csim {model.config.get_output_dir()}"
        msg = f"predict needs no compile() with the backend {BACKEND!r}; simulate the project with: {csim}"
        raise UnsupportedError(msg)

    def build(self, model: Any, **options: object) -> dict[str, Any]:  # noqa: ANN401, ARG002  # as above
        """Refuse: synthesis is run from the project."""
        folder = model.config.get_output_dir()
        msg = f"build() is not supported by the backend {BACKEND!r}; run the scripts that the README of {folder} names"
        raise UnsupportedError(msg)


def project(model: Any) -> Project:  # noqa: ANN401  # as above
    """Return the project of a ModelGraph that has this backend."""
    from fpgaprune.emit import emit
    from fpgaprune.frontend.snapshot import snapshot
    from fpgaprune.lower import lower
    from fpgaprune.schedule import Interface, schedule

    config = model.config
    stream = config.get_config_value("IOType") == "io_stream"
    board, clock_ns = boards.load(config.get_config_value("Board")), float(config.get_config_value("ClockPeriod"))
    design = schedule(
        snapshot(model),
        board,
        name=config.get_project_name(),
        clock_ns=clock_ns,
        interface=Interface.STREAM if stream else Interface.PARALLEL,
        planner=_planner(model, board, clock_ns),
    )
    return emit(lower(design))


def _planner(model: Any, board: boards.Board, clock_ns: float) -> Planner:  # noqa: ANN401  # as above
    """Return what hls4ml's configuration asks for, layer by layer: any ReuseFactor, and the strategy ``adders``.

    At reuse 1 any other strategy multiplies; above it lanes work through the non-zeros.
    """
    from fpgaprune.fit import planner
    from fpgaprune.schedule import Strategy

    def plan(op: MatVec, source: Tensor) -> Plan:
        reuse, strategy = _asked_for(model, op.layer)
        if reuse > 1:
            chosen = planner(Strategy.FOLDED, board=board, clock_ns=clock_ns, reuse=reuse)
        else:
            shared = strategy == Strategy.ADDERS.value
            chosen = planner(Strategy.ADDERS if shared else Strategy.MULTIPLY, board=board)
        return chosen(op, source)

    return plan


def _asked_for(model: Any, layer: str) -> tuple[int, str]:  # noqa: ANN401  # as above
    """Return ReuseFactor and Strategy of a layer, or those of the model for a layer that we made."""
    config, node = model.config, model.graph.get(layer)
    if node is None:
        return int(config.model_rf), str(config.model_strategy).lower()
    return int(config.get_reuse_factor(node)), str(config.get_strategy(node)).lower()

"""What stock hls4ml would cost for the densest network of a comparison: the baseline that its designs are set against.

Its numbers are estimates of what csynth reports of stock code, and apart from them of what Vivado's synthesis leaves;
they have kinds of their own and are never in a column with those of designs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fpgaprune.errors import InputError, UnsupportedError
from fpgaprune.ir import Input, MatVec, Maximum, Requantise, Reshape, Window
from fpgaprune.lower import lower
from fpgaprune.report import wording
from fpgaprune.resources import Kind
from fpgaprune.resources.stock import Strategy, estimate_stock, from_data, stock_layers
from fpgaprune.schedule import Interface

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fpgaprune.ir import Graph, Op
    from fpgaprune.report.comparison import Point
    from fpgaprune.resources import Resources
    from fpgaprune.resources.stock import Range, StockEstimate
    from fpgaprune.schedule import Design

AMOUNTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.CSYNTH: ("lut", "ff", "dsp", "bram_18k", "latency_cycles", "interval_cycles"),
    Kind.POST_SYNTHESIS: ("lut", "ff", "dsp", "bram_18k"),
}
"""What is estimated of each target; a report of synthesis says no cycles."""


@dataclass(frozen=True)
class Baseline:
    """The stock design of the network of the point ``label``; ``estimated`` is None where it was refused.

    ``left_out`` has what the estimate does not count, a sentence for each; ``assumed`` what it had to assume.
    """

    label: str
    is_dense: bool
    strategy: Strategy
    reuse: int
    estimated: StockEstimate | None
    left_out: tuple[str, ...] = ()
    refused: str = ""

    def amounts(self, target: Kind) -> dict[str, Range]:
        """Return the estimates of one of the targets in `AMOUNTS`; none where it was refused."""
        if self.estimated is None:
            return {}
        found = vars(self.estimated) if target is Kind.CSYNTH else self.estimated.post_synthesis
        return {name: found[name] for name in AMOUNTS[target]}

    @property
    def title(self) -> str:
        """What the numbers are of, in a line."""
        what = "the dense network" if self.is_dense else "the network"
        how = f"strategy {self.strategy.value}, reuse {self.reuse}"
        return f"stock hls4ml for {what} of {wording.plain(self.label)}, {how}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is not in the numbers, or why there are none, as sentences."""
        if self.refused:
            return (f"There is no stock baseline: {self.refused}.",)
        assumed = self.estimated.assumed if self.estimated else ()
        return (*self.left_out, *(f"The stock estimate assumes: {each}." for each in assumed))


def baseline(design: Design, point: Point) -> Baseline:
    """Return what stock hls4ml would cost for a design's network at its pace.

    Designs of interval 1 are set against strategy latency at reuse 1; where matrices are folded, against strategy
    resource with the interval of the slowest matrix as its reuse factor.
    """
    reuse = lower(design).interval
    strategy = Strategy.LATENCY if reuse == 1 else Strategy.RESOURCE
    stream = design.interface is Interface.STREAM
    try:
        data = stock_layers(design.graph, strategy, reuse, design.clock_ns, design.board.part, stream=stream)
        estimated = estimate_stock(from_data(data))
    except (UnsupportedError, InputError) as error:
        return Baseline(point.label, point.is_dense, strategy, reuse, None, refused=str(error))
    return Baseline(point.label, point.is_dense, strategy, reuse, estimated, tuple(_left_out(design.graph)))


def _left_out(graph: Graph) -> Iterator[str]:
    """Yield a sentence for each op that the stock estimate passes over or counts for less than it is."""
    for op in graph.ops:
        lack = _lack(graph, op)
        if lack:
            yield f"The stock estimate {lack}: {wording.plain(op.output.name)} ({type(op).__name__})."


def _lack(graph: Graph, op: Op) -> str:
    match op:
        case Input() | Requantise() | Window() | Reshape():
            return ""
        case MatVec() if op.output.positions and not isinstance(_source(graph, op.input), Window):
            return "counts a matrix at several positions as one at a single position"
        case Maximum() if not isinstance(_source(graph, op.input), Window):
            return "does not know, and leaves out"
        case MatVec() | Maximum():
            return ""
        case _:
            return "does not know, and leaves out"


def _source(graph: Graph, name: str) -> Op:
    """Return the op that makes a tensor, through reshapes, which cost nothing."""
    op = graph.producers[name]
    return _source(graph, op.input) if isinstance(op, Reshape) else op


def amount_of(resources: Resources, name: str) -> int:
    """Return the count of a design that is set against one of `AMOUNTS`."""
    return int(getattr(resources, name)) if name.endswith("_cycles") else resources.total(name)


def ratio_to(found: Range, resources: Resources, name: str) -> float | None:
    """Return the count of a design as a multiple of the stock design's, None where that is 0."""
    return amount_of(resources, name) / found.value if found.value else None


def to_data(stock: Baseline, points: tuple[Point, ...]) -> dict[str, Any]:
    """Return a baseline as JSON values, with the multiple of it that each design takes."""
    return {
        "label": stock.label,
        "strategy": stock.strategy.value,
        "reuse_factor": stock.reuse,
        "refused": stock.refused or None,
        "left_out": list(stock.left_out),
        "assumed": list(stock.estimated.assumed) if stock.estimated else [],
        "targets": [_target_to_data(stock, target, points) for target in AMOUNTS if stock.amounts(target)],
    }


def _target_to_data(stock: Baseline, target: Kind, points: tuple[Point, ...]) -> dict[str, Any]:
    amounts = stock.amounts(target)
    return {
        "kind": target.value,
        "source": "estimate",
        "amounts": {name: asdict(each) for name, each in amounts.items()},
        "ratios": [
            {"label": point.label}
            | {name: rounded(ratio_to(each, point.resources, name)) for name, each in amounts.items()}
            for point in points
        ],
    }


def rounded(ratio: float | None) -> float | None:
    """Return a ratio with the digits that JSON keeps."""
    return None if ratio is None else round(ratio, 6)

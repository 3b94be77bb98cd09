"""From ops to kernels: a requantisation joins the op whose result it alone reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import assert_never

from fpgaprune.fixed import Overflow, Rounding, add, clip, requantise, rescale
from fpgaprune.intervals import Interval, analyse
from fpgaprune.ir import Add, Constant, Gather, Graph, Input, MatVec, Op, Requantise, Reshape
from fpgaprune.lower.kernels import (
    LIMITING,
    ConstantKernel,
    ElementKernel,
    Finish,
    Kernel,
    Lowered,
    MatVecKernel,
    Output,
    Port,
    WireKernel,
    constant_half,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fpgaprune.schedule import Design


def lower(design: Design) -> Lowered:
    """Return the kernels of a design; what each computes is what `evaluate` computes for its tensor."""
    graph = design.graph
    lowering = _Lowering(design, analyse(graph))
    kernels = [kernel for op in graph.ops for kernel in lowering.kernels(op)]
    return Lowered(
        design,
        tuple(lowering.port(op.output.name) for op in graph.inputs),
        tuple(kernels),
        tuple(Output(name, lowering.port(name)) for name in graph.outputs),
    )


class _Lowering:
    def __init__(self, design: Design, intervals: Mapping[str, Interval]) -> None:
        self._design = design
        self._graph: Graph = design.graph
        self._intervals = intervals

    def port(self, name: str) -> Port:
        """A reshape is the same words, so its port is that of its source."""
        op = self._graph.producers[name]
        if isinstance(op, Reshape):
            return self.port(op.input)
        return Port(name, op.output.size, op.output.format)

    def kernels(self, op: Op) -> tuple[Kernel, ...]:
        match op:
            case Input() | Reshape():
                return ()
            case Constant():
                return (ConstantKernel(op.output.name, self.port(op.output.name), op.values.reshape(-1)),)
            case Gather():
                name = op.output.name
                return (WireKernel(name, self.port(op.input), self.port(name), op.index, op.shift),)
            case MatVec():
                return (self._matvec(op),)
            case Add():
                return (self._add(op),)
            case Requantise():
                return () if self._joins(op) else (self._requantise(op),)
            case _:
                assert_never(op)

    def _joins(self, op: Requantise) -> bool:
        source = self._graph.producers[op.input]
        return isinstance(source, (MatVec, Add)) and self._graph.only_consumer(op.input) is op

    def _follower(self, op: MatVec | Add) -> Requantise | None:
        reader = self._graph.only_consumer(op.output.name)
        return reader if isinstance(reader, Requantise) else None

    def _matvec(self, op: MatVec) -> MatVecKernel | ConstantKernel:
        if not op.weights.nonzeros:
            return self._constant_rows(op)
        strategy = self._design.strategies[op.output.name]
        sums = self._intervals[op.output.name]
        follower = self._follower(op)
        result = (follower or op).output.name
        finish, half = None, 0
        if follower is not None:
            finish, half = self._finish(follower, sums, merge=True)
        return MatVecKernel(
            result,
            op.layer,
            strategy,
            self.port(op.input),
            self.port(result),
            op.weights,
            add(op.bias, np.array(half)),
            Interval(add(sums.low, np.array(half)), add(sums.high, np.array(half))),
            finish,
        )

    def _constant_rows(self, op: MatVec) -> ConstantKernel:
        """A matrix without weights is its bias, finished."""
        follower = self._follower(op)
        if follower is None:
            return ConstantKernel(op.output.name, self.port(op.output.name), op.bias)
        limited = clip(op.bias, follower.low, follower.high)
        values = requantise(limited, op.output.format.fraction, follower.output.format)
        return ConstantKernel(follower.output.name, self.port(follower.output.name), values)

    def _add(self, op: Add) -> ElementKernel:
        follower = self._follower(op)
        shifts = tuple(op.output.format.fraction - self._graph.tensors[name].format.fraction for name in op.inputs)
        return self._elementwise(op.inputs, shifts, self._intervals[op.output.name], op.output.name, follower)

    def _requantise(self, op: Requantise) -> ElementKernel:
        return self._elementwise((op.input,), (0,), self._intervals[op.input], op.output.name, op)

    def _elementwise(
        self, sources: tuple[str, ...], shifts: tuple[int, ...], sums: Interval, name: str, then: Requantise | None
    ) -> ElementKernel:
        result = name if then is None else then.output.name
        flat = Interval(sums.low.reshape(-1), sums.high.reshape(-1))
        finish = None if then is None else self._finish(then, flat, merge=False)[0]
        ports = tuple(self.port(source) for source in sources)
        return ElementKernel(result, ports, shifts, self.port(result), flat, finish)

    def _finish(self, op: Requantise, sums: Interval, *, merge: bool) -> tuple[Finish, int]:
        """Return the finish, and the constant that ``merge`` moves out of it into the sum before."""
        to = op.output.format
        shift = self._graph.tensors[op.input].format.fraction - to.fraction
        rounding = to.rounding if shift > 0 else Rounding.TRN
        rounded = Interval(rescale(sums.low, shift, rounding), rescale(sums.high, shift, rounding))
        low, high = (_rescaled(end, shift, rounding) for end in (op.low, op.high))
        if to.overflow in LIMITING:
            low, high = _tighter(low, high, to.low, to.high)
        half = constant_half(rounding, shift) if merge and shift > 0 else None
        if half is not None:
            rounding = Rounding.TRN
        zero_outside = to.overflow is Overflow.SAT_ZERO and _overflows(rounded, low, high, op)
        return Finish(shift, rounding, rounded, low, high, zero_outside, to), half or 0


def _rescaled(end: int | None, shift: int, rounding: Rounding) -> int | None:
    """Return a clip's end in the steps of the result: rounding is monotone, so clipping may follow it."""
    return None if end is None else int(rescale(np.array(end, dtype=object), shift, rounding))


def _tighter(low: int | None, high: int | None, lowest: int, highest: int) -> tuple[int, int]:
    """Return the limits that do what a clip to ``low``…``high`` and then one to ``lowest``…``highest`` do."""
    low = lowest if low is None else min(max(low, lowest), highest)
    high = highest if high is None else min(max(high, lowest), highest)
    return low, high


def _overflows(rounded: Interval, low: int | None, high: int | None, op: Requantise) -> bool:
    to = op.output.format
    inside = (clip(rounded.low, low, high) >= to.low) & (clip(rounded.high, low, high) <= to.high)
    return not bool(inside.all())

"""Random graphs for property tests, drawn from a seed so that one number repeats a failure."""

from __future__ import annotations

import numpy as np

from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import analyse
from fpgaprune.ir import Add, Gather, Graph, Input, MatVec, Requantise, Reshape, Tensor
from fpgaprune.sparse import SparseMatrix

WIDE = 400


def random_format(rng, *, most=9):
    signed = bool(rng.integers(2))
    width = int(rng.integers(1, most))
    return Fixed(
        signed, width, int(rng.integers(-2, width + 3)), rng.choice(list(Rounding)), rng.choice(list(Overflow))
    )


class GraphBuilder:
    """Grows a graph op by op, keeping exact tensors in formats sized by interval analysis."""

    def __init__(self, rng, size, fmt):
        self.rng = rng
        self.ops = [Input(Tensor("x", (size,), fmt))]

    @property
    def last(self):
        return self.ops[-1].output

    def name(self, kind):
        return f"{kind}{len(self.ops)}"

    def append(self, op):
        """Append the op with its output narrowed to its interval where it is exact."""
        if isinstance(op, (MatVec, Add, Gather)):
            interval = analyse(Graph((*self.ops, op), (op.output.name,)))[op.output.name]
            fmt = op.output.format.with_range(*interval.bounds)
            op = type(op)(**{**vars_of(op), "output": Tensor(op.output.name, op.output.shape, fmt)})
        self.ops.append(op)

    def matvec(self, rows=None, density=None, bits=None):
        rng, source = self.rng, self.last
        rows = int(rng.integers(1, 9)) if rows is None else rows
        bits = int(rng.integers(1, 9)) if bits is None else bits
        weights = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (rows, source.size), endpoint=True)
        weights[rng.random(weights.shape) < (rng.random() if density is None else 1 - density)] = 0
        if rows > 2 and rng.integers(3) == 0:
            weights[0] = weights[1] * int(rng.choice([1, 2]))
        weights[rng.random(rows) < 0.15] = 0
        weights[:, rng.random(source.size) < 0.15] = 0
        bias = rng.integers(-40, 40, rows) * int(rng.integers(2))
        if rows > 2 and (weights[0] == weights[1]).all():
            bias[0] = bias[1]
        fmt = Fixed(True, bits + 2, int(rng.integers(0, 6)))
        out = Tensor(self.name("dense"), (rows,), Fixed(True, WIDE, source.format.fraction + fmt.fraction))
        self.append(MatVec(out, source.name, SparseMatrix.from_dense(weights), fmt, bias))

    def diagonal(self):
        rng, source = self.rng, self.last
        weights = np.diag(rng.choice([-4, -1, 0, 1, 2, 3, 8], source.size))
        fmt = Fixed(True, 6, int(rng.integers(0, 3)))
        out = Tensor(self.name("scale"), source.shape, Fixed(True, WIDE, source.format.fraction + fmt.fraction))
        bias = rng.integers(-9, 9, source.size)
        self.append(MatVec(out, source.name, SparseMatrix.from_dense(weights), fmt, bias))

    def requantise(self):
        rng, source = self.rng, self.last
        fmt = random_format(rng)
        low = 0 if rng.integers(2) else None
        high = int(rng.integers(1, 60)) if rng.integers(4) == 0 else None
        self.append(Requantise(Tensor(self.name("act"), source.shape, fmt), source.name, low, high))

    def residual(self):
        rng, source = self.rng, self.last
        mates = [op.output for op in self.ops if op.output.shape == source.shape]
        other = mates[int(rng.integers(len(mates)))]
        fraction = max(source.format.fraction, other.format.fraction)
        out = Tensor(self.name("add"), source.shape, Fixed(True, WIDE, fraction))
        self.append(Add(out, source.name, other.name))

    def wires(self):
        rng, source = self.rng, self.last
        count = int(rng.integers(1, 10))
        out = Tensor(self.name("wires"), (count,), Fixed(True, WIDE, source.format.fraction))
        index, shift = rng.integers(0, source.size, count), rng.integers(0, 3, count)
        self.append(Gather(out, source.name, index, shift))

    def reshape(self):
        source = self.last
        out = Tensor(self.name("view"), (1, source.size), source.format)
        self.append(Reshape(out, source.name))
        back = Tensor(self.name("flat"), source.shape, source.format)
        self.append(Reshape(back, out.name))

    def graph(self):
        outputs = [self.last.name]
        if self.rng.integers(4) == 0 and len(self.ops) > 2:
            outputs.append(self.ops[-2].output.name)
        return Graph(tuple(self.ops), tuple(outputs))


def vars_of(op):
    return {name: getattr(op, name) for name in op.__dataclass_fields__}


def random_graph(seed, *, length=6):
    """Return a random graph: matrices, scales, requantisations, residuals, wires, reshapes."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder(rng, int(rng.integers(1, 9)), random_format(rng))
    steps = [builder.matvec, builder.matvec, builder.requantise, builder.requantise, builder.residual]
    steps += [builder.diagonal, builder.wires, builder.reshape]
    for _ in range(length):
        rng.choice(steps)()
        if builder.last.format.width > 40:
            builder.requantise()
    return builder.graph()


def random_inputs(graph, samples, seed=0):
    """Return random mantissas for each input, the ends of the range among them."""
    rng = np.random.default_rng(seed)
    result = []
    for op in graph.inputs:
        fmt = op.output.format
        values = rng.integers(fmt.low, fmt.high, (samples, *op.output.shape), endpoint=True)
        values[0], values[-1] = fmt.low, fmt.high
        result.append(values)
    return tuple(result)

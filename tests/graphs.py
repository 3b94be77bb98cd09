"""Random graphs for property tests, drawn from a seed so that one number repeats a failure."""

from __future__ import annotations

import math

import numpy as np

from fpgaprune.errors import GraphError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import analyse
from fpgaprune.ir import (
    Add,
    ArgMax,
    Concat,
    Constant,
    Gather,
    Graph,
    Input,
    MatMul,
    MatVec,
    Maximum,
    Multiply,
    Requantise,
    Reshape,
    Scan,
    Table,
    Tensor,
    Window,
)
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows

EXACT = (MatVec, Add, Gather, Multiply, MatMul, Window, Maximum, ArgMax, Concat)
WIDE = 400


def random_format(rng, *, most=9):
    signed = bool(rng.integers(2))
    width = int(rng.integers(1, most))
    return Fixed(
        signed, width, int(rng.integers(-2, width + 3)), rng.choice(list(Rounding)), rng.choice(list(Overflow))
    )


class GraphBuilder:
    """Grows a graph op by op, keeping exact tensors in formats sized by interval analysis."""

    def __init__(self, rng, shape, fmt, prefix=""):
        self.rng = rng
        self.prefix = prefix
        self.ops = [Input(Tensor(f"{prefix}x", shape, fmt))]

    @property
    def last(self):
        return self.ops[-1].output

    def name(self, kind):
        return f"{self.prefix}{kind}{len(self.ops)}"

    def append(self, op):
        """Append the op with its output narrowed to its interval where it is exact."""
        if isinstance(op, EXACT):
            interval = analyse(Graph((*self.ops, op), (op.output.name,)))[op.output.name]
            fmt = op.output.format.with_range(*interval.bounds)
            op = type(op)(**{**vars_of(op), "output": Tensor(op.output.name, op.output.shape, fmt)})
        self.ops.append(op)

    def matvec(self, rows=None, density=None, bits=None):
        rng, source = self.rng, self.last
        rows = int(rng.integers(1, 9)) if rows is None else rows
        bits = int(rng.integers(1, 9)) if bits is None else bits
        weights = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (rows, source.channels), endpoint=True)
        weights[rng.random(weights.shape) < (rng.random() if density is None else 1 - density)] = 0
        if rows > 2 and rng.integers(3) == 0:
            weights[0] = weights[1] * int(rng.choice([1, 2]))
        weights[rng.random(rows) < 0.15] = 0
        weights[:, rng.random(source.channels) < 0.15] = 0
        bias = rng.integers(-40, 40, rows) * int(rng.integers(2))
        if rows > 2 and (weights[0] == weights[1]).all():
            bias[0] = bias[1]
        fmt = Fixed(True, bits + 2, int(rng.integers(0, 6)))
        shape = (*source.positions, rows)
        out = Tensor(self.name("dense"), shape, Fixed(True, WIDE, source.format.fraction + fmt.fraction))
        self.append(MatVec(out, source.name, SparseMatrix.from_dense(weights), fmt, bias))

    def diagonal(self):
        rng, source = self.rng, self.last
        weights = np.diag(rng.choice([-4, -1, 0, 1, 2, 3, 8], source.channels))
        fmt = Fixed(True, 6, int(rng.integers(0, 3)))
        out = Tensor(self.name("scale"), source.shape, Fixed(True, WIDE, source.format.fraction + fmt.fraction))
        bias = rng.integers(-9, 9, source.channels)
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
    builder = GraphBuilder(rng, (int(rng.integers(1, 9)),), random_format(rng))
    steps = [builder.matvec, builder.matvec, builder.requantise, builder.requantise, builder.residual]
    steps += [builder.diagonal, builder.wires, builder.reshape]
    for _ in range(length):
        rng.choice(steps)()
        if builder.last.format.width > 40:
            builder.requantise()
    return builder.graph()


class NetworkBuilder(GraphBuilder):
    """Grows a graph of every op over small images, sequences and vectors."""

    MOST = 160
    """Elements of a tensor beyond which the next op makes fewer of them."""

    def __init__(self, rng, shape, fmt, prefix="", depth=0):
        super().__init__(rng, shape, fmt, prefix)
        self.depth = depth

    def pick(self, items):
        return items[int(self.rng.integers(len(items)))]

    def exact(self, kind, shape, fraction):
        return Tensor(self.name(kind), shape, Fixed(True, WIDE, fraction))

    def mates(self, fits):
        """The tensors so far, the last one among them, of which ``fits`` holds."""
        return [op.output for op in self.ops if fits(op.output)]

    def fewer_bits(self, most=40):
        if self.last.format.width > most:
            self.requantise()

    def conv(self):
        self.window()
        self.fewer_bits()
        self.matvec(rows=int(self.rng.integers(1, 5)))

    def dense(self):
        self.matvec(rows=int(self.rng.integers(1, 5)))

    def sum(self):
        rng, source = self.rng, self.last
        other = self.pick(self.mates(lambda each: each.shape == source.shape))
        pair = [source, other] if rng.integers(2) else [other, source]
        fraction = max(each.format.fraction for each in pair)
        out = self.exact("sum", source.shape, fraction)
        self.append(Add(out, *(each.name for each in pair), subtract=bool(rng.integers(2))))

    def product(self):
        self.fewer_bits(16)
        source = self.last
        other = self.pick(self.mates(lambda each: each.shape == source.shape and each.format.width < 40))
        out = self.exact("product", source.shape, source.format.fraction + other.format.fraction)
        self.append(Multiply(out, source.name, other.name))

    def matmul(self):
        self.fewer_bits(16)
        source = self.last
        if len(source.shape) < 2:
            return

        def fits(each):
            same = each.shape[:-2] == source.shape[:-2] and each.channels == source.channels
            return same and len(each.shape) == len(source.shape) and each.format.width < 40

        other = self.pick(self.mates(fits))
        shape = (*source.positions, other.shape[-2])
        if math.prod(shape) > 1024:
            return  # a parallel design holds 4096 elements of a tensor
        out = self.exact("matmul", shape, source.format.fraction + other.format.fraction)
        self.append(MatMul(out, source.name, other.name))

    def table(self):
        rng = self.rng
        low, high = analyse(Graph(tuple(self.ops), (self.last.name,)))[self.last.name].bounds
        if high - low > 300:
            self.requantise()
            low, high = self.last.format.low, self.last.format.high
        fmt, low = random_format(rng), low - int(rng.integers(0, 4))
        values = rng.integers(fmt.low, fmt.high, high - low + int(rng.integers(1, 4)), endpoint=True)
        if rng.integers(3) == 0:
            values.sort()
        self.append(Table(Tensor(self.name("table"), self.last.shape, fmt), self.last.name, values, low))

    def windows(self, shape):
        """Random windows that fit, of at most nine taps."""
        rng = self.rng
        for _ in range(20):
            axes = [tuple(int(rng.integers(low, high)) for _ in shape) for low, high in ((1, 4), (1, 3), (1, 3))]
            before, after = (tuple(int(entry) for entry in rng.integers(-1, 3, len(shape))) for _ in range(2))
            try:
                windows = Windows(*axes, before, after)
                if max(windows.positions(shape)) <= 6 and windows.taps <= 9:
                    return windows
            except GraphError:
                pass
        return Windows.plain((1,) * len(shape))

    def window(self, *, whole=False):
        rng, source = self.rng, self.last
        if not 1 <= len(source.positions) <= 2 or not source.size:
            return
        windows = self.windows(source.positions)
        count, kept = windows.taps * source.channels, None
        if rng.integers(2) and not whole:
            kept = np.flatnonzero(rng.random(count) < rng.random() + 0.2)
            kept = kept if kept.size else np.array([int(rng.integers(count))])
        fill = int(rng.integers(source.format.low, source.format.high, endpoint=True)) if source.format.in_int64 else 0
        fill = fill if rng.integers(2) else 0
        shape = (*windows.positions(source.positions), count if kept is None else kept.size)
        self.append(Window(self.exact("window", shape, source.format.fraction), source.name, windows, fill, kept))

    def pool(self):
        channels = self.last.channels
        if self.last.positions:
            self.window(whole=True)
            out = self.exact("pool", (*self.last.positions, channels), self.last.format.fraction)
            self.append(Maximum(out, self.last.name))

    def mean(self):
        """One window over everything, and a matrix that treats its taps alike."""
        rng, source = self.rng, self.last
        if not 1 <= len(source.positions) <= 2 or not source.size:
            return
        windows = Windows.plain(source.positions)
        shape = (*(1,) * len(source.positions), source.size)
        self.append(Window(self.exact("all", shape, source.format.fraction), source.name, windows))
        weights = np.tile(rng.integers(-3, 12, (int(rng.integers(1, 4)), source.channels)), windows.taps)
        fmt = Fixed(True, 6, int(rng.integers(0, 6)))
        out = self.exact("mean", (*self.last.positions, len(weights)), source.format.fraction + fmt.fraction)
        bias = rng.integers(-9, 9, len(weights))
        self.append(MatVec(out, self.last.name, SparseMatrix.from_dense(weights), fmt, bias))

    def maximum(self):
        source = self.last
        groups = self.pick([count for count in range(1, source.channels + 1) if source.channels % count == 0])
        out = self.exact("max", (*source.positions, groups), source.format.fraction)
        self.append(Maximum(out, source.name))

    def argmax(self):
        self.append(ArgMax(self.exact("argmax", (*self.last.positions, 1), 0), self.last.name))

    def shape(self, size):
        """A random shape of so many elements."""
        first = self.pick([part for part in range(1, size + 1) if size % part == 0])
        second = self.pick([part for part in range(1, size // first + 1) if size // first % part == 0])
        return self.pick([(size,), (first, size // first), (first, second, size // first // second)])

    def reshape(self):
        source = self.last
        self.append(Reshape(Tensor(self.name("view"), self.shape(source.size), source.format), source.name))

    def flat(self):
        source = self.last
        self.append(Reshape(Tensor(self.name("flat"), (source.size,), source.format), source.name))

    def join(self):
        source = self.last
        fits = self.mates(lambda each: each.shape and each.positions == source.positions)
        parts = [source, *(self.pick(fits) for _ in range(int(self.rng.integers(0, 3))))]
        self.rng.shuffle(parts)
        shape = (*source.positions, sum(part.channels for part in parts))
        out = self.exact("join", shape, max(part.format.fraction for part in parts))
        self.append(Concat(out, tuple(part.name for part in parts)))

    def wires(self):
        rng, source = self.rng, self.last
        kind, shift = int(rng.integers(4)), None
        positions = source.size // source.channels
        if kind == 0:  # anything
            shape = self.shape(int(rng.integers(1, 40)))
            index = rng.integers(0, source.size, int(np.prod(shape)))
        elif kind == 1:  # the axes in another order, perhaps with some of them reversed
            order = rng.permutation(len(source.shape))
            moved = np.arange(source.size).reshape(source.shape).transpose(order)
            shape, index = moved.shape, (moved[::-1] if rng.integers(2) else moved).reshape(-1)
        elif kind == 2:  # the same at every position
            count = int(rng.integers(1, 5))
            shape = (*source.positions, count)
            wires = rng.integers(0, source.channels, count)
            index = (np.arange(positions)[:, np.newaxis] * source.channels + wires).reshape(-1)
            shift = np.tile(rng.integers(0, 3, count), positions)
        else:  # every element several times, or as it is
            repeats = int(rng.integers(1, 3))
            shape, index = (*source.shape, repeats), np.repeat(np.arange(source.size), repeats)
        if shift is None:
            shift = rng.integers(0, 3, len(index)) * int(rng.integers(3) == 0)
        self.append(Gather(self.exact("wires", shape, source.format.fraction), source.name, index, shift))

    def constant(self):
        """A constant that then meets the last tensor."""
        rng, source = self.rng, self.last
        fmt = random_format(rng)
        values = rng.integers(fmt.low, fmt.high, source.shape, endpoint=True) * int(rng.integers(4) > 0)
        self.ops.append(Constant(Tensor(self.name("constant"), source.shape, fmt), values))
        fraction = max(source.format.fraction, fmt.fraction)
        pair = [source.name, self.last.name][:: self.pick([1, -1])]
        self.append(Add(self.exact("sum", source.shape, fraction), *pair, subtract=bool(rng.integers(2))))

    def scan(self):
        rng, source = self.rng, self.last
        if not source.shape or self.depth > 1:
            return
        name = self.name("scan")
        body = NetworkBuilder(rng, source.shape[1:], source.format, f"{name}_", self.depth + 1)
        step, shapes = body.last, [self.pick([(2,), (3,), (4,), (2, 2), ()]) for _ in range(int(rng.integers(1, 4)))]
        states = []
        for number, shape in enumerate(shapes):
            states.append(Tensor(f"{name}_s{number}", shape, random_format(rng)))
            body.ops.append(Input(states[-1]))
        body.loop_start(step, states)
        body.grow(int(rng.integers(0, 4)))
        news = body.loop_end(step, states)
        initial = tuple(
            rng.integers(state.format.low, state.format.high, state.shape, endpoint=True) * int(rng.integers(2))
            for state in states
        )
        result = int(rng.integers(len(states)))
        out = Tensor(name, (source.shape[0], *states[result].shape), states[result].format)
        inner = Graph(tuple(body.ops), tuple(news))
        self.append(Scan(out, source.name, inner, tuple(map(np.asarray, initial)), result, bool(rng.integers(2))))

    def loop_start(self, step, states):
        """Join the step and some of the states into one vector."""
        rng, parts = self.rng, []
        for tensor in (step, *states):
            if rng.integers(5) or (tensor is states[-1] and not parts):
                flat = Tensor(self.name("flat"), (tensor.size,), tensor.format)
                self.ops.append(Reshape(flat, tensor.name))
                parts.append(flat)
        out = self.exact("join", (sum(part.size for part in parts),), max(part.format.fraction for part in parts))
        self.append(Concat(out, tuple(part.name for part in parts)))

    def loop_end(self, step, states):
        """Return the names of the new states: computed, handed on as they are, or an old state that moves on."""
        rng, made, news = self.rng, self.last, []
        for state in states:
            old = [
                each.name
                for each in (step, *states)
                if each.shape == state.shape and each.format == state.format and each.name not in news
            ]
            if old and rng.integers(4) == 0:
                news.append(self.pick(old))
                continue
            self.ops.append(Reshape(Tensor(self.name("flat"), (made.size,), made.format), made.name))
            self.matvec(rows=state.size)
            flat = Tensor(self.name("new"), self.last.shape, state.format)
            self.ops.append(Requantise(flat, self.last.name))
            if rng.integers(3) == 0:
                self.mix(state)
            self.ops.append(Reshape(Tensor(self.name("state"), state.shape, state.format), self.last.name))
            news.append(self.last.name)
        return news

    def mix(self, state):
        """Add the old state to the new one: an accumulator."""
        new = self.last
        flat = Tensor(self.name("old"), new.shape, state.format)
        self.ops.append(Reshape(flat, state.name))
        self.append(Add(self.exact("sum", new.shape, state.format.fraction), new.name, flat.name))
        self.ops.append(Requantise(Tensor(self.name("new"), new.shape, state.format), self.last.name))

    def grow(self, length):
        steps = [self.conv, self.conv, self.dense, self.dense, self.requantise, self.requantise, self.diagonal]
        steps += [self.sum, self.product, self.matmul, self.table, self.window, self.pool, self.maximum, self.argmax]
        steps += [
            self.mean,
            self.reshape,
            self.flat,
            self.join,
            self.wires,
            self.wires,
            self.constant,
            self.scan,
            self.scan,
        ]
        for _ in range(length):
            if not self.last.shape:
                self.flat()
            if self.last.size > self.MOST:
                self.pick([self.dense, self.maximum])()
            self.pick(steps)()
            self.fewer_bits()

    def graph(self):
        names = [op.output.name for op in self.ops]
        outputs = [names[-1]]
        if self.rng.integers(2):
            outputs.append(self.pick(names))
        return Graph(tuple(self.ops), tuple(dict.fromkeys(outputs)))


def random_network_graph(seed, *, length=6):
    """Return a random graph over an image or a sequence, of every op."""
    rng = np.random.default_rng(seed)
    axes = [int(rng.integers(1, 7)) for _ in range(int(rng.integers(1, 3)))]
    builder = NetworkBuilder(rng, (*axes, int(rng.integers(1, 5))), random_format(rng))
    builder.grow(length)
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

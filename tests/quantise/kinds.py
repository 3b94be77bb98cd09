"""Random networks of every kind of layer, drawn from a seed so that one number repeats a failure."""

from __future__ import annotations

import numpy as np

from fpgaprune.capture import Network
from fpgaprune.capture.records import (
    Add,
    Affine,
    ArgMax,
    Clip,
    Concat,
    ConstantLayer,
    Conv,
    Function,
    FunctionKind,
    Gather,
    InputLayer,
    Linear,
    MatMul,
    Maximum,
    MaxPool,
    Multiply,
    Reshape,
    Scan,
)
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.model import QuantisedModel
from fpgaprune.windows import Windows
from tests.quantise.nets import CLIPS, random_plan, random_weights

KINDS = (
    "fc", "conv", "affine", "clip", "function", "add", "multiply", "matmul", "constant", "maxpool", "maximum", "argmax",
    "reshape", "gather", "concat", "scan",
)  # fmt: skip
PARAMETERS = {FunctionKind.ELU: 0.75, FunctionKind.SOFTPLUS: 2.0, FunctionKind.RSQRT: 1e-3}


class Maker:
    """Grows a network of images and sequences, layer by layer."""

    def __init__(self, rng):
        self.rng = rng
        shape = tuple(int(size) for size in rng.integers(2, 5, size=rng.integers(1, 4)))
        axes = tuple(int(axis) for axis in rng.permutation(len(shape))) if rng.integers(2) else ()
        self.layers = [InputLayer("x", shape, axes)]

    @property
    def last(self):
        return self.layers[-1]

    def put(self, kind, *values, **more):
        """Append a layer, which gets a name of its own; return that."""
        self.layers.append(kind(f"{kind.__name__.lower()}.{len(self.layers)}", *values, **more))
        return self.last.name

    def like(self):
        """The name of any layer of the last one's shape."""
        same = [layer.name for layer in self.layers if layer.shape == self.last.shape]
        return str(self.rng.choice(same))

    def windows(self):
        rng, positions = self.rng, self.last.shape[:-1]
        while True:
            kernel, stride, dilation = (tuple(int(n) for n in rng.integers(1, 3, len(positions))) for _ in range(3))
            before, after = (tuple(int(n) for n in rng.integers(-1, 2, len(positions))) for _ in range(2))
            fits = [
                n + b + a > d * (k - 1)
                for n, b, a, d, k in zip(positions, before, after, dilation, kernel, strict=True)
            ]
            if all(fits):
                return Windows(kernel, stride, dilation, before, after)

    def fc(self):
        shape = (int(self.rng.integers(1, 5)), self.last.shape[-1])
        trainable = bool(self.rng.integers(2))
        weight, bias = random_weights(self.rng, shape), random_weights(self.rng, shape[:1])
        self.put(Linear, self.last.name, weight, bias, positions=self.last.shape[:-1], trainable=trainable)

    def conv(self):
        if len(self.last.shape) not in (2, 3):
            self.reshape()
        rng, windows, channels = self.rng, self.windows(), self.last.shape[-1]
        groups = int(rng.choice([n for n in range(1, channels + 1) if channels % n == 0]))
        weight = random_weights(rng, (groups * int(rng.integers(1, 3)), channels // groups, *windows.kernel))
        positions = windows.positions(self.last.shape[:-1])
        self.put(Conv, self.last.name, weight, random_weights(rng, (len(weight),)), windows, groups, positions)

    def affine(self):
        size = self.last.shape[-1]
        scale = random_weights(self.rng, (size,)) * 2.0 ** self.rng.integers(-6, 6)
        self.put(Affine, self.last.name, scale, self.rng.normal(size=size), positions=self.last.shape[:-1])

    def clip(self):
        self.put(Clip, self.last.name, self.last.shape, *CLIPS[self.rng.integers(len(CLIPS))])

    def function(self):
        kind = self.rng.choice(list(FunctionKind))
        index = self.put(Clip, self.last.name, self.last.shape, None, None)
        self.put(Function, index, self.last.shape, kind, PARAMETERS.get(kind, 0.0))

    def add(self):
        self.put(Add, self.last.name, self.like(), self.last.shape, subtract=bool(self.rng.integers(2)))

    def multiply(self):
        self.put(Multiply, self.last.name, self.like(), self.last.shape)

    def matmul(self):
        if len(self.last.shape) < 2:
            self.reshape()
        *batch, rows, _ = self.last.shape
        self.put(MatMul, self.last.name, self.like(), (*batch, rows, rows))

    def constant(self):
        source, shape = self.last.name, self.last.shape
        constant = self.put(ConstantLayer, self.rng.normal(size=shape) * 2.0 ** self.rng.integers(-4, 4))
        self.put(Add, source, constant, shape)

    def maxpool(self):
        if len(self.last.shape) not in (2, 3):
            self.reshape()
        while True:
            windows = self.windows()
            if min(windows.before + windows.after) <= 0 and (windows.index(self.last.shape[:-1]) >= 0).any(1).all():
                break
        shape = (*windows.positions(self.last.shape[:-1]), self.last.shape[-1])
        self.put(MaxPool, self.last.name, windows, shape)

    def maximum(self):
        self.put(Maximum, self.last.name, (*self.last.shape[:-1], 1))

    def argmax(self):
        self.put(ArgMax, self.last.name, (*self.last.shape[:-1], 1))

    def reshape(self):
        size = int(np.prod(self.last.shape))
        first = int(self.rng.choice([n for n in range(1, size + 1) if size % n == 0]))
        self.put(Reshape, self.last.name, (first, size // first))

    def gather(self):
        size = int(np.prod(self.last.shape))
        shape = tuple(int(n) for n in self.rng.integers(1, 4, size=self.rng.integers(1, 4)))
        self.put(Gather, self.last.name, shape, self.rng.integers(0, size, size=int(np.prod(shape))))

    def concat(self):
        like = [layer for layer in self.layers if layer.shape[:-1] == self.last.shape[:-1]]
        parts = [self.last, *(like[i] for i in self.rng.integers(0, len(like), size=self.rng.integers(0, 3)))]
        shape = (*self.last.shape[:-1], sum(part.shape[-1] for part in parts))
        self.put(Concat, tuple(part.name for part in parts), shape)

    def scan(self):
        """A loop with two states, one of which comes back mirrored."""
        if len(self.last.shape) != 2:
            self.reshape()
        rng, (steps, size), units = self.rng, self.last.shape, int(self.rng.integers(1, 4))
        name = f"scan.{len(self.layers)}"
        kind = FunctionKind.TANH if rng.integers(2) else FunctionKind.SIGMOID
        body = (
            InputLayer(f"{name}/x", (size,)),
            InputLayer(f"{name}/h", (units,)),
            InputLayer(f"{name}/c", (units,)),
            Linear(f"{name}/ih", f"{name}/x", random_weights(rng, (units, size)), rng.normal(size=units)),
            Linear(f"{name}/hh", f"{name}/h", random_weights(rng, (units, units)), np.zeros(units)),
            Add(f"{name}/sum", f"{name}/ih", f"{name}/hh", (units,)),
            Clip(f"{name}/index", f"{name}/sum", (units,), None, None),
            Function(f"{name}/f", f"{name}/index", (units,), kind),
            Multiply(f"{name}/new c", f"{name}/f", f"{name}/c", (units,)),
            Add(f"{name}/new h", f"{name}/f", f"{name}/c", (units,), subtract=True),
            Clip(f"{name}/relu", f"{name}/new h", (units,), 0.0, None),
            Gather(f"{name}/mirror", f"{name}/relu", (units,), np.arange(units)[::-1]),
        )
        states, news = (f"{name}/h", f"{name}/c"), (f"{name}/mirror", f"{name}/new c")
        initial = (rng.normal(size=units), rng.normal(size=units))
        more = (int(rng.integers(2)), bool(rng.integers(2)))
        self.layers.append(Scan(name, self.last.name, (steps, units), body, states, news, initial, *more))


def random_network(rng, kinds=KINDS):
    """Up to nine layers, the last of which is the output."""
    maker = Maker(rng)
    for kind in rng.choice(kinds, size=rng.integers(1, 10)):
        getattr(maker, str(kind))()
    return Network(tuple(maker.layers), (maker.last.name,))


def random_inputs(rng, model, samples=12):
    """Real inputs in the user's order of axes, some beyond the range of the input's format."""
    layer = model.input
    axes = layer.axes or tuple(range(len(layer.shape)))
    values = rng.normal(size=(samples, *layer.shape)) * layer.format.step * 2.0 ** rng.integers(0, 9)
    return values.transpose(0, *(axes.index(axis) + 1 for axis in range(len(axes))))


def random_model_of_every_kind(seed):
    """A quantised model and inputs for it."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    plan = random_plan(rng, network)
    quantised = QuantisedModel(freeze(network, plan), network.outputs)
    return quantised, random_inputs(rng, quantised)

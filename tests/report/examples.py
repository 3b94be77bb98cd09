"""Comparisons built by hand: five sparsity levels of a small network on digits, and points that lack something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpgaprune import board
from fpgaprune.energy import KeptEnergy
from fpgaprune.report import Comparison, Comparisons, LayerPoint, Point
from fpgaprune.report.inputs import InputReads
from fpgaprune.resources import Kind, LayerResources, Resources
from fpgaprune.sim import Mismatch, Verdict
from tests.explained.examples import EXPLAINED

PYNQ, KV260 = board.load("pynq-z2"), board.load("kv260")
SHAPES = ((64, 784), (32, 64), (10, 32))

# What `estimate` says of random 784-64-32-10 networks with weights of 5 and activations of 8 bits:
# sparsity in %, accuracies, interval and latency, then for each layer non-zeros, LUT, FF, DSP and cycles.
LEVELS = (
    (0, 0.9794, 0.9785, 12, (50176, 767907, 372191, 2796, 5), (2048, 34017, 15649, 166, 4), (320, 5613, 2496, 41, 3)),
    (50, 0.9797, 0.9788, 10, (24953, 409647, 185392, 2054, 4), (1019, 17825, 7883, 104, 3), (171, 2976, 1478, 25, 3)),
    (75, 0.9776, 0.9761, 9, (12456, 215546, 93138, 1302, 4), (487, 8968, 4052, 60, 3), (84, 1520, 713, 15, 2)),
    (90, 0.9713, 0.9688, 9, (4472, 80713, 34261, 541, 4), (137, 2680, 1403, 17, 3), (34, 642, 396, 2, 2)),
    (95, 0.9569, 0.9532, 8, (1516, 27967, 11645, 204, 3), (55, 1077, 718, 9, 3), (18, 343, 250, 0, 2)),
)

EXACT = Verdict("src/kernels, g++ -O1", 1000, 10000, 0, None, (), 12.5, 0.75)
WRONG = Verdict("src/kernels, g++ -O1", 1000, 10000, 3, Mismatch("fc2", 7, 41, -12, 5), ("src/top.cpp",), 12.5, 0.75)


def layer_resources(name, numbers, **changes):
    nonzeros, lut, ff, dsp, cycles = numbers
    cost = LayerResources(f"{name}_out", name, "multiply", nonzeros, lut, dsp, lut, ff, dsp, 0, 0, cycles)
    return replace(cost, **changes)


def picture(shape, density, seed, cells=28):
    """Return a grid of shares of non-zeros of a random mask, denser in the middle as the weights of images are."""
    rng = np.random.default_rng(seed)
    middle = np.exp(-(np.linspace(-1.6, 1.6, shape[1]) ** 2))
    mask = rng.random(shape) < (1.0 if density >= 1 else np.clip(density * middle / middle.mean(), 0, 1))
    blocks = [np.array_split(np.arange(size), min(size, cells)) for size in shape]
    return tuple(tuple(float(mask[np.ix_(rows, columns)].mean()) for columns in blocks[1]) for rows in blocks[0])


def layer_point(name, numbers, seed=0, shape=(8, 8), **changes):
    nonzeros, weights = numbers[0], shape[0] * shape[1]
    grid = picture(shape, nonzeros / weights, seed)
    return replace(
        LayerPoint(name, weights, nonzeros, nonzeros, nonzeros, grid, layer_resources(name, numbers)), **changes
    )


def point_of(level, names=("fc1", "fc2", "fc3"), verdict=EXACT):
    percent, float_accuracy, accuracy, latency, *numbers = level
    parts = zip(names, numbers, SHAPES, strict=True)
    layers = tuple(layer_point(name, each, percent, shape) for name, each, shape in parts)
    resources = Resources(Kind.ESTIMATE, 10.0, 1, latency, tuple(layer.resources for layer in layers))
    folder = f"out/digits/sparsity-{percent}"
    return Point(f"{percent} %", folder, float_accuracy, accuracy, resources, PYNQ, verdict, layers)


def example_comparison():
    """Return five sparsity levels x three layers of a 784-64-32-10 network on a PYNQ-Z2."""
    return Comparison(tuple(point_of(level, verdict=EXACT if level[0] else None) for level in LEVELS))


def explained_comparison():
    """Return a dense design of which nothing is recorded, and pruned ones that say why, with their inputs."""
    dense, middle, sparse = (point_of(level) for level in LEVELS[2:])
    told = (middle, sparse)
    counts = tuple(at % 3 for at in range(784))
    reads = (
        InputReads("x", (784,), counts),
        InputReads("y", (4, 5, 2), (0, 1) * 20),
        InputReads("z", (3, 2), (1,) * 6),
    )
    return Comparison((dense, *(replace(each, explained=EXPLAINED, inputs=reads) for each in told)))


def several_boards():
    """Return three levels on a PYNQ-Z2, and two of them on a KV260 at its own clock."""
    small = tuple(point_of(level) for level in LEVELS[2:])
    large = tuple(
        replace(each, board=KV260, folder=f"{each.folder}-kv260", resources=replace(each.resources, clock_ns=5.0))
        for each in small[1:]
    )
    return Comparisons((Comparison(small), Comparison(large)))


def with_energies(comparison=None, first=8000.0):
    """Return designs that each take half of what the one before takes; of the last two it is not known."""
    points = (comparison or example_comparison()).points
    known = [replace(each, energy=KeptEnergy(first / 2**at, "counted")) for at, each in enumerate(points[:-2])]
    return Comparison((*known, *points[-2:]))


def seeded(place, seeds=(0, 1)):
    """Return designs on a board that are called as a sweep over levels, boards and seeds calls them."""
    return Comparison(
        tuple(
            replace(
                point,
                label=f"sparsity {level[0] / 100:g}, board {place.name}, seed {seed}",
                folder=f"out/{place.name}/{level[0]}-{seed}",
                board=place,
                accuracy=point.accuracy - 0.002 * seed,
            )
            for level in LEVELS[1:]
            for point in (point_of(level),)
            for seed in seeds
        )
    )


def with_layers(point, layers):
    """Return a point that has the given layers, its resources made of theirs."""
    costs = tuple(layer.resources for layer in layers if layer.resources is not None)
    return replace(point, layers=tuple(layers), resources=replace(point.resources, layers=costs))


def named(names):
    """Return the example with foreign names of layers, designs and folders."""
    points = [point_of(level, names) for level in LEVELS]
    return Comparison(
        tuple(replace(each, label=f"{names[0]} {each.label}", folder=f"/tmp/{names[0]}") for each in points)  # noqa: S108  # a text
    )


def not_paying():
    """Return dense and pruned where the second layer costs more than before with fewer non-zeros."""
    dense, pruned = point_of(LEVELS[0]), point_of(LEVELS[2])
    dearer = replace(pruned.layers[1], resources=replace(pruned.layers[1].resources, lut=40000))
    return Comparison((dense, with_layers(pruned, (pruned.layers[0], dearer, pruned.layers[2]))))


def dearer_dsp():
    """Return dense and pruned where LUTs fall but the first layer needs more DSPs."""
    dense, middle, pruned = (point_of(level) for level in LEVELS[:3])
    more = [
        replace(each.layers[0], resources=replace(each.layers[0].resources, dsp=dsp))
        for each, dsp in ((middle, 3100), (pruned, 2900))
    ]
    return Comparison(
        (
            dense,
            *(with_layers(each, (first, *each.layers[1:])) for each, first in zip((middle, pruned), more, strict=True)),
        )
    )


def without_accuracy():
    return Comparison(tuple(replace(point_of(level), accuracy=None, float_accuracy=None) for level in LEVELS))


def without_lut():
    """Return designs of which one costs nothing in its last layer and one nothing at all."""
    dense, middle, sparse = (point_of(level) for level in LEVELS[2:])
    nothing = (0, 0, 0, 0, 0)
    free = [layer_point(layer.layer, nothing, shape=shape) for layer, shape in zip(sparse.layers, SHAPES, strict=True)]
    last = layer_point("fc3", nothing, shape=SHAPES[2], picture=())
    return Comparison((dense, with_layers(middle, (*middle.layers[:2], last)), with_layers(sparse, free)))


def missing_layer():
    """Return designs of which one lacks a layer and another has a layer that was not built."""
    dense, middle, sparse = (point_of(level) for level in LEVELS[2:])
    gone = replace(sparse.layers[1], nonzeros_built=0, resources=None)
    return Comparison(
        (dense, with_layers(middle, middle.layers[:2]), with_layers(sparse, (sparse.layers[0], gone, sparse.layers[2])))
    )


def no_layers():
    point = with_layers(point_of(LEVELS[0]), ())
    return Comparison((point,))


def one_point():
    return Comparison((point_of(LEVELS[3]),))


EDGES = {
    "one point": one_point,
    "no accuracy": without_accuracy,
    "no LUT": without_lut,
    "a layer is missing": missing_layer,
    "no layers": no_layers,
    "pruning does not pay": not_paying,
    "DSPs rise": dearer_dsp,
    "pruning is explained": explained_comparison,
}

"""Small networks and the projects made of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fpgaprune import board
from fpgaprune.emit import Vectors, emit
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.intervals import analyse
from fpgaprune.ir import Graph, Input, MatVec, Requantise, Tensor
from fpgaprune.lower import lower
from fpgaprune.schedule import Access, Folded, Interface, Multiply, multiply, schedule
from fpgaprune.schedule.adders import adders_planner
from fpgaprune.sparse import SparseMatrix

PYNQ = board.load("pynq-z2")
U8 = Fixed(False, 8, 8, Rounding.RND, Overflow.SAT)


def sparse_weights(rng, rows, columns, sparsity, bits=8):
    weights = rng.integers(1, 2 ** (bits - 1), (rows, columns)) * rng.choice([-1, 1], (rows, columns))
    weights[rng.random((rows, columns)) < sparsity] = 0
    return SparseMatrix.from_dense(weights)


def mlp(sizes=(6, 4, 3), sparsity=0.5, seed=0, *, activation=U8, bits=8, weights=None, biases=None):
    """Return a graph of dense layers with ReLU between them; the last layer's sums leave it exactly."""
    rng = np.random.default_rng(seed)
    fmt = Fixed(True, bits, bits - 1)
    ops = [Input(Tensor("x", (sizes[0],), activation))]
    for layer, (columns, rows) in enumerate(pairwise(sizes), start=1):
        matrix = weights[layer - 1] if weights else sparse_weights(rng, rows, columns, sparsity, bits)
        source = ops[-1].output
        wide = Fixed(True, 200, source.format.fraction + fmt.fraction)
        bias = np.array(biases[layer - 1]) if biases else rng.integers(-500, 500, rows)
        op = MatVec(Tensor(f"fc{layer}", (rows,), wide), source.name, matrix, fmt, bias)
        exact = wide.with_range(*analyse(Graph((*ops, op), (f"fc{layer}",)))[f"fc{layer}"].bounds)
        ops.append(MatVec(Tensor(f"fc{layer}", (rows,), exact), source.name, matrix, fmt, bias))
        if layer < len(sizes) - 1:
            ops.append(Requantise(Tensor(f"act{layer}", (rows,), activation), f"fc{layer}", 0))
    return Graph(tuple(ops), (ops[-1].output.name,))


def project(graph, inputs=None, name="net", interface=Interface.PARALLEL, planner=multiply):
    """Return the project of a graph on a PYNQ-Z2, with the given vectors or random ones."""
    lowered = lower(schedule(graph, PYNQ, name=name, interface=interface, planner=planner))
    vectors = None if inputs is None else Vectors.of(graph, *inputs)
    return emit(lowered, vectors)


def folded(reuse, access=Access.REGISTERS, banks=1, *, fabric=False):
    """Return a planner of as many lanes as work off the non-zeros in about ``reuse`` slots."""

    def planner(op, _source):
        lanes = -(-op.weights.nonzeros // reuse)
        used = min(banks, op.weights.shape[1])
        return Folded(-(-lanes // used) * used, access, used, fabric)

    return planner


def mixed(seed):
    """Return a planner that draws a strategy for each matrix: multiplications, adders, lanes of both kinds."""

    def planner(op, source):
        rng = np.random.default_rng([seed, op.weights.nonzeros, op.weights.shape[0]])
        reuse, fabric = int(rng.integers(1, 9)), bool(rng.integers(2))
        choices = (
            lambda *_: Multiply(),
            adders_planner,
            folded(reuse, fabric=fabric),
            folded(reuse, Access.MEMORIES, int(rng.integers(1, 4)), fabric=fabric),
        )
        return choices[int(rng.integers(len(choices)))](op, source)

    return planner

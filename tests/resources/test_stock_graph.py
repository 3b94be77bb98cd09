"""One of our graphs as figures of a stock design."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaprune.digits import signed_digits
from fpgaprune.errors import UnsupportedError
from fpgaprune.fixed import Fixed
from fpgaprune.ir import Graph, Input, MatVec, Maximum, Requantise, Reshape, Scan, Tensor, Window
from fpgaprune.resources.stock import Strategy, estimate_stock, from_data, stock_layers
from fpgaprune.resources.stock.values import Role
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows

S8, U8, WIDE = Fixed(True, 8, 4), Fixed(False, 8, 4), Fixed(True, 32, 8)


def matvec(name, source, weights, positions=()):
    output = Tensor(name, (*positions, weights.shape[0]), WIDE)
    return MatVec(output, source, SparseMatrix.from_dense(weights), S8, np.zeros(weights.shape[0], dtype=np.int64))


def weights(*shape):
    rng = np.random.default_rng(len(shape))
    return rng.integers(-100, 100, shape) * rng.integers(0, 2, shape)


def image():
    """Return a convolution of 6 by 6 pixels, ReLU, pooling and a matrix."""
    kernels, last = weights(4, 18), weights(3, 16)
    ops = (
        Input(Tensor("x", (6, 6, 2), U8)),
        Window(Tensor("taps", (4, 4, 18), U8), "x", Windows.plain((3, 3))),
        matvec("conv", "taps", kernels, (4, 4)),
        Requantise(Tensor("relu", (4, 4, 4), U8), "conv", 0),
        Window(Tensor("quads", (2, 2, 16), U8), "relu", Windows((2, 2), (2, 2), (1, 1), (0, 0), (0, 0))),
        Maximum(Tensor("pool", (2, 2, 4), U8), "quads"),
        Reshape(Tensor("flat", (16,), U8), "pool"),
        matvec("fc", "flat", last),
    )
    return Graph(ops, ("fc",)), kernels, last


@pytest.mark.parametrize("stream", [False, True])
def test_a_graph_becomes_a_design(stream):
    graph, kernels, last = image()
    data = stock_layers(graph, Strategy.RESOURCE, 6, 5.0, "xc7z020-clg400-1", stream=stream)
    design = from_data(data)
    assert design.stream is stream
    conv, pool, fc = design.layers
    assert [each.role for each in design.layers] == [Role.CONV, Role.POOL, Role.DENSE]
    assert (conv.in_positions, conv.out_positions, conv.channels, conv.filters) == (36, 16, 2, 4)
    assert (pool.in_positions, pool.out_positions) == (16, 4)
    assert (conv.in_bits, conv.followers, fc.in_bits) == (8, (8,), 8)
    for layer, matrix in ((conv, kernels), (fc, last)):
        found = layer.matrices[0]
        assert found.digits == dict(enumerate(np.bincount(signed_digits(matrix).ravel())))
        assert (found.outputs, found.inputs, found.reuse, found.strategy) == (*matrix.shape, 6, Strategy.RESOURCE)
    assert estimate_stock(design).lut.value > 0


def test_pruning_lowers_what_stock_costs_without_reuse():
    full = weights(16, 32) | 1
    pruned = full * (np.arange(full.size).reshape(full.shape) % 10 == 0)
    cost = [
        estimate_stock(
            from_data(
                stock_layers(
                    Graph((Input(Tensor("x", (32,), U8)), matvec("fc", "x", each)), ("fc",)),
                    Strategy.LATENCY, 1, 5.0, "xcu250",
                )
            )
        )
        for each in (full, pruned)
    ]  # fmt: skip
    assert cost[1].lut.value < cost[0].lut.value / 4


def test_loops_over_a_sequence_have_no_baseline():
    body = Graph(
        (Input(Tensor("x", (2,), U8)), Input(Tensor("h", (2,), U8)), Requantise(Tensor("n", (2,), U8), "x")), ("n",)
    )
    ops = (Input(Tensor("s", (3, 2), U8)), Scan(Tensor("y", (3, 2), U8), "s", body, (np.zeros(2, dtype=np.int64),)))
    with pytest.raises(UnsupportedError, match=r"y: .*no stock baseline"):
        stock_layers(Graph(ops, ("y",)), Strategy.LATENCY, 1, 5.0, "xcu250")

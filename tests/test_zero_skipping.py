"""Zero weights leave no trace, in whatever kind of layer they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune import board
from fpgaprune.evaluate import evaluate
from fpgaprune.frontend import convert
from fpgaprune.ir import MatMul, MatVec, Scan, Window
from fpgaprune.passes import optimise
from fpgaprune.prune import Data
from fpgaprune.quantise import QuantiseRecipe, quantise
from fpgaprune.schedule.design import matrices

PYNQ = board.load("pynq-z2")


def cleaned(model, shape, classes=3):
    """Return the graph of a model after clean-up, having checked that it still computes the same."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, *shape)).astype(np.float32)
    y = rng.integers(0, classes, 40)
    quantised = quantise(model, Data.from_arrays(x, y, x, y), QuantiseRecipe(fine_tune=None), progress=False)
    graph = convert(quantised, PYNQ.part, 10.0, x.astype(np.float64)).graph
    clean = optimise(graph, debug=True)
    mantissas = quantised.quantise_input(x.astype(np.float64))
    for got, want in zip(evaluate(clean, mantissas), evaluate(graph, mantissas), strict=True):
        assert np.array_equal(got, want)
    return clean


def of_type(graph, kind):
    return [op for op in graph.ops if isinstance(op, kind)]


def filled_rows(op):
    return int((np.diff(op.weights.row_start) > 0).sum())


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(3, 8)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        x = self.embed(x)
        return self.out(self.attend(x, x, x, need_weights=False)[0].mean(1))


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_a_pruned_head_of_attention_vanishes_with_its_queries_keys_values_and_softmax():
    model = Attention()
    whole = cleaned(model, (5, 3))
    assert {op.output.shape[0] for op in of_type(whole, MatMul)} == {2}
    with torch.no_grad():
        model.attend.out_proj.weight[:, 4:] = 0  # nothing reads the second head
    pruned = cleaned(model, (5, 3))
    assert {op.output.shape[:-2] for op in of_type(pruned, MatMul)} in ({(1,)}, {()})
    rows = [
        sum(op.weights.shape[0] for op in of_type(graph, MatVec) if "attend" in op.layer) for graph in (whole, pruned)
    ]
    assert rows[1] <= rows[0] - 12  # four queries, four keys, four values


def test_without_any_head_attention_is_a_constant():
    model = Attention()
    with torch.no_grad():
        model.attend.out_proj.weight[:] = 0
    assert not of_type(cleaned(model, (5, 3)), MatMul)


def test_steps_that_nobody_reads_are_not_computed():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.each = nn.Linear(3, 4)
            self.out = nn.Linear(4, 3)

        def forward(self, x):
            return self.out(torch.relu(self.each(x))[:, -1])

    each = next(op for op in of_type(cleaned(Last(), (6, 3)), MatVec) if op.layer == "each")
    assert each.output.size == 4


def test_a_channel_that_no_filter_reads_leaves_the_convolution_before_it():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 4 * 4, 3)
    )
    with torch.no_grad():
        model[2].weight[:, 1] = 0
        model[2].weight[:, :, 0] = 0  # the top row of taps
        model[0].weight[2] = 0
        model[0].bias[2] = -1  # a neuron without inputs that ReLU stops
    graph = cleaned(model, (1, 8, 8))
    first, second = (op for op in matrices(graph) if op.layer in ("0", "2"))
    assert first.output.channels == 2
    assert second.weights.shape[1] == 2 * 6
    assert [op.windows.kernel for op in of_type(graph, Window)] == [(3, 3), (2, 3)]


def test_zero_gate_rows_and_unread_hidden_units_leave_a_recurrent_kernel():
    model = nn.Sequential()
    lstm = nn.LSTM(3, 6, batch_first=True)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.out = lstm, nn.Linear(6, 3)

        def forward(self, x):
            return self.out(self.lstm(x)[0][:, -1])

    model = Net()
    (whole,) = of_type(cleaned(model, (5, 3)), Scan)
    with torch.no_grad():
        for unit in (1, 4):  # nobody reads them: no gate, and not the head
            lstm.weight_hh_l0[:, unit] = 0
            model.out.weight[:, unit] = 0
        lstm.weight_ih_l0[6 + 2] = lstm.weight_hh_l0[6 + 2] = 0  # the forget gate of unit 2 is its bias alone
        lstm.bias_ih_l0[6 + 2] = lstm.bias_hh_l0[6 + 2] = 0
    (pruned,) = of_type(cleaned(model, (5, 3)), Scan)
    assert [state.size for state in whole.initial] == [6, 6]
    assert [state.size for state in pruned.initial] == [4, 4]
    before, after = (sum(filled_rows(op) for op in matrices(scan.body)) for scan in (whole, pruned))
    assert (before, after) == (24, 15)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3)), (2, 6)),
        (nn.Sequential(nn.Flatten(), nn.Linear(6, 3)), (2, 3)),
    ],
    ids=["conv", "linear"],
)
def test_the_network_of_which_nothing_is_left_is_a_constant(model, shape):
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.zero_()
    assert matrices(cleaned(model, shape)) == ()

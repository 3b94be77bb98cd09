from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune.structures.readers import NOBODY, unit_readers


class Reading(nn.Module):
    """A recurrent layer of three units over (batch, 4, 2), and layers that some function calls."""

    def __init__(self, forward, kind=nn.GRU, **options):
        super().__init__()
        self.rnn = kind(2, 3, batch_first=True, **options)
        self.three, self.five, self.twelve = nn.Linear(3, 2), nn.Linear(5, 2), nn.Linear(12, 2)
        self.six, self.conv, self.norm = nn.Linear(6, 2), nn.Conv1d(3, 2, 2), nn.BatchNorm1d(3)
        self.next, self.attention = nn.LSTM(3, 2, bidirectional=True), nn.MultiheadAttention(3, 1, batch_first=True)
        self._forward = forward

    def forward(self, x):
        return self._forward(self, x)


X = torch.randn(2, 4, 2)
UNITS = [0, 1, 2]


def found(forward, kind=nn.GRU, **options):
    model = Reading(forward, kind, **options)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    readers = {name: unit.tolist() for name, unit in unit_readers(model, "rnn", X).items()}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    return readers


@pytest.mark.parametrize(
    ("forward", "readers"),
    [
        (lambda m, x: m.three(m.rnn(x)[0][:, -1]), {"three.weight": UNITS}),
        (lambda m, x: m.three(m.rnn(x)[1][0]), {"three.weight": UNITS}),
        (lambda m, x: m.three(m.rnn(x)[0]), {"three.weight": UNITS}),
        (lambda m, x: m.three(m.rnn(x)[0].flip(2)[:, 0]), {"three.weight": UNITS[::-1]}),
        (lambda m, x: m.three(torch.tanh(m.rnn(x)[0].relu() * 2).mean(1)), {"three.weight": UNITS}),
        (lambda m, x: m.three(torch.sigmoid(m.rnn(x)[0])), {}),  # a half where the unit is zero
        (lambda m, x: m.three(m.rnn(x)[0].softmax(2)), {}),
        (lambda m, x: m.three(m.norm(m.rnn(x)[0][:, -1])), {}),
        (lambda m, x: m.three(m.rnn(x)[0] + x.sum(2, keepdim=True)), {}),
        (lambda m, x: m.three(m.rnn(x)[0] + 1), {}),
        (lambda m, x: m.three(m.rnn(x)[0].cumsum(2)), {"three.weight": [0, NOBODY, NOBODY]}),
        (lambda m, x: m.five(torch.cat([x, m.rnn(x)[0]], 2)), {"five.weight": [NOBODY, NOBODY, *UNITS]}),
        (lambda m, x: m.twelve(m.rnn(x)[0].flatten(1)), {"twelve.weight": UNITS * 4}),
        (lambda m, x: m.twelve(m.rnn(x)[0].transpose(1, 2).flatten(1)), {"twelve.weight": [0] * 4 + [1] * 4 + [2] * 4}),
        (lambda m, x: m.conv(m.rnn(x)[0].transpose(1, 2)), {"conv.weight": UNITS}),
        (lambda m, x: m.six(torch.cat([m.rnn(x)[0], m.rnn(x)[0]], 2)), {"six.weight": UNITS * 2}),
        (lambda m, x: m.three(m.three(m.rnn(x)[0]).repeat(1, 1, 2)[..., :3]), {}),  # reads something else, too
        (lambda m, x: m.twelve(m.three(m.rnn(x)[0]).repeat(1, 1, 6)), {"three.weight": UNITS}),
        (
            lambda m, x: m.next(m.rnn(x)[0])[0],
            {"next.weight_ih_l0": UNITS, "next.weight_ih_l0_reverse": UNITS},
        ),
        (
            lambda m, x: m.attention(key=m.rnn(x)[0], query=m.rnn(x)[0], value=m.rnn(x)[0])[0],
            {"attention.in_proj_weight": UNITS},
        ),
        (lambda m, x: m.attention(m.rnn(x)[0], m.rnn(x)[0], m.rnn(x)[0].sigmoid())[0], {}),
    ],
)
@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
def test_inputs_that_are_made_of_one_unit_are_found(forward, readers, kind):
    assert found(forward, kind) == readers


def test_directions_and_layers_have_units_of_their_own():
    assert found(lambda m, x: m.six(m.rnn(x)[0]), bidirectional=True) == {"six.weight": [0, 1, 2, 3, 4, 5]}
    stacked = {"num_layers": 2, "bidirectional": True}
    assert found(lambda m, x: m.six(m.rnn(x)[0]), **stacked) == {"six.weight": [6, 7, 8, 9, 10, 11]}
    last = lambda m, x: m.twelve(m.rnn(x)[1].transpose(0, 1).flatten(1))  # noqa: E731
    assert found(last, **stacked) == {"twelve.weight": list(range(12))}
    cells = lambda m, x: m.three(m.rnn(x)[1][1][0])  # noqa: E731
    assert found(cells, nn.LSTM) == {"three.weight": UNITS}


def test_a_weight_that_two_layers_share_reads_what_both_read():
    model = Reading(lambda m, x: m.three(m.rnn(x)[0]) + m.again(x.repeat(1, 1, 2)[..., :3]))
    model.again = nn.Linear(3, 2)
    assert list(unit_readers(model, "rnn", X)) == ["three.weight"]
    model.again.weight = model.three.weight
    assert unit_readers(model, "rnn", X) == {}


def test_one_unit_alone_is_found():
    model = Reading(lambda m, x: m.three(m.rnn(x)[0]))
    model.rnn, model.three = nn.GRU(2, 1, batch_first=True), nn.Linear(1, 2)
    assert unit_readers(model, "rnn", X)["three.weight"].tolist() == [0]


def test_packed_sequences_are_refused():
    def forward(m, x):
        return m.three(m.rnn(nn.utils.rnn.pack_padded_sequence(x, [4, 4], batch_first=True))[0].data)

    with pytest.raises(InputError, match="rnn runs on packed sequences; the structure 'hidden' needs plain tensors"):
        unit_readers(Reading(forward), "rnn", X)

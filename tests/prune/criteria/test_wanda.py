"""Norms of inputs, taken by other means: by hand, by unfolding, and from layers split into their parts."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from fpgaprune.errors import InputError
from fpgaprune.prune.criteria.inputs import OBSERVERS
from fpgaprune.prune.criteria.wanda import wanda
from fpgaprune.prune.masks import PRUNABLE, prunable
from tests.prune.criteria.nets import make_context, make_data, whole


def scores_of(model, data, **fields):
    model = model.double()
    return wanda(prunable(model), make_context(model, data, loss=None, **fields))


def equal(score, weight, norms):
    torch.testing.assert_close(score, weight.detach().abs() * norms, rtol=1e-12, atol=1e-15)


def norm(vectors):
    return vectors.detach().flatten(0, -2).pow(2).sum(0).sqrt()


def test_the_observed_modules_are_those_that_are_prunable():
    assert OBSERVERS.keys() == PRUNABLE.keys()


def test_a_linear_layer_sees_its_columns_at_every_position():
    model, data = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), make_data((5, 4))
    scores = scores_of(model, data)
    x, _ = whole(data)
    equal(scores["0.weight"], model[0].weight, norm(x))
    equal(scores["2.weight"], model[2].weight, norm(model[:2](x)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": 2, "stride": 3},
        {"padding": "same", "dilation": 2},
        {"groups": 2, "dilation": (1, 2), "padding": (0, 1)},
        {"groups": 4},
    ],
)
def test_a_tap_of_a_convolution_sees_the_positions_that_it_meets(options):
    model, data = nn.Conv2d(4, 8, 3, **options), make_data((4, 9, 8))
    scores = scores_of(model, data)["weight"]
    x, _ = whole(data)
    padding = (2, 2) if options.get("padding") == "same" else options.get("padding", 0)
    taps = functional.unfold(x, 3, options.get("dilation", 1), padding, options.get("stride", 1))
    seen = taps.pow(2).sum((0, 2)).sqrt().view(4, 3, 3)
    inputs, outputs = 4 // model.groups, 8 // model.groups
    for row in range(8):
        group = row // outputs
        equal(scores[row], model.weight[row], seen[group * inputs : (group + 1) * inputs])


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes_count_what_they_pad_with(mode):
    model, data = nn.Conv1d(2, 3, 3, padding=1, padding_mode=mode), make_data((2, 7))
    scores = scores_of(model, data)["weight"]
    x, _ = whole(data)
    windows = functional.pad(x, (1, 1), mode).unfold(2, 3, 1)  # (n, channels, positions, taps)
    equal(scores, model.weight, windows.pow(2).sum((0, 2)).sqrt())


def split(module, layer, options):
    """Return one inner layer of a recurrent module, in both directions where it has them, as a module of its own."""
    inputs = getattr(module, f"weight_ih_l{layer}").shape[1]
    alone = type(module)(inputs, module.hidden_size, bidirectional=module.bidirectional, **options).double()
    for name, parameter in alone.named_parameters():
        parameter.data = getattr(module, name.replace("_l0", f"_l{layer}")).data
    return alone


class First(nn.Module):
    """A recurrent module whose outputs alone are given on, begun with the states that it is given."""

    def __init__(self, cells, states=None):
        super().__init__()
        self.cells, self.states = cells, states

    def forward(self, x):
        return self.cells(x)[0] if self.states is None else self.cells(x, hx=self.states)[0]


def before(outputs, start):
    """Return the hidden state before each step, from those after it (steps, batch, hidden)."""
    return torch.cat([start[None], outputs[:-1]])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (nn.RNN, {}),
        (nn.RNN, {"nonlinearity": "relu"}),
        (nn.GRU, {}),
        (nn.LSTM, {}),
        (nn.LSTM, {"proj_size": 2}),
    ],
)
def test_recurrent_layers_see_inputs_and_hidden_states(kind, options, bidirectional):
    cells = kind(3, 4, num_layers=2, batch_first=True, bidirectional=bidirectional, **options).double()
    data, width = make_data((6, 3)), options.get("proj_size", 4)
    scores = scores_of(First(cells), data)
    steps = whole(data)[0].transpose(0, 1)
    for layer in range(2):
        outputs, _ = split(cells, layer, options)(steps)
        start = torch.zeros(outputs.shape[1], width, dtype=torch.float64)
        hidden = {"": before(outputs[..., :width], start)}
        if bidirectional:
            hidden["_reverse"] = before(outputs[..., width:].flip(0), start)
        for suffix, states in hidden.items():
            for name, vectors in (("weight_ih", steps), ("weight_hh", states)):
                full = f"{name}_l{layer}{suffix}"
                equal(scores[f"cells.{full}"], getattr(cells, full), norm(vectors))
        steps = outputs


def test_a_projection_sees_what_the_gates_made():
    """With the identity as its projection, a layer gives out what goes into the projection."""
    cells = nn.LSTM(3, 3, proj_size=2, batch_first=True).double()
    data = make_data((1, 3))  # after a single step from zero, nothing has come back through the projection
    score = scores_of(First(cells), data)["cells.weight_hr_l0"]
    plain = nn.LSTM(3, 3, batch_first=True).double()
    for name in ("weight_ih_l0", "bias_ih_l0", "bias_hh_l0"):
        getattr(plain, name).data = getattr(cells, name).data
    equal(score, cells.weight_hr_l0, norm(plain(whole(data)[0])[0]))


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_states_to_begin_with_count(kind):
    cells = kind(3, 4, bias=False).double()
    generator = torch.Generator().manual_seed(0)
    state = torch.randn(1, 5, 4, dtype=torch.float64, generator=generator)
    model = First(cells, (state, state / 2) if kind is nn.LSTM else state)
    data = make_data((5, 3), samples=12, batch_size=12)  # the first dimension is that of the steps here
    scores = scores_of(model, data)
    x = next(data.train_batches())[0]
    equal(scores["cells.weight_hh_l0"], cells.weight_hh_l0, norm(before(model(x), state[0])))


def test_a_sequence_without_a_batch_counts():
    cells = nn.GRU(3, 4).double()
    data = make_data((3,), samples=6, batch_size=6)
    scores = scores_of(First(cells), data)
    x = next(data.train_batches())[0]
    equal(scores["cells.weight_hh_l0"], cells.weight_hh_l0, norm(before(cells(x)[0], torch.zeros(4))))


def test_packed_sequences_are_refused():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells = nn.GRU(3, 4, batch_first=True)

        def forward(self, x):
            return self.cells(nn.utils.rnn.pack_padded_sequence(x, [5] * len(x), batch_first=True))[1][0]

    with pytest.raises(InputError, match="cannot follow a PackedSequence through GRU; pad it, or use 'taylor'"):
        scores_of(Packed(), make_data((5, 3)))


class Attend(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.attend = nn.MultiheadAttention(4, 2, batch_first=True, **options)

    def forward(self, x):
        key, value = x[..., : self.attend.kdim] + 1, x[..., : self.attend.vdim] * 2
        return self.attend(x, value=value, key=key, attn_mask=torch.zeros(5, 5, dtype=torch.float64))[0]


def test_attention_sees_queries_keys_values_and_joined_heads():
    model, data = Attend().double(), make_data((5, 4))
    scores = scores_of(model, data)
    x, _ = whole(data)
    for part, vectors in enumerate((x, x + 1, x * 2)):
        rows = slice(4 * part, 4 * part + 4)
        equal(scores["attend.in_proj_weight"][rows], model.attend.in_proj_weight[rows], norm(vectors))
    query, key, value = (
        functional.linear(vectors, weight, bias).view(12, 5, 2, 2).transpose(1, 2)
        for vectors, weight, bias in zip(
            (x, x + 1, x * 2), model.attend.in_proj_weight.chunk(3), model.attend.in_proj_bias.chunk(3), strict=True
        )
    )
    heads = (query @ key.transpose(2, 3) / 2**0.5).softmax(-1) @ value
    joined = heads.transpose(1, 2).reshape(12, 5, 4)
    torch.testing.assert_close(model.attend.out_proj(joined), model(x))
    equal(scores["attend.out_proj.weight"], model.attend.out_proj.weight, norm(joined))


def test_attention_with_keys_and_values_of_other_sizes_has_a_matrix_each():
    model, data = Attend(kdim=3, vdim=2).double(), make_data((5, 4))
    scores = scores_of(model, data)
    x, _ = whole(data)
    equal(scores["attend.q_proj_weight"], model.attend.q_proj_weight, norm(x))
    equal(scores["attend.k_proj_weight"], model.attend.k_proj_weight, norm(x[..., :3] + 1))
    equal(scores["attend.v_proj_weight"], model.attend.v_proj_weight, norm(x[..., :2] * 2))


def test_layers_that_torch_would_fuse_are_seen():
    model, data = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), 1), make_data((5, 4))
    scores = scores_of(model, data)
    assert all((score != 0).any() for score in scores.values())
    assert "layers.0.linear2.weight" in scores


def test_weights_that_modules_share_take_the_inputs_of_all(tied):
    data = make_data((4,))
    score = scores_of(tied, data)["first.weight"]
    x, _ = whole(data)
    second = tied.first(x)
    third = tied.first(second)
    equal(score, tied.first.weight, norm(torch.cat([x, second, third])))


def test_inputs_that_are_overwritten_later_are_seen_as_they_were():
    class Overwriting(nn.Linear):
        def forward(self, x):
            x = x.clone()
            y = super().forward(x)
            x.zero_()
            return y

    model, data = nn.Sequential(nn.Linear(4, 3), Overwriting(3, 2)), make_data((4,))
    scores = scores_of(model, data)
    equal(scores["1.weight"], model[1].weight, norm(model[0](whole(data)[0])))


def test_a_weight_that_is_used_without_its_module_is_refused():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 3)

        def forward(self, x):
            return functional.linear(x, self.inner.weight)

    with pytest.raises(InputError, match=r"saw no input of 'inner\.weight', .*; use 'taylor' or 'magnitude'"):
        scores_of(Functional(), make_data((6,)))


def test_inputs_that_are_not_finite_are_refused():
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 3)

        def forward(self, x):
            return self.inner(x / 0)

    with pytest.raises(InputError, match=r"sums of squared inputs holds NaN or infinite values in 'inner\.weight'"):
        scores_of(Broken(), make_data((6,)))

from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune import DeadBias, Masks, PruneRecipe, TrainSettings, prune
from fpgaprune.prune.structures import Goal, Hidden, Subject
from tests.structured import Sequence, data_for, magnitudes, pruned_by, seeded

DATA = data_for(5, 6)
GATES = {nn.RNN: 1, nn.GRU: 3, nn.LSTM: 4}


def units_left(mask):
    """Return which of eight units keep rows in a mask (gates * 8, columns), but those of a unit that is another's."""
    return mask.reshape(-1, 8, mask.shape[-1]).any(dim=2).any(dim=0)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.5, 1.0])
def test_rows_of_all_gates_columns_of_the_state_and_of_the_next_layer_go(kind, sparsity):
    masks = pruned_by(seeded(lambda: Sequence(kind)), "hidden", DATA, sparsity).masks
    left = units_left(masks["rnn.weight_ih_l0"])
    assert left.sum() == 8 - 8 * sparsity
    rows = left.repeat(GATES[kind]).unsqueeze(1)
    assert torch.equal(masks["rnn.weight_ih_l0"], rows.expand(-1, 6))
    assert torch.equal(masks["rnn.weight_hh_l0"], rows & left)
    assert torch.equal(masks["out.weight"], left.expand(3, 8))


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("fine_tune", [TrainSettings(epochs=0), TrainSettings(epochs=2, learning_rate=0.01)])
def test_a_pruned_unit_is_exactly_zero_at_every_step(kind, fine_tune):
    model = seeded(lambda: Sequence(kind))
    recipe = PruneRecipe(0.5, structure="hidden", fine_tune=fine_tune)
    pruned = prune(model, DATA, recipe, progress=False)
    gone = ~units_left(pruned.masks["rnn.weight_ih_l0"])
    sequence, states = pruned.module.rnn(torch.randn(7, 5, 6) * 10)
    assert gone.sum() == 4
    assert not sequence[..., gone].any()
    assert sequence[..., ~gone].flatten(0, 1).any(dim=0).all()
    assert not any(state[..., gone].any() for state in (states if kind is nn.LSTM else (states,)))
    first = {nn.RNN: 0, nn.GRU: 16, nn.LSTM: 16}[kind]  # where the candidate's biases begin
    places = tuple((torch.nonzero(gone).flatten() + first).tolist())
    assert pruned.dead_biases == {"rnn.bias_ih_l0": places, "rnn.bias_hh_l0": places}


@pytest.mark.parametrize("kind", GATES)
def test_with_its_biases_a_pruned_unit_is_not_zero_but_nothing_reads_it(kind):
    pruned = pruned_by(seeded(lambda: Sequence(kind)), "hidden", DATA, dead_bias=DeadBias.KEEP)
    gone = ~units_left(pruned.masks["rnn.weight_ih_l0"])
    x = torch.randn(7, 5, 6)
    before = pruned.module(x)
    assert pruned.module.rnn(x)[0][..., gone].any()
    for bias in (pruned.module.rnn.bias_ih_l0, pruned.module.rnn.bias_hh_l0):
        bias.data.view(-1, 8)[:, gone] = 3.0
    assert torch.equal(pruned.module(x), before)


def test_a_unit_without_biases_is_zero():
    pruned = pruned_by(seeded(lambda: Sequence(nn.LSTM, bias=False)), "hidden", DATA)
    gone = ~units_left(pruned.masks["rnn.weight_ih_l0"])
    assert pruned.dead_biases == {}
    assert not pruned.module.rnn(torch.randn(7, 5, 6))[0][..., gone].any()


def test_stacked_and_bidirectional_layers():
    build = lambda: Sequence(nn.GRU, num_layers=2, bidirectional=True)  # noqa: E731
    masks = pruned_by(seeded(build), "hidden", DATA, scope="layer").masks
    left = {name: units_left(masks[f"rnn.weight_hh_{name}"]) for name in ("l0", "l0_reverse", "l1", "l1_reverse")}
    assert all(units.sum() == 4 for units in left.values())
    first, second = torch.cat([left["l0"], left["l0_reverse"]]), torch.cat([left["l1"], left["l1_reverse"]])
    for end in ("l1", "l1_reverse"):
        rows = left[end].repeat(3).unsqueeze(1)
        assert torch.equal(masks[f"rnn.weight_ih_{end}"], rows & first)
        assert torch.equal(masks[f"rnn.weight_hh_{end}"], rows & left[end])
    assert torch.equal(masks["out.weight"], second.expand(3, 16))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_the_units_of_a_projected_layer_are_its_cells():
    masks = pruned_by(seeded(lambda: Sequence(nn.LSTM, proj_size=3)), "hidden", DATA).masks
    left = units_left(masks["rnn.weight_ih_l0"])
    assert left.sum() == 4
    assert torch.equal(masks["rnn.weight_hh_l0"], left.repeat(4).unsqueeze(1).expand(32, 3))
    assert torch.equal(masks["rnn.weight_hr_l0"], left.expand(3, 8))
    assert masks["out.weight"].all()


def test_the_weakest_unit_goes_whatever_gives_it_its_score():
    model = seeded(Sequence)
    for tensor, index in (
        (model.rnn.weight_ih_l0, (slice(5, None, 8),)),
        (model.rnn.weight_hh_l0, (slice(5, None, 8),)),
    ):
        tensor.data[index] *= 0.01
    masks = pruned_by(model, "hidden", DATA, sparsity=1 / 8).masks
    assert torch.nonzero(~units_left(masks["rnn.weight_ih_l0"])).flatten().tolist() == [5]


def test_each_weight_of_a_unit_counts_once_in_its_score():
    model = seeded(Sequence)
    subject = Subject(model, Masks.full(model), DATA)
    (units,) = Hidden().groups(subject, Hidden().targets(model, {}))
    assert units.members(subject.masks).tolist() == [4 * 6 + 4 * 8 + 4 * 8 - 4 + 3] * 8


def test_units_that_are_gone_count():
    model = seeded(Sequence)
    subject = Subject(model, Masks.full(model), DATA)
    quarter = Subject(model, Hidden().prune_(subject, magnitudes(model), Goal(0.25)), DATA)
    assert Hidden().share(quarter, {}) == 0.25
    half = Hidden().prune_(quarter, magnitudes(model), Goal(0.5))
    assert units_left(half["rnn.weight_hh_l0"]).sum() == 4
    assert not any((half[name] & ~mask).any() for name, mask in quarter.masks.items())


def test_layers_have_sparsities_of_their_own():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.out = nn.GRU(6, 8, batch_first=True), nn.RNN(8, 8), nn.Linear(8, 3)

        def forward(self, x):
            return self.out(self.two(self.one(x)[0])[0][:, -1])

    masks = pruned_by(seeded(Two), "hidden", DATA, layers={"one": 0.25, "two": 0.75}).masks
    left = [units_left(masks[f"{name}.weight_ih_l0"]) for name in ("one", "two")]
    assert [int(units.sum()) for units in left] == [6, 2]
    assert torch.equal(masks["two.weight_ih_l0"], left[1].unsqueeze(1) & left[0])


@pytest.mark.parametrize("layers", [{}, {"": 0.5}])
def test_units_that_are_outputs_of_the_model_stay(layers):
    class Only(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(6, 3, batch_first=True)

        def forward(self, x):
            return self.rnn(x)[1][0]

    with pytest.raises(InputError, match=r"hidden units .*are outputs of the model"):
        pruned_by(Only(), "hidden", DATA, layers={"rnn": 0.5} if layers else {})

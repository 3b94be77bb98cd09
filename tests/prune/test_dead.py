from __future__ import annotations

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune.dead import dead_biases, dead_outputs, zeroing
from fpgaprune.prune.masks import Masks


def masks_without(model: nn.Module, **rows: list[int]) -> Masks:
    tensors = {name: mask.clone() for name, mask in Masks.full(model).items()}
    for name, dead in rows.items():
        tensors[f"{name}.weight"][dead] = False
    return Masks(tensors)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 2)
        self.fc = nn.Linear(3, 4)
        self.bare = nn.Linear(4, 2, bias=False)
        self.rnn = nn.GRU(2, 2)


def test_rows_without_inputs_are_dead():
    model = Net()
    masks = masks_without(model, conv=[1], fc=[0, 3], bare=[1])
    assert dead_outputs(model, masks) == {"conv": (1,), "fc": (0, 3), "bare": (1,)}
    assert dead_biases(model, masks) == {"conv.bias": (1,), "fc.bias": (0, 3)}


def test_one_surviving_input_keeps_a_neuron_alive(mlp):
    mask = torch.zeros(16, 8, dtype=torch.bool)
    mask[:15, 7] = True
    masks = Masks({**Masks.full(mlp), "0.weight": mask})
    assert dead_outputs(mlp, masks) == {"0": (15,)}
    assert dead_outputs(mlp, Masks.full(mlp)) == {}


def test_a_column_without_consumers_kills_nothing(mlp):
    mask = torch.ones(16, 8, dtype=torch.bool)
    mask[:, 2] = False
    assert dead_outputs(mlp, Masks({**Masks.full(mlp), "0.weight": mask})) == {}


def test_zeroing_touches_the_dead_entries_alone(mlp):
    before = mlp[0].bias.detach().clone()
    zeroing(mlp, {"0.bias": (2, 5)})(mlp)
    assert mlp[0].bias[[2, 5]].tolist() == [0.0, 0.0]
    mlp[0].bias.data[[2, 5]] = before[[2, 5]]
    assert torch.equal(mlp[0].bias, before)


def test_a_shared_weight_kills_the_biases_of_all_its_modules(tied):
    masks = masks_without(tied, first=[1])
    assert dead_outputs(tied, masks) == {"first": (1,), "third": (1,)}
    assert dead_biases(tied, masks) == {"first.bias": (1,), "third.bias": (1,)}


def test_a_shared_bias_is_dead_only_where_all_its_neurons_are():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3))
    model[1].bias = model[0].bias
    tensors = {name: mask.clone() for name, mask in Masks.full(model).items()}
    tensors["0.weight"][[0, 1]] = False
    tensors["1.weight"][[1, 2]] = False
    assert dead_biases(model, Masks(tensors)) == {"0.bias": (1,)}


def test_masks_of_another_model_are_refused(mlp):
    with pytest.raises(InputError, match="no mask for the weight"):
        dead_outputs(mlp, Masks({}))


@pytest.mark.parametrize(("kind", "gates", "candidate"), [(nn.RNN, 1, 0), (nn.LSTM, 4, 2), (nn.GRU, 3, 2)])
def test_candidates_of_dead_hidden_units_are_found(kind, gates, candidate):
    model = nn.ModuleDict({"rnn": kind(2, 3, num_layers=2, bidirectional=True)})
    model.rnn.weight_ih_l1_reverse.data.view(gates, 3, 6)[:, 1] = 0
    model.rnn.weight_hh_l1_reverse.data.view(gates, 3, 3)[:, 1] = 0
    model.rnn.weight_ih_l0.data[:] = 0  # the state still has a part in these units
    entry = (candidate * 3 + 1,)
    assert dead_biases(model, Masks.of_nonzeros(model)) == {
        "rnn.bias_ih_l1_reverse": entry,
        "rnn.bias_hh_l1_reverse": entry,
    }
    assert dead_outputs(model, Masks.of_nonzeros(model)) == {}


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_one_gate_with_weights_keeps_a_hidden_unit_alive(kind):
    model = nn.Sequential(kind(2, 3))
    for weight in (model[0].weight_ih_l0, model[0].weight_hh_l0):
        weight.data[:-3] = 0
    assert dead_biases(model, Masks.of_nonzeros(model)) == {}
    assert (
        dead_biases(
            nn.Sequential(kind(2, 3, bias=False)),
            Masks({"0.weight_ih_l0": _none(kind, 2)} | {"0.weight_hh_l0": _none(kind, 3)}),
        )
        == {}
    )


def _none(kind, columns):
    return torch.zeros(len(kind(2, 3).weight_ih_l0), columns, dtype=torch.bool)

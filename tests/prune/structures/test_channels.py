from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune import Masks, PruneRecipe, Schedule, Stage, TrainSettings, load, prunable, prune, save
from fpgaprune.prune.select import pruned_count
from fpgaprune.prune.shrinkage import INPUTS, OUTPUTS, channels
from fpgaprune.prune.structures import Channels, Goal, Subject
from fpgaprune.prune.structures.coupled import Coupled, coupled_channels
from tests.structured import UNTRAINED, Attention, Residual, Sequence, cnn, data_for, magnitudes, mlp, pruned_by, seeded

IMAGES = data_for(3, 8, 8)
X = IMAGES.example()[:4].double()


class Net(nn.Module):
    """Layers that some function calls, on images (batch, 3, 8, 8); classes are means over positions."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.last = nn.Conv2d(8, 3, 1)
        self._forward = forward

    def forward(self, x):
        return self.last(self._forward(self, x)).mean((2, 3))


def conv(inputs, outputs, **options):
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)


def blind(model, shrinkage):
    """Return a copy of a model whose columns are zero that read channels which were cut out."""
    whole = copy.deepcopy(model).double()
    for name, sides in shrinkage.layers.items():
        if INPUTS in sides:
            gone = sorted({*range(sides[INPUTS].size)} - {*sides[INPUTS].indices})
            whole.get_submodule(name).weight.data[:, gone] = 0
    return whole


def kept(pruned, name, side=OUTPUTS):
    """Return the channels that a layer kept."""
    return pruned.masks.shrinkage.layers[name][side].indices


CUTTABLE = {
    "chain": lambda: Net(lambda m, x: m.b(m.a(x).relu()).relu(), a=conv(3, 6), b=conv(6, 8)),
    "residual": lambda: Net(lambda m, x: (y := m.a(x).relu()) + m.b(y).relu(), a=conv(3, 8), b=conv(8, 8)),
    "two residuals": lambda: Net(
        lambda m, x: (z := (y := m.a(x).relu()) + m.b(y)) + m.c(z), a=conv(3, 8), b=conv(8, 8), c=conv(8, 8)
    ),
    "batch norm": lambda: Net(
        lambda m, x: m.bn2(m.b(m.bn(m.a(x)).relu())),
        a=conv(3, 6),
        bn=nn.BatchNorm2d(6),
        b=conv(6, 8),
        bn2=nn.BatchNorm2d(8),
    ),
    "concatenation": lambda: Net(
        lambda m, x: m.c(torch.cat([m.a(x), m.b(x).relu()], 1)), a=conv(3, 4), b=conv(3, 6), c=conv(10, 8)
    ),
    "concatenation of one twice": lambda: Net(
        lambda m, x: m.c(torch.cat([y := m.a(x), y.relu()], 1)), a=conv(3, 4), c=conv(8, 8)
    ),
    "concatenation and residual": lambda: Net(
        lambda m, x: m.c(y := torch.cat([m.a(x), m.b(x)], 1)) + y, a=conv(3, 4), b=conv(3, 4), c=conv(8, 8)
    ),
    "depthwise": lambda: Net(lambda m, x: m.c(m.b(m.a(x)).relu()), a=conv(3, 6), b=conv(6, 6, groups=6), c=conv(6, 8)),
    "prelu": lambda: Net(lambda m, x: m.q(m.b(m.p(m.a(x)))), a=conv(3, 6), p=nn.PReLU(6), b=conv(6, 8), q=nn.PReLU()),
    "two consumers": lambda: Net(
        lambda m, x: m.b(y := m.a(x).relu()) + m.c(y), a=conv(3, 6), b=conv(6, 8), c=conv(6, 8, bias=False)
    ),
    "gate": lambda: Net(
        lambda m, x: m.a(x) * torch.sigmoid(m.b(m.a(x).mean((2, 3), keepdim=True))), a=conv(3, 8), b=nn.Conv2d(8, 8, 1)
    ),
}


@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.7])
@pytest.mark.parametrize("name", CUTTABLE)
def test_the_smaller_model_computes_what_the_larger_one_does_without_the_channels(name, sparsity):
    model = seeded(CUTTABLE[name])
    pruned = pruned_by(model, "channels", IMAGES, sparsity)
    expected, given = blind(model, pruned.masks.shrinkage)(X), copy.deepcopy(pruned.module).double()(X)
    assert torch.allclose(given, expected, rtol=1e-9, atol=1e-12)
    units = units_of(model)
    gone = sum(count - len(kept(pruned, root)) for root, count in units if root in pruned.masks.shrinkage.layers)
    assert gone == pruned_count(sparsity, sum(count for _, count in units)) > 0
    assert pruned.masks.count == sum(weight.numel() for weight in prunable(model).values())
    assert pruned.masks.kept == sum(weight.numel() for weight in prunable(pruned.module).values())


def units_of(model):
    found = coupled_channels(model, X.float())
    return [(each.root, each.count) for each in found if isinstance(each, Coupled)]


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("chain", [("a", 6), ("b", 8)]),
        ("residual", [("a", 8)]),
        ("two residuals", [("a", 8)]),
        ("concatenation", [("a", 4), ("b", 6), ("c", 8)]),
        ("concatenation of one twice", [("a", 4), ("c", 8)]),
        ("concatenation and residual", [("a", 4), ("b", 4)]),
        ("depthwise", [("a", 6), ("c", 8)]),
    ],
)
def test_channels_that_go_together_are_one_unit(name, units):
    assert units_of(seeded(CUTTABLE[name])) == units


def test_everything_in_one_model_and_linear_behind_a_flattening():
    model = seeded(Residual)
    pruned = pruned_by(model, "channels", IMAGES, 0.5, scope="layer")
    expected, given = blind(model, pruned.masks.shrinkage)(X), copy.deepcopy(pruned.module).double()(X)
    assert torch.allclose(given, expected, rtol=1e-9, atol=1e-12)
    sizes = {name: channels(pruned.module.get_submodule(name), OUTPUTS) for name in pruned.masks.shrinkage.layers}
    assert sizes == {
        "first": 4,
        "norm": 4,
        "second": 4,
        "norm2": 4,
        "depthwise": 4,
        "pointwise": 3,
        "beside": 2,
        "hidden": 6,
        "out": 3,
    }
    of_flat = kept(pruned, "hidden", INPUTS)
    both = [*kept(pruned, "pointwise"), *(6 + index for index in kept(pruned, "beside"))]
    assert of_flat == tuple(16 * channel + place for channel in both for place in range(16))


def test_the_weakest_channel_of_a_residual_goes_by_all_of_its_weights():
    model = seeded(CUTTABLE["residual"])
    for weight in (model.a.weight.data, model.b.weight.data, model.b.weight.data.movedim(1, 0)):
        weight[5] *= 0.1
    model.last.weight.data[:, 5] *= 0.1
    assert 5 not in kept(pruned_by(model, "channels", IMAGES, 1 / 8), "a")


def test_neurons_of_linear_layers_are_channels():
    pruned = pruned_by(seeded(mlp), "channels", data_for(8), 0.5, scope="layer")
    assert [tuple(weight.shape) for weight in prunable(pruned.module).values()] == [(8, 8), (6, 8), (3, 6)]
    assert pruned.dead_biases == {}


def test_the_callers_model_is_left_alone():
    model = seeded(Residual)
    before = copy.deepcopy(model)
    pruned_by(model, "channels", IMAGES)
    assert model.hidden.in_features == 160
    assert all(torch.equal(value, before.state_dict()[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


FIXED = {
    "they are outputs of the model": lambda: Net(lambda m, x: m.a(x).relu(), a=conv(3, 8)),
    "a norm, a softmax or a reshape goes across them": lambda: Net(lambda m, x: m.a(x).softmax(1), a=conv(3, 8)),
    "they go with 'norm', which cannot be cut": lambda: Net(
        lambda m, x: m.norm(m.a(x)), a=conv(3, 8), norm=nn.GroupNorm(2, 8)
    ),
    "it is a convolution in groups": lambda: Net(lambda m, x: m.a(m.b(x)), b=conv(3, 4), a=conv(4, 8, groups=2)),
    "they go with 'a parameter', which cannot be cut": lambda: Net(
        lambda m, x: m.a(x) * m.scale, a=conv(3, 8), scale=nn.Parameter(torch.ones(1, 8, 1, 1))
    ),
    "the model does not run": lambda: Net(lambda m, x: m.b(m.a(x).reshape(-1, 8, 8, 8)), a=conv(3, 8), b=conv(8, 8)),
    "shares its weights with another layer": lambda: _tied(),
}


def _tied():
    model = Net(lambda m, x: m.b(m.a(x)), a=conv(8, 8), b=conv(8, 8))
    model.b.weight = model.a.weight
    model._forward = lambda m, x: m.b(m.a(torch.cat([x, x, x], 1)[:, :8]))
    return model


@pytest.mark.parametrize("reason", FIXED)
def test_channels_that_cannot_be_cut_are_left_alone_and_say_why(reason):
    model = seeded(FIXED[reason])
    layers = {"last": 0.5} if "outputs" in reason else {"a": 0.5}
    with pytest.raises(InputError, match=rf"layers\.{next(iter(layers))}: its channels cannot be cut out: .*{reason}"):
        pruned_by(model, "channels", IMAGES, layers=layers)


def test_all_layers_that_make_fixed_channels_say_why():
    model = seeded(lambda: nn.Sequential(nn.Linear(8, 6), nn.ReLU(), Sum()))
    with pytest.raises(InputError, match=r"layers\.2\.two: its channels cannot be cut out: they are outputs"):
        pruned_by(model, "channels", data_for(8), layers={"2.two": 0.5})
    found = coupled_channels(model, torch.randn(2, 8))
    assert [each.makers for each in found] == [("0",), ("2.one", "2.two")]
    assert isinstance(found[0], Coupled)


class Sum(nn.Module):
    """The sum of two layers, and what is largest in it."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x):
        total = self.one(x) + self.two(x)
        return total, total > 0


def test_a_split_of_a_layers_own_channels_is_no_unit():
    """Halves that are multiplied belong together, which a cut of single channels would break."""
    model = seeded(lambda: Net(lambda m, x: (y := m.a(x).chunk(2, 1))[0] * y[1], a=conv(3, 16)))
    with pytest.raises(InputError, match=r"no layer has channels .*a: without them the model does not run"):
        pruned_by(model, "channels", IMAGES)


@pytest.mark.parametrize(
    "model", [lambda: nn.Sequential(nn.Linear(8, 3)), lambda: nn.Sequential(nn.Linear(8, 3), nn.ReLU())]
)
def test_a_model_without_channels_to_cut_is_refused(model):
    with pytest.raises(InputError, match=r"no layer has channels that can be cut out \(0: they are outputs"):
        pruned_by(model().requires_grad_(requires_grad=False), "channels", data_for(8))


@pytest.mark.parametrize("build", [Sequence, Attention])
def test_recurrent_and_attention_layers_keep_what_they_read(build):
    model = seeded(lambda: nn.Sequential(nn.Linear(6, 16 if build is Attention else 6), nn.ReLU(), build()))
    with pytest.raises(InputError, match=r"layers\.0: its channels cannot be cut out"):
        pruned_by(model, "channels", data_for(5, 6), layers={"0": 0.5})


def test_neurons_before_a_norm_are_left_alone_and_others_are_cut():
    model = seeded(lambda: nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3)))
    pruned = pruned_by(model, "channels", data_for(8))
    assert [len(weight) for weight in prunable(pruned.module).values()] == [8, 3, 3]


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_all_channels_of_a_layer_are_too_many(scope):
    with pytest.raises(InputError, match="so much sparsity leaves no channel of '0'; ask for less"):
        pruned_by(seeded(cnn), "channels", data_for(2, 8, 8), 1.0, scope=scope)


def test_one_channel_of_each_is_left_while_others_can_go():
    model = seeded(cnn)
    model[0].weight.data *= 1e-3
    pruned = pruned_by(model, "channels", data_for(2, 8, 8), 0.5)
    assert (len(kept(pruned, "0")), len(kept(pruned, "2"))) == (1, 4)
    least = pruned_by(model, "channels", data_for(2, 8, 8), 0.8)
    assert (len(kept(least, "0")), len(kept(least, "2"))) == (1, 1)
    assert least.module[0].out_channels == 1


def test_layers_have_sparsities_of_their_own():
    model = seeded(Residual)
    layers = {"second": 0.25, "pointwise": 0, "hidden": 0.75}
    pruned = pruned_by(model, "channels", IMAGES, 0.5, layers=layers)
    module = pruned.module
    sizes = [module.first, module.second, module.pointwise, module.beside]
    assert [layer.out_channels for layer in sizes] == [6, 6, 6, 2]
    assert module.hidden.out_features == 3
    alone = pruned_by(model, "channels", IMAGES, 0.5, layers={"second": 0, "hidden": 0}).module
    assert (alone.first.out_channels, alone.second.out_channels, alone.hidden.out_features) == (8, 8, 12)
    both = {"first": 0.25, "second": 0.5}
    with pytest.raises(
        InputError, match=r"make the same channels and must have one sparsity: first = 0.25, second = 0.5"
    ):
        pruned_by(model, "channels", IMAGES, layers=both)
    assert pruned_by(model, "channels", IMAGES, layers=dict.fromkeys(both, 0.25)).module.first.out_channels == 6


def test_steps_count_what_the_model_had_at_first():
    recipe = PruneRecipe(0.5, structure="channels", scope="layer", schedule="cubic", steps=3, fine_tune=UNTRAINED)
    pruned = prune(seeded(Residual), IMAGES, recipe, progress=False)
    assert [len(kept(pruned, name)) for name in ("first", "pointwise", "beside", "hidden")] == [4, 3, 2, 6]
    once = PruneRecipe(0.25, structure="channels", scope="layer", fine_tune=UNTRAINED)
    subject = Subject(copy.deepcopy(seeded(Residual)), Masks.full(seeded(Residual)), IMAGES)
    masks = Channels().prune_(subject, magnitudes(subject.model), Goal(once.sparsity, once.scope))
    again = Subject(subject.model, masks, IMAGES)
    assert Channels().share(again, {}) == pytest.approx((2 + 2 + 1 + 3) / 30)
    assert Channels().prune_(again, magnitudes(again.model), Goal(0.25, once.scope)) == masks


def test_each_weight_of_a_channel_counts_once_in_its_score():
    model = seeded(CUTTABLE["residual"])
    subject = Subject(model, Masks.full(model), IMAGES)
    ((_, units),) = Channels()._units(subject, {})
    assert units.members(subject.masks).tolist() == [3 * 9 + (8 + 8 - 1) * 9 + 3] * 8


class Several(nn.Module):
    """Two inputs, and outputs in a dictionary."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.out, self.other = nn.Linear(4, 6), nn.Linear(5, 6), nn.Linear(6, 3), nn.Linear(6, 2)

    def forward(self, x, y):
        both = (self.one(x) + self.two(y)).relu()
        return {"classes": self.out(both), "others": (self.other(both), None)}


def test_several_inputs_and_outputs():
    model, x = seeded(Several), (torch.randn(2, 4), torch.randn(2, 5))
    (found,) = [each for each in coupled_channels(model, x) if isinstance(each, Coupled)]
    assert (found.root, found.count, set(found.makers)) == ("one", 6, {"one", "two"})


def test_channels_that_are_pruned_already_go_first():
    model = seeded(cnn)
    model[0].weight.data[2] = 0
    model[2].weight.data[:, 2] = 0
    pruned = pruned_by(model, "channels", data_for(2, 8, 8), 0.1)
    assert kept(pruned, "0") == (0, 1, 3)
    assert Channels().share(Subject(model, Masks.of_nonzeros(model), data_for(2, 8, 8)), {}) == 0.1


def test_channels_first_then_blocks_then_weights_with_training(tmp_path):
    tune = TrainSettings(epochs=1, learning_rate=0.01)
    first = (
        Stage(0.5, structure="channels", scope="layer", fine_tune=tune),
        Stage(0.25, structure="block 2x2", layers={"depthwise": 0, "pointwise": 0}, fine_tune=tune),
    )
    recipe = PruneRecipe(0.9, first=first, fine_tune=tune)
    model = seeded(Residual)
    pruned = prune(model, IMAGES, recipe, progress=False)
    count = sum(weight.numel() for weight in prunable(model).values())
    assert pruned.masks.kept == count - pruned_count(0.9, count)
    assert pruned.sparsity == pruned_count(0.9, count) / count
    assert pruned.module.first.out_channels == 4
    assert pruned.history.records[-1].sparsity == pruned.sparsity
    assert prune(model, IMAGES, recipe, progress=False).masks == pruned.masks
    save(pruned, tmp_path / "out")
    loaded = load(tmp_path / "out", seeded(Residual, 7))
    assert loaded.masks == pruned.masks
    state = loaded.module.state_dict()
    assert all(torch.equal(state[name], value) for name, value in pruned.module.state_dict().items())
    assert torch.equal(loaded.module(X.float()), pruned.module(X.float()))
    with pytest.raises(InputError, match=r"has not the \d+ outputs from which channels were cut out"):
        load(tmp_path / "out", pruned.module)


def test_a_lottery_rewinds_a_smaller_model():
    tune = TrainSettings(epochs=1, learning_rate=0.01)
    recipe = PruneRecipe(0.5, structure="channels", scope="layer", schedule=Schedule.LOTTERY, fine_tune=tune)
    pruned = prune(seeded(cnn), data_for(2, 8, 8), recipe, progress=False)
    assert [pruned.module[layer].out_channels for layer in (0, 2)] == [2, 3]


def test_a_cut_of_a_thousand_channels_takes_seconds():
    layers = [nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64)]
    for _ in range(12):
        layers += [nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()]
    model = seeded(lambda: nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 3)))
    pruned = pruned_by(model, "channels", IMAGES, 0.5)
    assert sum(module.out_channels for module in pruned.module if isinstance(module, nn.Conv2d)) == 13 * 64 // 2

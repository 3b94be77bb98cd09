"""What holds for every criterion."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from fpgaprune.errors import InputError
from fpgaprune.prune import PruneRecipe, TrainSettings, prune
from fpgaprune.prune.criteria import CRITERIA, DATA_FREE, Context, LoopWarning
from fpgaprune.prune.forward import copied
from fpgaprune.prune.masks import Masks, prunable
from fpgaprune.prune.objectives import default_loss
from fpgaprune.prune.select import pruned_count
from tests.prune.criteria.nets import make_data, make_net


@pytest.fixture(params=list(CRITERIA))
def name(request):
    return request.param


@pytest.fixture
def criterion(name):
    """A criterion whose warnings about loops are no errors."""

    def call(weights, context):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LoopWarning)
            return CRITERIA[name](weights, context)

    return call


def test_every_net_gets_finite_repeatable_scores_of_its_shapes(criterion, net):
    model, data = net
    weights = prunable(model)
    scores = criterion(weights, Context(model, data, default_loss, seed=1))
    again = criterion(weights, Context(model, data, default_loss, seed=1))
    assert list(scores) == list(weights)
    for name, weight in weights.items():
        assert scores[name].shape == weight.shape
        assert scores[name].isfinite().all()
        assert not scores[name].requires_grad
        assert torch.equal(scores[name], again[name])


@pytest.mark.parametrize(("schedule", "steps"), [("one-shot", 1), ("cubic", 3)])
def test_recipes_prune_exactly_and_repeat(name, schedule, steps, mlp, data):
    recipe = PruneRecipe(0.73, criterion=name, schedule=schedule, steps=steps, fine_tune=TrainSettings(epochs=0))
    one, two = (prune(mlp, data, recipe, progress=False).masks for _ in range(2))
    assert one.count - one.kept == pruned_count(0.73, 176)
    assert one == two


def test_nothing_of_the_caller_is_touched(criterion, net):
    model, data = net
    model.train()
    model.requires_grad_(False)  # as of a frozen model
    next(model.parameters()).requires_grad_().grad = torch.ones_like(next(model.parameters()))
    before = copied(model)
    modes = [module.training for module in model.modules()]
    random, fast = torch.random.get_rng_state(), torch.backends.mha.get_fastpath_enabled()
    with torch.no_grad():
        criterion(prunable(model), Context(model, data, default_loss))
    assert torch.equal(torch.random.get_rng_state(), random)
    assert torch.backends.mha.get_fastpath_enabled() is fast
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())
    for (name, tensor), old in zip(model.state_dict(keep_vars=True).items(), before.state_dict().values(), strict=True):
        assert torch.equal(tensor, old), name
    first, *others = model.parameters()
    assert torch.equal(first.grad, torch.ones_like(first))
    assert all(other.grad is None and not other.requires_grad for other in others)


def test_float32_and_several_thousand_samples_do(criterion, mlp, data):
    scores = criterion(prunable(mlp), Context(mlp, data, default_loss, samples=5000))
    assert all(score.isfinite().all() and (score != 0).any() for score in scores.values())


_REFUSE_NOISE = {
    "sensitivity": "draws random numbers in evaluation mode",
    **dict.fromkeys(("sensitivity-second", "fisher", "obd"), "whose samples alone have the mean"),
}


def test_random_numbers_in_the_forward_pass_repeat_or_are_refused(name):
    class Noisy(nn.Sequential):
        def forward(self, x):
            return super().forward(nn.functional.dropout(x, 0.5, training=True))

    model, data = Noisy(nn.Linear(6, 3)), make_data((6,))
    context = Context(model.double(), data, default_loss)
    if refusal := _REFUSE_NOISE.get(name):
        with pytest.raises(InputError, match=refusal):
            CRITERIA[name](prunable(model), context)
        return
    one, two = (CRITERIA[name](prunable(model), context) for _ in range(2))
    assert torch.equal(one["0.weight"], two["0.weight"])


def test_a_loader_that_shuffles_by_the_global_generator_repeats(name):
    x, y = torch.randn(12, 6, dtype=torch.float64), torch.arange(12) % 3
    from fpgaprune.prune.data import Data

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=4, shuffle=True)
    model, state = make_net("mlp"), torch.random.get_rng_state()
    context = Context(model, Data(loader, loader), default_loss, samples=6)
    one, two = (CRITERIA[name](prunable(model), context) for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_train_step_takes_the_place_of_outputs_and_loss(name):
    """The model has no forward of its own, and the step reaches into it."""

    class Parts(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(6, 5), nn.Linear(5, 3)

    def step(model, batch):
        return default_loss(model.right(model.left(batch[0]).relu()), batch[1])

    model, data = Parts().double(), make_data((6,))
    plain = nn.Sequential(model.left, nn.ReLU(), model.right)
    context = Context(model, data, lambda *_: None, train_step=step)
    if name in {"obd", "sensitivity-second"}:
        with pytest.raises(
            InputError, match=rf"'{name}' needs the loss of the outputs, not a train_step; use 'fisher'"
        ):
            CRITERIA[name](prunable(model), context)
        return
    scores = CRITERIA[name](prunable(model), context)
    expected = CRITERIA[name](prunable(plain), Context(plain, data, default_loss))
    assert [score.tolist() for score in scores.values()] == [score.tolist() for score in expected.values()]


def test_recipes_hand_the_train_step_on(mlp, data):
    def step(model, batch):
        return (model(batch[0])[:, 0] ** 2).mean()  # the other outputs have no part in it

    recipe = PruneRecipe(0.18, criterion="taylor", fine_tune=TrainSettings(epochs=0))  # 32 of 176
    masks = prune(mlp, data, recipe, progress=False, train_step=step).masks
    assert not masks["2.weight"][1:].any()
    assert masks["0.weight"].all()


def test_some_of_the_weights_may_be_asked_for(criterion):
    model, data = make_net("mlp"), make_data((6,))
    chosen = {"2.weight": prunable(model)["2.weight"]}
    scores = criterion(chosen, Context(model, data, default_loss))
    assert list(scores) == ["2.weight"]


def test_shared_weights_are_scored_once(criterion, tied):
    data = make_data((4,))
    scores = criterion(prunable(tied.double()), Context(tied, data, default_loss))
    assert {name: score.shape for name, score in scores.items()} == {"first.weight": (4, 4)}
    assert scores["first.weight"].isfinite().all()


def test_a_bare_module_has_weights_without_a_dot(criterion):
    model = nn.Linear(6, 3).double()
    assert criterion(prunable(model), Context(model, make_data((6,)), default_loss))["weight"].shape == (3, 6)


def test_without_data_the_error_names_the_criteria_that_need_none(name):
    model = make_net("mlp")
    context = Context(model, None, default_loss)
    if name in DATA_FREE:
        assert CRITERIA[name](prunable(model), context)
        return
    with pytest.raises(InputError, match=rf"criterion '{name}' needs training data; .*'magnitude' and 'random'"):
        CRITERIA[name](prunable(model), context)


def test_weights_pruned_so_far_take_no_part(name):
    """As a model whose pruned weights are zero, whatever they are in the model at hand."""
    model, data = make_net("mlp"), make_data((6,))
    masks = Masks({key: torch.rand_like(weight) > 0.5 for key, weight in prunable(model).items()})
    zeroed = copied(model)
    masks.apply_(zeroed)
    one = CRITERIA[name](prunable(model), Context(model, data, default_loss, masks=masks))
    two = CRITERIA[name](prunable(zeroed), Context(zeroed, data, default_loss, masks=masks))
    for key in one:
        assert torch.equal(one[key][masks[key]], two[key][masks[key]])


@pytest.mark.parametrize("name", [name for name in CRITERIA if name not in {*DATA_FREE, "wanda"}])
def test_losses_that_are_not_finite_are_refused(name):
    def loss(outputs, targets):
        return default_loss(outputs, targets) * float("nan")

    model = make_net("mlp")
    with pytest.raises(
        InputError, match=r"(holds NaN or infinite values in '.*'|is nan).*; check the loss and the scale"
    ):
        CRITERIA[name](prunable(model), Context(model, make_data((6,)), loss))


@pytest.mark.parametrize("samples", [0, -1, 1.5, True, "all"])
def test_samples_must_be_a_positive_integer(samples, mlp):
    with pytest.raises(InputError, match="samples must be"):
        Context(mlp, None, default_loss, samples=samples)


def test_magnitude_ignores_the_sign(mlp):
    mlp[0].weight.data[0, :2] = torch.tensor([-0.5, 0.25])
    scores = CRITERIA["magnitude"](prunable(mlp), Context(mlp, None, default_loss))
    assert scores["0.weight"][0, :2].tolist() == [0.5, 0.25]


def test_random_depends_on_its_seed_alone(mlp, mlp_of):
    random = CRITERIA["random"]
    one = random(prunable(mlp), Context(mlp, None, default_loss, seed=1))
    same = random(prunable(mlp_of(7)), Context(mlp, None, default_loss, seed=1))
    two = random(prunable(mlp), Context(mlp, None, default_loss, seed=2))
    assert torch.equal(one["0.weight"], same["0.weight"])
    assert not torch.equal(one["0.weight"], two["0.weight"])

"""Models of PQuantML itself, from its training to integers."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.board import load as load_board
from fpgaprune.errors import InputError
from fpgaprune.flow import generate
from fpgaprune.prune import Data, PruneRecipe, from_pquant, from_torch_prune, prune, with_weights
from fpgaprune.prune.settings import TrainSettings
from fpgaprune.quantise import QuantiseRecipe, quantise
from fpgaprune.sim import ProjectFolder, csim

os.environ.setdefault("KERAS_BACKEND", "torch")  # pquant asks once, when it is imported
import pquant
from pquant.core.torch.layers import pre_finetune_functions

X = torch.rand(96, 8, generator=torch.Generator().manual_seed(0))
Y = X[:, :3].argmax(dim=1)
DATA = Data.from_arrays(X[:64], Y[:64], X[64:], Y[64:])
EXACT = QuantiseRecipe(exact_weights=True)


def config(method="pdp", **settings):
    made = getattr(pquant, f"{method}_config")()
    if method == "pdp":
        made.pruning_parameters.epsilon = 1.0  # all in one epoch
    for name, value in settings.items():
        setattr(made.quantization_parameters, name, value)
    made.training_parameters.pretraining_epochs = made.training_parameters.fine_tuning_epochs = 1
    made.training_parameters.epochs = 2
    return made


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


def trained(plain, made, x=X):
    model = pquant.add_compression_layers(plain, made, tuple(x[:1].shape))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)

    def one_epoch(model, **_):
        for part in range(0, 64, 16):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(x[part : part + 16]), Y[part : part + 16])
            pquant.get_model_losses(model, loss).backward()
            optimiser.step()

    return pquant.train_model(model, made, one_epoch, lambda *_, **__: None).eval()


def computes_the_same(quantised, model, x=X):
    """Whether integers are what the model computes; in float64, as a sum in float32 may be rounded."""
    with torch.no_grad():
        return np.array_equal(quantised.forward(x.double().numpy()), model.double()(x.double()).numpy())


@pytest.mark.parametrize("method", ["pdp", "wanda", "cs", "dst", "autosparse", "mdmm", "ap"])
def test_masks_of_every_method_are_baked_and_integers_are_exact(method):
    model = trained(mlp(), config(method))
    pruned = from_torch_prune(model)
    assert pruned.unbaked == ("0.weight", "0.bias", "2.weight", "2.bias")
    assert torch.equal(pruned.masks["0.weight"], model[0].weight != 0)
    assert pruned.module(X).equal(model(X))
    assert type(model[0]).__name__ == "PQDense"
    assert computes_the_same(quantise(pruned, DATA, EXACT, progress=False), model)


def test_quantisation_takes_the_model_itself():
    model = trained(mlp(), config())
    assert (
        quantise(model, DATA, EXACT, progress=False).layers
        == quantise(from_pquant(model), DATA, EXACT, progress=False).layers
    )


def test_what_pdp_prunes_is_not_built(tmp_path):
    model = pquant.apply_final_compression(trained(mlp(), config()))
    pruned = from_pquant(model)
    assert pruned.unbaked == ()
    assert pruned.sparsity > 0.5
    assert pruned.masks.kept == sum(int(model[at].weight.count_nonzero()) for at in (0, 2))
    quantised = quantise(pruned, DATA, EXACT, progress=False)
    assert quantised.by_name["0"].weight_format.fraction <= 7
    project = generate(quantised, load_board("pynq-z2"), DATA.test_arrays()[0])
    assert csim(ProjectFolder.load(project.write(tmp_path / "net"))).exact


def test_convolutions_batch_norms_pooling_and_tables():
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.Tanh(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(12, 3)
    )
    model = trained(plain, config(use_real_tanh=False), X[:, None])
    pruned = from_torch_prune(model)
    kinds = [type(part) for part in pruned.module]
    assert kinds == [nn.Conv1d, nn.BatchNorm1d, nn.Hardtanh, nn.AvgPool1d, nn.Flatten, nn.Linear]
    assert pruned.module(X[:, None]).equal(model(X[:, None]))
    assert pruned.module[1].running_var.equal(model[1].running_var)


@pytest.mark.parametrize("multiplier", [1.0, -2.2])
def test_the_multiplier_of_a_relu_is_exact(multiplier):
    made = config(use_relu_multiplier=True, default_data_integer_bits=2.0, quantize_output=True)
    model = trained(mlp(), made)
    model[1].multiplier.data.fill_(multiplier)
    pruned = from_torch_prune(model)
    model[1].quantize_output = False  # which would hide what its input loses
    alone = from_torch_prune(model).module[1]
    values = torch.linspace(-40, 40, 10_001, dtype=torch.float64)
    assert torch.equal(alone(values), model[1](values))
    model[1].quantize_output = True
    assert pruned.module(X).equal(model(X))
    assert computes_the_same(quantise(pruned, DATA, EXACT, progress=False), model)


def test_high_granularity_weights_are_exact():
    made = config(use_high_granularity_quantization=True, granularity="per_tensor")
    model = trained(mlp(), made)
    for at in (0, 2):
        model[at].weight_quantizer.quantizer.granularity = "per_weight"
        model[at].weight_quantizer.quantizer.build(model[at].weight.shape)
        widths = torch.arange(model[at].weight.numel()).reshape(model[at].weight.shape) % 7
        model[at].weight_quantizer.quantizer._f.data = widths.float()
    assert computes_the_same(quantise(from_torch_prune(model), DATA, EXACT, progress=False), model)


def test_formats_of_single_elements_are_refused_and_may_be_left_out():
    model = trained(mlp(), config(use_high_granularity_quantization=True, granularity="per_weight"))
    model[0].input_quantizer.quantizer._f.data[0, 3] = 2.0
    with pytest.raises(
        InputError, match=r"0\.input_quantizer has other formats for other elements.*data_formats=False"
    ):
        from_torch_prune(model)
    pruned = from_pquant(model, data_formats=False)
    assert pruned.module[0].weight.equal(model[0].weight)
    assert "input_quantizer" not in dict(pruned.module[0].named_children())


def test_models_that_are_not_finished_are_refused():
    model = pquant.add_compression_layers(mlp(), config(), (1, 8))
    with pytest.raises(InputError, match=r"0\.weight: its mask \(PDP\) is still in training; finish its training"):
        from_torch_prune(model)
    pre_finetune_functions(model)
    assert from_torch_prune(model).masks["2.weight"].equal(model[2].weight != 0)
    made = config()
    made.pruning_parameters.enable_pruning = False
    with pytest.raises(InputError, match=r"0\.weight has no format yet; run one batch"):
        from_pquant(pquant.add_compression_layers(mlp(), made), data_formats=False)


def test_parts_without_a_counterpart_are_refused():
    model = trained(mlp(), config(overflow_mode_data="WRAP"))
    with pytest.raises(InputError, match=r"0\.input_quantizer: overflow_mode_data must be SAT or SAT_SYM, not WRAP"):
        from_torch_prune(model)
    attention = pquant.layers.PQSoftmax(config())
    with pytest.raises(InputError, match=r"0 is a PQSoftmax of pquant.*PQDense"):
        from_torch_prune(nn.Sequential(attention))


def test_a_shared_layer_stays_shared():
    model = trained(mlp(), config())
    shared = nn.ModuleDict({"a": model[0], "b": model[0]})
    plain = from_torch_prune(shared).module
    assert plain["a"] is plain["b"]
    assert type(plain["a"]) is nn.Linear


def test_state_dicts_of_finished_models_load_into_plain_ones():
    model = trained(mlp(), config())
    with pytest.raises(InputError, match=r"0\.weight is not final; call pquant\.apply_final_compression"):
        with_weights(mlp(), model.state_dict())
    pquant.apply_final_compression(model)
    loaded = with_weights(mlp(), model.state_dict())
    assert loaded[0].weight.equal(model[0]._weight)
    assert loaded[2].bias.equal(model[2]._bias)


def test_pruning_goes_on_from_there():
    model = trained(mlp(), config())
    recipe = PruneRecipe(0.9, fine_tune=TrainSettings(epochs=1))
    pruned = prune(model, DATA, recipe, progress=False)
    assert pruned.sparsity == pytest.approx(0.9, abs=0.005)
    assert set(from_torch_prune(model).unbaked) == set(pruned.unbaked)

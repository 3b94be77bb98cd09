"""From modules to layers: what is read, under which names, and what is refused with which words."""

# ruff: noqa: ARG005  # every forward pass takes the module and the input, whether or not it needs both
from __future__ import annotations

import copy
import logging

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as torch_prune

from fpgaprune.capture import Add, BatchNorm, Clip, InputLayer, Linear, Reshape, api, capture, trace
from fpgaprune.capture.origin import Names
from fpgaprune.errors import InputError, UnsupportedError


class Written(nn.Module):
    """A module whose forward pass is given, with a few parameters and buffers to use in it."""

    def __init__(self, forward):
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(8, 8)
        self.bare = nn.Linear(8, 8, bias=False)
        self.matrix = nn.Parameter(torch.randn(8, 4))
        self.register_buffer("mask", (torch.rand(8, 8) > 0.5).float())
        self.written = forward

    def forward(self, x):
        return self.written(self, x)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.bn = nn.BatchNorm1d(8)
        self.act = nn.ReLU(inplace=True)
        self.drop = nn.Dropout()

    def forward(self, x):
        return self.drop(self.act(self.bn(self.fc(x)))) + x


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.flat = nn.Flatten()
        self.block = Block()
        self.head = nn.Sequential(nn.Linear(8, 4), nn.Identity(), nn.ReLU6(), nn.Hardtanh(-2, 1.5), nn.Linear(4, 2))

    def forward(self, x):
        return self.head(self.block(self.block(self.flat(x))))


def example_of(*shape, dtype=torch.float32):
    """A batch of inputs that reach beyond every clip, in an order without a pattern."""
    size = torch.Size(shape).numel()
    order = torch.randperm(size, generator=torch.Generator().manual_seed(0))
    return torch.linspace(-7.3, 7.9, size, dtype=dtype)[order].view(shape)


def randomised(module):
    """Give a module's batch normalisations statistics that are not those of a fresh one."""
    generator = torch.Generator().manual_seed(1)
    for each in module.modules():
        if isinstance(each, nn.BatchNorm1d) and each.running_mean is not None:
            each.running_mean.uniform_(-1, 1, generator=generator)
            each.running_var.uniform_(0.5, 2, generator=generator)
    return module


def kinds(network):
    return [type(layer) for layer in network.layers]


def same_result(module, network, example):
    """Whether the network computes what the module does, up to float32."""
    with torch.no_grad():
        expected = module.eval()(example.clone()).double().numpy()
    got = trace(network, example.double().numpy())[network.output]
    return got.shape == expected.shape and np.allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_modules_become_layers_in_order_with_their_paths_as_names():
    module, example = randomised(Residual()), example_of(5, 2, 4)
    network = capture(module, example)
    assert [(type(layer), layer.name) for layer in network.layers] == [
        (InputLayer, "x"),
        (Reshape, "flat"),
        (Linear, "block.fc"),
        (BatchNorm, "block.bn"),
        (Clip, "block.act"),
        (Add, "block.add"),
        (Linear, "block.fc_2"),
        (BatchNorm, "block.bn_2"),
        (Clip, "block.act_2"),
        (Add, "block.add_2"),
        (Linear, "head.0"),
        (Clip, "head.2"),
        (Clip, "head.3"),
        (Linear, "head.4"),
    ]
    assert network.output == "head.4"
    assert network.input.shape == (2, 4)
    assert same_result(module, network, example)


def test_parameters_keep_the_names_of_the_state_dict_and_their_values():
    module = randomised(Residual())
    network = capture(module, example_of(2, 2, 4))
    first, second = network.by_name["block.fc"], network.by_name["block.fc_2"]
    assert (first.weight_name, first.bias_name) == ("block.fc.weight", "block.fc.bias")
    assert (second.weight_name, second.bias_name) == ("block.fc.weight", "block.fc.bias")
    state = module.state_dict()
    assert np.array_equal(first.weight, state["block.fc.weight"].double().numpy())
    assert np.array_equal(first.bias, state["block.fc.bias"].double().numpy())
    assert np.array_equal(network.by_name["block.bn"].mean, state["block.bn.running_mean"].double().numpy())
    assert not first.weight.flags.writeable


def test_the_place_of_a_layer_names_its_module_and_the_users_line():
    network = capture(Residual(), example_of(2, 2, 4))
    line = Block.forward.__code__.co_firstlineno + 1
    assert str(network.by_name["block.fc"].where) == f"block.fc (test_capture.py:{line})"
    assert str(network.by_name["block.add"].where) == f"block (test_capture.py:{line})"


def test_the_callers_module_is_left_as_it_was():
    module = Residual().train()
    before = copy.deepcopy(module.state_dict())
    capture(module, example_of(2, 2, 4))
    assert module.training
    assert all(each.training for each in module.modules())
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_numbered_names_do_not_meet_those_that_are_numbered_already():
    names = Names()
    assert [names.take(base) for base in ("fc", "fc_2", "fc", "fc", "fc_2")] == [
        "fc",
        "fc_2",
        "fc_2_2",
        "fc_3",
        "fc_2_3",
    ]


@pytest.mark.parametrize("samples", [1, 3])
def test_any_number_of_samples_will_do_as_an_example(samples):
    network = capture(Written(lambda m, x: m.fc(x).unsqueeze(1).squeeze()), example_of(samples, 8))
    assert network.by_name[network.output].shape == (8,)  # squeeze did not swallow the batch


SPELLINGS = {
    "functional linear": (lambda m, x: functional.linear(x, m.fc.weight, m.fc.bias), [Linear]),
    "matrix product": (lambda m, x: x @ m.matrix, [Linear]),
    "mm": (lambda m, x: torch.mm(x, m.matrix), [Linear]),
    "matrix product plus bias": (lambda m, x: x @ m.fc.weight.t() + m.fc.bias, [Linear]),
    "bias plus matrix product": (lambda m, x: m.fc.bias + torch.matmul(x, m.fc.weight.T), [Linear]),
    "addmm": (lambda m, x: torch.addmm(m.fc.bias, x, m.mask), [Linear]),
    "masked weight": (lambda m, x: functional.linear(x, m.fc.weight * m.mask, m.fc.bias), [Linear]),
    "second bias": (lambda m, x: m.fc(x) + m.matrix[:, 0], [Linear]),
    "bias of one row": (lambda m, x: m.bare(x) + m.mask[:1], [Linear]),
    "in-place bias": (lambda m, x: m.bare(x).add_(m.fc.bias), [Linear]),
    "torch.relu": (lambda m, x: torch.relu(x), [Clip]),
    "relu method": (lambda m, x: x.relu(), [Clip]),
    "functional relu": (lambda m, x: functional.relu(m.fc(x), inplace=True), [Linear, Clip]),
    "relu6": (lambda m, x: functional.relu6(x), [Clip]),
    "hardtanh": (lambda m, x: functional.hardtanh(x, -0.3, 0.4), [Clip]),
    "clamp": (lambda m, x: x.clamp(-0.5, 0.25), [Clip]),
    "clamp of one end": (lambda m, x: x.clamp(max=0.5).clamp(min=-0.5), [Clip, Clip]),
    "clamp_min": (lambda m, x: torch.clamp_min(x, 0.1), [Clip]),
    "clamp_max": (lambda m, x: torch.clamp_max(x, 0.1), [Clip]),
    "add": (lambda m, x: torch.add(m.fc(x), x), [Linear, Add]),
    "add to itself": (lambda m, x: x + x, [Add]),
    "in-place add": (lambda m, x: m.fc(x).add_(x), [Linear, Add]),
    "batch_norm without affine": (lambda m, x: functional.batch_norm(x, m.mask[0], m.mask[1] + 1), [BatchNorm]),
    "view and back": (lambda m, x: x.view(-1, 2, 4).flatten(1), []),
    "reshape": (lambda m, x: x.reshape(x.shape[0], 4, 2), [Reshape]),
    "unsqueeze and squeeze": (lambda m, x: x.unsqueeze(1).squeeze(1).unsqueeze(-1).squeeze(), []),
    "unflatten": (lambda m, x: x.unflatten(1, (2, 4)), [Reshape]),
    "same shape": (lambda m, x: x.view(x.shape).relu(), [Clip]),
    "values left alone": (
        lambda m, x: functional.dropout(x.contiguous().clone().detach(), training=False).to(torch.float32).relu(),
        [Clip],
    ),
    "float64 in between": (lambda m, x: x.double().float().relu(), [Clip]),
    "type_as": (lambda m, x: x.type_as(m.mask).relu(), [Clip]),
    "identity": (lambda m, x: x, []),
    "mutation seen through a view": (lambda m, x: _mutated(m.fc(x)), [Linear, Clip, Add]),
    "dead code": (lambda m, x: (torch.sin(x), m.fc(x))[1], [Linear]),
    "overwritten input": (lambda m, x: m.fc(x.add_(x)), [Add, Linear]),
}


def _mutated(x):
    view = x.view(-1, 2, 4)
    view.relu_()
    return x + x


@pytest.mark.parametrize("name", SPELLINGS)
def test_each_spelling_is_read_exactly(name):
    forward, expected = SPELLINGS[name]
    module, example = Written(forward), example_of(2, 8)
    network = capture(module, example.clone())
    assert kinds(network) == [InputLayer, *expected]
    assert same_result(module, network, example)


def test_a_folded_constant_bears_the_name_of_its_parameter():
    network = capture(Written(lambda m, x: x @ m.fc.weight.t() + m.fc.bias), example_of(2, 8))
    assert (network.by_name["linear"].weight_name, network.by_name["linear"].bias_name) == ("fc.weight", "fc.bias")


@pytest.mark.parametrize(
    "module",
    [
        parametrizations.weight_norm(nn.Linear(8, 3)),
        torch_prune.random_unstructured(nn.Linear(8, 3), "weight", 0.5),
        nn.Linear(8, 3).double(),
        nn.BatchNorm1d(8, affine=False),
    ],
    ids=["weight_norm", "torch prune", "float64", "no affine"],
)
def test_unusual_modules_are_read_exactly(module):
    example = example_of(2, 8, dtype=next(iter(module.state_dict().values())).dtype)
    assert same_result(module, capture(module, example), example)


LINE = r"the model itself \(test_capture\.py:\d+\)"
SAMPLES = "it mixes samples; keep the batch as the first axis|so keep the batch as the first axis, or please report"
REFUSALS = {
    "constant of a batch": (lambda m, x: m.fc(x) + torch.ones(2, 8), SAMPLES),
    "another sample": (lambda m, x: m.fc(x) + x.flip(0), SAMPLES),
    "mean of samples": (lambda m, x: x - x.mean(0), SAMPLES),
    "batch moved": (lambda m, x: m.fc(x).t(), r"one result a sample, not shape \(8, 2\) for 2 samples"),
    "batch merged": (lambda m, x: x.flatten(), r"one result a sample, not shape \(16,\) for 2 samples"),
    "batch in the middle": (lambda m, x: x.view(2, 2, -1)[:, 0], SAMPLES),
    "random": (lambda m, x: m.fc(x) + torch.rand(8), "draws random numbers, which is not supported; make it a buffer"),
    "clamp by tensors": (lambda m, x: x.clamp(m.mask[0]), "the operation clamp.* is not supported; give clamp plain"),
    "empty clamp": (lambda m, x: x.clamp(2, 1), r"the empty clamp 2.0…1.0 is not supported; exchange its ends"),
    "half": (lambda m, x: x.half(), "the conversion to float16 is not supported; leave number formats to quantis"),
    "integers": (lambda m, x: x.long(), "the conversion to int64 is not supported; leave number formats to quantis"),
    "training dropout": (lambda m, x: functional.dropout(x), "dropout .* pass training=self.training"),
    "unknown": (lambda m, x: x.round(), "the operation round is not supported; write it with layers of torch.nn"),
    "smooth": (lambda m, x: x.sin(), "the operation sin is not supported; use nn.ReLU, which costs next to nothing"),
    "condition": (lambda m, x: torch.where(x > 0, x, -x), "the operation gt is not supported; use torch.relu"),
    "choice": (lambda m, x: torch.where(x.bool(), x, -x), "the conversion to bool is not supported"),
    "threshold": (lambda m, x: functional.threshold(x, 1, 2), "a threshold other than at 0 to 0 is not supported"),
    "power": (lambda m, x: x**0.5, "a power with the exponent 0.5 is not supported; use 2, 3, 4, -1 or -0.5"),
    "division by zero": (lambda m, x: x / 0.0, "a division by zero is not supported"),
    "infinite factor": (
        lambda m, x: x * torch.inf,
        "a constant with infinite values is not supported; add minus infinity right before",
    ),
    "place of the largest": (lambda m, x: x.max(1)[1], "result 1 of max_1 is not supported; use .* torch.argmax"),
    "places of results": (
        lambda m, x: x.index_select(1, x.argmax(1)[:1]),
        "with places that depend on the input is not supported; use constant indices",
    ),
    "masked elsewhere": (
        lambda m, x: x.masked_fill(m.mask[0] > 0, -torch.inf).relu(),
        "a tensor that is masked with -inf here is not supported; mask right before a softmax only",
    ),
    "all masked": (
        lambda m, x: x.masked_fill(m.mask[0] < 2, -torch.inf).softmax(1),
        "a softmax over masked elements only is not supported; leave one element of each row unmasked",
    ),
    "volume": (lambda m, x: functional.conv3d(x.view(-1, 1, 2, 2, 2), m.mask[:1, :1, None, None, None]), "over 3 axes"),
    "transposed convolution": (
        lambda m, x: functional.conv_transpose1d(x[:, None], m.mask[:1, None]),
        "the operation conv_transpose1d is not supported; use nearest upsampling followed by a Conv",
    ),
    "images of one sample": (
        lambda m, x: functional.conv1d(x.view(-1, 1, 4), m.mask[:1, None, :2]).view(-1, 6),
        "windows over 2 images of one sample is not supported; treat the images one after the other",
    ),
    "weights of results": (
        lambda m, x: functional.conv1d(x[:, None], m.fc(x)[:1, None]),
        "'weight' must be a parameter",
    ),
    "attention dropout": (
        lambda m, x: functional.scaled_dot_product_attention(x, x, x, dropout_p=0.5),
        "attention with dropout is not supported",
    ),
    "smooth upsampling": (
        lambda m, x: functional.interpolate(x.view(-1, 1, 2, 4), scale_factor=2, mode="bilinear"),
        "the operation upsample_bilinear2d is not supported; use mode='nearest'",
    ),
    "control flow": (
        lambda m, x: x if bool((x > 0).any()) else -x,
        "the control flow or a shape depends on the values",
    ),
    "item": (lambda m, x: x[:, : int(x.sum().item())], "the control flow or a shape depends on the values of a tensor"),
    "numpy": (lambda m, x: torch.from_numpy(x.detach().numpy()), "torch.export cannot trace it .* torch operations"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_read_is_refused_with_place_and_remedy(name):
    forward, message = REFUSALS[name]
    with pytest.raises(
        UnsupportedError, match=rf"(?s)^{LINE}: .*({message})|^the (model|captured network) .*({message})"
    ):
        capture(Written(forward), example_of(2, 8))


def test_a_refusal_is_one_line_and_prints_nothing(capfd, caplog):
    with pytest.raises(UnsupportedError) as caught:
        capture(Written(REFUSALS["control flow"][0]), example_of(2, 8))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("module", "example", "message"),
    [
        (nn.BatchNorm1d(8, track_running_stats=False), example_of(2, 8), "keep track_running_stats=True"),
        (
            nn.Linear(8, 3).half(),
            example_of(2, 8),
            "^weight must be float32 or float64, not float16; call model.float",
        ),
        (Written(lambda m, x: torch.ones(2, 3)), example_of(2, 8), "output of the model does not depend on its input"),
    ],
    ids=["no statistics", "half", "constant"],
)
def test_modules_beyond_reach_are_refused(module, example, message):
    with pytest.raises(UnsupportedError, match=message):
        capture(module, example)


def test_a_variance_below_zero_is_refused():
    module = nn.BatchNorm1d(8)
    module.running_var[0] = -1
    with pytest.raises(UnsupportedError, match=r"a variance of -1.0 with eps=1e-05 is not supported; train the batch"):
        capture(module, example_of(2, 8))


@pytest.mark.parametrize(
    ("module", "example", "message"),
    [
        (
            nn.Linear(5, 3),
            example_of(2, 8),
            r"does not run on inputs of shape \(2, 8\) and type float32: RuntimeError",
        ),
        (Written(lambda m, x: (m.fc(x), 3)), example_of(2, 8), "must return tensors, not int; wrap it in a module"),
        (nn.Bilinear(8, 8, 3), example_of(2, 8), "missing 1 required positional argument: 'input2'"),
        (nn.Linear(8, 3), torch.zeros(2, 8, dtype=torch.int64), r"must be a tensor of floats .* type int64; convert"),
        (nn.Linear(8, 3), [[1.0] * 8], "must be a tensor of floats .* not list"),
        (nn.ReLU(), torch.tensor(1.0), r"must hold at least one sample, not shape \(\)"),
        (nn.ReLU(), torch.ones(0, 3), r"must hold at least one sample, not shape \(0, 3\)"),
    ],
    ids=["shape", "no tensor", "several inputs", "integers", "list", "scalar", "empty"],
)
def test_models_and_examples_that_do_not_fit_are_refused(module, example, message):
    with pytest.raises(InputError, match=message):
        capture(module, example)


def test_weights_that_are_not_finite_are_refused_by_name():
    module = nn.Sequential(nn.Linear(8, 3))
    module[0].weight.data[0, 0] = torch.nan
    with pytest.raises(InputError, match=r"the model holds NaN or infinite values in '0.weight'"):
        capture(module, example_of(2, 8))


def test_buffers_that_are_not_finite_are_refused_where_they_are_used():
    module = Written(lambda m, x: functional.linear(x, m.mask))
    module.mask[0, 0] = torch.inf
    with pytest.raises(UnsupportedError, match=f"^{LINE}: 'mask' with NaN or infinite values is not supported"):
        capture(module, example_of(2, 8))
    module.mask = torch.ones(8, 8, dtype=torch.float16)
    module.written = lambda m, x: m.fc(x) + m.mask[0]
    with pytest.raises(UnsupportedError, match=f"^{LINE}: 'mask' of type float16 is not supported"):
        capture(module, example_of(2, 8))


def test_a_network_that_was_read_wrongly_is_noticed(monkeypatch):
    monkeypatch.setattr(api, "trace", lambda network, x: {name: v + 1 for name, v in trace(network, x).items()})
    with pytest.raises(UnsupportedError, match=r"the captured network differs from the model by 1"):
        capture(nn.Linear(8, 3), example_of(2, 8))


def test_a_number_of_samples_written_into_the_model_is_named():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(x.view(60, 4))

    with pytest.raises(UnsupportedError, match=r"runs on 60 samples at once but not on 2: .* use x\.shape\[0\]"):
        capture(Fixed(), torch.randn(60, 2, 2))

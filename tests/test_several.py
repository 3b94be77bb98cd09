"""Several inputs and several outputs, the whole way: from PyTorch to the C++, by functions and on the command line."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from fpgaprune.api import (
    Data,
    Options,
    ProjectFolder,
    PruneRecipe,
    QuantiseRecipe,
    TrainSettings,
    csim,
    evaluate,
    generate,
    load_board,
    prune,
    quantise,
)
from fpgaprune.cli import main
from fpgaprune.schedule import Interface
from fpgaprune.sim.inputs import load_inputs

ONCE = TrainSettings(epochs=1)


class Net(nn.Module):
    """An image and a vector in; scores out, and the features that they are made from."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)
        self.side, self.features, self.head = nn.Linear(5, 4), nn.Linear(8, 6), nn.Linear(6, 3)

    def forward(self, image: torch.Tensor, vector: torch.Tensor) -> dict[str, torch.Tensor | None]:
        seen = functional.max_pool2d(functional.relu(self.norm(self.conv(image))), 2).mean((2, 3))
        features = functional.relu(self.features(torch.cat([seen, functional.relu(self.side(vector))], dim=1)))
        return {"scores": self.head(features), "nothing": None, "features": features}


def make_net() -> Net:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Net()


def make_data(samples: int = 80) -> Data:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, 2, 6, 6)).astype(np.float32), rng.normal(size=(samples, 5)).astype(np.float32)
    y = rng.integers(0, 3, samples), rng.normal(size=(samples, 6)).astype(np.float32)
    return Data.from_arrays(x, y, x, y, batch_size=20)


@pytest.fixture(scope="module")
def quantised():
    pruned = prune(make_net(), make_data(), PruneRecipe(sparsity=0.5, fine_tune=ONCE), progress=False)
    return quantise(pruned, make_data(), QuantiseRecipe(fine_tune=ONCE), progress=False)


@pytest.mark.needs("g++", "make")
@pytest.mark.parametrize("interface", Interface)
def test_an_image_and_a_vector_become_scores_and_features(quantised, interface, tmp_path):
    samples, _ = make_data().test_arrays()
    project = generate(quantised, load_board("pynq-z2"), samples, Options(interface=interface, stored_samples=3))
    folder = ProjectFolder.load(project.write(tmp_path / "net"))
    graph = folder.design.graph
    assert [(op.output.name, op.output.shape) for op in graph.inputs] == [("image", (6, 6, 2)), ("vector", (5,))]
    assert [graph.tensors[name].shape for name in graph.outputs] == [(3,), (6,)]

    words = quantised.quantise_input(samples)
    for name, got, wanted in zip(graph.outputs, evaluate(graph, *words), quantised.forward(samples), strict=True):
        assert np.array_equal(got, np.ldexp(wanted, graph.tensors[name].format.fraction))
    np.savez(tmp_path / "words.npz", image=words[0], vector=words[1])
    inputs = load_inputs(tmp_path / "words.npz", graph)
    verdict = csim(folder, inputs)
    assert verdict.exact
    assert (verdict.samples, verdict.words) == (80, 80 * 9)
    assert csim(folder).samples == 3


MODULE = "from tests.test_several import make_data, make_net"
RECIPE = "[prune]\nsparsity = 0.5\n[prune.fine_tune]\nepochs = 1\n"


def command(*words: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fpgaprune", *words])
        with pytest.raises(SystemExit) as ended:
            main()
    return ended.value.code


def test_the_command_line_keeps_samples_of_every_input(tmp_path, monkeypatch, capsys):
    (tmp_path / "several_ends.py").write_text(MODULE)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    words = ("--model", "several_ends:make_net", "--data", "several_ends:make_data", "--recipe", "recipe.toml")
    assert command("prune", *words, "--out", "model") == 0
    samples, _ = make_data().test_arrays()
    for place, values in enumerate(samples):
        assert np.array_equal(np.load(tmp_path / "model" / f"samples_{place}.npy", allow_pickle=False), values)
    assert command("generate", "model", "--board", "pynq-z2", "--out", "net") == 0
    assert [op.output.name for op in ProjectFolder.load(tmp_path / "net").design.graph.inputs] == ["image", "vector"]
    np.save(tmp_path / "image.npy", samples[0])
    assert command("csim", "net", "--inputs", "image.npy") == 2
    assert "lacks the input vector" in capsys.readouterr().err
    (tmp_path / "model" / "samples_1.npy").unlink()
    assert command("generate", "model", "--board", "pynq-z2", "--out", "other") == 2
    assert "samples_1.npy cannot be read" in capsys.readouterr().err

"""The head of a classifier, from the options to the project."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.api import Data, Head, Options, QuantiseRecipe, generate, load_board, quantise
from fpgaprune.serialise import graph_from_text


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)).astype(np.float32), rng.integers(0, 3, 50)
    model = nn.Sequential(nn.Linear(4, 3), nn.Softmax(-1))
    return quantise(model, Data.from_arrays(x, y, x, y), QuantiseRecipe(fine_tune=None), progress=False), x.astype(
        float
    )


@pytest.mark.parametrize(
    ("head", "ops"),
    [
        (Head.LOGITS, {"Input", "MatVec", "Requantise"}),
        (Head.ARGMAX, {"Input", "MatVec", "Requantise", "ArgMax"}),
        (Head.SOFTMAX, None),
    ],
)
def test_a_project_gives_out_what_its_head_says(classifier, head, ops):
    model, x = classifier
    project = generate(model, load_board("pynq-z2"), x, Options(head=head))
    graph = graph_from_text(project.files["graph.json"])
    found = {type(op).__name__ for op in graph.ops}
    assert found == ops if ops else "Table" in found
    words = {Head.LOGITS: 3, Head.ARGMAX: 1, Head.SOFTMAX: 3}[head]
    assert json.loads(project.files["fpgaprune.json"])["outputs"][0]["words"] == words

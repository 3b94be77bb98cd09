"""The code and the attributes of a model count in its digest, wherever they are written."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from fpgaprune.prune.digests import model_digest

NET = """
import torch
from torch import nn
import {helper}
from fpgaprune.errors import InputError

class Net(nn.Module):
    def __init__(self, **attributes):
        super().__init__()
        self.layer = nn.Linear(2, 2, bias=False)
        nn.init.ones_(self.layer.weight)
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x):
        return self.layer(x) * 2
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write modules, import the first anew, and return it."""
    monkeypatch.syspath_prepend(tmp_path)

    def module(net, **around):
        (tmp_path / "around").mkdir(exist_ok=True)
        (tmp_path / "net.py").write_text(net)
        for name, text in around.items():
            (tmp_path / "around" / f"{name}.py").write_text(text)
        for name in ("net", "around", "around.inner", "around.other"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        return importlib.import_module("net")

    return module


def test_forward_and_what_it_calls_in_other_files_count(written, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    net = NET.format(helper="around.inner as inner")
    texts = {"net": net, "__init__": "from . import other\n", "inner": "", "other": "A = 1\n"}
    changes = (
        {},
        {"net": net.replace("* 2", "* 3")},
        {"inner": "from fpgaprune import board\n"},
        {"other": "A = 2\n"},
    )
    digests = [model_digest(written(**(texts | change)).Net()) for change in changes]
    assert model_digest(written(**texts).Net()) == digests[0]
    assert len(set(digests)) == 4


def one(x):
    return x


def two(x):
    return x


VALUES = (
    1,
    2,
    1.5,
    "a",
    None,
    True,
    (1, "a"),
    [1, "a"],
    {"a": 1},
    {"a": 2},
    torch.float32,
    torch.ones(2),
    torch.zeros(2),
    np.ones(2),
    np.zeros(2),
    one,
    two,
    partial(one, 1),
    partial(one, 2),
    nn.ReLU,
)


def test_attributes_count_and_the_mode_does_not(written):
    module = written(net=NET.format(helper="math"))
    digests = [model_digest(module.Net(value=value)) for value in VALUES]
    assert len(set(digests)) == len(VALUES)
    assert digests == [model_digest(module.Net(value=value).eval()) for value in VALUES]


def test_hooks_count():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.load_state_dict(first.state_dict())
    assert model_digest(first) == model_digest(second)
    second.register_forward_hook(lambda _module, _inputs, output: output * 2)
    assert model_digest(first) != model_digest(second)


def test_graph_that_torch_traced_counts():
    class Scaled(nn.Module):
        def __init__(self, by):
            super().__init__()
            self.by = by

        def forward(self, x):
            return x * self.by

    digests = [model_digest(nn.Sequential(torch.fx.symbolic_trace(Scaled(by)))) for by in (2, 2, 3)]
    assert digests[0] == digests[1] != digests[2]


def test_code_without_a_file_counts_as_it_was_compiled():
    def digest(text):
        names = {"__name__": "nowhere"}
        exec(NET.format(helper="math").replace("* 2", text), names)  # noqa: S102  # as a notebook does
        return model_digest(names["Net"]())

    assert digest("* 2") == digest("* 2") != digest("* 3")


def test_digest_is_the_same_in_every_process(written, tmp_path):
    net = NET.format(helper="math") + "\n    names = {'a', 'b', 'c'}\n"
    module = written(net=net)
    ask = "from net import Net; from fpgaprune.prune.digests import model_digest as digest;"
    ask += "print(digest(Net(kinds={'a', 'b', 'c'})))"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        found = subprocess.run(
            [sys.executable, "-c", ask], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        assert found.stdout.strip() == model_digest(module.Net(kinds={"a", "b", "c"}))

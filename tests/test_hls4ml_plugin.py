"""hls4ml's backend ``fpgaprune`` writes fpgaprune's projects."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hls4ml.backends import get_available_backends
from hls4ml.backends.backend import register_backend
from hls4ml.model.graph import ModelGraph
from hls4ml.utils.config import create_config

from fpgaprune.errors import InputError, UnsupportedError
from fpgaprune.frontend.quiet import quiet
from fpgaprune.hls4ml_plugin import BACKEND, register
from fpgaprune.lower import lower
from fpgaprune.schedule import strategy_of
from fpgaprune.sim import ProjectFolder

WEIGHT = np.array([[0.5, 0.0], [0.0, -0.25], [1.0, 0.5]])


@pytest.fixture(autouse=True, scope="module")
def _registered():
    """Register the backend where an installed entry point has not done so."""
    if BACKEND not in get_available_backends():
        register(register_backend, None)


def model(folder, settings=None, **options):
    dense = {
        "class_name": "Dense",
        "name": "fc",
        "n_in": 3,
        "n_out": 2,
        "weight_data": WEIGHT,
        "bias_data": np.zeros(2),
    }
    layers = [
        {"class_name": "InputLayer", "name": "x", "input_shape": [3]},
        dense,
        {"class_name": "Activation", "name": "act", "activation": "relu"},
    ]
    names = {
        "x": {"Precision": {"result": "ap_fixed<6,3>"}},
        "act": {"Precision": {"result": "ap_ufixed<4,2,AP_RND,AP_SAT>"}},
        "fc": settings or {},
    }
    config = create_config(str(folder), "net", BACKEND, **({"board": "pynq-z2"} | options))
    hls = {"Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 1}, "LayerName": names}
    with quiet():
        return ModelGraph.from_layer_list(config | {"HLSConfig": hls}, layers, ["x"], ["act"])


@pytest.mark.parametrize(
    ("settings", "strategy"),
    [
        ({}, "multiply"),
        ({"Strategy": "adders"}, "adders"),
        ({"ReuseFactor": 2, "Strategy": "resource"}, "folded"),
        ({"ReuseFactor": 4}, "folded"),
    ],
)
def test_strategies_and_any_reuse_factor_of_its_configuration_are_followed(tmp_path, settings, strategy):
    folder = tmp_path / "project"
    model(folder, settings).write()
    (plan,) = ProjectFolder.load(folder).design.plans.values()
    assert strategy_of(plan).value == strategy
    assert lower(ProjectFolder.load(folder).design).interval == settings.get("ReuseFactor", 1)


def test_a_project_of_ours_is_written_and_replaced(tmp_path):
    folder = tmp_path / "project"
    model(folder).write()
    assert (folder / "fpgaprune.json").is_file()
    assert {path.name for path in folder.iterdir()} >= {"src", "README.md", "graph.json"}
    assert not (folder / "firmware").exists()
    model(folder, clock_period=8.0).write()
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match=r"exists already"):
        model(tmp_path / "mine").write()


def test_predictions_are_exact_without_a_compiler(tmp_path):
    x = np.random.default_rng(0).integers(-32, 32, (50, 3)) / 8
    got = model(tmp_path).predict(x)
    assert np.array_equal(got, np.clip(np.floor((x @ WEIGHT).clip(min=0) * 4 + 0.5) / 4, 0, 3.75))


def test_a_board_is_needed_and_its_part_alone_fits(tmp_path):
    with pytest.raises(InputError, match=r"the backend 'fpgaprune' needs board=, one of .*pynq-z2"):
        model(tmp_path, board=None)
    with pytest.raises(InputError, match=r"part must be left out, or be 'xc7z020.*', not 'xcu250'"):
        model(tmp_path, part="xcu250")


def test_what_runs_elsewhere_is_refused_with_the_remedy(tmp_path):
    built = model(tmp_path / "project")
    with pytest.raises(UnsupportedError, match=r"predict needs no compile\(\) .* fpgaprune csim .*project$"):
        built.compile()
    with pytest.raises(UnsupportedError, match=r"^build\(\) is not supported by the backend 'fpgaprune'; run the"):
        built.build()


def test_hls4ml_finds_the_backend_without_torch():
    script = (
        "import sys, hls4ml.backends as b; assert 'fpgaprune' in b.get_available_backends();"
        " sys.exit('fpgaprune.frontend' in sys.modules)"
    )
    environment = os.environ | {"HLS4ML_BACKEND_PLUGINS": "fpgaprune.hls4ml_plugin"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

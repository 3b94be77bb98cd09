"""Stock hls4ml as an oracle: its own C-simulation of the same ModelGraph gives the same numbers."""

from __future__ import annotations

import shutil
import uuid

import numpy as np
import pytest

from fpgaprune import tools
from fpgaprune.capture import Add, Affine, Clip, InputLayer, Linear, Network, Reshape
from fpgaprune.capture.records import Concat, Function, FunctionKind, Gather, MaxPool, Multiply
from fpgaprune.errors import InputError, ToolError, UnsupportedError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.frontend import Baseline, compile_baseline, convert, write_baseline
from fpgaprune.quantise import QuantisedModel
from fpgaprune.quantise.freeze import freeze
from fpgaprune.quantise.plan import Plan
from tests.frontend.nets import conv, quantised, samples_of, sparse, unsigned, windows

PART, CLOCK_NS = "xcu250-figd2104-2L-e", 5.0


def signed(width, fraction, rounding=Rounding.RND, overflow=Overflow.SAT):
    return Fixed(True, width, fraction, rounding, overflow)


def network(rng, last):
    """A layer of every kind that stock hls4ml has C++ for, and a clip of its own at the end."""
    weight = rng.normal(size=(3, 6, 6)) * (rng.random((3, 6, 6)) < 0.5)
    weight[0, 2] = 0
    return Network(
        (
            InputLayer("x", (2, 3)),
            Reshape("flat", "x", (6,)),
            Linear("fc1", "flat", weight[0], rng.normal(size=6)),
            Clip("relu", "fc1", (6,), 0.0, None),
            Affine("bn", "relu", rng.normal(size=6) * 2.0 ** rng.integers(-3, 4, 6), rng.normal(size=6)),
            Add("sum", "bn", "flat", (6,)),
            Clip("relu6", "sum", (6,), 0.0, 6.0),
            Linear("fc2", "relu6", weight[1], np.zeros(6)),
            Clip("relu1", "fc2", (6,), 0.0, 1.0),
            Add("twice", "relu1", "relu1", (6,)),
            Linear("fc3", "twice", weight[2], rng.normal(size=6)),
            last,
        ),
        (last.name,),
    )


PLAN = Plan(
    {
        "x": signed(6, 3),
        "relu": Fixed(False, 5, 2, Rounding.RND, Overflow.SAT),
        "bn": signed(6, 1, Rounding.RND_CONV, Overflow.SAT_SYM),
        "relu6": Fixed(False, 4, 2, Rounding.TRN, Overflow.SAT),  # 6 saturates
        "relu1": Fixed(False, 3, 2, Rounding.RND_ZERO, Overflow.SAT),
        "twice": Fixed(False, 1, 0, Rounding.RND_INF, Overflow.SAT),  # one bit
        "out": signed(7, 3, Rounding.RND_MIN_INF),
    },
    {"fc1": signed(5, 3), "fc2": signed(2, 1), "fc3": signed(8, 5)},
    {"bn": tuple(signed(4, fraction) for fraction in (2, 3, 2, 4, 2, 2))},
)


@pytest.fixture(scope="module")
def converted():
    rng = np.random.default_rng(0)
    net = network(rng, Clip("out", "fc3", (6,), None, None))
    model = QuantisedModel(freeze(net, PLAN), ("out",))
    samples = rng.normal(size=(300, 2, 3)) * 3
    return model, samples, convert(model, PART, CLOCK_NS, samples)


@pytest.mark.needs("g++")
def test_the_stock_project_computes_the_same_numbers(converted, tmp_path, capfd):
    model, samples, result = converted
    write_baseline(result.model_graph, tmp_path / "stock")
    baseline = compile_baseline(result.model_graph, tmp_path / "stock", timeout_s=120)
    expected = model.forward(samples)
    assert np.array_equal(baseline.predict(samples), expected)
    assert len(np.unique(expected)) > 20
    assert capfd.readouterr().out == ""


def test_the_project_is_written_once_and_knows_its_folder(converted, tmp_path):
    _, _, result = converted
    folder = tmp_path / "stock"
    write_baseline(result.model_graph, folder)
    config = (folder / "hls4ml_config.yml").read_text(encoding="utf-8")
    assert f"OutputDir: {folder}\n" in config
    assert f"Part: {PART}\n" in config
    assert (folder / "firmware" / "baseline.cpp").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["stock"]
    with pytest.raises(InputError, match=r"exists already"):
        write_baseline(result.model_graph, folder)


def test_equal_networks_give_equal_files(converted, tmp_path, monkeypatch):
    model, samples, result = converted
    stamps = iter(["20580724", "12345e78", "c0ffee42"])  # the first two look like numbers to YAML
    monkeypatch.setattr(uuid, "uuid4", lambda: next(stamps))
    write_baseline(result.model_graph, tmp_path / "stock")
    first = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for _ in range(2):
        again = convert(model, PART, CLOCK_NS, samples)
        shutil.rmtree(tmp_path / "stock")
        write_baseline(again.model_graph, tmp_path / "stock")
        files = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert files == first


@pytest.mark.needs("g++")
def test_a_project_that_does_not_compile_is_told_with_the_end_of_the_log(converted, tmp_path):
    _, _, result = converted
    write_baseline(result.model_graph, tmp_path / "stock")
    (tmp_path / "stock" / "firmware" / "baseline.cpp").write_text("#error broken on purpose\n", encoding="utf-8")
    with pytest.raises(ToolError, match=r"(?s)stock does not compile:.*broken on purpose"):
        compile_baseline(result.model_graph, tmp_path / "stock")


@pytest.mark.needs("g++")
def test_a_simulation_that_crashes_leaves_python_alive(tmp_path):
    source = tmp_path / "crash.cpp"
    source.write_text('#include <cstdlib>\nextern "C" void f(double *, double *) { std::abort(); }\n', encoding="utf-8")
    tools.run([tools.require("g++"), "-shared", "-fPIC", source, "-o", "crash.so"], cwd=tmp_path, timeout_s=60)
    with pytest.raises(ToolError, match=r"the stock C-simulation .*crash\.so crashed"):
        Baseline(tmp_path / "crash.so", "f", 1).predict(np.ones((1, 2)))


def test_a_clip_of_our_own_is_refused_by_name(tmp_path):
    rng = np.random.default_rng(0)
    net = network(rng, Clip("out", "fc3", (6,), -1.0, 0.5))
    model = QuantisedModel(freeze(net, PLAN), ("out",))
    result = convert(model, PART, CLOCK_NS, rng.normal(size=(20, 2, 3)))
    with pytest.raises(UnsupportedError, match=r"^out: stock hls4ml has no clip to -1\.0…0\.5; leave the baseline out"):
        write_baseline(result.model_graph, tmp_path / "stock")
    assert not list(tmp_path.iterdir())


def images(rng):
    """A small network of every kind of window that stock hls4ml has C++ for, channels first for its user."""
    over = windows((3, 2), (1, 2), (1, 1), after=(0, 0))
    positions = over.positions((4, 5))
    steps = windows((3,), None, (1,))
    flat = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1).ravel()
    results = {"conv": signed(7, 3), "act": unsigned(4, 2), "bn": signed(6, 2), "dw1": signed(6, 3), "fc": signed(7, 3)}
    results |= {"conv1": signed(6, 3), "diff": signed(6, 2), "product": signed(7, 2, Rounding.TRN), "dw": signed(6, 3)}
    return quantised(
        conv(rng, "conv", "x", 2, 3, over, (4, 5)),
        conv(rng, "dw", "conv", 3, 3, windows((2, 2), None, (1, 0), after=(0, 1)), positions, groups=3),
        Clip("act", "dw", (*positions, 3), 0.0, None),
        Affine("bn", "act", np.array([0.5, -1.5, 2.0]), rng.normal(size=3), positions=positions),
        MaxPool("pool", "bn", windows((2, 2), (2, 1), (1, 1), after=(0, 0)), (2, 3, 3)),
        Reshape("steps", "pool", (6, 3)),
        conv(rng, "conv1", "steps", 3, 3, steps, (6,)),
        conv(rng, "dw1", "conv1", 3, 3, steps, (6,)),
        Add("diff", "dw1", "steps", (6, 3), subtract=True),
        Multiply("product", "diff", "conv1", (6, 3)),
        MaxPool("pool1", "product", windows((2,), None, (1,)), (7, 3)),
        conv(rng, "strided", "pool1", 3, 1, windows((1,), (1,)), (7,)),
        Linear("wide", "steps", sparse(rng, 1, 3), rng.normal(size=1), positions=(6,)),
        Concat("both", ("product", "wide"), (6, 4)),
        Reshape("image", "both", (2, 3, 4)),
        Gather("flat", "image", (24,), flat),
        Reshape("line", "strided", (7,)),
        Concat("all", ("flat", "line"), (31,)),
        Linear("fc", "all", sparse(rng, 3, 31), rng.normal(size=3)),
        shape=(4, 5, 2), axes=(1, 2, 0), results=results,
    )  # fmt: skip


@pytest.mark.needs("g++")
def test_the_stock_project_of_images_and_sequences_computes_the_same_numbers(tmp_path):
    rng = np.random.default_rng(1)
    model = images(rng)
    samples = samples_of(model, rng, 200)
    result = convert(model, PART, CLOCK_NS, samples)
    write_baseline(result.model_graph, tmp_path / "stock")
    baseline = compile_baseline(result.model_graph, tmp_path / "stock", timeout_s=300)
    expected = model.forward(samples)
    assert np.array_equal(baseline.predict(samples.transpose(0, 2, 3, 1)), expected)
    assert len(np.unique(expected)) > 20


def test_a_layer_of_our_own_is_refused_by_name(tmp_path):
    model = quantised(
        Function("net.tanh", "x", (3,), FunctionKind.TANH), shape=(3,), results={"net.tanh": signed(6, 4)}
    )
    result = convert(model, PART, CLOCK_NS, np.zeros((1, 3)))
    message = r"^net\.tanh: stock hls4ml has no exact counterpart of this Function; leave the baseline out"
    with pytest.raises(UnsupportedError, match=message):
        write_baseline(result.model_graph, tmp_path / "stock")
    assert not list(tmp_path.iterdir())

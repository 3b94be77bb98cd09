"""Each benchmark runs at a tiny size and writes what its readers look for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fpgaprune.prune import CRITERIA

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def quick(name, out):
    command = [sys.executable, BENCHMARKS / f"{name}.py", "--quick", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text(encoding="utf-8"))
    assert json.loads(done.stdout) == report
    assert report["benchmark"] == name
    assert report["quick"] is True
    assert {"python", "cpu_count", "versions"} <= report["machine"].keys()
    assert report["settings"]
    assert all({"claim", "measured", "holds"} <= claim.keys() for claim in report["claims"])
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    return report["results"]


def test_evaluate_speed(tmp_path):
    results = quick("evaluate_speed", tmp_path / "out.json")
    assert len(results["per_s"]) == 5
    assert results["median_per_s"] > 0
    assert results["process"]["peak_mb"] > 1


def test_generate_speed(tmp_path):
    results = quick("generate_speed", tmp_path / "out.json")
    assert results["median_s"] > 0
    (run,) = results["runs"]
    assert run["imports_s"] > 0
    assert {"quantise/capture/torch.export", "generate/convert/hls4ml ModelGraph", "generate/emit", "write"} <= run[
        "stages"
    ].keys()
    (grown,) = results["growth_graph"]["runs"].values()
    assert {"schedule", "lower", "emit", "write"} <= grown["stages"].keys()
    outer = sum(stage["s"] for name, stage in grown["stages"].items() if "/" not in name)
    assert outer == pytest.approx(grown["total_s"], rel=0.2, abs=0.1)


@pytest.mark.needs("g++", "make")
def test_csim_speed(tmp_path):
    results = quick("csim_speed", tmp_path / "out.json")
    (case,) = results["cases"]
    compared(case, "fpgaprune", "hls4ml")


@pytest.mark.needs("g++", "make")
def test_cnn_speed(tmp_path):
    results = quick("cnn_speed", tmp_path / "out.json")
    (case,) = results["cases"]
    compared(case, "fpgaprune", "hls4ml io_stream")
    assert case["failures"] == {}
    assert (case["parameters"], case["nonzeros"]) == (47, 21)  # half of 18 and of 24 weights; 5 biases


def compared(case, ours, peer):
    assert case["equal"] == {f"{ours} and evaluate": True, f"{peer} and evaluate": True}
    for name in (ours, peer):
        assert case[name]["compile"]["cpu_s"] > 0
        assert case[name]["compile"]["peak_mb"] > 10
        assert case[name]["inferences_per_s"] >= 0
    assert case[f"{peer}/{ours}"].keys() == {"wall_s", "cpu_s", "peak_mb"}
    assert case[f"{ours}/{peer}"].keys() == {"inferences_per_s", "inferences_per_cpu_s"}


@pytest.mark.needs("g++", "make")
def test_residual_speed(tmp_path):
    results = quick("residual_speed", tmp_path / "out.json")
    outer = [name for name in results["stages"] if "/" not in name]
    assert outer == ["prune", "quantise", "convert", "schedule", "lower", "emit", "write", "compile", "run"]
    assert {"quantise/capture", "convert/check", "run/simulate", "run/evaluate"} <= results["stages"].keys()
    assert results["verdict"]["exact"] is True
    assert results["verdict"]["words"] == 5 * 3
    assert results["compile"]["peak_mb"] > 10
    assert results["process"]["peak_mb"] >= results["compile"]["peak_mb"]


@pytest.mark.needs("g++", "make")
def test_strategies_speed(tmp_path):
    results = quick("strategies_speed", tmp_path / "out.json")
    assert {case["strategy"]: case["differ"] for case in results["simulated"]} == {
        "multiply": 0,
        "adders": 0,
        "registers 10": 0,
        "registers 100": 0,
        "memories 100": 0,
        "memories 200": 0,
    }
    assert all(case["generate_s"] > 0 for case in results["generated"])


def test_fit_boards(tmp_path):
    results = quick("fit_boards", tmp_path / "out.json")
    (dense,), (images,) = results["mlp"], results["cnn"]
    assert dense["fits"]
    assert images["fits"]
    assert dense["stock"]["multipliers"] <= dense["multipliers"]


def test_adder_bits(tmp_path):
    (case,) = quick("adder_bits", tmp_path / "out.json")["cases"]
    assert 0 < case["ours"] <= case["alkaid"]


def test_folded_access(tmp_path):
    (case,) = quick("folded_access", tmp_path / "out.json").values()
    assert case["registers"][0]["slots"] * case["registers"][0]["lanes"] >= case["nonzeros"]


def test_stock_estimate(tmp_path):
    results = quick("stock_estimate", tmp_path / "out.json")
    assert results["by_repository"]["designs"] > 0


@pytest.mark.needs("verilator", "g++", "make")
def test_open_synthesis(tmp_path):
    (case,) = quick("open_synthesis", tmp_path / "out.json")["cases"]
    assert case["exact"]
    assert case["total"]["lut"] > 0


@pytest.mark.needs("g++", "make")
def test_energy_sparsity(tmp_path):
    dense, half = quick("energy_sparsity", tmp_path / "out.json")["cases"]
    assert (dense["sparsity"], half["sparsity"]) == (0.0, 0.5)
    assert 0 < half["energy"]["dynamic_pj"] < dense["energy"]["dynamic_pj"]
    assert set(dense["x dense"].values()) <= {1.0, None}
    assert half["energy"]["kind"] == "estimate"


def test_train_overhead(tmp_path):
    results = quick("train_overhead", tmp_path / "out.json")
    cases = results["cases"]
    assert [(case["network"], case["optimiser"]) for case in cases] == [
        ("mlp", "adam"),
        ("mlp", "sgd"),
        ("cnn", "adam"),
        ("cnn", "sgd"),
    ]
    assert all(case["ratio"]["with masks"] > 0 < case["cpu_ratio"]["with masks"] for case in cases)
    for case in results["fixed"]:
        assert [*case["cpu_ratio"]] == [
            "plain",
            "plain, fused",
            "fixed point",
            "digits",
            "widths, weight",
            "widths, channel",
            "widths, layer",
        ]
        assert min(case["cpu_ratio"].values()) > 0
        assert case["cpu_ratio_to_fused"]["plain, fused"] == 1


def test_peer_pquant(tmp_path):
    results = quick("peer_pquant", tmp_path / "out.json")
    assert [point["method"] for point in results["points"]] == ["hgq", "hgq+pdp"]
    dense, pruned = results["points"]
    assert 0 < pruned["adder_bits"]["mean"] < dense["adder_bits"]["mean"]
    assert pruned["nonzeros"]["mean"] < 0.3 * dense["nonzeros"]["mean"]
    assert 0.3 < dense["accuracy"]["mean"] <= 1


def test_frontier(tmp_path):
    results = quick("frontier", tmp_path / "out.json")
    assert [(point["method"], point["setting"]) for point in results["points"]] == [
        ("magnitude", 0.5),
        ("digits", 8000),
    ]
    dense, small = results["points"]
    assert small["adder_bits"]["mean"] < dense["adder_bits"]["mean"]
    assert [entry["method"] for entry in results["ratios"]["mnist14"]] == ["magnitude"]


def test_criteria(tmp_path):
    results = quick("criteria", tmp_path / "out.json")
    assert {case["network"] for case in results["cases"]} == {"mlp", "cnn"}
    assert {case["criterion"] for case in results["cases"]} == set(CRITERIA)
    assert {case["steps"] for case in results["cases"]} == {1, 5}
    assert all(case["lowest"] <= case["mean"] <= case["highest"] for case in results["cases"])
    assert all(-1 <= each["mean"] <= 1 for each in results["rank correlation with the exact sensitivity"].values())


def test_every_benchmark_is_in_the_readme():
    text = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    shared = {"common.py", "measure.py", "networks.py", "simulators.py"}
    names = {path.name for path in BENCHMARKS.glob("*.py")} - shared
    assert names == {name for name in names if f"`python benchmarks/{name}`" in text}
    assert len(names) >= 13


def test_budget_boards(tmp_path):
    results = quick("budget_boards", tmp_path / "out.json")
    usual, tight = results["runs"]
    assert tight["fits"]
    assert usual["fits"]
    assert tight["command"].startswith("fpgaprune prune --model budget_boards:tiny")
    assert tight["design"]["total"]["lut"] <= tight["outcome"]["limits"]["lut"]
    assert tight["sparsity"] > usual["sparsity"]
    assert results["accuracy"]["little"]["pynq-z2"]["accuracy_mean"] == tight["accuracy"]


@pytest.mark.needs("g++", "make")
def test_sweep_speed(tmp_path):
    results = quick("sweep_speed", tmp_path / "out.json")
    assert results["one worker"]["table"] == results["two workers"]["table"]
    assert results["two workers"]["task_seconds"] > results["two workers"]["store_seconds"] > 0


def drawn(name, results, place):
    """Draw stored results in a folder of their own; return what is written there and in the documented picture."""
    (place / "benchmarks" / "results").mkdir(parents=True)
    (place / "docs").mkdir()
    for part in ("common.py", f"draw_{name}.py", f"results/{results}.json"):
        shutil.copy(BENCHMARKS / part, place / "benchmarks" / part)
    subprocess.run([sys.executable, place / "benchmarks" / f"draw_{name}.py"], check=True)
    pictures = [folder / "docs" / f"{name}.svg" for folder in (place, BENCHMARKS.parent)]
    stored = json.loads((BENCHMARKS / "results" / f"{results}.json").read_text(encoding="utf-8"))["results"]
    return [re.findall("<!-- (.*) -->", picture.read_text(encoding="utf-8")) for picture in pictures], stored


def test_picture_of_criteria_has_each_of_them(tmp_path):
    pictures, stored = drawn("criteria", "criteria", tmp_path)
    for texts in pictures:
        assert all(texts.count(case["criterion"]) == 2 for case in stored["cases"])  # once a network
        assert {"50%, at once", "95%, 5 steps"} <= set(texts)


def test_picture_of_budgets_is_that_of_the_stored_results(tmp_path):
    (now, documented), stored = drawn("budget", "budget_boards", tmp_path)
    assert now == documented, "draw it again: python benchmarks/draw_budget.py"
    for run in stored["runs"]:
        assert any(text.startswith(f"{run['board']}, ") for text in now)
    assert sum(text.endswith(" % pruned") for text in now) == len(
        {(run["board"], run["budget"]) for run in stored["runs"]}
    )

"""C-simulation of a project folder: the verdict, what turns it red, and what goes wrong around it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fpgaprune.errors import InputError, ToolError
from fpgaprune.evaluate import evaluate
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.sim import ProjectFolder, csim, read_verdict, store_verdict
from fpgaprune.sim.csim import build
from tests.nets import mlp, project

pytestmark = pytest.mark.needs("g++", "make")

CONV = Fixed(False, 6, 6, Rounding.RND_CONV, Overflow.SAT)


@pytest.fixture(scope="module")
def graph():
    return mlp((6, 5, 3), sparsity=0.3, seed=4, activation=CONV)


@pytest.fixture
def folder(built, tmp_path):
    """A copy whose objects are up to date, so that a test compiles only what it changes."""
    return Path(shutil.copytree(built.path, tmp_path / "net"))


@pytest.fixture(scope="module")
def built(graph, tmp_path_factory):
    """A project that is built once, for tests that do not change its sources."""
    path = project(graph).write(tmp_path_factory.mktemp("built") / "net")
    for target in ("testbench", "testbench_trace"):
        build(path, target, 600)
    return ProjectFolder.load(path)


def test_an_untouched_project_is_exact_on_its_stored_vectors(built):
    verdict = csim(built)
    assert verdict.exact
    assert (verdict.samples, verdict.words, verdict.edited) == (32, 96, ())
    assert verdict.text == "the C++ that is synthesised"


def test_any_inputs_can_be_simulated(built):
    inputs = np.random.default_rng(1).integers(0, 64, (200, 6))
    assert csim(built, (inputs,)).samples == 200
    assert csim(built, samples=7).samples == 7


def test_a_verdict_is_kept_and_read_back(built, tmp_path):
    verdict = csim(built)
    store_verdict(verdict, tmp_path)
    assert read_verdict(tmp_path) == verdict
    (tmp_path / "csim.json").write_text("{}")
    with pytest.raises(InputError, match="is not a verdict"):
        read_verdict(tmp_path)


def change(folder, name, pattern, replacement):
    path = folder / "src" / "kernels" / f"{name}.cpp"
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1
    path.write_text(text)


def first_number_plus_one(match):
    return f"{match[1]}{int(match[2]) + 1}"


PERTURBATIONS = {
    "a weight": ("act1", r"(weight\[\] = \{\s*)(-?\d+)", first_number_plus_one),
    "an index": ("act1", r"(column\[\] = \{\s*)(\d+)", first_number_plus_one),
    "a bias": ("act1", r"(weight \+ 0, )(-?\d+)", lambda match: f"{match[1]}{int(match[2]) + 99}"),
    "a shift": ("act1", r"(shift_right<ap_u?int<\d+>, ap_u?int<\d+>, )(\d+)", first_number_plus_one),
    "a rounding mode": ("act1", "RND_CONV", "TRN"),
    "a saturation": ("act1", r"(clamp|at_most)(<ap_uint<6>>\(.*, )63\)", r"\1\g<2>31)"),
    "a weight of the last layer": ("fc2", r"(weight\[\] = \{\s*)(-?\d+)", first_number_plus_one),
}


@pytest.mark.parametrize("what", PERTURBATIONS)
def test_a_perturbation_turns_the_verdict_red_and_names_its_layer(folder, what):
    name, pattern, replacement = PERTURBATIONS[what]
    change(folder, name, pattern, replacement)
    verdict = csim(ProjectFolder.load(folder), samples=500)
    assert not verdict.exact
    assert verdict.mismatches > 0
    assert verdict.edited == (f"src/kernels/{name}.cpp",)
    assert verdict.first.layer == {"act1": "fc1", "fc2": "fc2"}[name]
    assert verdict.first.got != verdict.first.expected
    assert f"layer '{verdict.first.layer}' is the first to differ" in str(verdict.first)


def test_the_first_mismatch_carries_both_mantissas(folder, graph):
    change(folder, "fc2", r"(weight \+ 0, )(-?\d+)", lambda match: f"{match[1]}{int(match[2]) + 1}")
    inputs = np.zeros((1, 6), dtype=np.int64)
    verdict = csim(ProjectFolder.load(folder), (inputs,))
    (expected,) = evaluate(graph, inputs)
    assert (verdict.first.element, verdict.first.sample) == (0, 0)
    assert verdict.first.expected == expected[0, 0]
    assert verdict.first.got == expected[0, 0] + 1


def test_a_wrong_copy_to_the_output_is_a_mismatch_of_the_output(folder):
    top = folder / "src" / "top.cpp"
    top.write_text(top.read_text().replace("fc2_out[i] = fc2[i]", "fc2_out[i] = fc2[0]"))
    verdict = csim(ProjectFolder.load(folder))
    assert verdict.first.layer == "fc2"
    assert verdict.first.element > 0


def test_make_alone_prints_pass_and_fails_on_a_wrong_expectation(folder):
    command = ["make", "-C", str(folder / "sim"), "-s"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert ran.stdout == "PASS: 32 samples, 96 words compared, 0 differ\n"
    expected = folder / "tb" / "expected.dat"
    expected.write_text(re.sub(r"^-?\d+", "77777", expected.read_text()))
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode != 0
    assert "sample 0, output word 0" in ran.stdout
    assert "FAIL: 32 samples, 96 words compared, 1 differ" in ran.stdout


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("include", ["-I", "-isystem"])
def test_the_sources_compile_without_a_warning(built, tmp_path, compiler, include):
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}, which is not installed")
    sources = [*sorted((built.path / "src" / "kernels").glob("*.cpp")), built.path / "src" / "top.cpp"]
    flags = ["-std=c++14", "-O2", "-Wall", "-Wextra", "-Werror", include, str(built.path / "include" / "ap_types")]
    for source in sources:
        subprocess.run([compiler, *flags, "-c", str(source), "-o", str(tmp_path / "object.o")], check=True)


def test_what_is_synthesised_has_no_dense_array_no_static_state_and_no_allocation():
    wide = project(mlp((64, 32, 8), sparsity=0.9, seed=2))
    sources = {path: text for path, text in wide.files.items() if path.startswith("src/")}
    for text in sources.values():
        code = re.sub(r"//.*", "", text)
        assert not re.search(r"\bstatic\b[^(){}]*[;=\[]|\b(new|malloc|goto)\b|std::", code)
        assert all(int(size) <= 64 for size in re.findall(r"\w\[(\d+)\]", code))
    tables = re.findall(r"weight\[\] = \{([^}]*)\}", sources["src/kernels/act1.cpp"])
    numbers = [int(number) for number in tables[0].split(",")]
    assert 0 not in numbers
    assert len(numbers) < 64 * 32 * 0.15


def test_a_missing_compiler_is_named_with_its_remedy(built, monkeypatch):
    monkeypatch.setenv("FPGAPRUNE_CXX", "no-such-compiler")
    with pytest.raises(ToolError, match=r"g\+\+ is needed for C-simulation but was not found; install it"):
        csim(built)


def test_sources_that_do_not_compile_are_an_error_with_the_log(folder):
    (folder / "src" / "kernels" / "fc2.cpp").write_text("int broken(;\n")
    with pytest.raises(ToolError, match=r"does not compile:\n[\s\S]*fc2\.cpp"):
        csim(ProjectFolder.load(folder))


def test_a_crash_in_the_simulation_does_not_take_python_down(folder):
    change(folder, "fc2", r"#endif\n  terms", "#endif\n  __builtin_trap();\n  terms")
    with pytest.raises(ToolError, match="testbench failed with exit code -"):
        csim(ProjectFolder.load(folder))


def test_an_endless_simulation_is_ended_at_its_limit(folder):
    change(folder, "fc2", r"#endif\n  terms", "#endif\n  volatile bool on = true;\n  while (on) {\n  }\n  terms")
    csim_limit = 8.0
    with pytest.raises(ToolError, match="testbench took longer than its limit of 8 s"):
        csim(ProjectFolder.load(folder), timeout_s=csim_limit)


def test_a_folder_that_is_no_project_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a generated project"):
        ProjectFolder.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", r"fpgaprune.json is not the manifest of a project: it is a list, no object; generate the project again"),
        ("3", "it is a number, no object"),
        ("{}", "it has no 'schema'"),
        ('{"schema": "other"}', "has schema 'other'"),
        ('{"schema": "fpgaprune-project-3"}', "is not a manifest of this version"),
    ],
)
def test_a_broken_manifest_is_refused(folder, text, message):
    (folder / "fpgaprune.json").write_text(text)
    with pytest.raises(InputError, match=message):
        ProjectFolder.load(folder)


@pytest.mark.parametrize(
    "damage", [lambda text: text[: len(text) // 2], lambda _: "", lambda t: t.replace("MatVec", "X")]
)
def test_a_damaged_graph_is_refused(folder, damage):
    path = folder / "graph.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputError, match="the graph"):
        ProjectFolder.load(folder)


def test_zero_samples_are_refused(built):
    with pytest.raises(InputError, match="nothing to simulate"):
        csim(built, samples=0)


def test_damaged_stored_vectors_are_refused(folder):
    (folder / "tb" / "input.dat").write_text("1 2 x\n")
    with pytest.raises(InputError, match="decimal integers"):
        csim(ProjectFolder.load(folder))


def test_words_beyond_64_bits_are_exact(tmp_path):
    wide = Fixed(True, 80, 70, Rounding.RND_CONV, Overflow.SAT)
    graph = mlp((4, 3, 2), sparsity=0.2, seed=1, activation=wide, bits=30)
    path = project(graph).write(tmp_path / "wide")
    verdict = csim(ProjectFolder.load(path), samples=50)
    assert verdict.exact, verdict.first

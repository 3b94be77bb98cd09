"""What a project consists of, letter by letter for a tiny network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from fpgaprune.emit import Project, Vectors
from fpgaprune.emit.vectors import from_text, random_inputs, to_text
from fpgaprune.errors import InputError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.ir import Add, Graph, Input, MatVec, Requantise, Tensor
from fpgaprune.sparse import SparseMatrix
from tests.nets import mlp, project

GOLDEN = Path(__file__).parent.parent / "golden"
U4 = Fixed(False, 4, 4, Rounding.RND, Overflow.SAT)


def tiny():
    weights = [np.array([[3, 0, -2], [0, 5, 0]]), np.array([[1, -1]])]
    return mlp(
        (3, 2, 1),
        activation=U4,
        bits=4,
        weights=[SparseMatrix.from_dense(matrix) for matrix in weights],
        biases=[[1, -7], [5]],
    )


@pytest.mark.parametrize("path", ["src/kernels/act1.cpp", "src/kernels/fc2.cpp", "src/top.cpp", "src/top.h"])
def test_the_text_of_a_tiny_network_is_the_golden_one(path, update_golden):
    text = project(tiny()).files[path]
    golden = GOLDEN / "tiny" / path.removeprefix("src/").replace("/", "_")
    if update_golden:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def test_the_list_of_files_of_a_project():
    files = [path for path in project(tiny()).files if not path.startswith("include/ap_types/")]
    assert files == [
        ".clang-format",
        "README.md",
        "fpgaprune.json",
        "graph.json",
        "plans.json",
        "scripts/build_vivado.tcl",
        "scripts/hls_config.cfg",
        "scripts/run_hls.tcl",
        "sim/Makefile",
        "sim/design.cpp",
        "src/integers.h",
        "src/kernel.h",
        "src/kernels.h",
        "src/kernels/act1.cpp",
        "src/kernels/fc2.cpp",
        "src/top.cpp",
        "src/top.h",
        "tb/expected.dat",
        "tb/input.dat",
        "tb/testbench.cpp",
        "tb/trace.h",
        "tb/words.h",
    ]


def test_the_same_network_gives_the_same_digest_and_another_does_not():
    assert project(tiny()).digest() == project(tiny()).digest()
    assert project(tiny()).digest() != project(tiny(), name="other").digest()


def test_the_manifest_holds_the_digest_of_every_other_file():
    files = project(tiny()).files
    manifest = json.loads(files["fpgaprune.json"])
    assert set(manifest["files"]) == set(files) - {"fpgaprune.json"}
    assert manifest["board"]["name"] == "pynq-z2"
    assert [kernel["nonzeros"] for kernel in manifest["kernels"]] == [3, 2]


def test_vendor_scripts_name_part_clock_top_and_every_source():
    files = project(tiny()).files
    for script in ("scripts/run_hls.tcl", "scripts/hls_config.cfg"):
        assert "xc7z020clg400-1" in files[script]
        assert "10ns" in files[script]
        for source in ("top.cpp", "act1.cpp", "fc2.cpp", "testbench.cpp", "input.dat", "expected.dat"):
            assert source in files[script]


HOSTILE = ['"; rm -rf / #', "a\nb", "<script>", "../../etc/passwd", "int", "net", "i", "x_out", "net_kernels", "\u03bb"]


def hostile_net():
    wide = Fixed(True, 30, 4)
    ops = [Input(Tensor(HOSTILE[0], (2,), U4))]
    for name in HOSTILE[1:]:
        weights = SparseMatrix.from_dense(np.array([[1, 2], [-1, 1]]))
        dense = Tensor(name, (2,), Fixed(True, 30, ops[-1].output.format.fraction))
        ops.append(MatVec(dense, ops[-1].output.name, weights, Fixed(True, 3, 0), np.array([1, 2]), layer=name))
        ops.append(Requantise(Tensor(f"{name}?", (2,), U4), name, 0))
    ops.append(Add(Tensor("sum!", (2,), wide), ops[-1].output.name, ops[-3].output.name))
    return Graph(tuple(ops), ("sum!",))


def test_hostile_names_never_reach_code_paths_or_scripts():
    files = project(hostile_net()).files
    for path, text in files.items():
        assert re.fullmatch(r"[A-Za-z0-9_./-]+", path)
        if not path.endswith(".json"):
            assert "rm -rf /" not in text
            assert "<script>" not in text
            assert "passwd" not in text.replace("etc_passwd", "")


@pytest.mark.needs("g++", "make")
def test_hostile_names_still_give_an_exact_project(tmp_path):
    from fpgaprune.sim import ProjectFolder, csim

    path = project(hostile_net()).write(tmp_path / "hostile")
    assert csim(ProjectFolder.load(path)).exact


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "", "a\\b"])
def test_a_project_cannot_leave_its_folder(path):
    with pytest.raises(InputError, match="must stay inside"):
        Project({path: ""})


def test_writing_refuses_an_existing_folder_and_leaves_it_alone(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "mine").write_text("keep")
    for force, message in ((False, "exists already"), (True, "fpgaprune did not make it")):
        with pytest.raises(InputError, match=message):
            project(tiny()).write(tmp_path / "net", force=force)
        assert (tmp_path / "net" / "mine").read_text() == "keep"


def test_a_path_may_be_text(tmp_path):
    path = project(tiny()).write(str(tmp_path / "net"))
    assert path == tmp_path / "net"
    assert (path / "fpgaprune.json").exists()


def test_force_replaces_a_project(tmp_path):
    path = project(tiny()).write(tmp_path / "net")
    (path / "mine").write_text("gone")
    project(tiny()).write(path, force=True)
    assert not (path / "mine").exists()


def test_vectors_survive_text():
    values = (np.array([[1, -2], [3, 4]]), np.array([[1 << 70], [-5]], dtype=object))
    back = from_text(to_text(values), (2, 1))
    assert all(np.array_equal(left, right) for left, right in zip(values, back, strict=True))


@pytest.mark.parametrize("text", ["1 2\n3\n", "1 x 3\n", "1 2 3 4\n"])
def test_damaged_vectors_are_refused(text):
    with pytest.raises(InputError, match="vectors must"):
        from_text(text, (2, 1))


def test_random_vectors_include_both_ends_and_repeat():
    (values,) = random_inputs(tiny(), 50)
    assert values[0].tolist() == [0, 0, 0]
    assert values[1].tolist() == [15, 15, 15]
    assert np.array_equal(values, random_inputs(tiny(), 50)[0])


def test_given_vectors_are_stored_with_what_evaluate_expects():
    inputs = (np.array([[1, 2, 3], [15, 0, 7]]),)
    graph = tiny()
    files = project(graph, inputs).files
    assert files["tb/input.dat"] == "1 2 3\n15 0 7\n"
    assert files["tb/expected.dat"] == to_text(Vectors.of(graph, *inputs).outputs)


def test_a_sum_longer_than_the_unroll_limit_is_split_below_it():
    rng = np.random.default_rng(0)
    dense = rng.integers(1, 100, (3, 4096))
    dense[1, 2000:] = 0
    weights = [SparseMatrix.from_dense(dense), SparseMatrix.from_dense(np.array([[1, 1, 1]]))]
    text = project(mlp((4096, 3, 1), weights=weights, biases=[[0, 0, 0], [0]])).files["src/kernels/act1.cpp"]
    assert max(int(count) for count in re.findall(r", (\d+)>\(x, column", text)) <= 4096
    assert re.findall(r"inline void (rows_\d+_to_\d+)", text) == ["rows_0_to_0", "rows_1_to_1", "rows_2_to_2"]


def test_a_design_without_weights_is_known_to_be_constant():
    nothing = [
        SparseMatrix.from_dense(np.zeros((2, 3), dtype=np.int64)),
        SparseMatrix.from_dense(np.zeros((1, 2), dtype=np.int64)),
    ]
    assert project(mlp((3, 2, 1), activation=U4, weights=nothing, biases=[[1, 2], [3]])).is_constant
    assert not project(tiny()).is_constant

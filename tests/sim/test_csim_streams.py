"""C-simulation of streaming designs: what is perturbed turns the verdict red, and the first layer is named."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fpgaprune.errors import ToolError
from fpgaprune.fixed import Fixed, Overflow, Rounding
from fpgaprune.ir import (
    ArgMax,
    Concat,
    Gather,
    Graph,
    Input,
    MatMul,
    MatVec,
    Maximum,
    Requantise,
    Reshape,
    Scan,
    Table,
    Tensor,
    Window,
)
from fpgaprune.schedule import Interface
from fpgaprune.sim import ProjectFolder, csim
from fpgaprune.sparse import SparseMatrix
from fpgaprune.windows import Windows
from tests.nets import project

pytestmark = pytest.mark.needs("g++", "make")

S6 = Fixed(True, 6, 3)
U4 = Fixed(False, 4, 2, Rounding.RND_CONV, Overflow.SAT)
H4 = Fixed(True, 4, 2, Rounding.RND_CONV, Overflow.SAT)


def network():
    """Convolution, table, pooling, a product of two activations, a loop that runs backwards, a matrix."""
    rng = np.random.default_rng(0)
    conv, pool = Windows((3, 3), (1, 1), (1, 1), (1, 1), (1, 1)), Windows((2, 2), (2, 2), (1, 1), (0, 0), (0, 0))

    def weights(rows, columns):
        return SparseMatrix.from_dense(rng.integers(-3, 4, (rows, columns)))

    body = (
        Input(Tensor("step", (4,), U4)),
        Input(Tensor("h", (3,), H4)),
        Concat(Tensor("joined", (7,), Fixed(True, 5, 2)), ("step", "h")),
        MatVec(Tensor("gates", (3,), Fixed(True, 20, 4)), "joined", weights(3, 7), Fixed(True, 4, 2), np.ones(3, int)),
        Requantise(Tensor("next", (3,), H4), "gates"),
    )
    return Graph(
        (
            Input(Tensor("x", (4, 6, 2), S6)),
            Window(Tensor("taps", (4, 6, 18), S6), "x", conv),
            MatVec(
                Tensor("conv", (4, 6, 4), Fixed(True, 20, 5)),
                "taps",
                weights(4, 18),
                Fixed(True, 4, 2),
                np.zeros(4, int),
            ),
            Requantise(Tensor("act", (4, 6, 4), U4), "conv", 0),
            Table(Tensor("curve", (4, 6, 4), U4), "act", np.arange(16)[::-1], 0),
            Window(Tensor("pairs", (2, 3, 16), U4), "curve", pool),
            Maximum(Tensor("pooled", (2, 3, 4), U4), "pairs"),
            Reshape(Tensor("steps", (6, 4), U4), "pooled"),
            MatMul(Tensor("scores", (6, 6), Fixed(False, 12, 4)), "steps", "steps"),
            Scan(Tensor("loop", (6, 3), H4), "steps", Graph(body, ("next",)), (np.zeros(3, int),), 0, True),
            Concat(Tensor("both", (6, 9), Fixed(True, 13, 4)), ("scores", "loop")),
            Reshape(Tensor("flat", (54,), Fixed(True, 13, 4)), "both"),
            MatVec(Tensor("fc", (2,), Fixed(True, 30, 6)), "flat", weights(2, 54), Fixed(True, 4, 2), np.zeros(2, int)),
        ),
        ("fc",),
    )


@pytest.fixture
def folder(tmp_path):
    return project(network(), interface=Interface.STREAM).write(tmp_path / "net")


def test_an_untouched_design_is_exact(folder):
    assert csim(ProjectFolder.load(folder)).exact


def plus_one(match):
    return f"{match[1]}{int(match[2]) + 1}"


PERTURBATIONS = {
    "a weight of the convolution": ("act", r"(weight\[\] = \{\s*)(-?\d+)", plus_one, "conv"),
    "an index of the convolution": ("act", r"(column\[\] = \{\s*)(\d+)", plus_one, "conv"),
    "a tap": ("taps", r"(row_of_taps\[\] = \{\s*)(\d+)", plus_one, "taps"),
    "the padding": ("taps", r"(words\[i\] = )(0)", plus_one, "taps"),
    "an entry of the table": ("curve", r"(= \{\s*)(\d+)", plus_one, "curve"),
    "the order of the loop's steps": ("loop_turned", r"(beat_of_loop_turned\[\] = \{\s*)\d+", r"\g<1>0", "loop_turned"),
    "a state's first word": ("loop_backwards", r"(h\[\d\] = \{)(\d+)", plus_one, "loop_backwards"),
    "the rows of a product": ("scores", r"(row_of_scores\(x_beat\.word, )right", r"\1right + (row & 1)", "scores"),
}


@pytest.mark.parametrize("what", PERTURBATIONS)
def test_a_perturbation_turns_the_verdict_red_and_names_the_first_kernel(folder, what):
    name, pattern, replacement, first = PERTURBATIONS[what]
    path = folder / "src" / "kernels" / f"{name}.cpp"
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1, path.read_text()
    path.write_text(text)
    verdict = csim(ProjectFolder.load(folder))
    assert not verdict.exact
    assert verdict.edited == (f"src/kernels/{name}.cpp",)
    assert verdict.first.layer == first


def test_a_process_that_reads_a_beat_too_many_is_an_error_and_no_hang(folder):
    path = folder / "src" / "kernels" / "act.cpp"
    text, count = re.subn(r"beat < 24", "beat < 25", path.read_text())
    assert count == 1
    path.write_text(text)
    with pytest.raises(ToolError, match="a stream is read although it is empty"):
        csim(ProjectFolder.load(folder))


def test_what_a_pruned_streaming_design_stores_is_no_larger_than_its_windows(folder):
    sources = {path.name: path.read_text() for path in (folder / "src" / "kernels").glob("*.cpp")}
    static = {name: re.findall(r"static Word (\w+)((?:\[\d+\])+)", text) for name, text in sources.items()}
    assert {name for name, found in static.items() if found} == {"taps.cpp", "pairs.cpp"}
    lines = [size for name, size in static["taps.cpp"] if name.startswith("line")]
    assert lines == ["[8][2]", "[8][2]"]  # two rows of the padded image, not the image


def orders():
    """A flip, words that change places from beat to beat, a transpose, an order without a pattern, all at once."""
    words = np.arange(6 * 4).reshape(6, 4)
    halves = np.where(np.arange(6)[:, np.newaxis] % 2 == 0, words, words[:, ::-1])
    return {
        "flip": words[::-1, ::-1],
        "halves": halves[::-1],
        "transpose": words.T,
        "patternless": np.array([[5, 9, 0], [23, 9, 1], [5, 20, 2], [7, 3, 2]]),
        "once": words[::-1].reshape(1, -1)[0],
    }


@pytest.mark.parametrize("shifted", [False, True])
def test_every_order_of_a_buffer_is_exact(tmp_path, shifted):
    ops, outputs = [Input(Tensor("x", (6, 4), Fixed(True, 4, 3)))], []
    for name, index in orders().items():
        shift = np.arange(index.size) % 3 * shifted
        ops.append(Gather(Tensor(name, index.shape, Fixed(True, 7, 3)), "x", index.ravel(), shift))
        outputs.append(name)
    made = project(Graph(tuple(ops), tuple(outputs)), interface=Interface.STREAM)
    assert csim(ProjectFolder.load(made.write(tmp_path / "net"))).exact


@pytest.mark.parametrize("columns", [7, 11])
@pytest.mark.parametrize("stride", [2, 3, 5])
def test_windows_of_every_stride_over_narrow_and_wide_lines_are_exact(tmp_path, columns, stride):
    windows = Windows((3, 2), (stride, stride), (2, 1), (1, 2), (2, 1))
    rows, across = (len(range(0, size + 3 - reach + 1, stride)) for size, reach in ((8, 5), (columns, 2)))
    ops = (
        Input(Tensor("x", (8, columns, 2), U4)),
        Window(Tensor("taps", (rows, across, 12), U4), "x", windows),
    )
    made = project(Graph(ops, ("taps",)), interface=Interface.STREAM)
    assert csim(ProjectFolder.load(made.write(tmp_path / "net"))).exact


@pytest.mark.parametrize("interface", list(Interface))
def test_of_equal_words_the_first_is_the_largest(tmp_path, interface):
    narrow, sizes = Fixed(True, 2, 1), (1, 2, 3, 7, 12)
    ops, outputs = [], []
    for size in sizes:
        ops += [
            Input(Tensor(f"x{size}", (3, size), narrow)),
            ArgMax(Tensor(f"place{size}", (3, 1), Fixed(False, 4, 0)), f"x{size}"),
            Maximum(Tensor(f"most{size}", (3, 1), narrow), f"x{size}"),
        ]
        outputs += [f"place{size}", f"most{size}"]
    made = project(Graph(tuple(ops), tuple(outputs)), interface=interface)
    assert csim(ProjectFolder.load(made.write(tmp_path / "net"))).exact

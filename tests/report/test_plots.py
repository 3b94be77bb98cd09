"""The pictures: what is drawn is what was compared, also where something is missing."""

from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from fpgaprune.report import plots
from tests.report.examples import (
    EDGES,
    example_comparison,
    missing_layer,
    named,
    not_paying,
    several_boards,
    without_accuracy,
    without_lut,
)

NAMES = [f"{name}.{ending}" for name in ("frontier", "tradeoff", "layers", "masks") for ending in ("png", "svg")]


def texts(figure):
    """Return everything that is written in a figure."""
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def test_files_are_written_and_are_pictures(tmp_path):
    before = dict(mpl.rcParams)
    paths = plots.write_plots(example_comparison(), tmp_path / "new" / "plots")
    assert [path.name for path in paths] == NAMES
    assert sorted(path.name for path in (tmp_path / "new" / "plots").iterdir()) == sorted(NAMES)
    for path in paths:
        if path.suffix == ".svg":
            assert path.read_text().rstrip().endswith("</svg>")
            continue
        pixels = (imread(path)[:, :, :3] @ (1, 256, 65536)).ravel()  # one number a colour
        assert pixels.size > 800 * 400
        assert len(np.unique(pixels)) > 50
    assert dict(mpl.rcParams) == before


def test_equal_comparisons_give_equal_pictures(tmp_path):
    first, second = (plots.write_plots(example_comparison(), tmp_path / name) for name in ("a", "b"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_the_frontier_is_that_of_the_designs():
    figure = plots.frontier(example_comparison())
    (panel,) = figure.axes
    line, *dots = panel.get_lines()
    heights = [dot.get_ydata()[0] for dot in dots]
    assert [dot.get_markerfacecolor() == "white" for dot in dots] == [True] * 4 + [False]
    front = [heights[4], heights[3], heights[2], heights[1]]  # the dense one is less accurate than that with half
    assert list(line.get_ydata()) == [*front, front[-1]]
    assert "95 %" in texts(figure)


def test_boards_have_pictures_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "DPI", 50)
    names = {path.stem for path in plots.write_plots(several_boards(), tmp_path)}
    boards = ("pynq-z2-10ns", "kv260-5ns")
    assert names == {"frontier"} | {f"{board}-{name}" for board in boards for name in ("tradeoff", "layers", "masks")}
    legend = plots.frontier(several_boards()).axes[0].get_legend()
    assert [text.get_text()[:10] for text in legend.get_texts()] == ["TUL PYNQ-Z", "AMD Kria K"]


def test_of_many_designs_there_is_the_frontier_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "DPI", 50)
    monkeypatch.setattr(plots, "MOST_DESIGNS", 4)
    frontier = ["frontier.png", "frontier.svg"]
    assert [path.name for path in plots.write_plots(example_comparison(), tmp_path)] == frontier
    monkeypatch.setattr(plots, "MOST_GROUPS", 1)
    assert [path.name for path in plots.write_plots(several_boards(), tmp_path)] == frontier


def test_a_failure_leaves_the_old_files(tmp_path, monkeypatch):
    old = tmp_path / "frontier.png"
    old.write_text("old")

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(plots.Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plots.write_plots(example_comparison(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["frontier.png"]
    assert old.read_text() == "old"


def test_lines_of_the_tradeoff_are_the_data():
    comparison = example_comparison()
    figure = plots.tradeoff(comparison)
    accuracy, board = figure.axes
    lines = {line.get_label(): line for panel in figure.axes for line in panel.get_lines()}
    assert {"floating point", "integer, as built", "LUT", "DSP"} <= set(lines)
    for name in ("LUT", "DSP"):
        heights = lines[name].get_ydata()
        assert len(heights) == 5
        assert list(heights) == sorted(heights, reverse=True)
    full = next(line for line in board.get_lines() if len(set(line.get_ydata())) == 1).get_ydata()[0]
    assert lines["DSP"].get_ydata()[-2] > full > lines["DSP"].get_ydata()[-1]
    assert lines["LUT"].get_ydata()[-2] > full > lines["LUT"].get_ydata()[-1]
    written = texts(figure)
    for text in ("LUT and DSP, % of the board (estimate)", "Accuracy on the test data (%)", "95.3 %", "55.2 %"):
        assert text in written
    assert [tick.get_text() for tick in accuracy.get_xticklabels()] == ["0.0 %", "50.2 %", "75.2 %", "91.2 %", "97.0 %"]
    assert [tick.get_text() for tick in accuracy.get_yticklabels()] == ["95", "96", "97", "98"]
    assert "sparsity" in accuracy.get_xlabel()


def test_what_is_not_known_is_not_drawn():
    accuracy = plots.tradeoff(without_accuracy()).axes[0]
    assert not accuracy.get_lines()
    assert "The accuracy of these designs is not known." in [text.get_text() for text in accuracy.texts]


def test_no_lut_is_at_the_bottom():
    board = plots.tradeoff(without_lut()).axes[1]
    lut = next(line for line in board.get_lines() if line.get_label() == "LUT")
    assert lut.get_ydata()[-1] == 0


def bars(panel):
    return [patch.get_width() for patch in panel.patches]


def test_bars_of_layers_are_their_luts():
    figure = plots.layers(example_comparison())
    first, second, third = figure.axes
    assert first.get_title(loc="left") == "fc1"
    assert bars(first) == pytest.approx([1, 409647 / 767907, 215546 / 767907, 80713 / 767907, 27967 / 767907])
    assert bars(second) == pytest.approx([1, 17825 / 34017, 8968 / 34017, 2680 / 34017, 1077 / 34017])
    assert "343  (0.061x)" in [text.get_text() for text in third.texts]
    assert "LUTs of each layer (estimate)" in texts(figure)


def test_a_layer_that_does_not_pay_has_a_colour_of_its_own():
    second = plots.layers(not_paying()).axes[1]
    assert bars(second) == pytest.approx([34017 / 40000, 1])
    assert mpl.colors.to_hex(second.patches[1].get_facecolor()).upper() == plots.VERMILION


def test_a_layer_that_is_missing_has_no_bar():
    third = plots.layers(missing_layer()).axes[2]
    assert bars(third) == pytest.approx([1, 0, 343 / 1520])
    assert "not built" in [text.get_text() for text in third.texts]


def test_pictures_of_masks_have_one_scale():
    comparison = example_comparison()
    panels = plots.masks(comparison).axes[:15]
    for at, panel in enumerate(panels):
        layer = comparison.points[at % 5].layers[at // 5]
        assert np.array_equal(panel.images[0].get_array(), np.array(layer.picture))
        assert panel.get_xlabel() == f"{layer.nonzeros_quantised:,} left"
    assert {(panel.images[0].norm.vmin, panel.images[0].norm.vmax) for panel in panels} == {(0, 1)}
    assert [panel.get_title() for panel in panels[:5]] == ["0 %", "50 %", "75 %", "90 %", "95 %"]
    assert [panels[row].get_ylabel() for row in (0, 5, 10)] == ["fc1", "fc2", "fc3"]


def test_a_layer_that_is_missing_has_no_picture():
    written = texts(plots.masks(missing_layer()))
    assert written.count("no such layer") == 1


@pytest.mark.parametrize("edge", EDGES)
def test_every_edge_is_drawn(edge, tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "DPI", 50)
    for path in plots.write_plots(EDGES[edge](), tmp_path):
        assert path.stat().st_size > 1500


def test_foreign_names_are_no_formulas_and_need_no_font(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "DPI", 50)
    comparison = named((r"$\frac{1}{0}$", "层🙂\n", "n" * 200))
    plots.write_plots(comparison, tmp_path)
    assert r"\$\frac{1}{0}\$" in texts(plots.layers(comparison))


def test_pyplot_is_not_loaded():
    code = "import sys; import fpgaprune.report.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

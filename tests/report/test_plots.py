"""The pictures: what is drawn is what was compared, also where something is missing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from fpgaprune import report
from fpgaprune.explained import SensitivityCurves
from fpgaprune.report import Comparison, plots
from fpgaprune.report.panels import score_panel, sensitivity_panels, training_panels
from fpgaprune.report.why import input_grid
from tests.explained.examples import EXPLAINED
from tests.report.examples import (
    EDGES,
    LEVELS,
    example_comparison,
    explained_comparison,
    missing_layer,
    named,
    not_paying,
    point_of,
    several_boards,
    without_accuracy,
    without_lut,
)

NAMES = [
    f"{name}.{ending}"
    for name in ("frontier", "utilisation", "tradeoff", "layers", "masks")
    for ending in ("png", "svg")
]


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
    assert names == {"frontier", "utilisation"} | {
        f"{board}-{name}" for board in boards for name in ("tradeoff", "layers", "masks")
    }
    legend = plots.frontier(several_boards()).axes[0].get_legend()
    assert [text.get_text()[:10] for text in legend.get_texts()] == ["TUL PYNQ-Z", "AMD Kria K"]


def test_of_many_designs_there_is_the_frontier_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "DPI", 50)
    monkeypatch.setattr(plots, "MOST_DESIGNS", 4)
    frontier = ["frontier.png", "frontier.svg"]
    assert [path.name for path in plots.write_plots(example_comparison(), tmp_path)] == frontier
    monkeypatch.setattr(plots, "MOST_GROUPS", 1)
    assert [path.name for path in plots.write_plots(several_boards(), tmp_path)] == frontier


def test_what_is_known_of_pruning_has_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "DPI", 50)
    told = {"sensitivity", "scores", "trainings", "surviving_inputs"}
    every = {path.stem for path in plots.write_plots(explained_comparison(), tmp_path)}
    assert every - {path.partition(".")[0] for path in NAMES} == told
    monkeypatch.setattr(plots, "MOST_DESIGNS", 0)
    assert {path.stem for path in plots.write_plots(explained_comparison(), tmp_path)} == {"frontier"}


def drawn(figure):
    """Return the corners of every patch of a sheet of panels, from that of its first one."""
    return [patch.get_path().vertices for patch in figure.axes[0].patches]


def test_sheets_have_the_panels_of_the_page_side_by_side():
    figures = {draw: draw(explained_comparison()) for draw in (plots.sensitivity, plots.scores, plots.trainings)}
    histograms = EXPLAINED.pruning.scores.tensors
    panels = {
        plots.sensitivity: sensitivity_panels(EXPLAINED.pruning.curves),
        plots.scores: tuple(score_panel(name, histogram) for name, histogram in histograms.items()),
        plots.trainings: training_panels(EXPLAINED.pruning.history, EXPLAINED.quantising.history),
    }
    for draw, figure in figures.items():
        shapes = [(at, shape) for at, panel in enumerate(panels[draw]) for shape in panel.shapes]
        corners = drawn(figure)
        assert len(corners) == len(shapes)
        across, down = corners[0][0] - shapes[0][1].points[0]  # where the first panel is
        for (at, shape), found in zip(shapes, corners, strict=True):
            width = panels[draw][0].width
            assert np.allclose(found, np.add(shape.points, (across + at * width, down)))
        for panel in panels[draw]:
            assert {panel.title, *(tick.text for tick in (*panel.x_ticks, *panel.y_ticks))} <= set(texts(figure))
    assert "Weights go by magnitude; nothing is trained." in texts(figures[plots.sensitivity])
    assert "90 %, 95 %" in texts(figures[plots.scores])  # of one network


def test_long_rows_of_panels_are_broken():
    curves = SensitivityCurves("magnitude", (0.5,), 0.9, {f"fc{at}.weight": (0.5,) for at in range(9)})
    told = replace(EXPLAINED, pruning=replace(EXPLAINED.pruning, curves=curves))
    figure = plots.sensitivity(Comparison((replace(point_of(LEVELS[4]), explained=told),)))
    assert figure.get_size_inches()[0] < 11.5
    heights = {round(corners[0][1], 3) for corners in drawn(figure)}
    assert len(heights) == 3


def test_what_is_not_recorded_is_said_in_place_of_a_picture():
    for draw in (plots.sensitivity, plots.scores, plots.trainings):
        assert any("recorded" in text for text in texts(draw(example_comparison())))
    assert "What reads the inputs of these designs is not known." in texts(plots.surviving_inputs(example_comparison()))


def test_pictures_of_inputs_are_those_of_the_page():
    comparison = explained_comparison()
    figure = plots.surviving_inputs(comparison)
    panels = figure.axes[:9]
    for row, name in enumerate("xyz"):
        reads = comparison.points[1].inputs[row]
        assert panels[3 * row].get_ylabel() == f"input {name}"
        assert np.array_equal(panels[3 * row + 1].images[0].get_array(), np.array(input_grid(reads)[0]))
        assert panels[3 * row + 1].get_xlabel() == f"{reads.alive} of {len(reads.counts)} read"
    assert texts(figure).count("not known") == 3  # of the dense design


def test_bars_of_boards_are_shares_of_what_each_has():
    comparisons = several_boards()
    figure = plots.utilisation(comparisons)
    for part, board in zip(figure.subfigs, comparisons.boards, strict=True):
        assert part.get_suptitle() == board.site
        panels = {panel.get_title(loc="left"): panel for panel in part.axes}
        for amount in ("lut", "dsp"):
            shares = [point.resources.utilisation(point.board)[amount] for point in board.points]
            assert bars(panels[amount.upper()]) == pytest.approx([min(100 * share, 100) for share in shares], abs=0.01)
            colours = [mpl.colors.to_hex(patch.get_facecolor()).upper() for patch in panels[amount.upper()].patches]
            assert colours == [plots.VERMILION if share > 1 else plots.BLUE for share in shares]


def test_functions_that_draw_are_those_of_the_package():
    code = "import sys; import fpgaprune.report as r; bad = 'matplotlib' in sys.modules; r.trainings; sys.exit(bad)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    for name in plots.__all__:
        assert getattr(report, name) is getattr(plots, name)
    with pytest.raises(AttributeError, match="no attribute 'trainigs'"):
        _ = report.trainigs


def test_a_failure_leaves_the_old_files(tmp_path, monkeypatch):
    old = tmp_path / "frontier.png"
    old.write_text("old")

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(mpl.figure.Figure, "savefig", fail)
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

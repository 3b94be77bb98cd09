"""What was pruned and why, on the page: the data are what is drawn, and what is not recorded is said."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fpgaprune.errors import InputError
from fpgaprune.explained import Explained, Histogram, History, Record, SensitivityCurves, explained_to_text
from fpgaprune.report import compare
from fpgaprune.report.html import page
from fpgaprune.report.panels import MOST_POINTS, score_panel, sensitivity_panels, training_panels
from fpgaprune.report.why import MOST_TENSORS, why_view
from fpgaprune.sim import ProjectFolder
from tests.explained.examples import CURVES, EXPLAINED, PRUNING, SCORES
from tests.nets import mlp
from tests.report.examples import LEVELS, example_comparison, explained_comparison, point_of
from tests.report.made import project_of
from tests.report.pages import parse
from tests.report.test_html import decoded, section


def points_of(path):
    return [tuple(map(float, step[1:].split(","))) for step in path.split()]


def shape(panel, style):
    (found,) = (each for each in panel.shapes if each.style == style)
    return points_of(found.path)


@pytest.fixture(scope="module")
def explained():
    return parse(page(explained_comparison()))


def test_curves_fall_where_the_metric_does():
    first, second = sensitivity_panels(CURVES)
    assert first.title == "fc1.weight"
    assert first.summary == "Metric with fc1.weight alone pruned: 0 % 95.0 %, 50 % 95.0 %, 75 % 94.0 %, 90 % 80.0 %."
    for panel, curve in ((first, (0.95, 0.95, 0.94, 0.8)), (second, (0.95, 0.9, 0.6, 0.3))):
        across, down = zip(*shape(panel, "curve"), strict=True)
        width = panel.right - panel.left
        assert across == pytest.approx([panel.left + width * share for share in (0, 0.5, 0.75, 0.9)], abs=0.1)
        slope = (down[3] - down[0]) / (curve[0] - curve[3])
        assert down == pytest.approx([down[0] + slope * (curve[0] - value) for value in curve], abs=0.11)
    assert first.y_ticks == second.y_ticks


def test_metrics_that_are_no_shares_have_an_axis_of_their_own():
    curves = SensitivityCurves("magnitude", (0.5,), -1.5, {"fc": (-20.0,)})
    (panel,) = sensitivity_panels(curves)
    assert panel.summary.endswith("0 % -1.5, 50 % -20.")
    assert [tick.text for tick in panel.y_ticks] == ["-20", "-15", "-10", "-5", "0"]


def test_steps_of_scores_are_square_roots_of_counts():
    panel = score_panel("fc1.weight", SCORES.tensors["fc1.weight"])
    assert "950 weights were pruned, of which the highest score lies below 0.2" in panel.summary
    assert "50 were kept, of which the lowest lies above 0.1" in panel.summary
    height = panel.bottom - panel.top
    kept = [(panel.bottom - y) / height for _, y in shape(panel, "kept")]
    pruned = [(panel.bottom - y) / height for _, y in shape(panel, "pruned")]
    roots = [(count / 900) ** 0.5 for count in (20, 30)]
    assert kept == pytest.approx([0, 0, 0, roots[0], roots[0], roots[1], roots[1], 0], abs=0.001)
    assert pruned == pytest.approx([0, 1, 1, *[(50 / 900) ** 0.5] * 2, 0, 0, 0], abs=0.001)
    assert [tick.text for tick in panel.y_ticks] == ["0", "225", "900"]


def test_a_tensor_of_which_nothing_is_left_is_drawn():
    panel = score_panel("fc", Histogram((0.5, 1.5), (0,), (0,)))
    assert "lies nowhere; 0 were kept, of which the lowest lies nowhere." in panel.summary


def test_trainings_are_in_a_row():
    metric, loss = training_panels(PRUNING, EXPLAINED.quantising.history)
    assert metric.summary == (
        "Metric over 4 epochs: 95.0 % at first, 55.0 % at the lowest, 91.5 % at the end; sparsity from 0.0 % to 90.0 %."
    )
    across = [x for x, _ in shape(metric, "metric")]
    assert across == pytest.approx([metric.left + at * (metric.right - metric.left) / 7 for at in range(8)], abs=0.06)
    lowest = max(shape(metric, "metric"), key=lambda point: point[1])
    assert lowest[0] == across[3]
    heights = {y for _, y in shape(metric, "sparsity")}
    assert heights == {round(metric.bottom - share * (metric.bottom - metric.top), 1) for share in (0, 0.5, 0.9)}
    (cut,) = metric.cuts
    assert across[5] < cut.at < across[6]
    assert [tick.text for tick in metric.x_ticks] == ["0", "1", "4"]
    assert len(shape(loss, "loss")) == 4
    assert loss.summary == "Mean training loss of each epoch: 0.4 at first, 0.7 at the most, 0.5 at the end."


def test_without_epochs_there_is_nothing_to_draw():
    assert training_panels(History(), History()) == ()
    assert len(training_panels(History((Record(0, 0, 0.0, None, 0.5),)), History())) == 1


def test_long_trainings_stay_small():
    records = tuple(Record(1, epoch, 0.5, 1 / (epoch + 1), epoch / 5000) for epoch in range(5000))
    for panel in training_panels(History(records), History()):
        for each in panel.shapes:
            assert len(points_of(each.path)) <= MOST_POINTS
    assert shape(panel, "loss")[-1][0] == panel.right


def test_the_page_draws_them_with_words(explained):
    assert len(section(explained, "why").all("svg", class_="plot")) == 2
    dense, middle, sparse = explained.all("section", class_="detail")
    assert [len(each.all("svg", class_="plot")) for each in (dense, middle, sparse)] == [0, 2 + 2, 2 + 2]
    plots = middle.all("svg", class_="plot")
    assert all(plot.attributes["role"] == "img" and plot.attributes["aria-label"] for plot in plots)
    assert ["shown" in each.attributes["class"] for each in (dense, middle, sparse)] == [False, False, True]
    for line in (
        "Pruned by magnitude, schedule cubic, structure weights.",
        "no better for 1 epoch (step 2, epoch 2).",
        "Training in fixed point saved 1,200 to 800 adder-bits (expected).",
        "Signed digits of the integer weights: fc1 120, fc2 9.",
        "Folding bn1 into fc1 changed non-zero biases from 8 to 10.",
    ):
        assert line in middle.text


def test_what_is_not_recorded_is_said_once_with_the_remedy(explained):
    (missing,) = section(explained, "why").all("p", class_="missing")
    assert missing.text.startswith("Trainings, scores and sensitivity of 75 % are not recorded: projects keep it when")
    (missing,) = section(parse(page(example_comparison())), "why").all("p", class_="missing")
    assert missing.text.startswith("Trainings, scores and sensitivity are not recorded: ")
    pruning = replace(EXPLAINED.pruning, curves=None)
    points = [replace(point_of(level), explained=Explained(pruning)) for level in LEVELS]
    assert why_view(points).missing == ("Sensitivity is not recorded: `fpgaprune prune --explain` measures it.")


def test_curves_of_one_network_are_drawn_once_and_those_of_others_apart():
    (only,) = why_view(explained_comparison().points).sensitivity
    assert len(only.panels) == 2
    other = replace(CURVES, unpruned=0.9)
    dense = replace(point_of(LEVELS[0]), explained=Explained(replace(EXPLAINED.pruning, curves=other)))
    first, second = why_view((dense, *explained_comparison().points[1:])).sensitivity
    assert "Of 0 %." in first.note
    assert "Of 90 % and 95 %." in second.note


def test_of_many_tensors_the_most_sensitive_are_drawn():
    curves = {f"t{at}": (0.9 - at / 100,) for at in range(40)}
    pruning = replace(EXPLAINED.pruning, curves=SensitivityCurves("magnitude", (0.5,), 0.95, curves))
    point = replace(point_of(LEVELS[4]), explained=Explained(pruning))
    (network,) = why_view((point,)).sensitivity
    assert [panel.title for panel in network.panels] == [f"t{at}" for at in range(16, 40)]
    assert f"The {MOST_TENSORS} most sensitive of 40 are shown." in network.note


def test_inputs_are_pictures_of_how_often_they_are_read(explained):
    images = section(explained, "masks").all("img")[:6]
    flat, picture, sequence = images[0], images[2], images[4]
    assert "522 of 784 read; row by row, 28 in a row" in flat.attributes["alt"]
    pixels = decoded(flat.attributes["src"])
    assert (len(pixels), len(pixels[0])) == (28, 28)
    assert pixels[0][:3] == [0, 180, 255]
    assert "20 of 40 read; 4 rows of 5, channels added up" in picture.attributes["alt"]
    assert decoded(picture.attributes["src"]) == [[255] * 5] * 4
    assert "6 of 6 read; 3 positions from top to bottom, channels across" in sequence.attributes["alt"]


def test_projects_carry_it_and_older_ones_do_not(tmp_path):
    folder = project_of(tmp_path / "net", mlp((6, 4, 3)), "50 %")
    (point,) = compare([folder]).points
    assert point.explained is None
    assert [reads.shape for reads in point.inputs] == [(6,)]
    (tmp_path / "net" / "explain.json").write_text(explained_to_text(EXPLAINED))
    assert compare([ProjectFolder.load(tmp_path / "net")]).points[0].explained == EXPLAINED
    (tmp_path / "net" / "explain.json").write_text("{}")
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "net"))):
        compare([folder])

"""What is in no layer of its own is shown, so that tables add up."""

from __future__ import annotations

from dataclasses import replace

from fpgaprune.report import Comparison
from fpgaprune.report.measures import layer_measures
from tests.report.examples import example_comparison, layer_resources


def test_layers_with_everything_else_add_up_to_the_totals():
    points = []
    for point in example_comparison().points:
        window = layer_resources("fc1_window", (0, 123, 45, 6, 1), strategy="window")
        resources = replace(point.resources, layers=(*point.resources.layers, window))
        points.append(replace(point, resources=resources))
    comparison = Comparison(tuple(points))
    *_, rest = layer_measures(comparison)
    assert rest.layer == "everything else"
    assert [[cell.value for cell in measure.cells] for measure in rest.measures[1:]] == [
        [123] * 5,
        [45] * 5,
        [6] * 5,
        [0] * 5,
    ]
    for number, amount in ((1, "lut"), (2, "ff"), (3, "dsp")):
        for place, point in enumerate(comparison.points):
            shown = sum(layer.measures[number].cells[place].value for layer in layer_measures(comparison))
            assert shown == point.resources.total(amount)


def test_there_is_no_such_row_where_every_kernel_is_a_layer():
    assert [layer.layer for layer in layer_measures(example_comparison())] == ["fc1", "fc2", "fc3"]

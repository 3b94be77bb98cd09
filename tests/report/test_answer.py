"""The two sentences at the top: the best design, what it costs and what it gives up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fpgaprune.report import Comparison
from fpgaprune.report.answer import answer, best
from tests.report.examples import (
    EDGES,
    LEVELS,
    WRONG,
    example_comparison,
    layer_resources,
    one_point,
    point_of,
    without_accuracy,
)


def sized(percent, lut, accuracy, **changes):
    """Return a point with a cost of one layer, the sparsity of the example's level."""
    level = next(level for level in LEVELS if level[0] == percent)
    point = point_of(level)
    cost = layer_resources("fc1", (1, lut, 10, 1, 1))
    return replace(point, accuracy=accuracy, resources=replace(point.resources, layers=(cost,)), **changes)


def test_the_example_names_design_board_saving_and_loss():
    found = answer(example_comparison())
    assert found.best.label == "95 %"
    assert found.headline == (
        "The 95 % design fits the TUL PYNQ-Z2 with 27.5 times fewer LUTs than the 0 % design, "
        "and gives up 2.5 points of accuracy."
    )
    assert found.detail == (
        "Its C-simulation equals the integer network bit for bit on 1,000 samples. "
        "The 0 % design would need 15.2 times the board's LUTs."
    )


def test_within_a_point_of_accuracy_the_smallest_design_wins():
    designs = (sized(0, 5000, 0.980), sized(50, 3000, 0.979), sized(75, 2000, 0.971), sized(90, 1000, 0.969))
    assert best(Comparison(designs)).label == "75 %"


def test_a_design_that_does_not_fit_or_differs_is_not_best():
    big = sized(0, 60000, 0.99)
    wrong = sized(90, 100, 0.98, verdict=WRONG)
    assert best(Comparison((big, sized(50, 3000, 0.97), wrong))).label == "50 %"
    assert best(Comparison((big, wrong))) is None
    assert "C-simulation found differences in 90 %" in answer(Comparison((big, wrong))).headline


def test_without_accuracies_the_densest_that_fits_is_preferred():
    designs = (sized(0, 60000, None), sized(50, 3000, 0.9), sized(90, 100, None))
    assert best(Comparison(designs)).label == "50 %"
    assert "an unknown amount of accuracy" in answer(without_accuracy()).headline


def test_dense_may_be_the_best():
    found = answer(Comparison((sized(0, 3000, 0.98), sized(90, 100, 0.5))))
    assert found.headline == (
        "The 0 % design fits the TUL PYNQ-Z2 as it is, "
        "and no sparser one that fits is smaller and within 1 point of its accuracy."
    )


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [
        (0.9741, "gives up 0.6 points of accuracy"),
        (0.9803, "gains 0.03 points of accuracy"),
        (0.98, "gives up no accuracy"),
    ],
)
def test_accuracy_is_said_in_points(accuracy, words):
    found = answer(Comparison((sized(0, 3000, 0.98), sized(90, 2500, accuracy))))
    assert found.headline.endswith(f"with 0.83 times the LUTs of the 0 % design, and {words}.")
    assert found.detail.endswith("The 0 % design fits as well.")


def test_no_design_fits():
    found = answer(one_point())
    assert found.best is None
    assert found.headline == "No design fits the TUL PYNQ-Z2: it needs 2.55 times the board's DSPs."
    found = answer(Comparison((point_of(LEVELS[0]), point_of(LEVELS[3]))))
    assert "the closest, 90 %, needs 2.55 times the board's DSPs" in found.headline
    assert (
        found.detail
        == "The 90 % design has 9.61 times fewer LUTs than the 0 % design and gives up 1.0 points of accuracy."
    )


def test_a_resource_that_the_board_lacks_is_named():
    point = sized(0, 100, 0.98)
    cost = replace(point.resources.layers[0], uram=2)
    lacking = replace(point, resources=replace(point.resources, layers=(cost,)))
    assert answer(Comparison((lacking,))).headline.endswith("it needs 2 URAMs, and the board has none.")


@pytest.mark.parametrize("edge", EDGES)
def test_every_edge_has_whole_sentences(edge):
    found = answer(EDGES[edge]())
    for sentence in (found.headline, found.detail):
        assert sentence.endswith(".")
        assert "nan" not in sentence
        assert "None" not in sentence

"""The page in use: a point is chosen by pointer, keys and list, axes and boards change, and it stays usable by all."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest

from fpgaprune.energy import KeptEnergy
from fpgaprune.report import Comparison, Comparisons, compare
from fpgaprune.report.html import page
from tests.report.browser import browser
from tests.report.examples import (
    EDGES,
    KV260,
    LEVELS,
    example_comparison,
    explained_comparison,
    named,
    point_of,
    seeded,
    several_boards,
    with_energies,
)
from tests.report.test_comparison import made

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("pages")) as function:
        yield function


def places(opened_page):
    """Return where the points are that are shown, by the number of their design."""
    found = {}
    for dot in opened_page.page.locator(".dot").all():
        if dot.is_visible():
            at = dot.locator(".target").bounding_box()
            found[int(dot.get_attribute("data-design"))] = (at["x"], at["y"])
    return found


def numbers(path):
    return [float(number) for number in re.findall(r"[\d.]+", path)]


def chosen(opened_page):
    """Return the design that every part of the page says is chosen."""
    page_ = opened_page.page
    dots = [each.get_attribute("data-design") for each in page_.locator('.dot[aria-checked="true"]').all()]
    rows = [each.get_attribute("data-design") for each in page_.locator('tr[aria-current="true"]').all()]
    assert dots == rows == opened_page.shown() == [page_.locator("#choose").input_value()]
    return int(dots[0])


def test_a_click_on_a_point_a_row_or_the_list_shows_one_design(opened):
    it = opened(example_comparison())
    assert chosen(it) == 4
    it.page.locator('.dot[data-design="1"] .mark').click()
    assert chosen(it) == 1
    assert it.page.locator("#said").text_content() == "Shown: 50 %"
    it.page.locator('tr[data-design="3"] td').first.click()
    assert chosen(it) == 3
    it.page.locator('tr[data-design="2"] a').click()
    assert chosen(it) == 2
    it.page.locator("#choose").select_option("0")
    assert chosen(it) == 0
    assert it.said == []


def test_arrow_keys_go_from_point_to_point(opened):
    it = opened(example_comparison())
    it.page.locator('.dot[data-design="4"]').focus()
    order = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home"):
        it.page.keyboard.press(key)
        assert it.focused() == str(chosen(it))
        order.append(chosen(it))
    assert order == [3, 2, 3, 0, 4, 4]  # from few look-up tables to many, and around
    assert [each.get_attribute("tabindex") for each in it.page.locator('.dot[tabindex="0"]').all()] == ["0"]


def test_a_point_says_what_it_is_when_it_is_pointed_at_or_focused(opened):
    it = opened(example_comparison())
    tip = it.page.locator("#tip")
    assert not tip.is_visible()
    it.page.locator('.dot[data-design="3"] .mark').hover()
    assert tip.text_content() == "90 %: Accuracy, integers 96.88 %, LUT 84,035, does not fit"
    it.page.mouse.move(0, 0)
    assert not tip.is_visible()
    it.page.locator('.dot[data-design="4"]').focus()
    assert tip.text_content().startswith("95 %: ")


def test_the_first_drawing_is_that_of_the_script(opened):
    for compared in (example_comparison(), several_boards()):
        it = opened(compared)
        before, path = places(it), it.page.locator(".pareto > .front").get_attribute("d")
        ticks = it.page.locator(".pareto .tick").all_text_contents()
        it.page.evaluate("draw()")
        after = places(it)
        assert before.keys() == after.keys()
        for number, place in before.items():
            assert after[number] == pytest.approx(place, abs=0.3)
        drawn = it.page.locator(".pareto > .front").get_attribute("d")
        assert numbers(drawn) == pytest.approx(numbers(path), abs=0.11)
        assert [each.replace("\u2009", " ") for each in it.page.locator(".pareto .tick").all_text_contents()] == ticks


def test_axes_can_be_chosen(opened):
    it = opened(example_comparison())
    names = it.page.locator("#axis-x option").all_text_contents()
    assert names == [
        "Accuracy, integers, %",
        "Accuracy, floats, %",
        "LUT (estimate)",
        "FF (estimate)",
        "DSP (estimate)",
        "Latency, ns (estimate)",
        "Interval, ns (estimate)",
        "Fullest resource, % of the board (estimate)",
        "Non-zeros built",
        "Sparsity, %",
    ]
    before = places(it)
    it.page.locator("#axis-x").select_option(label="Sparsity, %")
    after = places(it)
    assert sorted(after, key=lambda number: after[number][0]) == [0, 1, 2, 3, 4]
    assert sorted(before, key=lambda number: before[number][0]) == [4, 3, 2, 1, 0]
    assert it.page.locator("#plot-title").text_content() == "Accuracy, integers, % against Sparsity, %"
    it.page.locator("#axis-y").select_option(label="DSP (estimate)")
    down = places(it)
    assert sorted(down, key=lambda number: down[number][1]) == [0, 1, 2, 3, 4]
    assert "DSP 213" in it.page.locator('.dot[data-design="4"]').get_attribute("aria-label")
    assert it.said == []


def test_energy_is_an_axis_where_it_is_known(opened):
    first, *others = example_comparison().points
    known = (replace(point, energy=KeptEnergy(100.0 * at, "counted")) for at, point in enumerate(others, start=1))
    it = opened(Comparison((first, *known)))
    it.page.locator("#axis-x").select_option(label="Energy of an inference, pJ (estimate)")
    assert sorted(places(it)) == [1, 2, 3, 4]
    assert it.page.locator("#plot-missing").text_content() == "1 of 5 designs not shown."


def texts(opened_page):
    """Return the boxes of texts beside points that can be seen, and what they say."""
    shown = [each for each in opened_page.page.locator(".dot-text").all() if each.is_visible()]
    return [
        {**each.evaluate("each => each.getBoundingClientRect().toJSON()"), "said": each.text_content()}
        for each in shown
    ]


def overlapping(boxes):
    """Whether two of the boxes have more than an edge in common."""
    return any(
        one["x"] < other["x"] + other["width"] - 0.5
        and other["x"] < one["x"] + one["width"] - 0.5
        and one["y"] < other["y"] + other["height"] - 0.5
        and other["y"] < one["y"] + one["height"] - 0.5
        for at, one in enumerate(boxes)
        for other in boxes[:at]
    )


@pytest.mark.parametrize("width", [1400, 390])
def test_texts_of_points_never_overlap(opened, width):
    compared = seeded(KV260)
    it = opened(compared, viewport={"width": width, "height": 900})
    wide = texts(it)
    for axis in ("LUT (estimate)", "Latency, ns (estimate)", "Sparsity, %"):
        it.page.locator("#axis-x").select_option(label=axis)
        found, frame = texts(it), it.page.locator(".pareto").bounding_box()
        assert 2 <= len(found) <= len(compared.points)
        assert not overlapping(found)
        assert all(
            box["x"] >= frame["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"] + 0.5 for box in found
        )
    it.page.locator("#axis-x").select_option(label="LUT (estimate)")
    assert [each["said"] for each in texts(it)] == [each["said"] for each in wide]
    assert len(wide) < len(compared.points)
    it.page.set_viewport_size({"width": 1790 - width, "height": 900})
    it.page.wait_for_timeout(100)
    assert not overlapping(texts(it))
    assert it.said == []


def test_without_scripts_a_phone_has_no_texts_at_points(opened):
    narrow = opened(seeded(KV260), java_script_enabled=False, viewport={"width": 390, "height": 900})
    assert texts(narrow) == []
    assert len(texts(opened(example_comparison(), java_script_enabled=False))) == 5


def test_boards_are_shapes_of_their_own_that_can_be_left_out(opened):
    it = opened(several_boards())
    assert it.page.locator(".answer").count() == 2
    assert it.page.locator("h1").text_content() == "What fits which board, at which accuracy?"
    marks = {
        (dot.get_attribute("data-board"), dot.locator(".mark").get_attribute("d"))
        for dot in it.page.locator(".dot").all()
    }
    assert len(marks) == len({shape for _, shape in marks}) == 2
    assert len(places(it)) == 5
    assert it.page.locator("#plot-title").text_content().endswith("against Fullest resource, % of the board (estimate)")
    assert "Fullest resource 96.82 %, fits" in it.page.locator('.dot[data-design="2"]').get_attribute("aria-label")
    it.page.locator('.board[value="0"]').uncheck()
    assert sorted(places(it)) == [3, 4]
    assert [row.is_visible() for row in it.page.locator("tr[data-design]").all()] == [False] * 3 + [True] * 2
    cells = it.page.locator("#fits-caption").locator("xpath=../..").locator("tbody tr").all_inner_texts()
    assert len(cells) == 3
    assert it.said == []


def test_commands_can_be_copied(opened):
    it = opened(example_comparison(), permissions=["clipboard-read", "clipboard-write"])
    line = it.page.locator(".detail.shown .command").first
    line.locator("button").click()
    line.locator("button", has_text="Copied").wait_for()
    assert it.page.evaluate("navigator.clipboard.readText()") == line.locator("code").text_content()
    assert line.locator("code").text_content() == "fpgaprune csim out/digits/sparsity-95 --samples 1000"


def test_without_scripts_and_in_print_everything_is_there(opened):
    it = opened(explained_comparison(), java_script_enabled=False)
    assert it.shown() == ["0", "1", "2"]
    assert it.page.locator(".dot").count() == 3
    assert not it.page.locator(".pickers").is_visible()
    it = opened(explained_comparison())
    it.page.emulate_media(media="print")
    assert it.shown() == ["2"]
    assert not it.page.locator("#choose").is_visible()
    assert len(it.page.pdf()) > 10_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious(opened, scheme, width):
    for compared in (explained_comparison(), EDGES["pruning does not pay"](), several_boards()):
        it = opened(compared, color_scheme=scheme, viewport={"width": width, "height": 800})
        assert it.violations() == []
        assert it.said == []
        assert it.asked == []


@pytest.mark.parametrize("edge", [*EDGES, "names"])
def test_edges_are_without_faults(opened, edge):
    names = ("<script>document.title='bad'</script>", "\"'><img src=x onerror=\"document.title='bad'\">", "</style>")
    it = opened(named(names) if edge == "names" else EDGES[edge]())
    it.page.evaluate("draw()")
    assert it.page.title().startswith("What fits")
    assert it.violations() == []
    assert it.said == []


def many(count):
    """Return so many designs on two boards, each with what explains it, masks, inputs and layers."""
    told, base = explained_comparison().points[1], [point_of(level) for level in LEVELS]
    groups = []
    for board in (told.board, KV260):
        points = []
        for at in range(count // 2):
            point = base[at % 5]
            layers = tuple(replace(layer, nonzeros_pruned=layer.nonzeros_pruned - at) for layer in point.layers)
            points.append(
                replace(
                    point,
                    label=f"trial {at}",
                    folder=f"out/{board.name}/{at}",
                    accuracy=0.9 + (at % 37) / 500,
                    board=board,
                    layers=layers,
                    explained=told.explained,
                    inputs=told.inputs,
                )
            )
        groups.append(Comparison(tuple(points)))
    return Comparisons(tuple(groups))


def test_two_hundred_designs_are_quick_and_small(opened):
    compared = many(200)
    assert len(page(compared).encode()) < 8_000_000
    it = opened(compared)
    assert it.page.locator(".dot").count() == 200
    began = time.perf_counter()
    it.page.reload()
    assert it.page.locator("html").get_attribute("data-ready") == "yes"
    assert time.perf_counter() - began < 2
    it.page.locator("#choose").select_option("150")
    assert chosen(it) == 150
    around = it.page.locator("#designs ~ .tall").first.bounding_box()
    row = it.page.locator('tr[data-design="150"]').bounding_box()
    assert around["height"] <= 0.75 * 720 + 1
    assert around["y"] < row["y"] < around["y"] + around["height"]
    assert it.said == []


def test_many_designs_are_told_in_less(opened):
    it = opened(many(20))
    assert it.page.locator("#masks").count() == 0
    assert it.page.locator(".detail.shown .masks img").count() == 6
    assert it.page.locator(".verdicts:visible li").count() == 1
    assert "20 of 20 designs exact." in it.page.locator("#verdicts + .lead").text_content()
    assert it.violations() == []


def test_tables_are_no_wider_than_a_screen_of_1400_pixels(opened, tmp_path):
    designs = [made(tmp_path / name, name) for name in ("one", "two")]
    for compared in (
        with_energies(first=12_345_678.0),
        Comparisons(tuple(map(with_energies, several_boards().boards))),
        compare(designs),
    ):
        it = opened(compared, viewport={"width": 1400, "height": 900})
        tables = it.page.locator(".scroll:visible")
        assert tables.count() >= 3
        assert [each.evaluate("e => e.scrollWidth - e.clientWidth") for each in tables.all()] == [0] * tables.count()
    assert it.page.locator("#stock-caption").count() == 1

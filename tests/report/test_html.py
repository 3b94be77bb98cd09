"""The page: what it says, that it needs nothing else, and that names are nothing but text."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from dataclasses import is_dataclass, replace
from types import SimpleNamespace

import jinja2
import pytest

from fpgaprune import board
from fpgaprune.emit.render import render
from fpgaprune.energy import KeptEnergy
from fpgaprune.errors import InputError
from fpgaprune.paths import resource
from fpgaprune.report import Comparison, Comparisons, charts, views
from fpgaprune.report.html import TEMPLATE, page, write_page
from fpgaprune.report.picture import png
from fpgaprune.report.scales import strength
from fpgaprune.version import __version__
from tests.report.examples import (
    EDGES,
    KV260,
    LEVELS,
    PYNQ,
    WRONG,
    example_comparison,
    missing_layer,
    named,
    not_paying,
    one_point,
    point_of,
    seeded,
    several_boards,
    with_energies,
    without_accuracy,
)
from tests.report.pages import parse, table

HOSTILE = ("<script>alert(1)</script>", "\"&'><img src=x onerror=alert(2)>", "{{ 7*7 }}</title><!-- \x1b[2J")


@pytest.fixture(scope="module")
def example():
    return parse(page(example_comparison()))


def section(root, heading):
    return next(each for each in root.all("section") if each.attributes["aria-labelledby"] == heading)


def test_question_and_answer_come_first(example):
    header = example.one("header")
    assert header.one("h1").text == "What fits the TUL PYNQ-Z2, at which accuracy?"
    assert header.one("p", class_="answer").text.replace("\xa0", " ") == (
        "The 95 % design fits the TUL PYNQ-Z2 with 27.5 times fewer LUTs than the 0 % design, "
        "and gives up 2.5 points of accuracy."
    )
    assert header.one(class_="chip").text == "estimate, calibrated on open synthesis"
    tiles = [(div.one("dt").text, *(dd.text for dd in div.all("dd"))) for div in header.one("dl").all("div")]
    assert tiles == [
        ("Best design", "95 %", "fits the board"),
        ("LUT, estimate", "29,387", "0.036× of dense"),  # noqa: RUF001
        ("Accuracy", "95.32 %", "gives up 2.5 points of accuracy"),
        ("Latency, estimate", "80 ns", "8 cycles, interval 1 cycle"),
        ("C-simulation", "exact", "on 1,000 samples"),
    ]


def test_designs_are_rows_dense_first(example):
    head, rows = table(section(example, "designs").one("table"))
    assert head == [
        "design",
        "sparsity",
        "accuracy integer below: float",
        "non-zeros",
        "LUT estimate",
        "FF estimate",
        "DSP estimate",
        "fits board",
        "latency ns below: cycles estimate",
        "interval cycles estimate",
        "strategy",
        "C-simulation",
    ]
    assert rows[0][0] == "0 % dense"
    assert section(example, "designs").one("caption").text.endswith("share of the board. Not taken by any: BRAM_18K.")
    assert rows[0][4] == "807,537 1.00× 1,518 %"  # noqa: RUF001
    assert rows[0][7] == "no lacks LUT, FF, DSP"
    assert rows[4][0] == "95 % best"
    assert [cell.replace("×", "x") for cell in rows[4][1:]] == [  # noqa: RUF001
        "97.0 %",
        "95.32 % 95.69 %",
        "1,589 0.030x",
        "29,387 0.036x 55.2 %",
        "12,613 0.032x 11.9 %",
        "213 0.071x 96.8 %",
        "yes",
        "80 8",
        "1",
        "multiply",
        "exact",
    ]


def test_energy_is_a_column_where_any_design_has_one():
    root = parse(page(with_energies()))
    head, rows = table(section(root, "designs").one("table"))
    at = head.index("energy pJ estimate")
    assert [row[at] for row in rows] == ["8,000.0 1.00×", "4,000.0 0.50×", "2,000.0 0.25×", "-", "-"]  # noqa: RUF001
    body = section(root, "designs").one("table").one("tbody").all("tr")
    assert [row.all("td")[at - 1].attributes["data-sort"] for row in body] == ["8000", "4000", "2000", "", ""]
    told = [each.one("p", class_="lead").text for each in root.all("section", class_="detail")]
    assert ["energy of an inference" in each for each in told] == [True] * 3 + [False] * 2
    assert "interval 1 cycle, energy of an inference 2,000.0 pJ (estimate). Numbers" in told[2]


def test_energy_of_one_board_alone_stays_in_its_place():
    without, known = several_boards().groups
    known = Comparison(tuple(replace(each, energy=KeptEnergy(10.0, "counted")) for each in known.points))
    head, rows = table(section(parse(page(Comparisons((without, known)))), "designs").all("table")[0])
    assert head.index("energy pJ estimate") == head.index("strategy") - 1
    assert [row[head.index("strategy") - 1].split()[0] for row in rows] == ["-", "-", "-", "10.0", "10.0"]


def test_energy_without_that_of_the_first_design_has_no_multiple():
    first, *others = with_energies().points
    head, rows = table(section(parse(page(Comparison((replace(first, energy=None), *others)))), "designs").one("table"))
    assert [row[head.index("energy pJ estimate")] for row in rows] == ["-", "4,000.0", "2,000.0", "-", "-"]


def texts_of_dots(compared):
    found = [each.all("text", class_="dot-text") for each in parse(page(compared)).all("g", class_="dot")]
    return [each[0].text if each else "" for each in found]


def test_texts_of_points_leave_out_what_all_have_and_stay_apart():
    levels = ("0.5", "0.75", "0.9", "0.95")
    assert texts_of_dots(example_comparison()) == ["0 %", "50 %", "75 %", "90 %", "95 %"]
    assert sorted(texts_of_dots(seeded(KV260))) == [
        f"sparsity {each}, seed {seed}" for each in levels for seed in (0, 1)
    ]
    boards = Comparisons((seeded(KV260, (0,)), seeded(PYNQ, (0,))))
    assert texts_of_dots(boards) == [f"sparsity {each}" for each in levels] * 2
    points = seeded(KV260, (0,)).points
    long = Comparison(
        tuple(replace(each, label=f"{'x' * 20}{at}{'y' * 20}") for at, each in enumerate(points)),
    )
    assert len(set(texts_of_dots(long))) == len(points)
    crossed = zip(points, ("a, b", "a, b, c", "a, c, b", "c, b, a"), strict=True)
    found = texts_of_dots(Comparison(tuple(replace(point, label=label) for point, label in crossed)))
    assert found == ["a, b", "a, b, c", "a, c, b", "c, b, a"]


def test_rows_sort_by_values(example):
    rows = section(example, "designs").one("table").one("tbody").all("tr")
    keys = [[cell.attributes["data-sort"] for cell in row.all("td")] for row in rows]
    assert [key[3] for key in keys] == ["807537", "430448", "226034", "84035", "29387"]
    assert [float(key[1]) for key in keys] == [level[2] for level in LEVELS]


def test_layers_are_dense_beside_pruned(example):
    head, rows = table(section(example, "layers").one("table"))
    assert head[:6] == ["layer", "design", "weights", "sparsity", "non-zeros pruned", "non-zeros quantised"]
    assert len(rows) == 15
    last = [cell.replace("×", "x") for cell in rows[-1]]  # noqa: RUF001
    assert last[:6] == ["fc3", "95 %", "320", "94.4 %", "18", "18"]
    assert last[6:] == ["18 0.056x", "343 0.061x", "250 0.10x", "0 0.00x", "2", "1", "multiply", "yes"]
    assert head[6:] == [
        "non-zeros built",
        *(f"{amount} estimate" for amount in ("LUT", "FF", "DSP")),
        "latency cycles estimate",
        "interval cycles",
        "strategy",
        "pruning pays",
    ]


def width(element):
    return float(re.fullmatch(r"(?:width|left):([0-9.]+)%", element.attributes["style"])[1])


def test_bars_of_layers_and_where_they_would_end(example):
    cards = section(example, "layers").all("figure", class_="card")
    assert [card.one("figcaption").text for card in cards] == [
        "fc1 50,176 weights",
        "fc2 2,048 weights",
        "fc3 320 weights",
    ]
    bars = [width(bar) for bar in cards[1].all("span", class_="bar")]
    assert bars == pytest.approx([100 * lut / 34017 for lut in (34017, 17825, 8968, 2680, 1077)], abs=0.01)
    markers = [width(marker) for marker in cards[1].all("span", class_="marker")]
    assert markers == pytest.approx([100 * left / 2048 for left in (2048, 1019, 487, 137, 55)], abs=0.01)


def test_bars_of_the_board(example):
    cards = section(example, "boards-0").one("div", class_="cards").all("figure", class_="card")
    assert [card.one("figcaption").text for card in cards] == [
        "0 % lacks LUT, FF and DSP",
        "50 % lacks LUT, FF and DSP",
        "75 % lacks LUT and DSP",
        "90 % lacks LUT and DSP",
        "95 % fits",
    ]
    assert [width(bar) for bar in cards[4].all("span", class_="bar")] == [55.24, 11.85, 96.82, 0]
    assert [width(bar) for bar in cards[0].all("span", class_="over")] == [100, 100, 100]
    assert cards[4].all("li")[0].text == "LUT 55.2 % 29,387 of 53,200"
    assert len(section(example, "details").all("figure", class_="card")) == 5


def test_charts_have_lines_titles_and_words_for_who_cannot_see_them(example):
    accuracy, cost = section(example, "boards-0").one("div", class_="charts").all("figure")
    assert cost.one("figcaption").text == "LUT and DSP, % of the board (estimate) LUT DSP"
    plot = cost.one("svg", class_="plot")
    assert plot.attributes["role"] == "img"
    assert "LUT: 0 % 1,518 %, 50 % 809.1 %, 75 % 424.9 %, 90 % 158.0 %, 95 % 55.2 %" in plot.attributes["aria-label"]
    for style in ("lut", "dsp"):
        path = plot.all("g", class_=style)[0].one("path").attributes["d"]
        points = [tuple(map(float, step[1:].split(","))) for step in path.split()]
        assert points == sorted(points)
        assert [y for _, y in points] == sorted(y for _, y in points)
        assert len(points) == 5
    full = float(re.search(r",([\d.]+) H", plot.one("path", class_="full").attributes["d"])[1])
    assert points[3][1] < full < points[4][1]
    marks = [text.text for text in accuracy.all("text", class_="mark-text")]
    assert marks == ["97.9 %", "97.9 %", "97.6 %", "96.9 %", "95.3 %"]
    assert [tick.text for tick in accuracy.all("text", class_="tick")][-5:] == [
        "0.0 %",
        "50.2 %",
        "75.2 %",
        "91.2 %",
        "97.0 %",
    ]


def decoded(uri):
    """Return the opacities of a PNG as rows, read by the letter of its specification."""
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        body = data[at + 4 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(body)
        chunks[body[:4]] = body[4:]
        at += 12 + length
    columns, rows = struct.unpack(">II", chunks[b"IHDR"][:8])
    assert chunks[b"IHDR"][8:] == bytes((8, 6, 0, 0, 0))
    pixels = zlib.decompress(chunks[b"IDAT"])
    lines = [pixels[row * (4 * columns + 1) :][: 4 * columns + 1] for row in range(rows)]
    assert all(line[0] == 0 for line in lines)
    return [list(line[4::4]) for line in lines]


def test_pictures_of_masks_are_the_data(example):
    comparison = example_comparison()
    images = section(example, "masks").all("img")
    assert len(images) == 15 + 1
    for at, image in enumerate(images[:15]):
        layer = comparison.points[at % 5].layers[at // 5]
        assert decoded(image.attributes["src"]) == [[round(255 * strength(s)) for s in row] for row in layer.picture]
        assert f"{layer.nonzeros_quantised:,} left of {layer.weights:,}" in image.attributes["alt"]


def test_one_pixel_is_a_picture():
    assert decoded("data:image/png;base64," + base64.b64encode(png(((1.0,),))).decode()) == [[255]]


def test_verdicts_and_provenance(example):
    assert "never with a tolerance: 4 of 5 designs exact, 1 not simulated yet." in section(example, "verdicts").text
    verdicts = [each.text for each in section(example, "verdicts").all("li")]
    assert verdicts[0] == "0 % not run Run: fpgaprune csim out/digits/sparsity-0"
    assert "95 % exact 1,000 samples, 10,000 words compared, none differs." in verdicts[4]
    facts = section(example, "provenance").text
    for part in (
        f"fpgaprune {__version__}",
        "fpgaprune compare out/digits/sparsity-0",
        "estimate: computed from the generated kernels",
        "calibrated on open synthesis",
        "xc7z020clg400-1",
        "AMD DS190",
        "10 ns",
    ):
        assert part in facts


def test_a_mismatch_is_told_in_full():
    root = parse(page(Comparison((point_of(LEVELS[0]), replace(point_of(LEVELS[4]), verdict=WRONG)))))
    text = section(root, "verdicts").all("li")[1]
    assert text.attributes["class"] == "bad"
    assert "1 of 2 designs exact, 1 not." in section(root, "verdicts").text
    assert "3 mismatches" in text.text
    assert "First difference: sample 41: layer 'fc2' is the first to differ, element 7 is -12, expected 5." in text.text
    assert "Files changed by hand when it ran: src/top.cpp." in text.text


def test_findings():
    root = parse(page(not_paying()))
    layers = section(root, "layers")
    assert layers.one("p", class_="pays").text == "pruning does not pay in fc2"
    (finding,) = not_paying().findings()
    assert layers.one("ul", class_="findings").text == f"{finding}. Because: {finding.why[0]}."
    assert len(layers.all("span", class_="flagged")) == 1
    assert (
        section(parse(page(example_comparison())), "layers").one("p", class_="good").text
        == "pruning pays in every layer"
    )


def test_what_is_missing_is_said():
    rows = table(section(parse(page(missing_layer())), "layers").one("table"))[1]
    assert rows[5][:2] + rows[5][6:] == ["fc2", "95 %", "0 0.00×", *["-"] * 5, "not built", "-"]  # noqa: RUF001
    assert rows[7] == ["fc3", "90 %", *["-"] * 12]
    root = parse(page(without_accuracy()))
    for heading in ("tradeoff", "boards-0"):
        assert "The accuracy of these designs is not known." in section(root, heading).text
    header = parse(page(one_point())).one("header").text
    assert "No design fits the TUL PYNQ-Z2" in header
    assert "There is no other design to compare it with." in header


def test_ultraram_is_shown_where_the_board_has_it():
    kv260 = board.load("kv260")
    head, _ = table(
        section(parse(page(Comparison((replace(point_of(LEVELS[4]), board=kv260),)))), "designs").one("table")
    )
    assert "URAM estimate" in head


@pytest.mark.parametrize("edge", ["all", "names", *EDGES])
def test_every_page_is_sound_and_needs_nothing_else(edge):
    comparison = {"all": example_comparison, "names": lambda: named(HOSTILE), **EDGES}[edge]()
    text = page(comparison)
    root = parse(text)
    everything = list(root.walk())
    assert text.startswith("<!doctype html>\n")
    assert root.one("html").attributes == {"lang": "en"}
    ids = [each.attributes["id"] for each in everything if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for each in everything:
        for name in ("aria-labelledby",):
            assert each.attributes.get(name, ids[0]) in ids
        for name in ("src", "href", "action", "data", "srcset", "xlink:href"):
            assert re.match(r"data:|#", each.attributes.get(name, "#")), each
        assert not [name for name in each.attributes if name.startswith("on")]
        if each.tag == "img":
            assert each.attributes["alt"]
        if each.tag == "th":
            assert each.attributes["scope"] in ("col", "row")
        if each.tag == "table":
            assert each.one("caption").text
            head, rows = table(each)
            assert {len(row) for row in rows} == {len(head)}
        if each.tag == "figure":
            assert each.all("figcaption")
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    for word in ("None", "nan", "Undefined", "inf%"):
        assert not re.search(rf"\b{word}\b", root.one("body").one("main").text)


def test_foreign_names_are_inert():
    text = page(named(HOSTILE))
    root = parse(text)
    plain = parse(page(named(("a", "b", "c"))))
    assert [each.tag for each in root.walk()] == [each.tag for each in plain.walk()]
    assert "alert(1)</script>" not in text
    cards = [each.one("b").text for each in section(root, "layers").all("figcaption")]
    assert cards == [HOSTILE[0], HOSTILE[1], "{{ 7*7 }}</title><!-- \\x1b[2J"]
    alt = section(root, "masks").all("img")[5].attributes["alt"]
    assert HOSTILE[1] in alt
    assert "\x1b" not in text


def test_the_template_is_strict_and_the_views_are_frozen():
    with pytest.raises(jinja2.UndefinedError):
        render(TEMPLATE, SimpleNamespace(title="only this"))
    frozen = [each for module in (views, charts) for each in vars(module).values() if is_dataclass(each)]
    assert len(frozen) > 12
    assert all(each.__dataclass_params__.frozen for each in frozen)


def test_the_file_is_written_in_one_step(tmp_path):
    path = tmp_path / "new" / "report.html"
    write_page(example_comparison(), path)
    assert path.read_text(encoding="utf-8") == page(example_comparison())
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]
    assert path.stat().st_size < 200_000
    with pytest.raises(InputError, match="is a folder"):
        write_page(example_comparison(), tmp_path)


def test_no_template_of_the_page_trusts_a_text():
    for path in (resource("templates") / "report").glob("*.j2"):
        assert not re.search(r"\|\s*safe|autoescape", path.read_text(encoding="utf-8")), path

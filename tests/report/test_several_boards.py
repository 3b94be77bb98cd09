"""Designs for several boards: what is one group, what cannot be, and that every form of the report has all of them."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest

from fpgaprune import board
from fpgaprune.cli import main
from fpgaprune.errors import InputError, ToolError
from fpgaprune.report import Comparison, Comparisons, compare_boards, comparison_to_data, design_table, markdown
from fpgaprune.report.html import page
from fpgaprune.report.pareto import frontier
from fpgaprune.resources import Kind
from tests.nets import PYNQ
from tests.report.examples import LEVELS, example_comparison, point_of, several_boards
from tests.report.pages import parse, table
from tests.report.test_comparison import made
from tests.report.test_html import section


def test_projects_of_one_board_and_clock_are_one_comparison(tmp_path):
    kv260 = board.load("kv260")
    folders = [made(tmp_path / name, name, on=on) for name, on in (("a", PYNQ), ("b", kv260), ("c", PYNQ))]
    found = compare_boards(folders, stock=False)
    assert [group.place for group in found.groups] == [("pynq-z2", 10.0), ("kv260", 5.0)]
    assert [[point.label for point in group.points] for group in found.groups] == [["a", "c"], ["b"]]
    assert [point.made.digest for point in found.points] == [
        folder.digest() for folder in (folders[0], folders[2], folders[1])
    ]


def test_the_digest_of_a_folder_is_that_of_its_project(tmp_path):
    folder = made(tmp_path / "net")
    (tmp_path / "net" / "csim.json").write_text("{}")
    from fpgaprune.emit import Project

    texts = {name: (tmp_path / "net" / name).read_text(encoding="utf-8") for name in folder.manifest["files"]}
    texts["fpgaprune.json"] = (tmp_path / "net" / "fpgaprune.json").read_text(encoding="utf-8")
    assert folder.digest() == Project(texts).digest()


def test_what_cannot_be_side_by_side_is_refused(tmp_path):
    one = example_comparison()
    with pytest.raises(InputError, match="two comparisons are for pynq-z2 at 10 ns"):
        Comparisons((one, one))
    with pytest.raises(InputError, match="at least one design"):
        Comparisons(())
    with pytest.raises(InputError, match="at least one design"):
        compare_boards([])
    other = several_boards().groups[1].points[0]
    counted = replace(other, resources=replace(other.resources, kind=Kind.OPEN_SYNTHESIS))
    with pytest.raises(InputError, match="one kind of numbers, not estimate, open-synthesis"):
        Comparisons((one, Comparison((counted,))))
    larger = replace(PYNQ, resources=replace(PYNQ.resources, lut=60000))
    with pytest.raises(InputError, match=r"'pynq-z2' is not the same in all designs: .*53200.* against .*60000"):
        compare_boards([made(tmp_path / "a"), made(tmp_path / "b", on=larger)])


def test_the_page_answers_for_each_board():
    root = parse(page(several_boards()))
    answers = [each.text.replace("\xa0", " ") for each in root.all("p", class_="answer")]
    assert answers[0].startswith("TUL PYNQ-Z2, 10 ns. The 95 % design fits the TUL PYNQ-Z2")
    assert answers[1].startswith("AMD Kria KV260 Vision AI Starter Kit, 5 ns. The 90 % design fits the AMD Kria KV260")
    tiles = [
        (div.one("dt").text, *(dd.text for dd in div.all("dd"))) for div in root.one("dl", class_="tiles").all("div")
    ]
    assert tiles[0] == ("TUL PYNQ-Z2, 10 ns", "95 %", "accuracy 95.32 %, 29,387 LUT (55.2 %, estimate)")
    designs, fits = (table(each) for each in section(root, "designs").all("table"))
    assert [row[1] for row in designs[1]] == ["TUL PYNQ-Z2, 10 ns"] * 3 + [
        "AMD Kria KV260 Vision AI Starter Kit, 5 ns"
    ] * 2
    assert "BRAM_18K estimate" not in designs[0]
    assert [row[0] for row in fits[1]] == ["75 %", "90 %", "95 %"]
    assert fits[1][0][1:] == ["no 625.9 % DSP", "-"]
    assert fits[1][1][1].startswith("no ")
    assert fits[1][2][1:] == ["yes 96.8 % DSP", "yes 25.1 % LUT"]


def test_markdown_has_a_part_for_each_board():
    text = markdown(several_boards())
    assert [line for line in text.splitlines() if line.startswith("Designs on the")] == [
        line
        for group in several_boards().groups
        for line in markdown(group).splitlines()
        if line.startswith("Designs on")
    ]


def test_rows_of_the_table_are_the_designs():
    rows = list(csv.DictReader(io.StringIO(design_table(several_boards()).to_csv())))
    assert [(row["label"], row["board"], row["clock_ns"]) for row in rows][2:4] == [
        ("95 %", "pynq-z2", "10.0"),
        ("90 %", "kv260", "5.0"),
    ]
    assert rows[2]["lut"] == "29387"
    assert float(rows[2]["lut_share"]) == 29387 / 53200
    assert rows[2]["fits"] == "True"
    assert rows[2]["kind"] == "estimate"
    assert rows[2]["energy_pj"] == rows[2]["lut_low"] == ""


def test_bounds_and_shares_of_nothing_are_in_the_table():
    point = point_of(LEVELS[4])
    layers = tuple(replace(each, bounds={"lut": (each.lut - 10, each.lut + 20)}) for each in point.resources.layers)
    lacking = replace(PYNQ, resources=replace(PYNQ.resources, dsp=0))
    bounded = replace(point, board=lacking, resources=replace(point.resources, layers=layers))
    made_table = design_table(Comparison((bounded,)))
    row = dict(zip(made_table.columns, made_table.rows[0], strict=True))
    assert (row["lut_low"], row["lut_high"]) == (29387 - 30, 29387 + 60)
    assert row["dsp_share"] is None
    assert (
        "29,387 (29,357 to 29,447) of 53,200"
        in parse(page(Comparison((bounded,)))).one("section", class_="detail").text
    )


def test_a_data_frame_has_the_same_columns(monkeypatch):
    made_table = design_table(example_comparison())
    frame = made_table.to_pandas()
    assert tuple(frame.columns) == made_table.columns
    assert list(frame["lut"]) == [807537, 430448, 226034, 84035, 29387]
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ToolError, match="pip install pandas, or use to_csv"):
        made_table.to_pandas()


@pytest.mark.parametrize(
    ("pairs", "best"),
    [
        ([], []),
        ([(1, 0.5)], [(1, 0.5)]),
        ([(2, 0.5), (1, 0.5), (3, 0.4)], [(1, 0.5)]),
        ([(1, 0.5), (1, 0.7), (4, 0.9), (3, 0.6), (4, 0.8)], [(1, 0.7), (4, 0.9)]),
    ],
)
def test_the_frontier_has_those_that_no_other_beats(pairs, best):
    assert frontier(pairs) == best


def test_the_command_writes_every_form(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, on in (("a", PYNQ), ("b", board.load("kv260"))):
        made(tmp_path / name, name, on=on)
    words = "compare a b --html p.html --csv t.csv --markdown t.md --plots pictures".split()
    monkeypatch.setattr("sys.argv", ["fpgaprune", *words])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert not leaving.value.code
    assert len(re.findall("Designs side by side on the", capsys.readouterr().out)) == 2
    assert "</html>" in (tmp_path / "p.html").read_text()
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 3
    assert (tmp_path / "t.md").read_text().count("Designs on the") == 2
    assert len(list((tmp_path / "pictures").iterdir())) == 2 * (2 + 2 * 4)  # of both boards, and of each


def titled():
    """Return two networks for one board, of which the second has three designs and the best one."""
    narrow = [replace(point, label=f"narrow {point.label}", folder=f"{point.folder}-narrow") for point in points_of(4)]
    first = Comparison(points_of(3), title="weight_bits 6")
    return Comparisons((first, Comparison(tuple(narrow[2:]), title="weight_bits 4")))


def points_of(count):
    return tuple(point_of(level) for level in LEVELS[-count:])


def test_networks_for_one_board_have_one_answer_and_a_part_each():
    root = parse(page(titled()))
    (headline,) = root.all("p", class_="answer")
    assert headline.text.replace("\xa0", " ").startswith("The 95 % design fits the TUL PYNQ-Z2 with ")
    head, rows = table(section(root, "designs").one("table"))
    assert head[1] == "of"
    assert [row[1] for row in rows] == ["weight_bits 6"] * 3 + ["weight_bits 4"] * 2
    assert [row[0] for row in rows if row[0].endswith("best")] == ["95 % best"]
    assert [each.text for each in section(root, "layers").all("h3")] == ["weight_bits 6", "weight_bits 4"]
    assert root.all("input", class_="board") == []
    assert [each.one("h3").text for each in root.all("section", class_="detail")][2:4] == ["95 %", "narrow 90 %"]
    data = comparison_to_data(titled())
    assert [each["title"] for each in data["comparisons"]] == ["weight_bits 6", "weight_bits 4"]


def test_labels_of_one_board_differ_whatever_the_titles():
    with pytest.raises(InputError, match="2 designs that are compared have the label '90 %'"):
        Comparisons((Comparison(points_of(3), title="a"), Comparison(points_of(2), title="b")))


def test_ratios_are_to_the_densest_of_the_same_network():
    _, rows = table(section(parse(page(titled())), "designs").one("table"))
    lut = [row[6].split()[1] for row in rows]
    assert [each[:4] for each in lut] == ["1.00", "0.37", "0.13", "1.00", "0.35"]

"""The packaged boards hold the right figures, and no invalid board file gets past the reader."""

from __future__ import annotations

import ast
import copy
import dataclasses
import json
import pickle
import re
from pathlib import Path

import pytest

from fpgaprune import board
from fpgaprune.board import Board, BoardResources, Family
from fpgaprune.errors import InputError

# Counted independently of the files: part -> LUT, FF, DSP, block RAMs of 36 kbit, UltraRAM.
PARTS = {
    "xc7z020clg400-1": (53200, 106400, 220, 140, 0),
    "xc7a35ticsg324-1L": (20800, 41600, 90, 50, 0),
    "xc7a35tcpg236-1": (20800, 41600, 90, 50, 0),
    "xc7a100tcsg324-1": (63400, 126800, 240, 135, 0),
    "xczu3eg-sbva484-1-i": (70560, 141120, 360, 216, 0),
    "xczu9eg-ffvb1156-2-e": (274080, 548160, 2520, 912, 0),
    "xczu7ev-ffvc1156-2-e": (230400, 460800, 1728, 312, 96),
    "xck26-sfvc784-2LV-c": (117120, 234240, 1248, 144, 64),
    "xcu50-fsvh2104-2-e": (871680, 1743360, 5952, 1344, 640),
    "xcu250-figd2104-2L-e": (1728000, 3456000, 12288, 2688, 1280),
    "xcu55c-fsvh2892-2L-e": (1303680, 2607360, 9024, 2016, 960),
    "xcvu9p-flga2104-2L-e": (1182240, 2364480, 6840, 2160, 960),
}
BOARDS = {
    "alveo-u250": "xcu250-figd2104-2L-e",
    "alveo-u50": "xcu50-fsvh2104-2-e",
    "alveo-u55c": "xcu55c-fsvh2892-2L-e",
    "arty-a7-100t": "xc7a100tcsg324-1",
    "arty-a7-35t": "xc7a35ticsg324-1L",
    "basys3": "xc7a35tcpg236-1",
    "kv260": "xck26-sfvc784-2LV-c",
    "pynq-z2": "xc7z020clg400-1",
    "ultra96-v2": "xczu3eg-sbva484-1-i",
    "vcu118": "xcvu9p-flga2104-2L-e",
    "zcu102": "xczu9eg-ffvb1156-2-e",
    "zcu104": "xczu7ev-ffvc1156-2-e",
}
FIGURES = ("lut", "ff", "dsp", "bram_18k", "uram")
SOURCED = ("part", "clock_ns", *FIGURES)

every_board = pytest.mark.parametrize("name", BOARDS)


def valid() -> dict:
    return {
        "name": "mine",
        "title": "My board",
        "part": "xcku040-ffva1156-2-e",
        "family": "xcu",
        "clock_ns": 4.0,
        "resources": {"lut": 242400, "ff": 484800, "dsp": 1920, "bram_18k": 1200, "uram": 0},
        "sources": {key: f"my document, {key}" for key in SOURCED},
    }


def changed(**fields: object) -> dict:
    """The valid table with fields set by dotted name, ``__`` for the dot; ``None`` removes the field."""
    table = valid()
    for dotted, value in fields.items():
        *parents, key = dotted.split("__")
        place = table[parents[0]] if parents else table
        if value is None:
            del place[key]
        else:
            place[key] = value
    return table


def text(table: dict) -> str:
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = [f"{key} = {scalar(value)}" for key, value in plain.items()]
    for key in table.keys() - plain.keys():
        lines += [f"[{key}]", *(f"{inner} = {scalar(value)}" for inner, value in table[key].items())]
    return "\n".join(lines) + "\n"


def scalar(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool, list)) else repr(value)


@pytest.fixture
def refusal(tmp_path):
    """Write a file, demand that it is refused in one line that names the file, and return the message."""

    def refuse(content: dict | str | bytes, file: str = "mine.toml") -> str:
        path = tmp_path / file
        content = text(content) if isinstance(content, dict) else content
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(InputError) as caught:
            board.read(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        assert len(message) < len(str(path)) + 300
        return message.removeprefix(f"{path}: ")

    return refuse


@pytest.fixture
def mine(tmp_path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text(valid()))
    return path


# the packaged boards


def test_exactly_the_expected_boards_are_packaged():
    assert board.names() == tuple(sorted(BOARDS))


def test_load_all_returns_what_load_returns_in_order_of_names():
    assert board.load_all() == tuple(board.load(name) for name in sorted(BOARDS))


@every_board
def test_part_and_resources_are_those_of_the_table(name):
    loaded = board.load(name)
    assert loaded.name == name
    assert loaded.part == BOARDS[name]
    lut, ff, dsp, bram_36k, uram = PARTS[loaded.part]
    assert loaded.resources == BoardResources(lut=lut, ff=ff, dsp=dsp, bram_18k=2 * bram_36k, uram=uram)


@every_board
def test_family_and_default_clock_belong_to_the_part(name):
    loaded = board.load(name)
    seven = loaded.part.startswith("xc7")
    assert loaded.family is (Family.XC7 if seven else Family.XCUP)
    assert loaded.clock_ns == (10.0 if seven else 5.0)
    assert isinstance(loaded.clock_ns, float)


@every_board
def test_every_figure_has_a_source_and_every_resource_a_vendor_document(name):
    loaded = board.load(name)
    sources = loaded.sources
    assert set(sources) == {*SOURCED, *(["static_w"] if loaded.static_w is not None else [])}
    assert all(re.search(r"\bAMD DS\d{3}\b", sources[figure]) for figure in FIGURES)


@every_board
def test_the_sources_cite_the_same_figures_as_the_resources(name):
    loaded = board.load(name)
    counts, sources = loaded.resources, loaded.sources
    lut, ff, bram = counts.lut, counts.ff, counts.bram_18k
    quotes = {
        "lut": (f"{lut:,} ", f" {lut // 4:,} slices", f" {lut // 8:,} CLBs", f"({thousands(lut)} LUTs"),
        "ff": (f"{ff:,} ", f" {ff // 8:,} slices", f" {ff // 16:,} CLBs", f"({thousands(ff)} reg"),
        "dsp": (f"{counts.dsp:,} DSP",),
        "bram_18k": (f"{bram // 2:,} blocks of 36 Kb = {bram:,} of 18 Kb", f" {bram} blocks of 18 Kb"),
        "uram": (f"{counts.uram:,} UltraRAM", "no UltraRAM"),
    }
    for figure, forms in quotes.items():
        assert any(form in sources[figure] for form in forms), (figure, sources[figure])
    assert ("no UltraRAM" in sources["uram"]) <= (counts.uram == 0)
    assert f"{1000 / loaded.clock_ns:.0f} MHz" in sources["clock_ns"]


def thousands(count: int) -> str:
    return f"{round(count / 1000):,}K"


@pytest.mark.parametrize("name", [name for name in BOARDS if name.startswith("alveo")])
def test_alveo_cards_say_that_they_count_the_whole_device(name):
    loaded = board.load(name)
    assert all("hole device" in loaded.sources[figure] for figure in FIGURES)


@every_board
def test_a_slice_has_two_flip_flops_for_each_lut(name):
    counts = board.load(name).resources
    assert counts.ff == 2 * counts.lut


def test_titles_are_distinct():
    assert len({each.title for each in board.load_all()}) == len(BOARDS)


# the value


def test_a_board_is_frozen_hashable_and_survives_pickle_and_copy():
    loaded = board.load("zcu104")
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded.clock_ns = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded.resources.lut = 1
    assert pickle.loads(pickle.dumps(loaded)) == loaded  # noqa: S301 - our own bytes
    assert copy.deepcopy(loaded) == loaded
    assert {loaded: 1}[board.load("zcu104")] == 1
    assert dataclasses.asdict(loaded)["resources"]["uram"] == 96


def test_families_carry_the_names_of_yosys():
    assert {family.value for family in Family} == {"xc7", "xcu", "xcup"}


def test_a_value_made_by_hand_obeys_the_same_rules():
    with pytest.raises(InputError, match=r"resources\.ff must be a whole number of at least 1, not 0"):
        BoardResources(lut=1, ff=0, dsp=0, bram_18k=0, uram=0)
    good = board.load("pynq-z2")
    with pytest.raises(InputError, match="clock_ns must be a number of nanoseconds above 0"):
        dataclasses.replace(good, clock_ns=0.0)
    with pytest.raises(InputError, match=r"sources\.lut is missing"):
        dataclasses.replace(good, sources={k: v for k, v in good.sources.items() if k != "lut"})


# names and paths


def test_a_board_of_ones_own_is_loaded_by_its_path(mine):
    own = board.load(str(mine))
    assert own == board.read(mine)
    assert own == Board(
        name="mine",
        title="My board",
        part="xcku040-ffva1156-2-e",
        family=Family.XCU,
        clock_ns=4.0,
        resources=BoardResources(lut=242400, ff=484800, dsp=1920, bram_18k=1200, uram=0),
        sources=valid()["sources"],
    )


def test_a_path_counts_from_the_working_directory(mine, monkeypatch):
    monkeypatch.chdir(mine.parent)
    assert board.load("mine.toml").name == "mine"


def test_a_whole_number_of_nanoseconds_becomes_a_float(mine):
    mine.write_text(text(changed(clock_ns=4)))
    clock = board.read(mine).clock_ns
    assert (clock, type(clock)) == (4.0, float)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("zcu1022", "zcu102"),
        ("ZCU104", "zcu104"),
        ("PYNQ-Z2", "pynq-z2"),
        ("pynqz2", "pynq-z2"),
        ("alveo_u250", "alveo-u250"),
        ("kv26", "kv260"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, nearest):
    with pytest.raises(InputError) as caught:
        board.load(name)
    assert f"{name!r} is not a known board (did you mean {nearest!r}?)" in str(caught.value)
    assert "`fpgaprune boards`" in str(caught.value)
    assert ".toml" in str(caught.value)


@pytest.mark.parametrize("name", ["", "qqqqqqqq", "../boards/zcu102", "zcu102\n", "*"])
def test_a_name_like_no_board_still_says_where_the_list_is(name):
    with pytest.raises(InputError, match="`fpgaprune boards` lists them"):
        board.load(name)


# files that are no board


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml: the file cannot be read: No such file"):
        board.load(str(tmp_path / "none.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InputError, match=r"folder\.toml: the file cannot be read: Is a directory"):
        board.load(str(tmp_path / "folder.toml"))
    with pytest.raises(InputError, match="the file cannot be read: embedded null byte"):
        board.load("null\0.toml")


def test_a_file_that_is_no_utf8_is_refused(refusal):
    content = text(valid()).encode().replace(b"My board", b"My \xff board")
    assert refusal(content) == f"the file must be UTF-8 text: invalid start byte at byte {content.index(255)}"


def test_an_oversized_file_is_refused_and_the_limit_is_1_mb(refusal, mine):
    padding = "#" * (1_000_000 - len(text(valid())))
    mine.write_text(text(valid()) + padding)
    assert board.read(mine).name == "mine"
    assert refusal(text(valid()) + padding + "#") == (
        "the file must be at most 1000000 bytes long; this is no board file"
    )


@pytest.mark.parametrize(
    "content",
    ["name = ", "name = 'a'\nname = 'b'", "[resources", "lut = " + "9" * 5000, "a = " + "[" * 100_000, "\0"],
    ids=["no value", "twice", "cut", "digits", "nested", "null"],
)
def test_what_is_no_toml_is_refused(refusal, content):
    assert refusal(content).startswith("the file must be valid TOML: ")


@pytest.mark.parametrize("name", ["alveo-u50", "basys3"])
def test_no_truncation_of_a_file_is_accepted(refusal, name):
    path = board.resource("boards") / f"{name}.toml"
    content = path.read_bytes().rstrip()
    assert board.read(path).name == name
    for length in range(0, len(content), 7):
        assert refusal(content[:length], file=f"{name}.toml")


def test_an_empty_file_is_refused_for_its_first_missing_field(refusal):
    assert refusal("") == "name is missing; add it to the file"


# fields


@pytest.mark.parametrize("key", ["name", "title", "part", "family", "clock_ns", "resources", "sources"])
def test_a_missing_field_is_named(refusal, key):
    assert refusal(changed(**{key: None})) == f"{key} is missing; add it to the file"


@pytest.mark.parametrize("figure", FIGURES)
def test_a_missing_figure_is_named(refusal, figure):
    assert refusal(changed(**{f"resources__{figure}": None})) == f"resources.{figure} is missing; add it to the file"


@pytest.mark.parametrize("figure", SOURCED)
def test_a_figure_without_a_source_is_named(refusal, figure):
    message = refusal(changed(**{f"sources__{figure}": None}))
    assert message == f"sources.{figure} is missing; name the document of each figure"


@pytest.mark.parametrize("value", ["", "  ", 3, True, ["DS190"], "two\nlines", "\x1b[31mred"])
@pytest.mark.parametrize("figure", SOURCED)
def test_an_empty_or_odd_source_is_named(refusal, figure, value):
    assert refusal(changed(**{f"sources__{figure}": value})) == (
        f"sources.{figure} must be one line of text, not {value!r}"
    )


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("tittle", "tittle is not a field of a board (did you mean 'title'?)"),
        ("resources__luts", "resources.luts is not a field of a board (did you mean 'lut'?)"),
        ("resources__bram_36k", "resources.bram_36k is not a field of a board (did you mean 'bram_18k'?)"),
        ("sources__clock", "sources.clock is not a field of a board (did you mean 'clock_ns'?)"),
        ("sources__title", "sources.title is not a field of a board"),
        ("xyzzy", "xyzzy is not a field of a board"),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest(refusal, key, message):
    assert refusal(changed(**{key: 1})) == message


def test_an_endless_or_odd_key_is_shown_in_short(refusal):
    assert len(refusal('"' + "k" * 10_000 + '" = 1\n' + text(valid()))) < 100
    assert r"'a\nb' is not a field" in refusal('"a\\nb" = 1\n' + text(valid()))


@pytest.mark.parametrize("value", [0, -1, True, False, 1.0, "7", [1]])
@pytest.mark.parametrize("figure", FIGURES[:2])
def test_look_up_tables_and_flip_flops_are_a_whole_number_above_0(refusal, figure, value):
    assert refusal(changed(**{f"resources__{figure}": value})) == (
        f"resources.{figure} must be a whole number of at least 1, not {value!r}"
    )


@pytest.mark.parametrize("value", [-1, True, False, 0.0, "0"])
@pytest.mark.parametrize("figure", FIGURES[2:])
def test_other_resources_may_be_0_and_no_less(refusal, mine, figure, value):
    assert refusal(changed(**{f"resources__{figure}": value})) == (
        f"resources.{figure} must be a whole number of at least 0, not {value!r}"
    )
    mine.write_text(text(changed(**{f"resources__{figure}": 0})))
    assert getattr(board.read(mine).resources, figure) == 0


@pytest.mark.parametrize("family", ["xc7", "xcu"])
def test_only_ultrascale_plus_has_ultraram(refusal, mine, family):
    assert refusal(changed(family=family, resources__uram=4)) == (
        f"resources.uram must be 0 for family {family}, not 4"
    )
    mine.write_text(text(changed(family="xcup", resources__uram=4)))
    assert board.read(mine).resources.uram == 4


@pytest.mark.parametrize("value", [0, 0.0, -5, True, "5", [5], float("nan"), float("inf"), 1e7, 10**400])
def test_a_clock_is_a_positive_period(refusal, value):
    message = refusal(changed(clock_ns=value))
    assert message.startswith("clock_ns must be a number of nanoseconds above 0 and up to 1000000, not ")


@pytest.mark.parametrize(
    ("value", "end"),
    [
        ("xc77", "not 'xc77' (did you mean 'xc7'?)"),
        ("XCUP", "not 'XCUP' (did you mean 'xcup'?)"),
        ("ice40", "not 'ice40'"),
        (7, "not 7"),
        (True, "not True"),
    ],
)
def test_a_family_is_one_of_the_enum(refusal, value, end):
    assert refusal(changed(family=value)) == f"family must be one of xc7, xcu, xcup, {end}"


@pytest.mark.parametrize("value", ["yours", "Mine", "", 4, True])
def test_the_name_is_that_of_the_file(refusal, value):
    assert refusal(changed(name=value)) == f"name must be 'mine' as the file is called, not {value!r}"


@pytest.mark.parametrize("stem", ["my board", "-force", "é"])
def test_a_name_is_a_plain_word(refusal, stem):
    message = refusal(changed(name=stem), file=f"{stem}.toml")
    assert message == f"name must be a word of letters, digits, '.', '_' and '-', not {stem!r}"


@pytest.mark.parametrize("value", ["", "xc7z020; exec rm", "xc7z020\n", "[exit]", "-part", 7020, True])
def test_a_part_is_a_plain_word(refusal, value):
    assert refusal(changed(part=value)) == (f"part must be a word of letters, digits, '.', '_' and '-', not {value!r}")


@pytest.mark.parametrize("value", ["", " ", 1, True, "a\nb"])
def test_a_title_is_a_line(refusal, value):
    assert refusal(changed(title=value)) == f"title must be one line of text, not {value!r}"


@pytest.mark.parametrize("value", [1, "text", [1], True])
@pytest.mark.parametrize("key", ["resources", "sources"])
def test_resources_and_sources_are_tables(refusal, key, value):
    assert refusal(changed(**{key: value})) == f"{key} must be a table, not {value!r}"


def test_an_endless_value_is_shown_in_short(refusal):
    assert len(refusal(changed(part="?" * 10_000))) < 150


# layering


def test_the_module_imports_nothing_of_the_package_but_errors_paths_and_rows():
    tree = ast.parse(Path(board.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
    own = {module for module in imported if module.startswith("fpgaprune")}
    assert own == {"fpgaprune.errors", "fpgaprune.paths", "fpgaprune.rows"}
    assert "torch" not in imported


@pytest.mark.parametrize("name", board.names())
def test_a_board_comes_back_from_its_values(name):
    one = board.load(name)
    assert board.from_data(json.loads(json.dumps(board.to_data(one)))) == one


@pytest.mark.parametrize("data", [None, "pynq-z2", {}, {**board.to_data(board.load("kv260")), "clock_ns": 0}])
def test_values_that_are_no_board_are_refused(data):
    with pytest.raises(InputError):
        board.from_data(data)

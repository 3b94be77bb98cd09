"""Foreign names become safe words, and a folder or a file is replaced whole or not at all."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaprune import paths
from fpgaprune.errors import InputError
from fpgaprune.paths import MANIFESTS, fresh_file, fresh_folder, identifier, resource, unique_identifiers

SAFE = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*_?")
HOSTILE = [
    "../../etc/passwd",
    "a;rm -rf /",
    "$(reboot)",
    "`reboot`",
    "[exec reboot]",
    "<script>alert(1)</script>",
    "quote\"quote's",
    "line\nline\r\0",
    "%s{{ x }}\\",
    "conv2d/kernel:0",
    "größe",
    "層",
    "🙂",
    "\u202egnp.exe",
    "",
    "_",
    "___",
    "__init__",
    "0",
    "42nd",
    "9" * 200,
    "x" * 5000,
    "x" * 63 + "__y",
    "C:\\con",
]
KEYWORDS = "class int template co_await char8_t main std module wire reg begin end always assign logic".split()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_becomes_a_safe_word(name):
    word = identifier(name)
    assert SAFE.fullmatch(word)
    assert len(word) <= 64


@pytest.mark.parametrize("word", KEYWORDS)
def test_no_keyword_of_cpp_or_verilog_comes_out(word):
    assert identifier(word) == f"{word}_"
    assert identifier(f"_{word}_") == f"{word}_"


@pytest.mark.parametrize("name", ["fc1", "conv_2", "Layer3", "n_1", "x" * 64])
def test_a_safe_name_stays_as_it_is(name):
    assert identifier(name) == name


def test_the_readable_part_of_a_name_remains():
    assert identifier("features.0/conv:weight") == "features_0_conv_weight"
    assert identifier("0.weight") == "n_0_weight"


@given(st.text() | st.sampled_from([*HOSTILE, *KEYWORDS]))
def test_identifier_is_safe_and_idempotent(name):
    word = identifier(name)
    assert SAFE.fullmatch(word)
    assert len(word) <= 64
    assert identifier(word) == word


def test_names_that_would_collide_are_numbered_in_their_order():
    assert unique_identifiers(["a.b", "a_b", "a/b", "c"]) == {"a.b": "a_b", "a_b": "a_b_2", "a/b": "a_b_3", "c": "c"}


def test_names_that_differ_in_case_alone_collide():
    assert unique_identifiers(["fc", "FC"]) == {"fc": "fc", "FC": "FC_2"}


def test_a_number_never_runs_into_a_name_that_has_it_already():
    assert list(unique_identifiers(["a", "a_2", "a.", "A"]).values()) == ["a", "a_2", "a_3", "A_4"]


def test_a_name_given_twice_keeps_its_word():
    assert unique_identifiers(iter(["a", "b", "a"])) == {"a": "a", "b": "b"}


@given(st.lists(st.text(alphabet="aA_.0é", max_size=4) | st.sampled_from(["int", "int.", "x" * 70, "x" * 80])))
def test_unique_identifiers_are_safe_and_differ_whatever_the_case(names):
    words = unique_identifiers(names)
    assert set(words) == set(names)
    assert all(SAFE.fullmatch(word) and len(word) <= 64 for word in words.values())
    assert len({word.lower() for word in words.values()}) == len(words)


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def write_half(path, kind):
    path.write_text("half")
    raise kind("stop")


MANIFEST = '{\n "schema": "fpgaprune-project-3"\n}\n'
OLD = {"fpgaprune.json": MANIFEST, "old.txt": "old"}


@pytest.fixture
def old(tmp_path):
    """A project's folder, which a test tries to replace."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name, text in OLD.items():
        (folder / name).write_text(text)
    return folder


def test_a_new_folder_appears_whole_when_the_block_ends(tmp_path):
    target = tmp_path / "deep" / "project"
    with fresh_folder(target) as folder:
        (folder / "a.txt").write_text("a")
        (folder / "sub").mkdir()
        assert not target.exists()
        assert folder.parent == target.parent
    assert (target / "a.txt").read_text() == "a"
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert list(target.parent.iterdir()) == [target]


def test_an_existing_folder_is_refused_and_left_alone(old):
    with pytest.raises(InputError, match=r"project exists already; .*--force"), fresh_folder(old):
        pytest.fail("the block must not run")
    assert contents(old) == OLD


def test_force_replaces_a_folder_and_leaves_nothing_of_it(old):
    with fresh_folder(old, force=True) as folder:
        (folder / "new.txt").write_text("new")
        assert contents(old) == OLD
    assert contents(old) == {"new.txt": "new"}
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("name", MANIFESTS)
def test_force_replaces_whatever_fpgaprune_made(old, name):
    (old / "fpgaprune.json").rename(old / name)
    with fresh_folder(old, force=True):
        pass
    assert contents(old) == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("notes.txt", MANIFEST),
        ("workspace.json", '{"$schema": "./node_modules/nx/schema.json", "schema": 1}'),
        ("workspace.json", json.dumps(["schema", 1])),
        ("fpgaprune.json", ""),
    ],
)
def test_force_never_replaces_what_fpgaprune_did_not_make(old, name, text):
    (old / "fpgaprune.json").unlink()
    (old / name).write_text(text)
    before = contents(old)
    refusal = pytest.raises(InputError, match=r"fpgaprune did not make it.*delete this one yourself")
    with refusal, fresh_folder(old, force=True):
        pytest.fail("the block must not run")
    assert contents(old) == before


def test_force_replaces_an_empty_folder_and_a_project_whose_manifest_is_cut_short(old):
    (old / "fpgaprune.json").write_text(MANIFEST[:30])
    with fresh_folder(old, force=True):
        pass
    assert contents(old) == {}
    with fresh_folder(old, force=True) as folder:
        (folder / "new.txt").write_text("new")
    assert contents(old) == {"new.txt": "new"}


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_error_in_the_block_leaves_the_old_folder_and_no_litter(old, kind):
    with pytest.raises(kind), fresh_folder(old, force=True) as folder:
        write_half(folder / "new.txt", kind)
    assert contents(old) == OLD
    assert list(old.parent.iterdir()) == [old]


def test_an_error_in_the_block_leaves_no_new_folder(tmp_path):
    with pytest.raises(ValueError, match="stop"), fresh_folder(tmp_path / "project") as folder:
        write_half(folder / "new.txt", ValueError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails", ["old.txt", "new.txt"])
def test_a_swap_that_fails_leaves_the_old_folder(old, monkeypatch, fails):
    rename = Path.rename

    def fail(self, target):
        if (self / fails).exists():
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(InputError, match="No space left"), fresh_folder(old, force=True) as folder:
        (folder / "new.txt").write_text("new")
    assert contents(old) == OLD
    assert list(old.parent.iterdir()) == [old]


def make_file(path):
    path.write_text("kept")


def make_link_to_folder(path):
    (path.parent / "elsewhere").mkdir()
    path.symlink_to(path.parent / "elsewhere")


def make_link_to_nothing(path):
    path.symlink_to(path.parent / "nothing")


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("make", [make_file, make_link_to_folder, make_link_to_nothing])
def test_a_target_that_is_no_folder_is_refused(tmp_path, make, force):
    target = tmp_path / "project"
    make(target)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="project is not a folder"), fresh_folder(target, force=force):
        pytest.fail("the block must not run")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_target_without_a_name_of_its_own_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="not a folder that can be replaced"), fresh_folder(Path(name), force=True):
        pytest.fail("the block must not run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fresh", [fresh_folder, fresh_file])
def test_a_parent_that_is_a_file_is_refused(tmp_path, fresh):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file cannot be written: "), fresh(tmp_path / "file" / "target"):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("fresh", [fresh_folder, fresh_file])
def test_a_parent_that_cannot_be_written_is_refused(tmp_path, fresh, monkeypatch):
    def denied(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(paths.tempfile, "mkdtemp", denied)
    with pytest.raises(InputError, match="cannot be written: Permission denied"), fresh(tmp_path / "target"):
        pytest.fail("the block must not run")


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    target = tmp_path / "deep" / "table.json"
    for text in ("one", "two"):
        with fresh_file(target) as partial:
            partial.write_text(text)
            assert not target.exists() or target.read_text() == "one"
        assert target.read_text() == text
        assert list(target.parent.iterdir()) == [target]


def test_an_error_leaves_the_old_file_and_no_litter(tmp_path):
    target = tmp_path / "table.json"
    target.write_text("old")
    with pytest.raises(ValueError, match="stop"), fresh_file(target) as partial:
        write_half(partial, ValueError)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"), fresh_file(tmp_path):
        pytest.fail("the block must not run")


def test_packaged_folders_are_found():
    assert list(resource("boards").glob("*.toml"))
    assert resource("templates").is_dir()


def test_packaged_folders_in_a_wheel_are_inside_the_package(tmp_path, monkeypatch):
    package = tmp_path / "fpgaprune"
    (package / "_data" / "boards").mkdir(parents=True)
    (tmp_path / "boards").mkdir()
    monkeypatch.setattr(paths, "_PACKAGE", package)
    assert resource("boards") == package / "_data" / "boards"


def test_a_missing_packaged_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path)
    with pytest.raises(InputError, match="'boards' of fpgaprune is missing; reinstall"):
        resource("boards")

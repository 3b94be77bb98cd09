"""Entries are whole or not there, made once, and checked when they are read."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from fpgaprune.errors import InputError
from fpgaprune.store import SCHEMA, Store, key_of

KEY = key_of({"a": 1})


def _write(text):
    def make(folder):
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_text(text)

    return make


def test_key_ignores_the_order_of_names_and_refuses_nan():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1, "b": 3})
    with pytest.raises(ValueError, match="JSON"):
        key_of({"a": float("nan")})


def test_entry_is_made_once(tmp_path):
    store = Store.open(tmp_path / "store")
    first = store.made(KEY, _write("one"))
    again = Store.open(tmp_path / "store").made(KEY, _write("two"))
    assert first == again
    assert (again / "inner" / "file").read_text() == "one"
    assert store.has(KEY)
    assert not store.has(key_of({}))
    assert store.get(key_of({})) is None


def test_failed_entry_leaves_nothing(tmp_path):
    store = Store.open(tmp_path / "store")

    def fail(folder):
        (folder / "half").write_text("x")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.made(KEY, fail)
    assert store.get(KEY) is None
    assert not list((store.folder / "making").iterdir())
    assert store.made(KEY, _write("whole")).is_dir()


def _edit(path):
    (path / "inner" / "file").write_text("onf")


def _truncate_entry(path):
    (path / "entry.json").write_text("{")


def _remove(path):
    (path / "inner" / "file").unlink()


def _add(path):
    (path / "more").write_text("x")


@pytest.mark.parametrize("damage", [_edit, _truncate_entry, _remove, _add])
def test_damaged_entry_is_thrown_away_and_made_anew(tmp_path, damage):
    store = Store.open(tmp_path / "store")
    damage(store.made(KEY, _write("one")))
    assert store.get(KEY) is None
    assert (store.made(KEY, _write("two")) / "inner" / "file").read_text() == "two"
    assert not list((store.folder / "trash").iterdir())


def test_entry_that_cannot_be_read_now_is_not_damaged(tmp_path, monkeypatch):
    store = Store.open(tmp_path / "store")
    entry = store.made(KEY, _write("one"))

    def fail(path):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)

    with monkeypatch.context() as failing:
        failing.setattr("fpgaprune.store._digest", fail)
        with pytest.raises(InputError, match="cannot be read: Too many open files"):
            store.get(KEY)
    assert store.get(KEY) == entry


def test_entry_that_was_mended_meanwhile_is_not_thrown_away(tmp_path, monkeypatch):
    store = Store.open(tmp_path / "store")
    _edit(store.made(KEY, _write("one")))
    lock = Store.lock

    @contextmanager
    def mending(self, key):
        with lock(self, key):
            (self._place(key) / "inner" / "file").write_text("one")
            yield

    monkeypatch.setattr(Store, "lock", mending)
    found = store.get(KEY)
    assert found is not None
    assert (found / "inner" / "file").read_text() == "one"


def test_entry_of_another_key_is_damaged(tmp_path):
    store, other = Store.open(tmp_path / "store"), key_of({"b": 1})
    entry = store.made(KEY, _write("one"))
    place = store.folder / "entries" / other[:2] / other
    place.parent.mkdir(exist_ok=True)
    entry.rename(place)
    assert store.get(other) is None


def _count(folder, log):
    def make(staging):
        with log.open("a") as stream:
            stream.write("made\n")
        time.sleep(0.2)
        (staging / "file").write_text("x")

    Store.open(folder).made(KEY, make)


def test_processes_make_an_entry_once(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_count, args=(tmp_path / "store", tmp_path / "log")) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * 6
    assert (tmp_path / "log").read_text() == "made\n"


def test_killed_process_leaves_no_entry_and_no_lock(tmp_path):
    store = Store.open(tmp_path / "store")

    def hang(staging):
        (staging / "file").write_text("x")
        time.sleep(60)

    process = multiprocessing.get_context("fork").Process(target=lambda: store.made(KEY, hang))
    process.start()
    deadline = time.monotonic() + 20
    while not list((store.folder / "making").glob("*/file")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert store.is_locked(KEY)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not store.is_locked(KEY)
    assert store.get(KEY) is None
    assert store.made(KEY, _write("one")).is_dir()


def test_what_killed_processes_left_is_removed(tmp_path):
    store, other = Store.open(tmp_path / "store"), key_of({"b": 1})
    entry = store.made(KEY, _write("one"))
    for name in (f"making/{KEY[:16]}.x", f"making/{other[:16]}.x", f"training/{KEY}", f"training/{other}", "trash/x"):
        (store.folder / name).mkdir(parents=True)
    os.utime(store.folder / "trash" / "x", (0, 0))
    with store.lock(other):
        store.tidy("training")
    left = {path.relative_to(store.folder).as_posix() for path in store.folder.glob("[mt]*/*")}
    assert left == {f"making/{other[:16]}.x", f"training/{other}"}  # one is being made, the other not finished
    assert store.get(KEY) == entry


def test_newer_store_is_refused(tmp_path):
    Store.open(tmp_path / "store")
    (tmp_path / "store" / "store.json").write_text(json.dumps({"schema": SCHEMA + 1}))
    with pytest.raises(InputError, match="written by a newer version"):
        Store.open(tmp_path / "store")


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_damaged_manifest_is_refused(tmp_path, text):
    Store.open(tmp_path / "store")
    (tmp_path / "store" / "store.json").write_text(text)
    with pytest.raises(InputError, match=r"store\.json is damaged"):
        Store.open(tmp_path / "store")


def test_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="no store of results"):
        Store.open(tmp_path)


_FULL = """
mount -t tmpfs -o size=256k tmpfs "$1"
exec "$2" -c "$3" "$1"
"""

_FILLING = """
import sys
from pathlib import Path
from fpgaprune.errors import InputError
from fpgaprune.store import Store, key_of

store = Store.open(Path(sys.argv[1]) / "store")
small = store.made(key_of({"n": 1}), lambda folder: (folder / "file").write_text("x"))
try:
    store.made(key_of({"n": 2}), lambda folder: (folder / "file").write_text("x" * 2**20))
except InputError as error:
    print(error)
assert store.get(key_of({"n": 1})) == small
assert store.get(key_of({"n": 2})) is None
assert not list((store.folder / "making").iterdir())
assert store.made(key_of({"n": 2}), lambda folder: (folder / "file").write_text("y")).is_dir()
"""


@pytest.mark.needs("unshare", "mount")
def test_full_disk_is_told_and_leaves_the_store_intact(tmp_path):
    mounted = tmp_path / "small"
    mounted.mkdir()
    command = ["bash", "-euc", _FULL, "-", mounted, sys.executable, _FILLING]
    for own in (["unshare", "--user", "--map-root-user", "--mount"], ["unshare", "--mount"]):
        found = subprocess.run([*own, *command], capture_output=True, text=True, timeout=60, check=False)
        if found.returncode == 0:
            break
    assert found.returncode == 0, found.stderr
    assert "the disk is full; what is finished is kept" in found.stdout

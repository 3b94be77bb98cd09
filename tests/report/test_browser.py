"""The page in a browser: no error, no request, charts that are drawn, tables that sort, no scrolling sideways."""

from __future__ import annotations

import html
import re
import subprocess

import pytest

from fpgaprune.report.html import page
from tests.report.examples import EDGES, example_comparison, named
from tests.report.pages import parse, table

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --enable-logging=stderr --dump-dom""".split()

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture
def browse(tmp_path):
    """Return a function from the text of a page to its document after loading and what the console said."""

    def load(text):
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        command = ["chromium", *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return load


def with_script(text, script):
    return text.replace("</body>", f"<script>{script}</script></body>")


def test_it_loads_without_errors_and_draws_its_charts(browse):
    document, said = browse(page(example_comparison()))
    assert said == []
    root = parse(document.replace("<!DOCTYPE html>", ""))
    assert root.one("html").attributes["data-ready"] == "yes"
    plots = [plot for plot in root.all("svg", class_="plot") if "pareto" not in plot.attributes["class"]]
    assert len(plots) == 2
    assert all(len(plot.all("path", class_="line")) == 2 for plot in plots)
    assert len(root.all("circle", class_="target")) == 20 + 5
    assert len([each for each in root.all("button") if each.attributes.get("aria-label") is None]) == 12 + 14 + 5 * 13
    assert len(root.all("img")) == 16 + 15


def test_errors_and_requests_would_be_seen(browse):
    text = page(example_comparison())
    _, said = browse(with_script(text, "nothing.there()"))
    assert any("nothing is not defined" in line for line in said)
    _, said = browse(text.replace("</main>", '<img src="https://example.invalid/x.png" alt="x"></main>'))
    assert any("Content Security Policy" in line for line in said)


def test_hostile_names_run_nothing(browse):
    names = ("<script>document.title='bad'</script>", "\"'><img src=x onerror=\"document.title='bad'\">", "</style>")
    document, said = browse(page(named(names)))
    assert said == []
    assert parse(document.replace("<!DOCTYPE html>", "")).one("title").text.startswith("What fits the TUL")


def test_tables_sort_both_ways_and_what_is_missing_stays_last(browse):
    click = "document.querySelectorAll('#designs ~ div thead button')[{}].click();"

    def order(comparison, script, heading="designs"):
        document, said = browse(with_script(page(comparison), script))
        assert said == []
        root = parse(document.replace("<!DOCTYPE html>", ""))
        found = next(each for each in root.all("section") if each.attributes["aria-labelledby"] == heading)
        sorted_by = [cell.attributes.get("aria-sort") for cell in found.one("thead").all("th")]
        return [row[:2] for row in table(found.one("table"))[1]], sorted_by

    rows, heads = order(example_comparison(), click.format(4))
    assert [row[0].split()[0] for row in rows] == ["95", "90", "75", "50", "0"]
    assert heads[4] == "ascending"
    assert heads.count(None) == 11
    rows, heads = order(example_comparison(), click.format(2) + click.format(4) * 2)
    assert [row[0].split()[0] for row in rows] == ["0", "50", "75", "90", "95"]
    assert heads[4] == "descending"
    assert heads.count(None) == 11
    layers = "document.querySelectorAll('#layers ~ div thead button')[7].click();"
    for clicks in (1, 2):
        rows, _ = order(EDGES["a layer is missing"](), layers * clicks, "layers")
        assert rows[-2:] == [["fc2", "95 %"], ["fc3", "90 %"]]


MEASURE = """
addEventListener("load", () => {
  document.title = [...document.querySelectorAll("iframe")].map((frame) => {
    const page = frame.contentDocument.documentElement;
    return `${page.scrollWidth - page.clientWidth}/${page.querySelectorAll("tr").length}`;
  }).join(" ");
});
"""


def test_nothing_scrolls_sideways_on_a_phone(browse):
    inside = html.escape(page(named(("layer" * 30, "b", "c"))))
    frames = "".join(f'<iframe width="{width}" srcdoc="{inside}"></iframe>' for width in (320, 390, 800))
    document, _ = browse(
        f"<!doctype html><html><head><title></title></head><body>{frames}<script>{MEASURE}</script></body></html>"
    )
    assert re.search(r"<title>(.*?)</title>", document)[1] == "0/42 0/42 0/42"

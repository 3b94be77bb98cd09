"""A browser that is driven: pages are opened as files, keys are pressed, and whatever the console says is kept."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from fpgaprune.report.html import write_page


class Opened:
    """A page in the browser, what its console said, and what it asked for beside itself."""

    def __init__(self, context, path):
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.asked = [url for url in self.asked if not url.startswith(("file:", "data:"))]

    def violations(self):
        """Return the serious and critical findings of axe-core as (rule, element)."""
        found = Axe().run(self.page).response["violations"]
        return [(each["id"], node["html"]) for each in found if each["impact"] in _GRAVE for node in each["nodes"]]

    def focused(self):
        return self.page.evaluate("document.activeElement.dataset.design")

    def shown(self):
        """Return the numbers of the designs that are shown in full."""
        return [each.get_attribute("data-design") for each in self.page.locator(".detail").all() if each.is_visible()]


_GRAVE = ("serious", "critical")


@contextmanager
def browser(folder):
    """Yield a function that opens the page of a comparison, with the options of a browser context."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])

        def opened(compared, **options):
            path = folder / "page.html"
            write_page(compared, path)
            return Opened(chromium.new_context(**options), path)

        yield opened
        chromium.close()

"""The documentation as a site: every link leads somewhere, and no page asks another machine."""

import os
import re
import runpy
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browsers import launched, opened
from page_visits import serious, too_wide
from static_pages import served_static

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, or a skip where its builder is not installed; in CI a failure."""
    if find_spec("zensical") is None:
        reason = "the site's builder is not installed: `make docs-site` installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("docs")
    assert runpy.run_path(str(ROOT / "docs" / "build_site.py"))["build"](folder) == 0
    return folder / "site"


class Links(HTMLParser):
    """Names and targets of an HTML page."""

    def __init__(self, path):
        super().__init__()
        self.names, self.targets = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag, attributes):
        for name, value in attributes:
            if name in {"id", "name"}:
                self.names.add(value)
            elif name in {"href", "src"}:
                self.targets.add(value or "")


def test_every_link_of_the_site_leads_to_a_page_and_a_place_on_it(site):
    pages = {path: Links(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 90
    broken = []
    for path, page in pages.items():
        for target in page.targets:
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            place = (path.parent / name.partition("?")[0]).resolve() if name else path
            place = place / "index.html" if place.is_dir() else place
            names = pages[place].names if place in pages else set()
            if not place.exists() or (anchor and place in pages and anchor not in names):
                broken.append(f"{path.relative_to(site)}: {target}")
    assert broken == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_ask_nobody_else_and_fit_a_telephone(site, chromium, theme):
    with (
        served_static(site) as address,
        launched(chromium) as browser,
        opened(browser, width=390, theme=theme) as watched,
    ):
        for name in ("cli", "architecture", "index"):
            watched.page.goto(f"{address}/{name}.html")
            expect(watched.page.locator("h1").first).to_be_visible()
            assert too_wide(watched.page) <= 0, name
        # Chromium lets the keyboard scroll the tables that the theme wraps.
        wrapped = 'scrollable-region-focusable: <div class="md-typeset__scrollwrap">'
        assert set(serious(watched.page)) <= {wrapped}
        assert watched.errors == []
        assert [url for url in watched.requests if not url.startswith(address)] == []


def test_the_search_finds_an_error_by_its_name(site, chromium):
    with served_static(site) as address, launched(chromium) as browser, opened(browser) as watched:
        page = watched.page
        page.goto(f"{address}/index.html")
        page.keyboard.press("Control+k")
        page.keyboard.type("OffsetGapError")
        expect(page.get_by_role("link", name="Errors").first).to_be_visible()
        assert [url for url in watched.requests if not url.startswith(address)] == []

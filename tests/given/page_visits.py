"""Visits of the live page in a browser, and what is looked at there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from browsers import opened

PICTURES = Path(__file__).parents[2] / "build" / "page"
SHOWN = "async () => { const page = await import('/static/page.js'); const shown = page.shown();"
"""Begins a function of the page that has what it draws as `shown`."""


@contextmanager
def visited(browser: Browser, url: str, **size: object) -> Iterator[Page]:
    """The page, live. At the end: it wrote no error and asked nobody else."""
    with opened(browser, **size) as watched:
        watched.page.goto(url)
        expect(watched.page.locator("#connection")).to_have_attribute("data-state", "live")
        yield watched.page
        assert watched.errors == []
        assert [
            each for each in watched.requests if not each.startswith(url.partition("/#")[0])
        ] == []


def serious(page: Page) -> list[str]:
    """What axe finds wrong with a page, of what is serious."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def too_wide(page: Page) -> int:
    """Pixels by which a page is wider than its screen."""
    root = "document.documentElement"
    width: int = page.evaluate(f"() => {root}.scrollWidth - {root}.clientWidth")
    return width


def pictured(page: Page, name: str) -> None:
    """Keep a picture of the whole page under build/page."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

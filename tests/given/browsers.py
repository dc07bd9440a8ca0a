"""A headless Chromium, and a page in it that remembers what went wrong."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, sync_playwright

LIMIT_MS = 90_000
"""How long a page waits for what a test expects; the machine may be busy."""

_LOOK_MS = 50


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """The browser at `path`, headless, while the block runs."""
    with sync_playwright() as playwright:
        # Without a sandbox of its own, because tests run as root in a container.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """A page, the errors it wrote and the addresses it asked for."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def awaited(page: Page, expression: str, arg: object = None) -> object:
    """Wait until JavaScript in the page gives something true, and return it.

    `Page.wait_for_function` looks again by `eval` within the page, which its security policy
    forbids: only what is true at the first look passes there.
    """
    ends_s = time.monotonic() + LIMIT_MS / 1e3
    while not (value := page.evaluate(expression, arg)):
        assert time.monotonic() < ends_s, f"never true: {expression}"
        page.wait_for_timeout(_LOOK_MS)
    return value


@contextmanager
def opened(
    browser: Browser, *, width: int = 1440, height: int = 900, theme: str = "light"
) -> Iterator[Watched]:
    """An empty page of that size and theme, with a profile of its own."""
    viewport = {"width": width, "height": height}
    context = browser.new_context(viewport=viewport, color_scheme=theme)
    try:
        watched = Watched(context.new_page())
        page = watched.page
        page.set_default_timeout(LIMIT_MS)
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        page.on("request", lambda request: watched.requests.append(request.url))
        page.on(
            "console",
            lambda line: watched.errors.append(line.text) if line.type == "error" else None,
        )
        yield watched
    finally:
        context.close()

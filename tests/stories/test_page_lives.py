"""The live page beside real processes: `serve` that dies and comes back, and `up`."""

import contextlib
import re
import socket

import httpx
import pytest
from playwright.sync_api import expect

from browsers import LIMIT_MS, launched, opened
from page_logs import PageLog, now_s, prediction
from verb_processes import Life
from waiting import until

START_MS = 120_000
"""How long a process may take until its page answers, on a busy machine."""


@pytest.fixture(scope="module")
def browser(chromium):
    with launched(chromium) as browser:
        expect.set_options(timeout=LIMIT_MS)
        yield browser


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _answers(url):
    try:
        return httpx.get(f"{url}/v1/cases", timeout=60).is_success
    except httpx.TransportError:
        return False


def _shown(page, source):
    return page.evaluate(
        "async () => { const page = await import('/static/page.js'); const shown = page.shown();"
        f" return {source}; }}"
    )


def test_a_restart_of_the_server_loses_no_second(browser, tmp_path):
    port, start = _free_port(), now_s()
    url = f"http://127.0.0.1:{port}"
    with contextlib.closing(PageLog(tmp_path)) as log, opened(browser) as watched:
        page = watched.page
        log.predict(*[prediction("BTC-USD", second) for second in range(start - 100, start)])
        server = Life("serve", "--home", tmp_path, "--port", port)
        until(lambda: _answers(url), START_MS / 1000)
        page.goto(url)
        expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        expect(page.locator("#plots canvas").first).to_be_visible()
        server.kill()
        expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
        expect(page.locator("#lost")).to_contain_text("Not connected to the server since")
        log.predict(*[prediction("BTC-USD", second, 0.3) for second in range(start, start + 40)])
        server = Life("serve", "--home", tmp_path, "--port", port)
        expect(page.locator("#connection")).to_have_attribute(
            "data-state", "live", timeout=START_MS
        )
        expect(page.locator("#lost")).to_be_hidden()
        log.predict(prediction("BTC-USD", start + 40, 0.35))
        until(lambda: _shown(page, "shown.series.time.at(-1)") == start + 41)
        times = _shown(page, "shown.series.time")
        assert times == list(range(start - 99, start + 42))
        assert None not in _shown(page, "shown.series.probability.last")
        server.kill()
        assert [error for error in watched.errors if "net::ERR_" not in error] == []


def test_up_shows_its_page_from_the_first_second(browser, tmp_path):
    """No model, a warm-up that counts, then a feed at work."""
    venue = ("--venue", "simulated", "--no-retrain", "--json")
    process = Life("up", *venue, "--home", tmp_path, "--port", "0")
    address = re.compile(rb"http://127\.0\.0\.1:\d+")
    until(lambda: address.search(process.warned()), START_MS / 1000)
    url = address.search(process.warned())[0].decode()
    with opened(browser) as watched:
        page = watched.page
        page.goto(url)
        tile = page.locator('[data-product="BTC-USD"]')
        expect(tile).to_contain_text(re.compile("Warming up|No model yet"), timeout=START_MS)
        expect(tile).to_contain_text(re.compile(r"\d+ of \d+"))
        expect(page.locator("#model")).to_contain_text("No model has been promoted yet")
        before = _shown(page, "shown.series.length")
        until(lambda: _shown(page, "shown.series.length") > before + 3)
        expect(page.locator("#feed dd").first).to_have_text(re.compile(r"^[\d.]+$"))
        assert watched.errors == []
    process.kill()

"""The live page in a browser: how long it takes to open, and what an open one costs."""

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from statistics import median
from typing import Any

import psutil

from measure import ROOT, Measured, NotMeasuredError, row, sized, temporary_folder

sys.path.append(str(ROOT / "tests" / "given"))
from browsers import awaited, launched, opened
from page_logs import PageLog, an_hour, now_s, prediction, served
from programs import missing

PRODUCTS = ("BTC-USD", "ETH-USD")
_WATCHED_S, _CALM_S = 60, 5
_DRAWN = "performance.getEntriesByName('charts drawn')[0]?.startTime"


@row("page: opens with an hour of charts", "s", ("ours", "<=", 1.5), less_is_better=True)
def opens(repeats: int) -> Measured:
    """From the address to the first drawing of the charts, in Chromium with an empty cache."""
    with _live_page() as (browser, url):
        timed = []
        for _ in range(repeats):
            with opened(browser) as watched:
                watched.page.goto(url)
                timed.append(awaited(watched.page, _DRAWN) / 1e3)
    return Measured(median(timed))


@row(
    "page: an hour of two products at live rate, of one core",
    "%",
    ("ours", "<=", 15),
    less_is_better=True,
)
def costs(_repeats: int) -> Measured:
    """CPU time of all processes of the browser, of which the page is the only one."""
    with _live_page() as (browser, url), opened(browser) as watched:
        watched.page.goto(url)
        for product in reversed(PRODUCTS):  # each one shown is held from then on
            watched.page.locator(f'[data-product="{product}"] input').check()
            awaited(watched.page, _DRAWN)
        watched.page.wait_for_timeout(1e3 * sized(_CALM_S, 1))
        started_s, started = time.perf_counter(), _cpu_s()
        watched.page.wait_for_timeout(1e3 * sized(_WATCHED_S, 2))
        return Measured(100 * (_cpu_s() - started) / (time.perf_counter() - started_s))


def _cpu_s() -> float:
    """CPU seconds so far of the browser that this process started."""
    spent = 0.0
    for process in psutil.Process().children(recursive=True):
        if "chrom" in process.name():
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


@contextmanager
def _live_page() -> Iterator[tuple[Any, str]]:
    """A browser, and the address of a page over a log that grows by a second each second."""
    if reason := missing("chromium"):
        raise NotMeasuredError(reason)
    home, ended = temporary_folder(), threading.Event()
    with closing(PageLog(home)) as log:
        start = now_s()
        for product in PRODUCTS:
            an_hour(log, product, start)

        def grow() -> None:
            second = start
            while not ended.wait(max(0.0, second + 1 - time.time())):
                log.predict(*[prediction(product, second) for product in PRODUCTS])
                log.status(second)
                second += 1

        growing = threading.Thread(target=grow)
        growing.start()
        try:
            with served(home) as url, launched(str(shutil.which("chromium"))) as browser:
                yield browser, url
        finally:
            ended.set()
            growing.join()

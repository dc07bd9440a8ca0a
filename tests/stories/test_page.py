"""The live page in a headless browser, over the real server and logs of real records."""

import contextlib
import re

import pytest
from playwright.sync_api import expect

from barograph.alert_records import Change, Judgement
from barograph.registry.registry import Registry
from barograph.types import Fault, GapCause, Verdict
from browsers import LIMIT_MS, awaited, launched
from page_logs import NS, TAU, PageLog, an_hour, prediction, served, soon_s
from page_visits import SHOWN, pictured, serious, too_wide, visited
from registered_models import facts_of, graph


@pytest.fixture(scope="module")
def browser(chromium):
    with launched(chromium) as browser:
        expect.set_options(timeout=LIMIT_MS)
        yield browser


@pytest.fixture
def log(tmp_path):
    with contextlib.closing(PageLog(tmp_path)) as log:
        yield log


def _tile(page, product="BTC-USD"):
    return page.locator(f'[data-product="{product}"]')


def _calm(log, seconds, product="BTC-USD"):
    log.predict(*[prediction(product, second) for second in seconds])


def test_the_page_moves_with_each_second(browser, log):
    start = soon_s()
    _calm(log, range(start - 120, start))
    _calm(log, range(start - 120, start), "ETH-USD")
    with served(log.home) as url, visited(browser, url) as page:
        expect(_tile(page)).to_contain_text("Calm ahead")
        expect(_tile(page)).to_contain_text("10 %")
        log.predict(prediction("BTC-USD", start, 0.23))
        expect(_tile(page)).to_contain_text("23 %")
        expect(_tile(page, "ETH-USD")).to_contain_text("10 %")
        newest = f"{SHOWN} return shown.series.time.at(-1); }}"
        awaited(page, f"({newest})().then((time) => time === {start + 1})")
        expect(page.locator("#plot-probability .reading")).to_contain_text("23 %")


def test_an_alarm_is_announced_and_a_minute_later_judged(browser, log):
    start = soon_s()
    _calm(log, range(start - 120, start))
    with served(log.home) as url, visited(browser, url) as page:
        expect(page.locator("#alarm")).to_be_hidden()
        log.predict(*[prediction("BTC-USD", start + i, 0.7) for i in range(3)])
        log.alert(Change.BEGAN, start, "BTC-USD: a spike within a minute, 70 %")
        expect(page.locator("#alarm")).to_have_text("Spike ahead: BTC-USD")
        expect(_tile(page)).to_contain_text("Spike ahead")
        expect(page.locator("#alerts")).to_contain_text("Outcome in")
        assert page.title().startswith("▲ BTC-USD 70 %")
        storm = [
            prediction("BTC-USD", start + i, value_now=TAU * (2 if i > 40 else 0.5))
            for i in range(3, 64)
        ]
        log.predict(*storm)
        log.alert(Change.JUDGED, start, "BTC-USD: the spike came", judgement=Judgement.RIGHT)
        expect(page.locator("#alarm")).to_be_hidden()
        expect(page.locator("#alerts")).to_contain_text("✓ Hit")
        expect(page.locator("#tally")).to_contain_text("1 hit, 0 false alarms and 0 missed")


def test_hits_false_alarms_and_misses_of_an_hour_are_counted(browser, log):
    an_hour(log, "BTC-USD", soon_s())
    with served(log.home) as url, visited(browser, url) as page:
        expect(page.locator("#tally")).to_contain_text("1 false alarm and 1 missed spike")
        kinds = page.evaluate(f"{SHOWN} return shown.spikes.map((run) => run.kind); }}")
        assert "miss" in kinds
        assert "hit" in kinds


def test_a_gap_is_a_grey_band_with_its_cause(browser, log):
    start = soon_s()
    _calm(log, [*range(start - 300, start - 200), *range(start - 100, start)])
    log.gap("BTC-USD", start - 200, start - 100, GapCause.DISCONNECT, missing=12)
    with served(log.home) as url, visited(browser, url) as page:
        label = page.locator("#plot-outcome [role=img]")
        words = "No data for 1 min 40 s: the connection broke, 12 trades missing"
        awaited(
            page,
            "words => document.querySelector('#plot-outcome [role=img]')"
            ".getAttribute('aria-label').includes(words)",
            arg=words,
        )
        assert "One gap" in label.get_attribute("aria-label")
        log.gap("BTC-USD", start, start + 5, GapCause.SILENCE)
        awaited(page, f"({SHOWN} return shown.gaps.length; }})().then((n) => n >= 2)")


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict.WARMUP, "Warming up"),
        (Verdict.GAP, "Recovering from a gap"),
        (Verdict.NO_MODEL, "No model yet"),
        (Verdict.MODEL_EXPIRED, "Model expired"),
        (Verdict.STALE, "No fresh data"),
        (Verdict.OUT_OF_RANGE, "Out of range"),
    ],
)
def test_what_has_no_probability_says_why(browser, log, verdict, words):
    start = soon_s()
    silent = [
        prediction("BTC-USD", second, None, verdict=verdict) for second in range(start - 60, start)
    ]
    log.predict(*silent)
    with served(log.home) as url, visited(browser, url) as page:
        expect(_tile(page)).to_contain_text(words)
        expect(page.locator("#plot-probability .reading")).to_contain_text(words)
        expect(page.locator("#model")).to_contain_text("No model has been promoted yet")


def test_the_model_says_since_when_it_speaks_and_that_it_has_expired(browser, log):
    onnx = graph()
    scores = {"chosen": {"pr_auc": 0.61, "base_rate": 0.09, "calibration_error": 0.02}}
    facts = facts_of(onnx, scores=scores, expires_time_ns=NS)
    registry = Registry(log.home)
    registry.promote("spikes", registry.register("spikes", onnx, facts), "a test")
    start = soon_s()
    _calm(log, range(start - 120, start))
    expired = prediction("BTC-USD", start, None, verdict=Verdict.MODEL_EXPIRED)
    log.predict(expired)
    with served(log.home) as url, visited(browser, url) as page:
        model = page.locator("#model")
        expect(model).to_contain_text("Championspikes/1")
        expect(model).to_contain_text("it says nothing any more; train a new one")
        expect(model).to_contain_text("PR-AUC–0.61")
        expect(_tile(page)).to_contain_text("Model expired")


def test_a_feed_that_fell_silent_is_not_called_calm(browser, log):
    start = soon_s()
    _calm(log, range(start - 200, start - 100))
    with served(log.home) as url, visited(browser, url) as page:
        expect(_tile(page)).to_contain_text(re.compile(r"No data for \d+ min"))
        expect(_tile(page)).not_to_contain_text("Calm ahead")


def test_a_log_that_ended_yesterday_shows_its_last_hour(browser, log):
    end = soon_s() - 86_400
    an_hour(log, "BTC-USD", end)
    with served(log.home) as url, visited(browser, url) as page:
        expect(_tile(page)).to_contain_text("No data for 1 d")
        expect(page.locator("#tally")).to_contain_text("1 missed spike")
        assert page.evaluate(f"({SHOWN} return shown.toS; }})()") == pytest.approx(end, abs=5)


def test_an_empty_log_says_that_nothing_was_seen(browser, log):
    with served(log.home) as url, visited(browser, url) as page:
        expect(page.locator("#empty")).to_contain_text("Nothing has been seen yet")
        _calm(log, [soon_s()])
        expect(_tile(page)).to_contain_text("Calm ahead")
        expect(page.locator("#plots canvas").first).to_be_visible()


def test_the_feed_is_described_in_words(browser, log):
    start = soon_s()
    _calm(log, range(start - 60, start))
    log.status(start)
    log.refuse(Fault.CROSSED_QUOTE, 3)
    with served(log.home) as url, visited(browser, url) as page:
        feed = page.locator("#feed")
        expect(feed).to_contain_text("Ticks a second10")
        expect(feed).to_contain_text("−3.4 ms")
        expect(feed).to_contain_text("3 × bid above ask")


def test_product_span_theme_and_zone_can_be_chosen_and_are_kept(browser, log):
    start = soon_s()
    for product in ("BTC-USD", "ETH-USD"):
        _calm(log, range(start - 1_000, start), product)
    with served(log.home) as url, visited(browser, url) as page:
        _tile(page, "ETH-USD").locator("input").check()
        expect(page.locator("#plots-title")).to_have_text("ETH-USD, last hour")
        page.get_by_role("radio", name="6 h", exact=True).check()
        expect(page.locator("#plots-title")).to_have_text("ETH-USD, last 6 hours")
        awaited(page, f"({SHOWN} return shown.series.stepS; }})().then((s) => s === 10)")
        page.get_by_role("button", name="Theme: auto").click()
        page.get_by_role("button", name="Theme: light").click()
        page.get_by_role("button", name="Times: local").click()
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        expect(page.locator("#plots-title")).to_have_text("ETH-USD, last 6 hours")
        expect(page.locator("#zone")).to_have_text("Times: UTC")


def test_all_of_it_can_be_done_with_the_keyboard(browser, log):
    start = soon_s()
    for product in ("BTC-USD", "ETH-USD"):
        _calm(log, range(start - 600, start), product)
    with served(log.home) as url, visited(browser, url) as page:
        expect(_tile(page)).to_contain_text("Calm ahead")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        page.locator("#about-close").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#about")).to_be_hidden()
        _tile(page).locator("input").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#plots-title")).to_have_text("ETH-USD, last hour")
        scrub = page.get_by_role("slider", name="Moment in the charts")
        scrub.focus()
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
        expect(page.locator("#plot-price .reading b")).not_to_have_text("now")
        assert "probability 10 %" in scrub.get_attribute("aria-valuetext")
        page.keyboard.press("End")
        expect(page.locator("#plot-price .reading b")).to_have_text("now")


def test_the_charts_are_a_table_too(browser, log):
    an_hour(log, "BTC-USD", soon_s())
    with served(log.home) as url, visited(browser, url) as page:
        expect(page.locator("#plots canvas").first).to_be_visible()
        page.get_by_text("The same as a table").click()
        expect(page.locator("#table-body tbody tr")).to_have_count(30)
        expect(page.locator("#table-body")).to_contain_text(
            "Gap: the connection broke, recovering from a gap"
        )
        expect(page.locator("#table-body")).to_contain_text("Missed spike")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothingserious(browser, log, theme):
    """With the explanation, an alarm, an alert, a table and a gap on the page."""
    start = soon_s()
    an_hour(log, "BTC-USD", start)
    log.predict(prediction("ETH-USD", start, None, verdict=Verdict.WARMUP))
    log.alert(Change.JUDGED, start - 600, "A spike", judgement=Judgement.WRONG)
    log.alert(Change.BEGAN, start - 5, "A spike")
    log.predict(*[prediction("BTC-USD", start + i, 0.8) for i in range(30)])
    with served(log.home) as url, visited(browser, url, theme=theme) as page:
        expect(page.locator("#alarm")).to_be_visible()
        page.get_by_text("The same as a table").click()
        expect(page.locator("#table-body tbody tr")).to_have_count(30)
        assert serious(page) == []
        page.locator("#case").select_option("churn")
        expect(page.locator("#records-view")).to_be_visible()
        assert serious(page) == []


def test_records_of_a_case_have_a_view_of_their_own(browser, log):
    log.score(*[0.05] * 30, *[0.55] * 10, *[0.95] * 5)
    log.refuse_records(Fault.MISSING_FIELD, 4)
    with served(log.home) as url, visited(browser, f"{url}/#case=churn") as page:
        counters = page.locator("#record-counters")
        expect(counters).to_contain_text("Records scored45")
        expect(counters).to_contain_text("Said yes, of the last 4515")
        expect(page.locator("#spread .bar").nth(5)).to_have_text("50 to 60 %10")
        expect(page.locator("#latest tbody tr")).to_have_count(45)
        expect(page.locator("#letters")).to_contain_text("4 × a field is missing")
        log.score(0.15)
        expect(counters).to_contain_text("Records scored46")
        assert page.locator("#series-view").is_hidden()
        pictured(page, "records")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 390])
def test_the_page_fits_phone_tablet_and_desktop(browser, log, width, theme):
    """Nothing is wider than the screen. The pictures are kept under build/page."""
    start = soon_s()
    an_hour(log, "BTC-USD", start)
    an_hour(log, "ETH-USD", start, seed=5, price=3_100.0)
    log.status(start)
    log.refuse(Fault.LATE, 2)
    log.alert(Change.JUDGED, start - 2_900, "BTC-USD: 75 %", judgement=Judgement.RIGHT)
    log.alert(Change.JUDGED, start - 1_600, "BTC-USD: 60 %", judgement=Judgement.WRONG)
    with served(log.home) as url, visited(browser, url, width=width, theme=theme) as page:
        expect(page.locator("#tally")).to_contain_text("hit")
        expect(page.locator("#alerts")).to_contain_text("✕ False alarm")
        expect(page.locator("#about")).to_be_visible(visible=width > 700)
        assert too_wide(page) == 0
        pictured(page, f"{width}-{theme}")

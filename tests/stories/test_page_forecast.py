"""The live page of a case that forecasts the value itself: the fan chart and its card."""

import time

import pytest
from playwright.sync_api import expect

from barograph.types import Verdict
from browsers import LIMIT_MS, launched
from level_hours import CASES, HOUR, HOURS, forecast, hour_log, volatility
from page_logs import served
from page_visits import SHOWN, pictured, serious, too_wide, visited
from waiting import until

DAYS = 40
SILENT = dict.fromkeys(("probability", "median", "forecast", "low", "high"))


@pytest.fixture(scope="module")
def browser(chromium):
    with launched(chromium) as browser:
        expect.set_options(timeout=LIMIT_MS)
        yield browser


@pytest.fixture
def newest():
    """The end of the last whole hour, also of a test during which another one ends."""
    return int(time.time()) // HOUR * HOUR


@pytest.fixture
def log(newest, tmp_path):
    with hour_log(tmp_path) as log:
        for product in ("BTC-USD", "ETH-USD"):
            log.hours(DAYS * 24, newest, product)
        yield log


def _chart(page):
    return page.locator("#plot-level [role=img]")


def _drawn(page, expression):
    return page.evaluate(f"({SHOWN} return {expression}; }})()")


def test_the_fan_reaches_a_horizon_ahead_and_tells_which_intervals_held(browser, log, newest):
    with served(log.home, CASES) as url, visited(browser, url) as page:
        expect(page.locator("#plots-title")).to_have_text("BTC-USD, last 7 days")
        expect(page.locator("#plot-level canvas")).to_be_visible()
        expect(page.locator("#plot-volatility")).to_be_hidden()
        expect(page.locator("#tally")).to_contain_text("intervals")
        assert _drawn(page, "shown.fan.time.at(-1)") == newest + HOUR
        inside = _drawn(page, "shown.fan.inside.filter((each) => typeof each === 'boolean').length")
        held = _drawn(page, "shown.fan.inside.filter((each) => each === true).length")
        assert 0 < held < inside
        said = forecast(HOURS, newest)
        at = f"shown.fan.time.indexOf({newest + HOUR})"
        for name in ("low", "median", "high"):
            drawn = _drawn(page, f"shown.fan.{name}[{at}]")
            assert drawn == getattr(said, name)
        words = _chart(page).get_attribute("aria-label")
        assert "Forecast for" in words
        assert "held the value that came" in words


def test_the_card_has_every_horizon_and_how_often_it_held(browser, log, newest):
    with served(log.home, CASES) as url, visited(browser, url) as page:
        card = page.locator("#level-card")
        expect(card.locator("li")).to_have_count(3)
        expect(card.locator("li").nth(0)).to_contain_text("Next hour")
        expect(card.locator("li").nth(1)).to_contain_text("Next 6 h")
        expect(card.locator("li").nth(2)).to_contain_text("Next day")
        expect(card.locator("li").nth(0)).to_contain_text(f"of {DAYS * 24 - 1}")
        page.locator("#case").select_option("hours-24h")
        expect(page.locator("#level-card li")).to_have_count(3)
        until(lambda: _drawn(page, "shown.fan.time.at(-1)") == newest + 24 * HOUR)


def test_the_next_hour_joins_the_chart_and_is_judged(browser, log, newest):
    end = newest + HOUR
    with served(log.home, CASES) as url, visited(browser, url) as page:
        expect(page.locator("#plot-level canvas")).to_be_visible()
        before = _drawn(page, "shown.fan.inside.findLast((each) => each !== undefined)")
        assert before is None
        log.forecast(HOURS, forecast(HOURS, end))
        until(lambda: _drawn(page, "shown.fan.time.at(-1)") == end + HOUR)
        earlier = forecast(HOURS, end - HOUR)
        held = earlier.low <= volatility(end // HOUR) <= earlier.high
        assert _drawn(page, f"shown.fan.inside[shown.fan.time.indexOf({end})]") is held
        expect(page.locator("#level-card li").nth(0)).to_contain_text(f"of {DAYS * 24}")
        tile = page.locator('[data-product="BTC-USD"]')
        expect(tile).to_contain_text("Next hour: ")
        expect(tile).to_contain_text("90 % from")


def test_what_has_no_forecast_says_why(browser, log, newest):
    silent = forecast(HOURS, newest, "SOL-USD", verdict=Verdict.GAP, **SILENT)
    log.forecast(HOURS, silent)
    with served(log.home, CASES) as url, visited(browser, f"{url}/#product=SOL-USD") as page:
        expect(page.locator("#plots-title")).to_contain_text("SOL-USD")
        expect(page.locator("#level-card")).to_contain_text("Recovering from a gap")
        expect(page.locator("#plot-level .reading")).to_contain_text("no forecast")
        expect(page.locator('[data-product="SOL-USD"]')).not_to_contain_text("Next hour:")


def test_before_a_model_the_card_says_so(browser, log, newest):
    values = {name: None for name in SILENT if name != "probability"}
    early = forecast(HOURS, newest, "SOL-USD", model="persistence/cold-start", **values)
    log.forecast(HOURS, early)
    with served(log.home, CASES) as url, visited(browser, f"{url}/#product=SOL-USD") as page:
        expect(page.locator("#level-card")).to_contain_text("No value")
        expect(page.locator("#level-card")).to_contain_text("no model yet")
        pictured(page, "forecast-before-a-model")


def test_the_fan_can_be_read_with_the_keyboard_and_as_a_table(browser, log):
    with served(log.home, CASES) as url, visited(browser, url) as page:
        expect(page.locator("#plot-level canvas")).to_be_visible()
        page.get_by_role("radio", name="24 h", exact=True).check()
        expect(page.locator("#plots-title")).to_have_text("BTC-USD, last 24 hours")
        page.get_by_role("slider", name="Moment in the charts").focus()
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        expect(page.locator("#plot-level .reading")).to_contain_text("forecast")
        slider = page.get_by_role("slider", name="Moment in the charts")
        assert "forecast" in slider.get_attribute("aria-valuetext")
        page.get_by_text("The same as a table").click()
        expect(page.locator("#table-body thead")).to_contain_text("Intervals that held")
        expect(page.locator("#table-body tbody")).to_contain_text("1 of 1")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 390])
def test_the_fan_fits_phone_tablet_and_desktop(browser, log, width, theme):
    """Nothing is wider than the screen, axe finds nothing, and pictures lie under build/page."""
    with served(log.home, CASES) as url, visited(browser, url, width=width, theme=theme) as page:
        expect(page.locator("#tally")).to_contain_text("intervals")
        expect(page.locator("#level-card li")).to_have_count(3)
        assert too_wide(page) == 0
        assert serious(page) == []
        pictured(page, f"forecast-{width}-{theme}")

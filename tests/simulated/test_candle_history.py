"""The hours of an invented market are the same each time, and then those of its trades."""

from decimal import Decimal
from functools import cache

import numpy as np
import pytest

from barograph.candle_records import HOUR_S
from barograph.simulated.candle_history import HISTORY_HOURS, QUIET_HOUR, CandleHistory
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from barograph.simulated.tape import Print

START_NS = 1_750_000_000 * 10**9
END_S = 1_749_999_600


def history(seed=1, product="BTC-USD"):
    return CandleHistory({product: 100_000.0}, START_NS, seed)


@cache
def all_bars():
    return history().bars("BTC-USD", 0, 2**33)


@pytest.mark.slow
def test_a_seed_has_one_history_and_another_seed_another():
    span = (END_S - 50 * HOUR_S, END_S)
    assert history().bars("BTC-USD", *span) == history().bars("BTC-USD", *span)
    assert history().bars("BTC-USD", *span) != history(2).bars("BTC-USD", *span)


@pytest.mark.slow
def test_a_part_is_as_it_is_in_the_whole():
    whole = all_bars()
    part = history().bars("BTC-USD", END_S - 100 * HOUR_S, END_S - 90 * HOUR_S)
    at = [bar.start_s for bar in whole].index(part[0].start_s)
    assert whole[at : at + len(part)] == part
    assert whole[-1].start_s < END_S


def test_hours_follow_each_other_and_prices_lie_within_their_range():
    bars = all_bars()
    quiet = [h for h in range(END_S // HOUR_S - HISTORY_HOURS, END_S // HOUR_S)
             if h % QUIET_HOUR == 0]  # fmt: skip
    assert len(bars) == HISTORY_HOURS - len(quiet)
    assert all(bar.low <= min(bar.open, bar.close) for bar in bars)
    assert all(bar.high >= max(bar.open, bar.close) for bar in bars)
    after = {bar.start_s: bar for bar in bars}
    follows = [after.get(bar.start_s + HOUR_S) for bar in bars]
    assert all(b.open == a.close for a, b in zip(bars, follows, strict=True) if b is not None)


def log_ranges():
    return np.log([np.log(float(bar.high / bar.low)) for bar in all_bars()])


def test_volatility_comes_in_clusters():
    ranges = log_ranges()
    assert 0.5 < np.corrcoef(ranges[1:], ranges[:-1])[0, 1] < 0.95


def test_the_middle_of_the_week_is_more_volatile_than_its_end():
    start_s = np.array([bar.start_s for bar in all_bars()])
    weekday = (start_s.astype("datetime64[s]").astype("datetime64[D]").astype(int) + 3) % 7
    ranges = log_ranges()
    by_day = [ranges[weekday == day].mean() for day in range(7)]
    assert np.argmax(by_day) in {1, 2, 3}  # Monday is 0
    assert np.argmin(by_day) in {5, 6}
    assert 0.5 < max(by_day) - min(by_day) < 1.0


def test_a_market_without_quiet_hours_has_the_others_as_they_are():
    span = ((END_S // HOUR_S - 2 * QUIET_HOUR) * HOUR_S, END_S)
    every = CandleHistory({"BTC-USD": 100_000.0}, START_NS, 1, quiet_hours=False)
    bars = every.bars("BTC-USD", *span)
    assert [bar.start_s for bar in bars] == list(range(*span, HOUR_S))
    traded = [bar for bar in bars if bar.start_s // HOUR_S % QUIET_HOUR]
    assert traded == history().bars("BTC-USD", *span)


@pytest.mark.slow
def test_an_hour_of_trades_is_their_candle():
    source = simulated(SimulatedMarket(PRESETS["market"], ["BTC-USD"], 3, START_NS))
    events, made = source.until(START_NS + 7200 * 10**9), history()
    for at in range(0, len(events), 97):
        made.take(events[at : at + 97])
    hour_s = END_S + HOUR_S
    (bar,) = made.bars("BTC-USD", hour_s, hour_s + HOUR_S)
    trades = [
        event
        for event in events
        if isinstance(event, Print)
        and event.size is not None
        and hour_s <= event.time_ns // 10**9 < hour_s + HOUR_S
    ]
    prices = [Decimal(trade.price) for trade in trades]
    assert (bar.open, bar.high, bar.low, bar.close) == (
        prices[0], max(prices), min(prices), prices[-1],
    )  # fmt: skip
    assert bar.volume == sum(Decimal(trade.size) for trade in trades)


def test_a_product_that_is_not_traded_has_no_hours():
    assert history().bars("DOGE-USD", 0, 2**33) == []

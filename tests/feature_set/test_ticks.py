"""Volatility and spread from tick to tick; test_featurizer holds them against the oracle."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codec import EVENT, FILLED, TICK, TRADE
from barograph.feature_set.catalogue import COLUMN, NAMES
from barograph.feature_set.featurizer import Featurizer
from barograph.feature_set.ticks import INCOMPLETE, LEAST_DURATION_S, MOST_QUOTES, tick_vol
from barograph.types import Reason

NS = 1_000_000_000


def rows(quotes):
    """Feature rows of (time in s, bid, ask), after a first second that only lays the ground."""
    events = np.zeros(len(quotes) + 2, EVENT)
    events["event_time_ns"][1:-1] = [1_700_000_001 * NS + round(t * NS) for t, _, _ in quotes]
    events["event_time_ns"][[0, -1]] = [1_700_000_000 * NS, 1_700_000_700 * NS]
    events["bid"], events["ask"] = 99.5, 100.5
    events["bid"][1:-1], events["ask"][1:-1] = zip(*[quote[1:] for quote in quotes], strict=True)
    events["trade_id"] = -1
    events["volume_24h"] = events["bid_size"] = events["ask_size"] = events["last_size"] = np.nan
    featurizer = Featurizer()
    featurizer.product_index("0")
    made, _ = featurizer.update(events)
    return {int(row["second"]) - 1_700_000_000: row["values"] for row in made}


def test_a_steady_pace_of_equal_moves_is_their_variance_a_second():
    walk = [(k / 2, 99.5 + (k + 1) % 2 / 100, 100.5 + (k + 1) % 2 / 100) for k in range(40)]
    vol = rows(walk)[20][COLUMN["tick_vol_10s"]]
    assert vol == pytest.approx(math.log(100.01 / 100) / math.sqrt(0.5 + LEAST_DURATION_S), 1e-6)


def test_quotes_of_one_moment_are_no_infinite_variance():
    values = rows([(3.0, 99.5, 100.5), (3.0, 99.6, 100.6), (3.0, 99.5, 100.5)])
    assert 0 < values[10][COLUMN["tick_vol_10s"]] < math.log(100.1 / 100) / math.sqrt(0.01)


def test_where_nothing_ticked_nothing_moved_and_the_quote_stands():
    values = rows([(0.5, 99.9, 100.1)])[12]
    assert values[COLUMN["tick_vol_10s"]] == 0
    assert values[COLUMN["tick_spread_bps_mean_10s"]] == values[COLUMN["spread_bps"]]
    assert tick_vol(0, 0) == 0


def test_each_tick_has_its_say_in_the_mean_spread_however_long_its_quote_stood():
    values = rows([(0.1, 99.0, 101.0), (0.2, 99.9, 100.1), (9.0, 99.0, 101.0), (9.1, 99.9, 100.1)])
    assert values[10][COLUMN["tick_spread_bps_mean_10s"]] == pytest.approx((200 + 20) / 2)


def test_one_wild_second_counts_as_much_as_the_bound_and_no_sum_overflows():
    wild = [(k / 10, *((99.5, 100.5) if k % 2 else (90.5, 91.5))) for k in range(3000)]
    vol = rows(wild)[300][COLUMN["tick_vol_300s"]]
    assert vol == pytest.approx(math.sqrt(0.03 / 10), rel=1e-6)


@given(st.permutations([(0.1, 99.0, 101.0), (0.1, 99.4, 100.6), (0.1, 99.9, 100.1)]))
def test_ticks_of_one_moment_come_to_the_same_spread_in_any_order(order):
    column = COLUMN["tick_spread_bps_mean_10s"]
    assert rows(order)[10][column] == rows(sorted(order))[10][column]


def test_the_features_of_single_ticks_are_offered_by_every_venue():
    values = rows([(k, 99.5, 100.5) for k in range(400)])[350]
    assert not any(math.isnan(values[COLUMN[name]]) for name in NAMES if name.startswith("tick_"))


def with_a_trade(kind, seconds=400, at=50):
    """Rows by their second, of a tick a second and one trade without a quote."""
    events = np.zeros(2 * seconds, EVENT)
    events["event_time_ns"] = 1_700_000_000 * NS + np.arange(2 * seconds) * NS // 2
    events["kind"] = TICK
    events["trade_id"] = np.arange(2 * seconds)
    events["bid"], events["ask"], events["last_size"] = 99.5, 100.5, 1.0
    events["kind"][2 * at + 1] = kind
    featurizer = Featurizer()
    featurizer.product_index("0")
    made, _ = featurizer.update(events)
    return {int(row["second"]) - 1_700_000_000: row for row in made}


BY_QUOTE = {
    10: ("tick_vol_10s", "tick_spread_bps_mean_10s"),
    30: ("tick_vol_30s",),
    60: ("tick_vol_60s", "parkinson_60s"),
    300: ("tick_vol_300s", "parkinson_300s"),
}


def test_what_each_quote_has_a_say_in_is_missing_where_a_filled_trade_tells_that_one_was_lost():
    rows_by_second = with_a_trade(FILLED)
    for window_s, names in BY_QUOTE.items():
        for second, row in rows_by_second.items():
            for name in names:
                place = COLUMN[name]
                lost = 50 <= second < 50 + window_s
                if lost or second >= window_s:
                    known = Reason.WARMUP if second < window_s else Reason.KNOWN
                    why = Reason.GAP if lost and second >= window_s else known
                    assert row["reasons"][place] == why, (name, second)
                    assert math.isnan(row["values"][place]) == lost


def test_a_trade_that_came_without_a_ticker_takes_nothing_away():
    rows_by_second = with_a_trade(TRADE)
    for window_s, names in BY_QUOTE.items():
        for name in names:
            assert not math.isnan(rows_by_second[max(51, window_s)]["values"][COLUMN[name]])


def test_no_window_of_complete_seconds_counts_as_much_as_one_that_is_not():
    assert MOST_QUOTES * 300 < INCOMPLETE < 2**31

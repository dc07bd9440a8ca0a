"""Volatility and spread from tick to tick; test_featurizer holds them against the oracle."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.codec import EVENT
from barograph.featurizer import Featurizer
from barograph.kernels import COLUMN, NAMES
from barograph.kernels.ticks import LEAST_DURATION_S, tick_vol

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
    told = rows(walk)[20][COLUMN["tick_vol_10s"]]
    assert told == pytest.approx(math.log(100.01 / 100) / math.sqrt(0.5 + LEAST_DURATION_S), 1e-6)


def test_quotes_of_one_moment_are_no_infinite_variance():
    told = rows([(3.0, 99.5, 100.5), (3.0, 99.6, 100.6), (3.0, 99.5, 100.5)])
    assert 0 < told[10][COLUMN["tick_vol_10s"]] < math.log(100.1 / 100) / math.sqrt(0.01)


def test_where_nothing_ticked_nothing_moved_and_the_quote_stands():
    told = rows([(0.5, 99.9, 100.1)])[12]
    assert told[COLUMN["tick_vol_10s"]] == 0
    assert told[COLUMN["tick_spread_bps_mean_10s"]] == told[COLUMN["spread_bps"]]
    assert tick_vol(0, 0) == 0


def test_each_tick_has_its_say_in_the_mean_spread_however_long_its_quote_stood():
    told = rows([(0.1, 99.0, 101.0), (0.2, 99.9, 100.1), (9.0, 99.0, 101.0), (9.1, 99.9, 100.1)])
    assert told[10][COLUMN["tick_spread_bps_mean_10s"]] == pytest.approx((200 + 20) / 2)


def test_one_wild_second_counts_as_much_as_the_bound_and_no_sum_overflows():
    wild = [(k / 10, *((99.5, 100.5) if k % 2 else (90.5, 91.5))) for k in range(3000)]
    told = rows(wild)[300][COLUMN["tick_vol_300s"]]
    assert told == pytest.approx(math.sqrt(0.03 / 10), rel=1e-6)


@given(st.permutations([(0.1, 99.0, 101.0), (0.1, 99.4, 100.6), (0.1, 99.9, 100.1)]))
def test_ticks_of_one_moment_come_to_the_same_spread_in_any_order(order):
    column = COLUMN["tick_spread_bps_mean_10s"]
    assert rows(order)[10][column] == rows(sorted(order))[10][column]


def test_the_features_of_single_ticks_are_offered_by_every_venue():
    told = rows([(k, 99.5, 100.5) for k in range(400)])[350]
    assert not any(math.isnan(told[COLUMN[name]]) for name in NAMES if name.startswith("tick_"))

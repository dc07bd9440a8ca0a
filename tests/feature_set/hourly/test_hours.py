"""What an hour comes to: the literature's formulas, in whole numbers."""

import math

import numpy as np
import pytest

from barograph.feature_set.hourly import hours
from barograph.feature_set.hourly.catalogue import LOG_FLOOR_VOL
from barograph.feature_set.hourly.hours import CANDLE, KEPT, fill, is_in_range, join

NO_HOUR = np.zeros(KEPT, np.int64)


def candle(open_, high, low, close, **more):
    fields = {"open": open_, "high": high, "low": low, "close": close, "realized_vol": math.nan}
    made = np.zeros(1, CANDLE)
    for name, value in (fields | more).items():
        made[name] = value
    return made[0]


def hour_of(*prices, before=NO_HOUR, **more):
    hour = np.zeros(KEPT, np.int64)
    fill(hour, candle(*prices, **more))
    join(hour, before)
    return hour


def test_an_hour_has_the_ranges_of_the_literature():
    hour = hour_of(100.0, 103.0, 99.0, 101.0, volume=5.0)
    span, body = math.log(103 / 99), math.log(101 / 100)
    up, down = math.log(103 / 101), math.log(99 / 101)
    garman_klass = 0.5 * span**2 - (2 * math.log(2) - 1) * body**2
    expected = {
        hours.GK: garman_klass * 1e15,
        hours.VOL: math.sqrt(garman_klass) * 1e12,
        hours.LOG_VOL: 0.5 * math.log(garman_klass) * 1e9,
        hours.PARKINSON: span**2 / (4 * math.log(2)) * 1e15,
        hours.ROGERS_SATCHELL: (up * math.log(1.03) + down * math.log(0.99)) * 1e15,
        hours.RETURN: body * 1e9,
        hours.BODY_SQUARE: body**2 * 1e15,
        hours.LOG_VOLUME: math.log(5.0) * 1e9,
    }
    for quantity, value in expected.items():
        assert hour[quantity] == pytest.approx(value, rel=1e-6, abs=1.0), quantity


def test_a_return_is_from_the_close_before():
    before = hour_of(99.0, 99.0, 99.0, 99.0)
    hour = hour_of(100.0, 100.0, 98.0, 98.0, before=before)
    assert hour[hours.RETURN] == pytest.approx(math.log(98 / 99) * 1e9, abs=1.0)
    assert hour[hours.BETWEEN] == pytest.approx(math.log(100 / 99) * 1e9, abs=1.0)
    assert hour[hours.FALLING] == hour[hours.GK]
    assert hour[hours.ABS_RETURN] == -hour[hours.RETURN]


@pytest.mark.parametrize(
    "before", [NO_HOUR, hour_of(*[math.nan] * 4), hour_of(*[36.0] * 4), hour_of(*[272.0] * 4)]
)
def test_a_return_is_from_the_open_where_no_close_before_is_known_or_near(before):
    hour = hour_of(100.0, 101.0, 100.0, 101.0, before=before)
    assert hour[hours.RETURN] == pytest.approx(math.log(1.01) * 1e9, abs=1.0)
    assert hour[hours.BETWEEN] == 0


def test_joining_again_after_a_revision_leaves_nothing_of_the_first_time():
    hour = hour_of(100.0, 101.0, 99.0, 99.5, before=hour_of(*[98.0] * 4))
    once = hour_of(100.0, 101.0, 99.0, 99.5)
    join(hour, NO_HOUR)
    assert hour.tolist() == once.tolist()


def test_an_hour_in_which_nothing_moved_has_the_least_logarithm():
    for prices in ([7.0] * 4, [math.nan] * 4):
        hour = hour_of(*prices)
        assert hour[hours.GK] == hour[hours.VOL] == 0
        assert hour[hours.LOG_VOL] == round(math.log(LOG_FLOOR_VOL) * 1e9)
        assert hour[hours.KNOWN] == 1
    assert hour[hours.QUIET] == 1


def test_realised_volatility_counts_where_it_is_offered():
    assert hour_of(*[7.0] * 4)[hours.OFFERED] == 0
    hour = hour_of(*[7.0] * 4, realized_vol=0.01)
    assert (hour[hours.OFFERED], hour[hours.REALIZED]) == (1, 10**11)


def test_the_range_that_sums_can_hold():
    assert is_in_range(7.389, 1.0, math.nan)
    assert not is_in_range(7.39, 1.0, math.nan)
    assert is_in_range(1.0, 1.0, 3.0)
    assert not is_in_range(1.0, 1.0, 3.01)
    assert is_in_range(math.nan, math.nan, math.nan)


def test_a_record_of_a_candle_has_no_bytes_that_are_nobodys():
    assert CANDLE.itemsize == sum(CANDLE[name].itemsize for name in CANDLE.names)

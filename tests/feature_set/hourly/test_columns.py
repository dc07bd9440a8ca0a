"""Columns by hand: what a row says of hours that a reader can reckon."""

import math

import numpy as np
import pytest

from barograph.feature_set.hourly.catalogue import COLUMN, LONGEST_WINDOW_H
from barograph.feature_set.hourly.columns import by, root_mean
from barograph.types import Reason
from invented_candles import every_row, steady

HOURS = LONGEST_WINDOW_H + 10


def moving(steps, start_h=480_000):
    """Hours that open at the close before and move by `steps` in one direction each."""
    log = steady(len(steps))
    log["hour"] = start_h + np.arange(len(steps))
    path = 100.0 * np.exp(np.cumsum(steps))
    log["close"] = path
    log["open"] = np.concatenate([[100.0], path[:-1]])
    log["high"] = np.maximum(log["open"], log["close"])
    log["low"] = np.minimum(log["open"], log["close"])
    log["volume"] = 2.0
    return log


def last_row(log):
    row = every_row(log)[0][-1]
    return lambda name: row["values"][COLUMN[name]]


def test_a_market_that_only_rises():
    value = last_row(moving(np.full(HOURS, 0.01)))
    assert value("close_vol_720h") == pytest.approx(0.01, rel=1e-6)
    assert value("rsi_14h") == 1.0
    assert value("close_place_168h") == 1.0
    assert value("downside_share_24h") == 0.0
    # A straight rise by g = (0.5 − 2 ln 2 + 1) 0.01² an hour.
    vol = 0.01 * math.sqrt(1.5 - 2 * math.log(2))
    assert value("gk_vol_24h") == pytest.approx(vol, rel=1e-6)
    assert value("scaled_return_24h") == pytest.approx(0.24 / (vol * math.sqrt(24)), rel=1e-6)
    # The mean of 12 closes is 7 hours of rise above that of 26.
    assert value("macd_12_26h") == pytest.approx(0.07 / vol, rel=1e-6)
    assert value("macd_histogram_12_26_9h") == pytest.approx(0.0, abs=1e-6)
    assert value("acceleration_6h") == pytest.approx(0.0, abs=1e-6)
    assert value("average_ratio_24_168h") == pytest.approx(0.72 / (vol * math.sqrt(168)), rel=1e-6)
    assert value("yang_zhang_vol_24h") == pytest.approx(0.0, abs=1e-7)
    assert value("gk_vol_cv_24h") == pytest.approx(0.0, abs=1e-4)


def test_a_market_in_which_nothing_moves_divides_nothing_by_nothing():
    value = last_row(moving(np.zeros(HOURS)))
    for name in ("scaled_return_1h", "scaled_abs_return_1h", "scaled_return_720h", "gk_vol_cv_24h",
                 "acceleration_6h", "macd_12_26h", "macd_histogram_12_26_9h", "gk_vol_1h",
                 "average_ratio_6_24h", "same_hour_28d", "log_volume_ratio_1_168h"):  # fmt: skip
        assert value(name) == 0.0, name
    for name in ("downside_share_24h", "rsi_72h", "close_place_720h"):
        assert value(name) == 0.5, name
    assert value("log_gk_mean_720h") == pytest.approx(math.log(1e-5))


def test_an_hour_of_the_day_that_is_wild_is_seen_in_the_season_of_its_eve():
    steps = np.where(np.arange(HOURS) % 24 == 7, 0.02, 0.001)
    log = moving(steps, start_h=24 * 20_000)
    eve = next(h for h in range(HOURS, 0, -1) if (h % 24) == 7)
    value = last_row(log[:eve])
    usual = math.log(20) * 23 / 24
    for name in ("same_hour_3d", "same_hour_7d", "same_hour_28d", "same_hour_of_week_4w"):
        assert value(name) == pytest.approx(usual, rel=1e-4), name
    assert value("target_hour") == 7.0
    after = last_row(log[: eve + 1])
    assert after("same_hour_7d") == pytest.approx(-math.log(20) / 24, rel=1e-4)
    assert after("gk_vol_lag_24h") == pytest.approx(after("gk_vol_1h"), rel=1e-6)
    assert value("gk_vol_lag_23h") == pytest.approx(after("gk_vol_1h"), rel=1e-6)


def test_the_clock_is_that_of_the_hour_that_follows():
    """The hour before 2024-06-01T00:00Z, a Saturday."""
    log = moving(np.zeros(2), start_h=1_717_200_000 // 3600 - 2)
    value = last_row(log)
    assert (value("target_hour"), value("target_weekday")) == (0.0, 5.0)
    assert value("hour_cos_1") == pytest.approx(1.0)
    assert value("week_sin_1") == pytest.approx(math.sin(2 * math.pi * 5 / 7))
    assert value("week_cos_3") == pytest.approx(math.cos(6 * math.pi * 5 / 7))


def test_volume_is_relative_to_its_week_and_its_logarithm_is_bounded():
    log = moving(np.zeros(HOURS))
    log["volume"][-1] = 2.0 * math.e
    assert last_row(log)("log_volume_ratio_1_168h") == pytest.approx(1 - 1 / 168)
    log["volume"][-1] = 0.0
    assert last_row(log)("log_volume_ratio_1_168h") == -7.0


def test_what_a_source_does_not_offer_is_told_from_what_is_missing():
    log = moving(np.zeros(200))
    row = every_row(log)[0][-1]
    names = ("realized_vol_1h", "realized_vol_6h", "realized_vol_24h", "realized_vol_168h")
    columns = [COLUMN[name] for name in names]
    assert set(row["reasons"][columns].tolist()) == {Reason.NOT_OFFERED}
    log["realized_vol"] = 0.01
    log["realized_vol"][-1] = np.nan
    rows = every_row(log)[0]
    assert rows["reasons"][0, columns].tolist() == [Reason.KNOWN, *[Reason.WARMUP] * 3]
    # A window of less than a day needs all its hours.
    assert rows["reasons"][-1, columns].tolist() == [*[Reason.NOT_OFFERED] * 2, 0, 0]
    assert rows["values"][-1, columns[2]] == pytest.approx(0.01)


def test_one_missing_day_leaves_the_season_of_a_week_and_not_that_of_three_days():
    log = np.delete(moving(np.zeros(HOURS)), HOURS - 24)
    row = every_row(log)[0][-1]
    for name, reason in (("same_hour_3d", Reason.GAP), ("same_hour_7d", Reason.KNOWN)):
        assert row["reasons"][COLUMN[name]] == reason, name


def test_a_lag_of_a_missing_hour_has_no_value():
    log = np.delete(moving(np.zeros(100)), 100 - 4)
    row = every_row(log)[0][-1]
    reasons = {k: row["reasons"][COLUMN[f"gk_vol_lag_{k}h"]] for k in (2, 3, 4, 119)}
    assert reasons == {2: Reason.KNOWN, 3: Reason.GAP, 4: Reason.KNOWN, 119: Reason.WARMUP}


def test_small_formulas():
    assert by(3.0, 0.0) == 0.0
    assert by(3.0, 2.0) == 1.5
    assert root_mean(8 * 10**15, 2) == pytest.approx(2.0)

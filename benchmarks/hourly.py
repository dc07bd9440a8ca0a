"""Hourly features of five years of candles, beside Polars."""

from functools import cache

import numpy as np
import polars as pl

from barograph.arrays import Records
from barograph.feature_set.hourly.catalogue import COLUMN, NAMES
from barograph.feature_set.hourly.hours import CANDLE
from barograph.feature_set.hourly.machine import HourlyFeatures
from measure import DATA, Measured, NotMeasuredError, interleaved, row
from peers import polars_hourly

HOURS = DATA / "hourly" / "btc_usd_hourly_to_20241130.csv.gz"
_HOURS_OF_THE_GOAL, _SECONDS_OF_THE_GOAL = 44_101, 0.5

# Variances are kept in units of 1e-15 and log prices in units of 1e-9, where Polars rounds nothing.
_RELATIVE, _ABSOLUTE = 1e-5, 1e-6


@cache
def _frame() -> pl.DataFrame:
    """The candles whose prices do not contradict each other."""
    if not HOURS.is_file():
        raise NotMeasuredError(f"there is no {HOURS.name} in BAROGRAPH_DATA")
    least, greatest = pl.min_horizontal("open", "close"), pl.max_horizontal("open", "close")
    sound = (pl.col("low") <= least) & (greatest <= pl.col("high"))
    prices = ("open", "high", "low", "close", "volumefrom")
    return pl.read_csv(HOURS).with_columns(pl.col(prices).cast(pl.Float64)).filter(sound)


@cache
def _candles() -> Records:
    frame = _frame()
    candles = np.zeros(len(frame), CANDLE)
    candles["hour"] = frame["time"].to_numpy() // 3600
    for name in ("open", "high", "low", "close"):
        candles[name] = frame[name].to_numpy()
    candles["volume"] = frame["volumefrom"].to_numpy()
    candles["realized_vol"] = np.nan
    candles["version"] = 1
    return candles


def _rows() -> Records:
    machine = HourlyFeatures()
    machine.product_index("BTC-USD")
    rows, _ = machine.update(_candles())
    return rows


def _peer_agrees() -> None:
    rows, theirs = _rows(), polars_hourly.features(_frame().lazy())
    assert (rows["second"] == theirs["time"].to_numpy() + 3599).all()
    for name in NAMES:
        ours = rows["values"][:, COLUMN[name]]
        peer = theirs[name].fill_null(np.nan).to_numpy()
        assert (np.isnan(ours) == np.isnan(peer)).all(), f"{name}: one side knows more"
        known = ~np.isnan(ours)
        scale = np.abs(ours[known]).max(initial=0.0)
        worst = np.abs(ours[known] - peer[known]).max(initial=0.0)
        assert worst <= _RELATIVE * scale + _ABSOLUTE, f"{name}: off by {worst:.3g} of {scale:.3g}"


@row(
    "hourly features from arrays, beside Polars",
    "hours/s",
    ("ours", ">=", _HOURS_OF_THE_GOAL / _SECONDS_OF_THE_GOAL),
)
def hourly_features(repeats: int) -> Measured:
    """All hourly features of five years; Polars has the same columns in memory."""
    _peer_agrees()
    hours = _frame().lazy()
    ours, peer = interleaved(_rows, lambda: polars_hourly.features(hours), 5 * repeats)
    return Measured(len(_frame()) / ours, len(_frame()) / peer)

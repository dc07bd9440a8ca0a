"""Columns that forecasts of `more_skill.py` may use beside those of the case, and rows of a home.

All are scale-free, and 0, which is the ordinary, where they are not known: trees and ridge get no
missing value.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from barograph.arrays import Float64, Int64
from barograph.cases.case import Table
from barograph.cases.series import REGIME_HOLE_S
from barograph.cases.spikes import SPIKES
from barograph.learning.relative import VOL_FLOOR
from barograph.training import dataset

RMS_S = (30, 60, 120, 300, 600, 900, 1800, 3600)
_OWN_PAST_S = 1800
_SEASON_HOURS = 2 * 365 * 24


def rows_of(home: Path, candles: Path | None) -> Table:
    """The table of a home's dataset, with the columns of `GROUPS` beside its features."""
    frame = dataset.read(home, SPIKES).frame.sort("product", "second")
    table = SPIKES.table(frame)
    numbered = frame.select("product", "second").with_row_index("row")
    wanted = {"product": [table.keys[key] for key in table.key], "second": table.order}
    place = pl.DataFrame(wanted).join(numbered, on=["product", "second"], how="left")["row"]
    made = _columns(frame, _season(candles) if candles else np.zeros(24))
    added = np.stack([np.nan_to_num(column) for column in made.values()], axis=1)
    x = np.hstack([table.x, added[place.to_numpy()].astype(np.float32)])
    return replace(table, features=(*table.features, *made), x=np.ascontiguousarray(x))


GROUPS = {
    "book and flow": ("imbalance", "imbalance_60s", "microprice", "flow", "traded"),
    "activity beside its own half hour": ("rate_10s", "rate_60s", "spread_30s", "quiet"),
    "ranges and jumps": ("range", "jumps", "bipower"),
    "the other products, same second": ("others_10s", "others_30s", "others_60s", "others_300s"),
    "hour of the day": ("hour_sin", "hour_cos"),
    "season of hourly candles": ("season",),
}


def _columns(frame: pl.DataFrame, season: Float64) -> dict[str, Float64]:
    def raw(name: str) -> Float64:
        return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()

    def log(name: str, floor: float) -> Float64:
        out: Float64 = np.log(np.maximum(np.abs(raw(name)), floor))
        return out

    second = frame["second"].to_numpy()
    mean = np.mean([log(f"observed_vol_{w}s", VOL_FLOOR) for w in RMS_S], axis=0)
    spread, traded = log("spread_bps_mean_30s", 1e-4), log("traded_volume_60s", 1e-6)
    made = {
        "imbalance": np.abs(raw("book_imbalance")),
        "imbalance_60s": np.abs(raw("book_imbalance_mean_60s")),
        "microprice": log("microprice_deviation_bps", 1e-4) - spread,
        "flow": np.abs(raw("flow_imbalance_60s")),
        "traded": traded - _own_past(frame, traded),
        "spread_30s": spread - _own_past(frame, spread),
        "quiet": raw("quiet_share_60s"),
        "range": log("parkinson_60s", VOL_FLOOR) - log("realized_vol_60s", VOL_FLOOR),
        "jumps": raw("jump_share_60s"),
        "bipower": log("bipower_vol_300s", VOL_FLOOR) - log("realized_vol_300s", VOL_FLOOR),
        "season": _ahead(season, second),
        "rms": mean,
    }
    for window_s in (10, 60):
        rate = log(f"tick_intensity_{window_s}s", 0.05)
        made[f"rate_{window_s}s"] = rate - _own_past(frame, rate)
    for window_s in (10, 30, 60, 300):
        own = log(f"observed_vol_{window_s}s", VOL_FLOOR) - mean
        made[f"others_{window_s}s"] = _of_others(second, own)
    return made


def _own_past(frame: pl.DataFrame, column: Float64) -> Float64:
    """Exponential mean of a column (n,) within its product and regime."""
    own = frame.select("product", "second").with_columns(pl.Series("x", column).fill_nan(None))
    far = (pl.col("second").diff().abs() > REGIME_HOLE_S) | (
        pl.col("product") != pl.col("product").shift()
    )
    past = pl.col("x").ewm_mean(half_life=_OWN_PAST_S, ignore_nulls=True)
    of = own.with_columns(far.fill_null(value=False).cum_sum().alias("of")).select(past.over("of"))
    return of["x"].fill_null(np.nan).to_numpy()


def _of_others(second: Int64, column: Float64) -> Float64:
    """The mean of a column (n,) over the other products of the same second, NaN without one."""
    _, place = np.unique(second, return_inverse=True)
    known = ~np.isnan(column)
    own = np.where(known, column, 0.0)
    total = np.bincount(place, own)[place] - own
    count = np.bincount(place, known)[place] - known
    return np.divide(total, count, out=np.full(len(column), np.nan), where=count > 0)


def _season(candles: Path) -> Float64:
    """(24,) mean log range of the last two years' candles by hour of the day, less that of all."""
    file = pl.read_csv(candles)
    hour = (file["time"].to_numpy() // 3600 % 24)[-_SEASON_HOURS:]
    log_range = np.log(np.maximum(np.log((file["high"] / file["low"]).to_numpy()), 1e-4))
    log_range = log_range[-_SEASON_HOURS:]
    by_hour = np.array([log_range[hour == each].mean() for each in range(24)])
    out: Float64 = by_hour - by_hour.mean()
    return out


def _ahead(season: Float64, second: Int64) -> Float64:
    """(n,) the season of the next minute less that of the windows that a forecast starts from."""

    def at(when: Float64) -> Float64:
        hour = when % 86400 / 3600 - 0.5
        whole = np.floor(hour).astype(np.int64)
        later = hour - whole
        out: Float64 = (1 - later) * season[whole % 24] + later * season[(whole + 1) % 24]
        return out

    past: Sequence[Float64] = [at(second - w / 2) for w in RMS_S]
    out: Float64 = at(second + 30.0) - np.mean(past, axis=0)
    return out

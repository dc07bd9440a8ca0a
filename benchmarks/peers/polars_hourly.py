"""The hourly features in Polars, lazily, as somebody who knows Polars would write them.

Hours that are missing become rows of nulls on the grid. A window needs all its hours, from 24 hours
on 95 % of them, which Polars says as the least number of samples; means are over the known ones.
"""

import math

import polars as pl

from barograph.feature_set.hourly import catalogue

HOUR_S = 3600


def features(candles: pl.LazyFrame) -> pl.DataFrame:
    """One row for each candle: `time`, the first second of its hour, and every feature by name.

    candles: time, open, high, low, close and volumefrom, rising in time, without a quiet hour.
    """
    return _columns(_path(_quantities(_grid(candles)))).collect()


def _grid(candles: pl.LazyFrame) -> pl.LazyFrame:
    hours = candles.select(
        time=pl.int_range(pl.col("time").min(), pl.col("time").max() + 1, HOUR_S)
    )
    return hours.join(candles, on="time", how="left", maintain_order="left")


def _quantities(hours: pl.LazyFrame) -> pl.LazyFrame:
    logs = {name[0]: pl.col(name).log() for name in ("open", "high", "low", "close")}
    span, body = pl.col("h") - pl.col("l"), pl.col("c") - pl.col("o")
    between = (pl.col("o") - pl.col("c").shift()).fill_null(0.0)
    near = pl.when(pl.col("o").is_null()).then(None).when(between.abs() <= 1).then(between)
    up = (pl.col("h") - pl.col("c")) * (pl.col("h") - pl.col("o"))
    down = (pl.col("l") - pl.col("c")) * (pl.col("l") - pl.col("o"))
    return (
        hours.with_columns(**logs)
        .with_columns(
            g=0.5 * span**2 - (2 * math.log(2) - 1) * body**2,
            parkinson=span**2 / (4 * math.log(2)),
            rogers_satchell=up + down,
            body=body,
            between=near.otherwise(0.0),
            log_volume=pl.col("volumefrom").clip(catalogue.LOG_FLOOR_VOLUME).log(),
        )
        .with_columns(r=pl.col("body") + pl.col("between"), vol=pl.col("g").sqrt())
        .with_columns(log_vol=pl.col("vol").clip(catalogue.LOG_FLOOR_VOL).log())
    )


def _path(hours: pl.LazyFrame) -> pl.LazyFrame:
    """The log close from the first hour on; unknown where the hour is."""
    path = pl.col("r").fill_null(0.0).cum_sum()
    return hours.with_columns(path=pl.when(pl.col("r").is_not_null()).then(path))


def least(n: int) -> int:
    """How many hours of a window must be known."""
    return n if n < 24 else math.ceil(0.95 * n)


def mean(column: str | pl.Expr, n: int) -> pl.Expr:
    """Over the known hours of a window."""
    given = pl.col(column) if isinstance(column, str) else column
    return given.rolling_mean(n, min_samples=least(n))


def total(column: str | pl.Expr, n: int) -> pl.Expr:
    """Over the known hours of a window."""
    given = pl.col(column) if isinstance(column, str) else column
    return given.rolling_sum(n, min_samples=least(n))


def vol(column: str, n: int) -> pl.Expr:
    """The root of a mean variance; rounding may leave a sum a little below 0."""
    return mean(column, n).clip(0.0).sqrt()


def _columns(hours: pl.LazyFrame) -> pl.LazyFrame:
    names = _levels() | _spreads() | _moves() | _shapes() | _tape() | _clock()
    ordered = {name: names[name] for name in catalogue.NAMES}
    return hours.select("time", "open", **ordered).filter(pl.col("open").is_not_null())


def _levels() -> dict[str, pl.Expr]:
    names: dict[str, pl.Expr] = {}
    for n in catalogue.GK_WINDOWS_H:
        names[f"gk_vol_{n}h"] = vol("g", n)
    for n in catalogue.LOG_WINDOWS_H:
        names[f"log_gk_mean_{n}h"] = mean("log_vol", n)
    for n in catalogue.RANGE_WINDOWS_H:
        names[f"parkinson_vol_{n}h"] = vol("parkinson", n)
        names[f"rogers_satchell_vol_{n}h"] = vol("rogers_satchell", n)
    for n in catalogue.CLOSE_WINDOWS_H:
        names[f"close_vol_{n}h"] = mean(pl.col("r") ** 2, n).clip(0.0).sqrt()
    return names


def _spreads() -> dict[str, pl.Expr]:
    names: dict[str, pl.Expr] = {}
    for n in catalogue.YANG_ZHANG_WINDOWS_H:
        names[f"yang_zhang_vol_{n}h"] = _yang_zhang(n)
    for n in catalogue.MAX_WINDOWS_H:
        names[f"gk_vol_max_{n}h"] = pl.col("vol").rolling_max(n, min_samples=least(n))
    for n in catalogue.VARIATION_WINDOWS_H:
        spread = pl.col("vol").rolling_std(n, min_samples=least(n), ddof=0)
        names[f"gk_vol_cv_{n}h"] = spread / mean("vol", n)
    for k in catalogue.LAGS_H:
        names[f"gk_vol_lag_{k}h"] = pl.col("vol").shift(k)
    return names


def _moves() -> dict[str, pl.Expr]:
    day = vol("g", 24)
    names: dict[str, pl.Expr] = {}
    names["scaled_return_1h"] = pl.col("r") / day
    names["scaled_abs_return_1h"] = pl.col("r").abs() / pl.col("vol")
    for n in catalogue.RETURN_WINDOWS_H:
        names[f"scaled_return_{n}h"] = total("r", n) / total("g", n).sqrt()
    change = 2 * total("r", 3) - total("r", 6)
    names["acceleration_6h"] = change / (day * math.sqrt(6))
    falling = pl.when(pl.col("r") < 0).then(pl.col("g")).otherwise(0.0)
    falling = pl.when(pl.col("g").is_not_null()).then(falling)
    for n in catalogue.DOWNSIDE_WINDOWS_H:
        names[f"downside_share_{n}h"] = total(falling, n) / total("g", n)
    return names


def _shapes() -> dict[str, pl.Expr]:
    rising, day = pl.col("r").clip(0.0), vol("g", 24)
    names: dict[str, pl.Expr] = {}
    for short, long in catalogue.AVERAGE_WINDOWS_H:
        change = mean("path", short) - mean("path", long)
        names[f"average_ratio_{short}_{long}h"] = change / (vol("g", long) * math.sqrt(long))
    names["macd_12_26h"] = (mean("path", 12) - mean("path", 26)) / day
    names["macd_histogram_12_26_9h"] = _histogram() / day
    for n in catalogue.RSI_WINDOWS_H:
        names[f"rsi_{n}h"] = total(rising, n) / total(pl.col("r").abs(), n)
    for n in catalogue.PLACE_WINDOWS_H:
        low = pl.col("path").rolling_min(n, min_samples=least(n))
        high = pl.col("path").rolling_max(n, min_samples=least(n))
        names[f"close_place_{n}h"] = (pl.col("path") - low) / (high - low)
    return names


def _tape() -> dict[str, pl.Expr]:
    names: dict[str, pl.Expr] = {}
    for short, long in catalogue.VOLUME_WINDOWS_H:
        change = mean("log_volume", short) - mean("log_volume", long)
        bound = catalogue.MAX_LOG_RATIO
        names[f"log_volume_ratio_{short}_{long}h"] = change.clip(-bound, bound)
    names["quiet_share_24h"] = mean(0.0 * pl.col("r"), 24)
    for n in catalogue.REALIZED_WINDOWS_H:
        names[f"realized_vol_{n}h"] = pl.lit(None, pl.Float64)
    for days in catalogue.SEASON_DAYS:
        names[f"same_hour_{days}d"] = _season(24, days)
    for weeks in catalogue.SEASON_WEEKS:
        names[f"same_hour_of_week_{weeks}w"] = _season(168, weeks)
    return names


def _yang_zhang(n: int) -> pl.Expr:
    known = pl.col("r").is_not_null().cast(pl.Float64).rolling_sum(n, min_samples=1)
    k = 0.34 / (1.34 + (known + 1) / (known - 1))
    between = pl.col("between").rolling_var(n, min_samples=least(n))
    body = pl.col("body").rolling_var(n, min_samples=least(n))
    inside = mean("rogers_satchell", n)
    return (between + k * body + (1 - k) * inside).clip(0.0).sqrt()


def _histogram() -> pl.Expr:
    """A short mean of an earlier hour may lack an hour; the one of now may not."""
    short = pl.col("path").rolling_mean(12, min_samples=11)
    line = short - pl.col("path").rolling_mean(26, min_samples=24)
    known = pl.col("r").is_not_null().cast(pl.Int64)
    enough = (known.rolling_sum(34, min_samples=1) >= 33) & (
        known.rolling_sum(12, min_samples=1) >= 12
    )
    return pl.when(enough).then(line - line.rolling_mean(9))


def _season(period: int, count: int) -> pl.Expr:
    same = [pl.col("log_vol").shift(period * back - 1) for back in range(1, count + 1)]
    known = pl.sum_horizontal(*(each.is_not_null().cast(pl.Int64) for each in same))
    enough = known >= count - (count >= 7)
    usual = mean("log_vol", period * count)
    return pl.when(enough).then(pl.mean_horizontal(*same) - usual)


def _clock() -> dict[str, pl.Expr]:
    target = pl.col("time") // HOUR_S + 1
    hour, weekday = target % 24, (target // 24 + 3) % 7
    places = {"hour": hour / 24, "week": (weekday * 24 + hour) / 168}
    waves = {
        f"{period}_{wave}_{j}": getattr(2 * math.pi * j * place, wave)()
        for period, place in places.items()
        for j in catalogue.HARMONICS
        for wave in ("sin", "cos")
    }
    return waves | {
        "target_hour": hour.cast(pl.Float64),
        "target_weekday": weekday.cast(pl.Float64),
    }

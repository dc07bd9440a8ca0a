"""The feature set in Polars, lazily, as somebody who knows Polars would write it.

Every product stands on its own one-second grid without holes; a window of w seconds needs w seconds
after the first, as the first second is only seen in part.
"""

import math
from itertools import pairwise
from pathlib import Path

import polars as pl

NS = 1_000_000_000
LEAST_DURATION_S = 0.01
OBSERVED_S = (10, 30, 60, 120, 300, 600, 900, 1800, 3600)
TYPICAL_S = (900, 1800, 3600)
EWMA_S, EWMA_AGES_S = 60, (0, 10, 30, 60, 120, 300)


def _ewma_steps() -> list[tuple[int, float]]:
    """(window, what its sum counts for), so that together they weigh by age in steps."""
    heights = [
        (math.exp(-young / EWMA_S) - math.exp(-old / EWMA_S)) / (old - young)
        for young, old in pairwise(EWMA_AGES_S)
    ]
    beyond = [*heights[1:], 0.0]
    return [
        (w, height - next_one)
        for w, height, next_one in zip(EWMA_AGES_S[1:], heights, beyond, strict=True)
    ]


EWMA_STEPS = _ewma_steps()
OFFERED = ("bid_size", "ask_size", "volume_24h", "last_size")
SCHEMA = {
    "product_id": pl.String,
    "time": pl.String,
    "price": pl.String,
    "best_bid": pl.String,
    "best_ask": pl.String,
    "best_bid_size": pl.String,
    "best_ask_size": pl.String,
    "volume_24h": pl.String,
    "last_size": pl.String,
    "side": pl.String,
    "trade_id": pl.Int64,
}


def recorded(path: Path) -> pl.LazyFrame:
    """The ticks of a recording, as `features` takes them."""
    lines = pl.read_ndjson(path, schema=SCHEMA).lazy()
    return lines.select(
        product=pl.col("product_id"),
        event_time_ns=pl.col("time").str.to_datetime("%+", time_unit="ns").cast(pl.Int64),
        trade_id=pl.col("trade_id"),
        bid=pl.col("best_bid").cast(pl.Float64),
        ask=pl.col("best_ask").cast(pl.Float64),
        bid_size=pl.col("best_bid_size").cast(pl.Float64),
        ask_size=pl.col("best_ask_size").cast(pl.Float64),
        volume_24h=pl.col("volume_24h").cast(pl.Float64),
        last_size=pl.col("last_size").cast(pl.Float64),
        side=pl.when(pl.col("side") == "buy").then(1).otherwise(-1),
    )


def features(ticks: pl.LazyFrame) -> pl.DataFrame:
    """One row a product and closed second: product, second and every feature, null if unknown."""
    return _columns(_grid(_bars(ticks))).collect()


def _bars(ticks: pl.LazyFrame) -> pl.LazyFrame:
    """Seconds with a tick: the closing quote, the range of the mid, counts and traded sizes."""
    mid = 0.5 * (pl.col("bid") + pl.col("ask"))
    new_trade = pl.col("trade_id").ne_missing(pl.col("trade_id").shift().over("product"))
    size = pl.when(new_trade).then(pl.col("last_size")).otherwise(0.0)
    since_s = pl.col("event_time_ns").diff().clip(lower_bound=0).over("product") * 1e-9
    return (
        ticks.with_columns(second=pl.col("event_time_ns") // NS, mid=mid, size=size)
        .with_columns(
            move=pl.col("mid").log().diff().over("product") ** 2 / (since_s + LEAST_DURATION_S),
            spread_bps=1e4 * (pl.col("ask") - pl.col("bid")) / pl.col("mid"),
        )
        .group_by("product", "second")
        .agg(
            pl.col("event_time_ns", "bid", "ask", "bid_size", "ask_size", "volume_24h").last(),
            high=pl.col("mid").max(),
            low=pl.col("mid").min(),
            ticks=pl.len(),
            bought=pl.col("size").filter(pl.col("side") > 0).sum(),
            sold=pl.col("size").filter(pl.col("side") < 0).sum(),
            moves=pl.col("move").sum(),
            spreads=pl.col("spread_bps").sum(),
        )
    )


def _grid(bars: pl.LazyFrame) -> pl.LazyFrame:
    """Every second from a product's first to the one before its last, quiet ones carried on."""
    seconds = (
        bars.group_by("product")
        .agg(pl.int_ranges(pl.col("second").min(), pl.col("second").max()).alias("second"))
        .explode("second")
    )
    carried = pl.col("event_time_ns", "bid", "ask", "bid_size", "ask_size", "volume_24h")
    return (
        seconds.join(bars, on=["product", "second"], how="left")
        .sort("product", "second")
        .with_columns(
            carried.forward_fill().over("product"),
            pl.col("ticks", "bought", "sold", "moves", "spreads").fill_null(0),
            run=pl.int_range(pl.len()).over("product"),
        )
    )


def _columns(grid: pl.LazyFrame) -> pl.LazyFrame:
    mid = 0.5 * (pl.col("bid") + pl.col("ask"))
    sizes = pl.col("bid_size") + pl.col("ask_size")
    base = grid.with_columns(
        mid=mid,
        log_mid=mid.log(),
        spread=pl.col("ask") - pl.col("bid"),
        imbalance=(pl.col("bid_size") - pl.col("ask_size")) / sizes,
    ).with_columns(
        r=pl.col("log_mid").diff().over("product"),
        high=pl.max_horizontal("high", "mid", pl.col("mid").shift().over("product")),
        low=pl.min_horizontal("low", "mid", pl.col("mid").shift().over("product")),
        spread_bps=1e4 * pl.col("spread") / pl.col("mid"),
    )
    seen = base.with_columns(
        pl.when(pl.col("run") > 0).then(
            pl.col("ticks", "bought", "sold", "moves", "spreads", "high", "low", "imbalance")
        ),
        spread_in_run=pl.when(pl.col("run") > 0).then("spread_bps"),
        quiet=pl.when(pl.col("run") > 0).then((pl.col("ticks") == 0).cast(pl.Float64)),
        square=pl.col("r") ** 2,
        pair=pl.col("r").abs() * pl.col("r").abs().shift().over("product"),
    ).with_columns(book_imbalance=(pl.col("bid_size") - pl.col("ask_size")) / sizes)
    return (
        seen.with_columns(**_windows()).with_columns(**_mixed()).select("product", "second", *NAMES)
    )


def _windows() -> dict[str, pl.Expr]:
    """What is one rolling sum, mean or range away from the grid."""

    def mean(column: str, w: int, n: int | None = None) -> pl.Expr:
        return pl.col(column).rolling_mean(n or w, min_samples=n or w).over("product")

    def change(column: str, w: int) -> pl.Expr:
        return pl.col(column).diff(w).over("product")

    def total(column: str, w: int) -> pl.Expr:
        return pl.col(column).rolling_sum(w, min_samples=w).over("product")

    def parkinson(w: int) -> pl.Expr:
        high = pl.col("high").rolling_max(w, min_samples=w).over("product")
        low = pl.col("low").rolling_min(w, min_samples=w).over("product")
        return (high / low).log() / math.sqrt(4 * math.log(2) * w)

    def by_tick(column: str, w: int, none: pl.Expr) -> pl.Expr:
        ticks = total("ticks", w)
        return pl.when(ticks == 0).then(none).otherwise(total(column, w) / ticks)

    def observed(w: int) -> pl.Expr:
        least = min(w // 2, 30)
        return _root(pl.col("square").rolling_mean(w, min_samples=least).over("product"))

    def known(w: int) -> pl.Expr:
        return pl.min_horizontal("run", pl.lit(w))

    bought, sold = total("bought", 60), total("sold", 60)
    traded = bought + sold
    hour = 2 * math.pi * (pl.col("second") % 86_400) / 86_400
    return {
        **{f"log_return_{w}s": change("log_mid", w) for w in (10, 60, 300)},
        **{f"realized_vol_{w}s": _root(mean("square", w)) for w in (10, 30, 60, 300, 900)},
        **{f"bipower_vol_{w}s": _root(math.pi / 2 * mean("pair", w, w - 1)) for w in (60, 300)},
        **{f"parkinson_{w}s": parkinson(w) for w in (60, 300)},
        **{f"spread_bps_mean_{w}s": mean("spread_in_run", w) for w in (30, 300)},
        "microprice_deviation_bps": 0.5 * pl.col("book_imbalance") * pl.col("spread_bps"),
        "book_imbalance_mean_60s": mean("imbalance", 60),
        **{f"tick_intensity_{w}s": mean("ticks", w) for w in (10, 60, 300)},
        "quiet_share_60s": mean("quiet", 60),
        "staleness_s": ((pl.col("second") + 1) * NS - pl.col("event_time_ns")) * 1e-9,
        **{f"volume_24h_change_{w}s": change("volume_24h", w) for w in (60, 300)},
        "traded_volume_60s": traded,
        "flow_imbalance_60s": pl.when(traded == 0).then(0.0).otherwise((bought - sold) / traded),
        **{f"tick_vol_{w}s": _root(by_tick("moves", w, pl.lit(0.0))) for w in (10, 30, 60, 300)},
        "tick_spread_bps_mean_10s": by_tick("spreads", 10, pl.col("spread_bps")),
        **{f"observed_vol_{w}s": observed(w) for w in OBSERVED_S},
        **{f"observed_share_{w}s": known(w) / w for w in (60, 300, 3600)},
        "hour_sin": hour.sin(),
        "hour_cos": hour.cos(),
    }


def _ewma() -> pl.Expr:
    """Exponential weights in steps of the windows, with a memory of 300 s."""

    def known(w: int) -> pl.Expr:
        return pl.min_horizontal("run", pl.lit(w))

    total, weight = pl.lit(0.0), pl.lit(0.0)
    for w, step in EWMA_STEPS:
        # As the mean of a window comes to its sum where it is not yet full.
        mean = pl.col("square").rolling_mean(w, min_samples=1).over("product")
        total, weight = total + step * mean * known(w), weight + step * known(w)
    return pl.when(pl.col("run") >= 30).then(_root(total / weight))


def _root(mean_square: pl.Expr) -> pl.Expr:
    # Rolling sums of floats drift, and where nothing moved they may come out below zero.
    return mean_square.clip(lower_bound=0).sqrt()


def _mixed() -> dict[str, pl.Expr]:
    """What is made of other features."""

    def ratio(name: str, short: str, long: str) -> pl.Expr:
        share = pl.col(f"{name}_{short}s") / pl.col(f"{name}_{long}s")
        return pl.when(pl.col(f"{name}_{long}s") == 0).then(1.0).otherwise(share)

    def typical(w: int) -> pl.Expr:
        minute = pl.col("observed_vol_60s").clip(lower_bound=1e-7).log()
        return minute.rolling_mean(w - 59, min_samples=1).over("product").exp()

    jump = 1 - (pl.col("bipower_vol_60s") / pl.col("realized_vol_60s")) ** 2
    return {
        **{f"typical_vol_{w}s": typical(w) for w in TYPICAL_S},
        "jump_share_60s": pl.when(pl.col("realized_vol_60s") == 0)
        .then(0.0)
        .otherwise(jump.clip(lower_bound=0)),
        **{
            f"vol_ratio_{short}_{long}s": ratio("realized_vol", short, long)
            for short, long in (("10", "300"), ("30", "300"), ("60", "300"), ("60", "900"))
        },
        "tick_intensity_ratio_60_300s": ratio("tick_intensity", "60", "300"),
        "ewma_vol_60s": _ewma(),
    }


NAMES = ("spread", "spread_bps", "book_imbalance", *_windows(), *_mixed())

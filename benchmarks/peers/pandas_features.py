"""The feature set in pandas, as somebody who knows pandas would write it: see polars_features."""

import math

import numpy as np
import pandas as pd

from peers.polars_features import EWMA_STEPS, OBSERVED_S, TYPICAL_S

NS = 1_000_000_000
LEAST_DURATION_S = 0.01
_CARRIED = ["event_time_ns", "bid", "ask", "bid_size", "ask_size", "volume_24h"]
_SUMS = ["ticks", "bought", "sold", "moves", "spreads"]


def features(ticks: pd.DataFrame) -> pd.DataFrame:
    """One row a product and closed second: product, second and every feature, NaN if unknown."""
    bars = _bars(ticks)
    products = {
        product: _columns(_grid(of_product.droplevel("product")))
        for product, of_product in bars.groupby(level="product", sort=True)
    }
    return pd.concat(products, names=["product", "second"]).reset_index()


def _bars(ticks: pd.DataFrame) -> pd.DataFrame:
    """Seconds with a tick: the closing quote, the range of the mid, counts and traded sizes."""
    new_trade = ticks["trade_id"] != ticks.groupby("product")["trade_id"].shift()
    size = ticks["last_size"].where(new_trade, 0.0)
    mid = 0.5 * (ticks["bid"] + ticks["ask"])
    since_s = ticks.groupby("product")["event_time_ns"].diff().clip(lower=0) * 1e-9
    ticks = ticks.assign(
        second=ticks["event_time_ns"] // NS,
        mid=mid,
        move=np.log(mid).groupby(ticks["product"]).diff() ** 2 / (since_s + LEAST_DURATION_S),
        spread_bps=1e4 * (ticks["ask"] - ticks["bid"]) / mid,
        bought=size.where(ticks["side"] > 0, 0.0),
        sold=size.where(ticks["side"] < 0, 0.0),
    )
    seconds = ticks.groupby(["product", "second"], sort=True)
    return seconds.agg(
        **{name: (name, "last") for name in _CARRIED},
        high=("mid", "max"),
        low=("mid", "min"),
        ticks=("mid", "size"),
        bought=("bought", "sum"),
        sold=("sold", "sum"),
        moves=("move", "sum"),
        spreads=("spread_bps", "sum"),
    )


def _grid(bars: pd.DataFrame) -> pd.DataFrame:
    """Every second from the first to the one before the last, quiet ones carried on."""
    grid = bars.reindex(pd.RangeIndex(bars.index[0], bars.index[-1], name="second"))
    grid[_CARRIED] = grid[_CARRIED].ffill()
    grid[_SUMS] = grid[_SUMS].fillna(0)
    return grid


def _columns(grid: pd.DataFrame) -> pd.DataFrame:
    bid, ask = grid["bid"], grid["ask"]
    mid, spread = 0.5 * (bid + ask), ask - bid
    spread_bps, log_mid = 1e4 * spread / mid, np.log(mid)
    imbalance = (grid["bid_size"] - grid["ask_size"]) / (grid["bid_size"] + grid["ask_size"])
    r = log_mid.diff()
    pair = r.abs() * r.abs().shift()
    high = np.maximum(grid["high"].fillna(mid), np.maximum(mid, mid.shift()))
    low = np.minimum(grid["low"].fillna(mid), np.minimum(mid, mid.shift()))
    # The first second was seen in part: it is where a run starts, and in no window.
    seen = grid.index > grid.index[0]
    ticks, bought, sold, moves, spreads = (grid[name].where(seen) for name in _SUMS)
    columns: dict[str, pd.Series] = {}
    for w in (10, 60, 300):
        columns[f"log_return_{w}s"] = log_mid.diff(w)
        columns[f"tick_intensity_{w}s"] = ticks.rolling(w).mean()
    for w in (10, 30, 60, 300, 900):
        columns[f"realized_vol_{w}s"] = _root((r**2).rolling(w).mean())
    for w in (60, 300):
        columns[f"bipower_vol_{w}s"] = _root(math.pi / 2 * pair.rolling(w - 1).mean())
        log_range = np.log(high.rolling(w).max() / low.rolling(w).min())
        columns[f"parkinson_{w}s"] = log_range / math.sqrt(4 * math.log(2) * w)
        columns[f"volume_24h_change_{w}s"] = grid["volume_24h"].diff(w)
    jump = 1 - (columns["bipower_vol_60s"] / columns["realized_vol_60s"]) ** 2
    columns["jump_share_60s"] = jump.clip(lower=0).mask(columns["realized_vol_60s"] == 0, 0.0)
    for short, long in ((10, 300), (30, 300), (60, 300), (60, 900)):
        columns[f"vol_ratio_{short}_{long}s"] = _ratio(
            columns[f"realized_vol_{short}s"], columns[f"realized_vol_{long}s"]
        )
    columns["tick_intensity_ratio_60_300s"] = _ratio(
        columns["tick_intensity_60s"], columns["tick_intensity_300s"]
    )
    columns["spread"], columns["spread_bps"] = spread, spread_bps
    for w in (30, 300):
        columns[f"spread_bps_mean_{w}s"] = spread_bps.where(seen).rolling(w).mean()
    columns["microprice_deviation_bps"] = 0.5 * imbalance * spread_bps
    columns["book_imbalance"] = imbalance
    columns["book_imbalance_mean_60s"] = imbalance.where(seen).rolling(60).mean()
    columns["quiet_share_60s"] = (ticks == 0).where(seen).rolling(60).mean()
    columns["staleness_s"] = ((grid.index + 1) * NS - grid["event_time_ns"]) * 1e-9
    bought_60, sold_60 = bought.rolling(60).sum(), sold.rolling(60).sum()
    traded = bought_60 + sold_60
    columns["traded_volume_60s"] = traded
    columns["flow_imbalance_60s"] = ((bought_60 - sold_60) / traded).mask(traded == 0, 0.0)
    for w in (10, 30, 60, 300):
        count = ticks.rolling(w).sum()
        columns[f"tick_vol_{w}s"] = _root((moves.rolling(w).sum() / count).mask(count == 0, 0.0))
    count = ticks.rolling(10).sum()
    columns["tick_spread_bps_mean_10s"] = (spreads.rolling(10).sum() / count).mask(
        count == 0, spread_bps
    )
    square, run = r**2, pd.Series(np.arange(len(grid)), grid.index)
    for w in OBSERVED_S:
        columns[f"observed_vol_{w}s"] = _root(square.rolling(w, min(w // 2, 30)).mean())
    minute = np.log(columns["observed_vol_60s"].clip(lower=1e-7))
    for w in TYPICAL_S:
        columns[f"typical_vol_{w}s"] = np.exp(minute.rolling(w - 59, 1).mean())
    for w in (60, 300, 3600):
        columns[f"observed_share_{w}s"] = run.clip(upper=w) / w
    known = {w: run.clip(upper=w) for w, _ in EWMA_STEPS}
    total = sum(step * square.rolling(w, 1).mean() * known[w] for w, step in EWMA_STEPS)
    weight = sum(step * known[w] for w, step in EWMA_STEPS)
    columns["ewma_vol_60s"] = _root(total / weight).where(run >= 30)
    angle = 2 * math.pi * (grid.index % 86_400) / 86_400
    columns["hour_sin"] = pd.Series(np.sin(angle), grid.index)
    columns["hour_cos"] = pd.Series(np.cos(angle), grid.index)
    return pd.DataFrame(columns)


def _root(mean_square: pd.Series) -> pd.Series:
    return np.sqrt(mean_square.clip(lower=0))


def _ratio(short: pd.Series, long: pd.Series) -> pd.Series:
    return (short / long).mask(long == 0, 1.0)

"""Hours of candles: the shared ones, and invented ones, as datasets of the hourly cases."""

import datetime as dt
import os
from pathlib import Path

import numpy as np
import polars as pl

from barograph.candle_records import Candle
from barograph.cases.case import Dataset
from barograph.evaluation import labels
from barograph.feature_set.hourly.catalogue import NAMES
from barograph.feature_set.hourly.hours import CANDLE
from barograph.feature_set.hourly.machine import HourlyFeatures, _numbers

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("BAROGRAPH_DATA", ROOT / ".." / "shared" / "data")) / "hourly"
FILES = {
    "BTC-USD": SHARED / "btc_usd_hourly_to_20241130.csv.gz",
    "ETH-USDT": SHARED / "eth_usdt_hourly_binance_20200301_to_20241130.csv.gz",
}
START_S = 1_700_006_400
_PARTS = 60


def shared(product):
    """The candles of one of FILES."""
    table = pl.read_csv(FILES[product], infer_schema_length=0)
    volume = "volumefrom" if "volumefrom" in table.columns else "volume"
    return [
        Candle(
            product=product, start_s=_second(time), open=opened, high=high, low=low, close=close,
            volume=size, source="file",
        )
        for time, opened, high, low, close, size in table.select(
            "time", "open", "high", "low", "close", volume
        ).iter_rows()
    ]  # fmt: skip


def invented(hours, seed, product="BTC-USD", *, minutes=False):
    """Candles of a diffusion whose volatility follows the hour of the day and its own past.

    minutes: whether they offer the realised volatility of their sixty minutes.
    """
    rng = np.random.default_rng(seed)
    deviation = np.zeros(hours)
    for hour in range(1, hours):
        deviation[hour] = 0.97 * deviation[hour - 1] + 0.15 * rng.standard_normal()
    day = 0.4 * np.sin(2 * np.pi * np.arange(hours) / 24)
    step = 0.005 * np.exp(deviation + day)[:, None] / np.sqrt(_PARTS)
    path = np.cumsum(step * rng.standard_normal((hours, _PARTS)), axis=None).reshape(hours, _PARTS)
    price = 50_000 * np.exp(path)
    opened = np.concatenate([[50_000.0], price[:-1, -1]])
    high = np.maximum(price.max(axis=1), opened)
    low = np.minimum(price.min(axis=1), opened)
    size = rng.lognormal(5, 0.5, hours)
    realized = np.sqrt((np.diff(np.log(np.column_stack([opened, price])), axis=1) ** 2).sum(axis=1))
    return [
        Candle(
            product=product, start_s=START_S + 3600 * hour, open=f"{opened[hour]:.2f}",
            high=f"{high[hour]:.2f}", low=f"{low[hour]:.2f}", close=f"{price[hour, -1]:.2f}",
            volume=f"{size[hour]:.4f}", source="file",
            realized_vol=float(realized[hour]) if minutes else None,
        )
        for hour in range(hours)
    ]  # fmt: skip


def dataset(case, candles):
    """The rows of one product's candles with the outcomes of a case."""
    machine = HourlyFeatures()
    product = machine.product_index(candles[0].product)
    numbers = [(*_numbers(candle), product) for candle in candles]
    rows, _ = machine.update(np.array(numbers, CANDLE))
    live, values = case.live, rows["values"]
    now = values[:, live.places[live.value_now]]
    outcome = labels.later(rows["second"], now, horizon_s=live.horizon_s)
    digits = np.ascontiguousarray(rows["reasons"] + ord("0")).view(f"S{len(NAMES)}")
    frame = pl.DataFrame(
        {
            "product": [candles[0].product] * len(rows),
            "second": rows["second"],
            **{name: values[:, place] for place, name in enumerate(NAMES)},
            "reasons": digits.ravel().astype(str).tolist(),
            "outcome": outcome,
        }
    )
    return Dataset(frame.with_columns(pl.col(*NAMES, "outcome").fill_nan(None)), "candles")


def _second(time):
    if time.isdigit():
        return int(time)
    return int(dt.datetime.fromisoformat(time).timestamp())

"""Invented hours: calm, wild, still and quiet ones, holes, jumps, revisions, late and bad ones."""

import numpy as np
from hypothesis import strategies as st

from barograph.candle_records import HOUR_S, Candle
from barograph.codec import NAT, encode
from barograph.feature_set.hourly.catalogue import ROW
from barograph.feature_set.hourly.hours import CANDLE
from barograph.feature_set.hourly.kernel import update
from barograph.feature_set.hourly.state import new_states
from barograph.types import Record

START_H = 480_000
PRODUCT = "BTC-USD"

parts = st.lists(
    st.fixed_dictionaries(
        {
            "hours": st.integers(1, 40) | st.sampled_from([200, 760]),
            "vol": st.sampled_from([1e-4, 5e-3, 0.1]),
            "still": st.sampled_from([0.0, 0.0, 0.3]),
            "quiet": st.sampled_from([0.0, 0.0, 0.3]),
            "realized": st.booleans(),
            "before": st.sampled_from(["", "", "hole", "long hole", "jump"]),
            "lost": st.sampled_from([0.0, 0.0, 0.03, 0.2]),
        }
    ),
    min_size=1,
    max_size=4,
)
drawn_candles = st.tuples(st.integers(0, 2**32 - 1), parts, st.floats(0, 0.2))


def candles(drawn):
    """(n,) of CANDLE in the order of a log; `drawn`: a seed, parts, the share of revisions."""
    seed, described, revised = drawn
    rng = np.random.default_rng(seed)
    log, hour, price = [], START_H, 100.0
    for part in described:
        hour += {"hole": 5, "long hole": 900}.get(part["before"], 0)
        price *= 20.0 if part["before"] == "jump" else 1.0
        for _ in range(part["hours"]):
            candle, price = invented(rng, hour, price, part)
            if rng.random() >= part["lost"]:
                log.append(candle)
            hour += 1
            if rng.random() < revised:
                back = int(rng.integers(0, min(hour - START_H, 800)))
                again, _ = invented(rng, hour - 1 - back, price, part)
                again["version"] = rng.integers(1, 4)
                log.append(again)
            if rng.random() < revised / 5:
                bad = candle.copy()
                bad["high"] *= 100.0
                bad["realized_vol"] = rng.choice([np.nan, 4.0])
                bad["version"] = 9
                log.append(bad)
    return np.array(log, CANDLE)


def invented(rng, hour, price, part):
    """A candle as one of CANDLE, and the price that it leaves."""
    candle = np.zeros((), CANDLE)
    candle["hour"], candle["version"] = hour, 1
    candle["receive_time_ns"] = rng.choice([NAT, (hour + 1) * HOUR_S * 10**9 + 5])
    candle["realized_vol"] = abs(rng.normal(0, part["vol"])) if part["realized"] else np.nan
    if rng.random() < part["quiet"]:
        candle["realized_vol"] = np.nan
        for name in ("open", "high", "low", "close"):
            candle[name] = np.nan
        return candle, price
    steps = np.zeros(4) if rng.random() < part["still"] else rng.normal(0, part["vol"] / 2, 4)
    path = np.round(price * np.exp(np.cumsum(np.clip(steps, -0.4, 0.4))), 6)
    candle["open"], candle["close"] = path[0], path[-1]
    candle["high"], candle["low"] = path.max(), path.min()
    candle["volume"] = np.round(rng.choice([0.0, 1.0, 1e3]) * rng.random(), 6)
    return candle, float(path[-1])


def word(candle, product=PRODUCT, **more):
    """One of CANDLE as a Candle."""
    prices = [None if np.isnan(candle[n]) else f"{candle[n]:f}" for n in PRICES]
    realized = float(candle["realized_vol"])
    received = int(candle["receive_time_ns"])
    return Candle(
        product=product,
        start_s=int(candle["hour"]) * HOUR_S,
        **dict(zip(PRICES, prices, strict=True)),
        volume=f"{candle['volume']:f}",
        source="file" if candle["version"] > 0 else "ticks",
        version=abs(int(candle["version"])),
        receive_time_ns=None if received == NAT else received,
        realized_vol=None if np.isnan(realized) else realized,
        **more,
    )


PRICES = ("open", "high", "low", "close")


def records(words):
    """Records of candles.raw."""
    return [
        Record("candles.raw", 0, place, each.product, encode(each))
        for place, each in enumerate(words)
    ]


CALM = {
    "hours": 1, "vol": 5e-3, "still": 0.0, "quiet": 0.0, "realized": False, "before": "",
    "lost": 0.0,
}  # fmt: skip


def steady(hours, seed=1, **more):
    """So many hours without a hole, a revision or a quiet one."""
    return candles((seed, [CALM | {"hours": hours} | more], 0.0))


def every_row(log, products=1, states=None):
    """All rows of a log at once, and the fates of its candles."""
    rows, fates = np.zeros(len(log), ROW), np.zeros(len(log), np.uint8)
    states = new_states(products) if states is None else states
    return rows[: update(states, log, rows, fates)], fates

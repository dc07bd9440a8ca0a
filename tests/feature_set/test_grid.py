"""The grid: which seconds have rows, and which of their values are missing for which reason."""

import math

import numpy as np

from barograph.codec import GAP, HEARTBEAT, NAT
from barograph.feature_set.catalogue import COLUMN, FEATURES, NAMES, STALE_AFTER_S
from barograph.types import Reason
from invented_markets import NS, market
from whole_rows import whole


def ticks(seconds, *, vol=1e-4, seed=1, **more):
    part = {
        "seconds": seconds, "ticks_per_s": 3.0, "heartbeats": True, "vol": vol,
        "sizes": True, "volume": True, "before": "", **more,
    }  # fmt: skip
    return market((seed, [part]))


def test_warm_up_is_missing_with_its_reason_and_never_zero():
    rows, _ = whole(ticks(1000))
    first_known = {
        name: int(np.flatnonzero(~np.isnan(rows["values"][:, i]))[0])
        for i, name in enumerate(NAMES)
    }
    assert first_known == {feature.name: feature.warmup_s for feature in FEATURES}
    unknown = np.isnan(rows["values"])
    assert set(rows["reasons"][unknown].tolist()) == {int(Reason.WARMUP)}
    assert set(rows["reasons"][~unknown].tolist()) == {int(Reason.KNOWN)}


def test_windows_that_touch_a_gap_are_missing_with_its_reason():
    events = ticks(1200)
    at = int(np.searchsorted(events["event_time_ns"], events["event_time_ns"][0] + 1000 * NS))
    gap = np.zeros(1, events.dtype)
    gap["kind"] = GAP
    gap["gap_start_ns"] = events["event_time_ns"][at - 1]
    gap["event_time_ns"] = events["event_time_ns"][at]
    rows, _ = whole(np.concatenate([events[:at], gap, events[at:]]))
    touched = events["event_time_ns"][at] // NS
    column = COLUMN["realized_vol_60s"]
    for row in rows[rows["second"] >= touched][:60]:
        assert math.isnan(row["values"][column])
        assert row["reasons"][column] == Reason.GAP
    assert not math.isnan(rows[rows["second"] == touched + 60]["values"][0, column])
    assert rows[rows["second"] == touched]["return_e9"] == NAT


def test_a_return_beyond_the_proven_bound_is_missing_as_out_of_range():
    events = market((5, [
        {"seconds": 50, "ticks_per_s": 2.0, "heartbeats": True, "vol": 1e-5, "sizes": True,
         "volume": True, "before": before} for before in ("", "crash")
    ]))  # fmt: skip
    rows, _ = whole(events)
    reasons = rows["reasons"][:, COLUMN["realized_vol_60s"]].tolist()
    assert set(reasons) == {Reason.WARMUP, Reason.OUT_OF_RANGE}


def test_a_quote_older_than_the_longest_window_is_not_carried_on():
    events = ticks(100)
    beats = np.zeros(2000, events.dtype)
    beats["kind"] = HEARTBEAT
    beats["event_time_ns"] = (events["event_time_ns"][-1] // NS + np.arange(1, 2001)) * NS
    rows, _ = whole(np.concatenate([events, beats]))
    last_tick = events[events["kind"] == 0]["event_time_ns"][-1] // NS
    assert rows["second"][-1] == last_tick + STALE_AFTER_S - 1

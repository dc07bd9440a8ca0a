"""Hypothesis strategies: markets that nobody would think of, as arrays of events.

A market is drawn as a few segments (how long, how busy, how wild, what goes wrong), each expanded
by a seeded generator, so that streams long enough for the longest window shrink to a few numbers.
"""

import numpy as np
from hypothesis import strategies as st

from barograph.codec import EVENT, FILLED, GAP, HEARTBEAT, NAT, TICK, TRADE

NS = 1_000_000_000

segments = st.fixed_dictionaries(
    {
        "seconds": st.integers(1, 400),
        "ticks_per_s": st.sampled_from([0.0, 0.05, 0.5, 2.0]),
        "heartbeats": st.booleans(),
        "vol": st.sampled_from([0.0, 1e-7, 5e-5, 5e-3]),
        "sizes": st.booleans(),
        "volume": st.booleans(),
        "trades": st.sampled_from(["", "", "some", "late"]),
        "before": st.sampled_from(["", "", "gap", "silence", "crash", "back", "whale"]),
    }
)

markets = st.tuples(st.integers(0, 2**32 - 1), st.lists(segments, min_size=1, max_size=6))


def market(drawn, product=0):
    """(n,) of EVENT in log order from what `markets` drew."""
    seed, parts = drawn
    rng = np.random.default_rng([seed, product])
    events = []
    now = 1_700_000_000 * NS + int(rng.integers(0, NS))
    state = {"mid": 50_000.0 * (1 + product), "trade_id": 7, "volume": 1000.0}
    for part in parts:
        now = _before(part["before"], rng, events, now, state)
        for _ in range(part["seconds"]):
            times = np.sort(rng.integers(0, NS, rng.poisson(part["ticks_per_s"])))
            for time in times:
                if part.get("trades"):
                    events += _trades(rng, part, now + int(time), state)
                events.append(_tick(rng, part, now + int(time), state))
            if part["heartbeats"]:
                events.append(_event(HEARTBEAT, now + NS - 1))
            now += NS
    out = np.array(events, EVENT) if events else np.zeros(0, EVENT)
    out["product"] = product
    out["receive_time_ns"] = np.where(
        rng.random(len(out)) < 0.1, NAT, out["event_time_ns"] + rng.integers(-NS, NS, len(out))
    )
    return out


def _before(what, rng, events, now, state):
    """Let something go wrong before a segment; returns the time at which it begins."""
    if what == "gap":
        end = now + int(rng.integers(0, 30 * NS))
        gap = _event(GAP, end)
        gap["gap_start_ns"] = now - int(rng.integers(-5 * NS, 5 * NS))
        events.append(gap)
        return end
    if what == "silence":
        return now + int(rng.integers(1, 1200)) * NS
    if what == "crash":
        state["mid"] *= 0.8
    if what == "back":
        return now - int(rng.integers(0, 3 * NS))
    if what == "whale":
        state["whale"] = True
    return now


def _event(kind, time_ns):
    event = np.zeros((), EVENT)
    event["kind"] = kind
    event["event_time_ns"] = time_ns
    event["trade_id"] = -1
    for name in ("price", "bid", "ask", "bid_size", "ask_size", "volume_24h", "last_size"):
        event[name] = np.nan
    return event


def _trades(rng, part, time_ns, state):
    """Trades without a quote before a tick, which may be that of the last one; or out of time."""
    trades = []
    for _ in range(rng.integers(0, 3)):
        state["trade_id"] += 1
        late_ns = int(rng.integers(0, 3 * NS)) if part["trades"] == "late" else 0
        event = _event(int(rng.choice([TRADE, FILLED])), time_ns - late_ns)
        event["price"] = round(state["mid"], 2)
        event["last_size"] = round(float(rng.exponential(0.1)), 8)
        event["trade_id"] = state["trade_id"] - int(rng.integers(0, 4) == 0)
        event["side"] = rng.choice([-1, 0, 1], p=[0.45, 0.1, 0.45])
        trades.append(event)
    return trades


def _tick(rng, part, time_ns, state):
    state["mid"] *= float(np.exp(part["vol"] * rng.standard_normal()))
    state["trade_id"] += int(rng.integers(0, 2))
    state["volume"] += float(rng.normal())
    spread = 0.01 * int(rng.integers(0, 4))
    event = _event(TICK, time_ns)
    event["bid"] = round(state["mid"], 2)
    event["ask"] = event["bid"] + spread
    event["price"] = event["bid"]
    if part["sizes"]:
        event["bid_size"], event["ask_size"] = np.round(rng.exponential(1.0, 2), 8)
        event["last_size"] = round(float(rng.exponential(0.1)), 8)
        event["trade_id"] = state["trade_id"]
        event["side"] = rng.choice([-1, 1])
        if state.pop("whale", False):
            event["last_size"] = 3e9
    if part["volume"]:
        event["volume_24h"] = state["volume"]
    return event

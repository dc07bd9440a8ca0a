"""Coinbase messages for tests: two as the venue sent them, and others made of them."""

import json

from barograph.types import Frame, Gap
from barograph.venues.timestamps import format_time, parse_time

S = 1_000_000_000
START = parse_time("2025-11-12T07:20:11.615272Z")

# Two frames as the venue sent them.
TICKER = {
    "type": "ticker",
    "sequence": 115498669093,
    "product_id": "BTC-USD",
    "price": "103472.28",
    "open_24h": "104763.2",
    "volume_24h": "5461.74127717",
    "low_24h": "102422.43",
    "high_24h": "105504.83",
    "volume_30d": "222137.61075405",
    "best_bid": "103472.27",
    "best_bid_size": "0.04145138",
    "best_ask": "103472.28",
    "best_ask_size": "0.02560996",
    "side": "buy",
    "time": "2025-11-12T07:20:11.615272Z",
    "trade_id": 900701309,
    "last_size": "0.00068754",
}
ENVELOPE = {
    "channel": "ticker",
    "timestamp": "2026-04-04T21:13:43.291084825Z",
    "sequence_num": 0,
    "events": [
        {
            "type": "snapshot",
            "tickers": [
                {
                    "type": "ticker",
                    "product_id": "BTC-USD",
                    "price": "67223.5",
                    "volume_24_h": "2401.16054813",
                    "low_24_h": "66770.64",
                    "high_24_h": "67535.2",
                    "low_52_w": "60001",
                    "high_52_w": "126296",
                    "price_percent_chg_24_h": "0.54672614199923",
                    "best_bid": "67223.49",
                    "best_ask": "67223.5",
                    "best_bid_quantity": "0.56309243",
                    "best_ask_quantity": "0.25094364",
                }
            ],
        }
    ],
}


def frame(message, connection="c", receive_time_ns=None):
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Frame(data=data, connection=connection, receive_time_ns=receive_time_ns)


def ticker(n=0, **changes):
    """The n-th trade, n seconds later."""
    later = {"trade_id": TICKER["trade_id"] + n, "time": format_time(START + n * S)}
    message = TICKER | later | changes
    return {name: value for name, value in message.items() if value is not None}


def heartbeat(n, last_trade, **changes):
    return {
        "type": "heartbeat",
        "sequence": 1,
        "last_trade_id": TICKER["trade_id"] + last_trade,
        "product_id": "BTC-USD",
        "time": format_time(START + n * S),
    } | changes


def envelope(n, products=("BTC-USD",), kind="update", seconds=None, **changes):
    """Frame number n of a connection."""
    one = ENVELOPE["events"][0]["tickers"][0]
    return ENVELOPE | {
        "timestamp": format_time(START + int((n if seconds is None else seconds) * S)),
        "sequence_num": n,
        "events": [{"type": kind, "tickers": [one | {"product_id": name} for name in products]}],
    } | changes  # fmt: skip


def beats(n, counter, seconds=None, **changes):
    events = [
        {"current_time": "2023-06-23 20:31:56 +0000 UTC m=+1.5", "heartbeat_counter": counter}
    ]
    return envelope(n, seconds=seconds, channel="heartbeats", events=events, **changes)


def feed(machine, *messages, connection="c"):
    """All events and dead letters of some messages."""
    events, letters = [], []
    for message in messages:
        received = machine.receive(frame(message, connection))
        events += received.events
        letters += received.dead_letters
    return events, letters


def gaps(events):
    return [event for event in events if isinstance(event, Gap)]


def faults(letters):
    return [letter.fault for letter in letters]

"""Coinbase messages for tests: two as the venue sent them, and others made of them."""

import json

from barograph.times import format_time, parse_time
from barograph.types import Frame, Gap, Tick, Trade

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


def match(n, **changes):
    """The n-th trade as the matches channel tells it; `side` is the maker's."""
    return {
        "type": "match",
        "trade_id": TICKER["trade_id"] + n,
        "maker_order_id": "ac928c66-ca53-498f-9c13-a110027a60e8",
        "taker_order_id": "132fb6ae-456b-4654-b4e0-d681ac05cea1",
        "side": "sell",
        "size": TICKER["last_size"],
        "price": TICKER["price"],
        "product_id": "BTC-USD",
        "sequence": 50,
        "time": format_time(START + n * S),
    } | changes


def page(*trades):
    """A page of REST, newest first, of matches."""
    names = ("trade_id", "side", "size", "price", "time")
    rows = [{name: trade[name] for name in names} for trade in trades]
    return sorted(rows, key=lambda row: -row["trade_id"])


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


def at(seconds):
    """The venue's text for a time so long after START."""
    return format_time(START + int(seconds * S))


def ids(events):
    """Which trade each tick or trade tells, counted from TICKER's; of the others what they are."""
    return [
        event.trade_id - TICKER["trade_id"]
        if isinstance(event, Tick | Trade)
        else type(event).__name__
        for event in events
    ]


def gaps(events):
    return [event for event in events if isinstance(event, Gap)]


def faults(letters):
    return [letter.fault for letter in letters]
